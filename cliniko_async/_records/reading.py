"""Structure hooks: read records from JSON or from parsed JSON.

A hook hands bytes to a msgspec decoder of the class, which fills frozen classes without calling `__init__` but says
little about a value that does not fit. If msgspec refuses the bytes, and for parsed JSON, cattrs reads field by field
and names each field that does not fit.
"""

import json
import types
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import cache, partial
from typing import Any, NoReturn, Union, cast, get_args, get_origin

import attrs
import cattrs
import msgspec
from cattrs.gen import make_dict_structure_fn, override

from .._dates import DateTime, Real
from .._messages import as_object
from ..fields import id_text
from ..links import Link, ListLink, SelfLink
from .record import is_record, is_renamed, is_union, variant_of, wire_names
from .writing import encode, plain

Hook = Callable[[Any, Any], Any]

MOST_VALUES = 100_000
"""Maximum number of values that are read field by field: each takes a few microseconds and blocks the event loop."""
_MOST_SIGNS = 1_000_000
"""Maximum number of commas and opening brackets in a body that is parsed at all. There are about as many values, and
parsing so many takes about half a second, which nothing can interrupt."""
_MOST_FAULTS = 20
"""Maximum number of faults reported of one record, and looked for in one list: each takes some 20 microseconds."""
TOO_MANY = "holds too many values to be read"

_REFUSED = (msgspec.MsgspecError, ValueError, RecursionError)
"""What a decoder raises for bytes that it cannot read."""

_SCALARS: dict[Any, tuple[Any, str]] = {
    str: (str, "a string"),
    int: (int, "an integer"),
    bool: (bool, "true or false"),
    Decimal: (Decimal, "a decimal"),
    Real.datetime: (DateTime, "a datetime with a time zone"),
    Real.date: (Real.date, "a date"),
    Link: (Link, "a link"),
    ListLink: (ListLink, "a link"),
    SelfLink: (SelfLink, "a link"),
}
_SHAPES = {str: "a string", list: "a list", dict: "an object"}


class InvalidValueError(ValueError):
    """Says what was expected, and not what was found, which may be about a patient."""


class RefusedError(ValueError):
    """JSON that is refused as a whole; its arguments say why."""

    args: tuple[str, ...]

    def __str__(self) -> str:
        """The reasons."""
        return "; ".join(self.args)


class RecordNote(str):
    """A note on an error that names the record which does not fit."""

    __slots__ = ()


def fault_text(error: Exception, place: str) -> str:
    """Return a line that names a record, by its id or else its place, and each of its fields that does not fit."""
    texts = cattrs.transform_error(error, path="", format_exception=_explain)[:_MOST_FAULTS]
    faults = (text.rpartition(" @ ") for text in texts)
    named = next((note for note in getattr(error, "__notes__", ()) if isinstance(note, RecordNote)), place)
    return f"{named}: " + ", ".join(f"{path.lstrip('.')} {fault}".strip() for fault, _, path in faults)


def _explain(error: BaseException, _: type | None) -> str:
    # The message of any error but our own might show the value.
    return str(error) if isinstance(error, InvalidValueError) else "is missing"


# JSON


def bytes_first(decode: Callable[[bytes], Any], exact: Callable[[Any], Any]) -> Hook:
    """Return a hook that gives bytes to `decode`, and parsed JSON, or what `decode` refuses, to `exact`."""

    def structure(value: Any, _: Any) -> Any:
        if isinstance(value, (bytes, msgspec.Raw)):
            body = bytes(value)
            _check_size(body)
            # What follows runs after the handler, so that its errors are not chained to those of msgspec.
            with suppress(*_REFUSED):
                return decode(body)
            value = parse(body)
        return exact(value)

    return structure


@cache
def decoder_of(cls: Any) -> Callable[[Any], Any]:
    """Return the function that decodes the JSON of a record."""
    if is_renamed(cls):
        return refuse
    if not is_union(cls):
        return msgspec.json.Decoder(cls).decode
    keys = msgspec.json.Decoder(dict[str, Any])
    return lambda body: decoder_of(variant_of(cls, keys.decode(body)))(body)


def refuse(_: Any) -> NoReturn:
    """Refuse constants such as NaN, and JSON of a class with renamed fields, which msgspec would read without them."""
    raise msgspec.DecodeError


def parse(body: bytes) -> Any:
    """Return the value of JSON that is to be read field by field.

    Raises:
        RefusedError: It is not JSON, or holds so many values that the event loop would be blocked.
    """
    data = _loads(body)
    if count_values(data) > MOST_VALUES:
        raise RefusedError(TOO_MANY)
    return data


def _loads(body: bytes) -> Any:
    with suppress(*_REFUSED, ArithmeticError):
        # As floats, decimals would lose digits and be reported beside the real fault.
        return json.loads(body, parse_float=Decimal, parse_constant=refuse)
    raise RefusedError("is not JSON")


def _check_size(body: bytes) -> None:
    if len(body) > _MOST_SIGNS and sum(map(body.count, (b",", b"[", b"{"))) > _MOST_SIGNS:
        raise RefusedError(TOO_MANY)


def count_values(data: Any) -> int:
    """Count the values in parsed JSON, at any depth."""
    count, left = 0, [data]
    while left:
        value = left.pop()
        count += 1
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
    return count


# Field by field


def register_structure_hooks(converter: cattrs.Converter) -> None:
    """Register hooks that read records and the values in them exactly: nothing is coerced."""
    for kind, (accepted, name) in _SCALARS.items():
        converter.register_structure_hook(kind, _scalar_hook(accepted, f"expected {name}"))
    for is_kind, hook in (
        (is_record, _record_hook),
        (_is_tuple, _tuple_hook),
        (_is_map, _map_hook),
        (_is_mixed, _mixed_hook),
    ):
        converter.register_structure_hook_factory(is_kind, partial(hook, converter))


def _scalar_hook(kind: Any, expected: str) -> Hook:
    def structure(value: Any, _: Any) -> Any:
        with suppress(msgspec.ValidationError, ValueError):
            # msgspec reads a scalar in the same way here as in JSON.
            found = value if isinstance(value, Decimal) and kind is Decimal else msgspec.convert(plain(value), kind)
            encode(found)  # Half of a surrogate pair can be read here, and could not be written again.
            return found
        raise InvalidValueError(expected)

    return structure


def _record_hook(converter: cattrs.Converter, cls: Any) -> Hook:
    read = _variant_reader(converter, cls) if is_union(cls) else _field_reader(converter, cls)

    def exact(value: Any) -> Any:
        found = as_object(value)
        if found is None:
            raise InvalidValueError("expected an object")
        return read(found)

    return bytes_first(decoder_of(cls), exact)


def _variant_reader(converter: cattrs.Converter, cls: Any) -> Callable[[dict[str, Any]], Any]:
    def read(found: dict[str, Any]) -> Any:
        variant: Any = variant_of(cls, found)
        return converter.structure(found, variant)

    return read


def _field_reader(converter: cattrs.Converter, cls: Any) -> Callable[[dict[str, Any]], Any]:
    renames: dict[str, Any] = {name: override(rename=wire) for name, wire in wire_names(cls).items()}
    read_fields = make_dict_structure_fn(cls, converter, **renames)

    def read(found: dict[str, Any]) -> Any:
        try:
            return read_fields(found, cls)
        except cattrs.ClassValidationError as error:
            if key := id_text(found.get("id")):
                error.add_note(RecordNote(f"record {key}"))
            raise

    return read


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _tuple_hook(converter: cattrs.Converter, kind: Any) -> Hook:
    item_type = get_args(kind)[0]

    def structure(value: Any, _: Any) -> Any:
        # Otherwise a string would be read as the list of its characters.
        if not isinstance(value, list | tuple):
            raise InvalidValueError("expected a list")
        items: list[Any] = []
        faults: list[Exception] = []
        for index, item in enumerate(cast("Sequence[Any]", value)):
            try:
                items.append(converter.structure(item, item_type))
            except (cattrs.BaseValidationError, InvalidValueError) as error:
                error.add_note(cattrs.IterableValidationNote("", index, item_type))
                faults.append(error.with_traceback(None))  # Its frames would keep it, and the record, in a cycle.
                if len(faults) == _MOST_FAULTS:
                    break
        if faults:
            raise cattrs.IterableValidationError("", faults, kind)  # pyright: ignore[reportCallIssue]
        return tuple(items)

    return structure


def _is_map(kind: Any) -> bool:
    return get_origin(kind) is dict


def _map_hook(converter: cattrs.Converter, kind: Any) -> Hook:
    _, of = get_args(kind)

    def structure(value: Any, _: Any) -> Any:
        found = as_object(value)
        if found is None:
            raise InvalidValueError("expected an object")
        return {converter.structure(name, str): converter.structure(item, of) for name, item in found.items()}

    return structure


def _is_mixed(kind: Any) -> bool:
    """Whether a type takes JSON of several shapes, such as a string or an object."""
    return get_origin(kind) in (Union, types.UnionType) and len(set(get_args(kind)) - {types.NoneType}) > 1


def _mixed_hook(converter: cattrs.Converter, kind: Any) -> Hook:
    shapes = {_shape(member): member for member in get_args(kind)}
    expected = "expected " + " or ".join(_SHAPES[shape] for shape in shapes if shape in _SHAPES)

    def structure(value: Any, _: Any) -> Any:
        if type(value) not in shapes:
            raise InvalidValueError(expected)
        return converter.structure(value, shapes[type(value)]) if value is not None else None

    return structure


def _shape(member: Any) -> type:
    if get_origin(member) is tuple:
        return list
    return dict if attrs.has(member) else member
