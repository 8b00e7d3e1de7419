"""Structure hooks: cattrs reads records strictly, field by field, and names each invalid field.

The hook of a record also accepts JSON as bytes, which it passes to msgspec first.
"""

import types
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any, Union, cast, get_args, get_origin

import attrs
import cattrs
import msgspec
from cattrs.gen import make_dict_structure_fn, override

from .._dates import DateTime, Real
from .._messages import as_object
from ..fields import id_text
from ..links import Link, ListLink, SelfLink
from .from_json import Hook, bytes_first, decoder_of, json_decoder
from .record import is_record, is_union, variant_of, wire_names
from .unstructure import encode, plain

_MOST_FAULTS = 20
"""Maximum number of faults to report for a record, or to collect in a list; each takes some 20 microseconds."""
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
    """An error that states what was expected, but not the value, which may be about a patient."""


class RecordNote(str):
    """A note on an error that names the invalid record."""

    __slots__ = ()


def fault_text(error: Exception, place: str) -> str:
    """Return a line that names a record, by its id or else its place, and each of its invalid fields."""
    texts = cattrs.transform_error(error, path="", format_exception=_explain)[:_MOST_FAULTS]
    faults = (text.rpartition(" @ ") for text in texts)
    named = next((note for note in getattr(error, "__notes__", ()) if isinstance(note, RecordNote)), place)
    return f"{named}: " + ", ".join(f"{path.lstrip('.')} {fault}".strip() for fault, _, path in faults)


def _explain(error: BaseException, _: type | None) -> str:
    # The message of any other error might show the value.
    return str(error) if isinstance(error, InvalidValueError) else "is missing"


def register_structure_hooks(converter: cattrs.Converter) -> None:
    """Register hooks that read records and their values strictly, without coercion."""
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
    json_decoder(kind)  # So that msgspec has inspected the class before threads convert values to it.

    def structure(value: Any, _: Any) -> Any:
        with suppress(msgspec.ValidationError, ValueError):
            # `convert` reads a scalar just as JSON decoding does.
            found = value if isinstance(value, Decimal) and kind is Decimal else msgspec.convert(plain(value), kind)
            encode(found)  # A lone surrogate can be read here, but could not be written again.
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
        # Otherwise a string would be read as a list of its characters.
        if not isinstance(value, list | tuple):
            raise InvalidValueError("expected a list")
        items: list[Any] = []
        faults: list[Exception] = []
        for index, item in enumerate(cast("Sequence[Any]", value)):
            try:
                items.append(converter.structure(item, item_type))
            except (cattrs.BaseValidationError, InvalidValueError) as error:
                error.add_note(cattrs.IterableValidationNote("", index, item_type))
                faults.append(error.with_traceback(None))  # Its frames would keep the record alive in a cycle.
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
    """Return whether a type accepts several JSON types, such as a string or an object."""
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
