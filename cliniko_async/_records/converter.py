"""The one cattrs converter: the exact way in, which names each record and field that does not fit, and the way out."""

import operator
import types
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cache, partial
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import attrs
import cattrs
import msgspec
from cattrs.fns import identity
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from .._dates import DateTime, Real, is_date, is_datetime, plain_date, plain_datetime
from .._frames import hides_locals
from .._messages import as_object
from ..errors import DecodingError
from ..fields import id_text
from ..links import Link, ListLink, SelfLink
from .record import Part, attrs_classes, has_variants, variant_of, wire_names

T = TypeVar("T")

_MOST_FAULTS = 20
"""How many faults are named of one record, and looked for in one list: each takes some 20 microseconds."""

_SCALARS: dict[Any, tuple[Any, str]] = {
    str: (str, "a text"),
    int: (int, "an integer"),
    bool: (bool, "true or false"),
    Decimal: (Decimal, "a decimal"),
    Real.datetime: (DateTime, "a time with its zone"),
    Real.date: (Real.date, "a date"),
    Link: (Link, "a link"),
    ListLink: (ListLink, "a link"),
    SelfLink: (SelfLink, "a link"),
}

_SHAPES = {str: "a text", list: "a list", dict: "an object"}
_OTHERWISE_WRITTEN = {"wire", "number"}
_OPEN = (Any, object, list, dict, tuple)


class _ExpectedError(Exception):
    """Says what was expected, and not what was found, which may be about a patient."""


@hides_locals
def from_dict(cls: type[T], data: Any) -> T:
    """Make a record of the JSON-able dict that the API sends for it.

    Raises:
        DecodingError: a field does not fit.
    """
    record, fault = structure(cls, data)
    if record is None:
        raise DecodingError([fault])
    return record


@hides_locals
def to_dict(record: Any) -> dict[str, Any]:
    """Give a record as the JSON-able dict that the API would send for it."""
    written: dict[str, Any] = msgspec.json.decode(to_json(record))
    return written


def to_json(record: Any) -> bytes:
    """Give a record as JSON, with the keys that the API would send for it."""
    return _encoder.encode(_written_by(record.__class__)(record))


def version_content(record: Any) -> bytes:
    """Give what a record says, the same for the same content."""
    return _sorting_encoder.encode(converter().unstructure(record))


def structure(cls: type[T], data: Any, place: str = "the record") -> tuple[T | None, str]:
    """Give a record, or None and a text that names it, or else its place, and each field that does not fit."""
    try:
        return converter().structure(data, cls), ""
    except (cattrs.BaseValidationError, _ExpectedError) as error:
        texts = cattrs.transform_error(error, path="", format_exception=_explain)
    faults = (text.rpartition(" @ ") for text in texts[:_MOST_FAULTS])
    told = ", ".join(f"{path.lstrip('.')} {fault}".strip() for fault, _, path in faults)
    key = id_text((as_object(data) or {}).get("id"))
    return None, f"{f'record {key}' if key else place}: {told}"


@cache
def _written_by(cls: Any) -> Callable[[Any], Any]:
    """Give what turns a record into what is written: a flat one into a Struct, in half the time that a dict takes."""
    return _struct_fn(cls) if _is_flat(cls) else converter().get_unstructure_hook(cls)


def _is_flat(cls: Any) -> bool:
    if not attrs.has(cls) or issubclass(cls, Part):
        return False
    if any(field.metadata.keys() & _OTHERWISE_WRITTEN for field in attrs.fields(cls)):
        return False
    return len(attrs.fields(cls)) > 1 and not any(any(attrs_classes(hint)) for hint in get_type_hints(cls).values())


def _struct_fn(cls: Any) -> Callable[[Any], Any]:
    hints = get_type_hints(cls, include_extras=True)
    names = sorted(hints, key=lambda name: _is_link(hints[name]))
    fields: list[Any] = [(name, hints[name], None) if _is_link(hints[name]) else (name, hints[name]) for name in names]
    struct: Any = msgspec.defstruct(cls.__name__, fields, omit_defaults=True, gc=False)
    values = operator.attrgetter(*names)
    return lambda record: struct(*values(record))


@cache
def converter() -> cattrs.Converter:
    """Give the converter, made at first use."""
    made = cattrs.Converter(detailed_validation=True)
    for kind, (accepted, name) in _SCALARS.items():
        made.register_structure_hook(kind, _exactly(accepted, name))
    made.register_structure_hook_factory(attrs.has, partial(_structure_fn, made))
    made.register_structure_hook_factory(_is_tuple, partial(_structure_tuple, made))
    made.register_structure_hook_factory(_is_map, partial(_structure_map, made))
    made.register_structure_hook_factory(_is_mixed, partial(_structure_mixed, made))
    made.register_unstructure_hook_factory(_is_plain, _identity)
    made.register_unstructure_hook_factory(attrs.has, partial(_unstructure_fn, made))
    return made


def _exactly(kind: Any, name: str) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: Any) -> Any:
        # msgspec reads a scalar in the same way here as on the fast way.
        try:
            found = value if isinstance(value, Decimal) and kind is Decimal else msgspec.convert(_plain(value), kind)
            _encoder.encode(found)  # Half of a surrogate pair can be read here, and could not be written again.
            return found
        except (msgspec.ValidationError, ValueError):
            pass
        raise _ExpectedError(name)

    return structure


def _structure_fn(made: cattrs.Converter, cls: type[Any]) -> Callable[[Any, Any], Any]:
    if has_variants(cls):
        return _structure_variant(made, cls)
    renames: dict[str, Any] = {name: override(rename=wire) for name, wire in wire_names(cls).items()}
    fields = make_dict_structure_fn(cls, made, **renames)

    def structure(value: Any, kind: Any) -> Any:
        if as_object(value) is None:
            raise _ExpectedError("an object")
        return fields(value, kind)

    return structure


def _structure_variant(made: cattrs.Converter, cls: type[Any]) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: Any) -> Any:
        found = as_object(value)
        if found is None:
            raise _ExpectedError("an object")
        variant: Any = variant_of(cls, found)
        return made.structure(found, variant)

    return structure


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _structure_tuple(made: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    item_type = get_args(kind)[0]

    def structure(value: Any, _: Any) -> Any:
        # Otherwise a text would be read as the list of its characters.
        if not isinstance(value, list | tuple):
            raise _ExpectedError("a list")
        items: list[Any] = []
        faults: list[Exception] = []
        for index, item in enumerate(cast("Sequence[Any]", value)):
            try:
                items.append(made.structure(item, item_type))
            except (cattrs.BaseValidationError, _ExpectedError) as error:
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


def _structure_map(made: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    _, of = get_args(kind)

    def structure(value: Any, _: Any) -> Any:
        found = as_object(value)
        if found is None:
            raise _ExpectedError("an object")
        return {made.structure(name, str): made.structure(item, of) for name, item in found.items()}

    return structure


def _is_mixed(kind: Any) -> bool:
    """Whether a type takes JSON of several shapes, such as a text or an object."""
    return get_origin(kind) in (Union, types.UnionType) and len(set(get_args(kind)) - {types.NoneType}) > 1


def _structure_mixed(made: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    shapes = {_shape(member): member for member in get_args(kind)}
    expected = " or ".join(_SHAPES[shape] for shape in shapes if shape in _SHAPES)

    def structure(value: Any, _: Any) -> Any:
        if type(value) not in shapes:
            raise _ExpectedError(expected)
        return made.structure(value, shapes[type(value)]) if value is not None else None

    return structure


def _shape(member: Any) -> type:
    if get_origin(member) is tuple:
        return list
    return dict if attrs.has(member) else member


def _unstructure_fn(made: cattrs.Converter, cls: type[Any]) -> Callable[[Any], dict[str, Any]]:
    names = wire_names(cls)
    omits = issubclass(cls, Part)
    hints = get_type_hints(cls, include_extras=True)

    def how(field: "attrs.Attribute[Any]") -> Any:
        write = _as_number if field.metadata.get("number") else None
        omit = omits or _is_link(hints[field.name])
        return override(omit_if_default=omit, rename=names.get(field.name), unstruct_hook=write)

    return make_dict_unstructure_fn(cls, made, **{field.name: how(field) for field in attrs.fields(cls)})


def _as_number(value: Decimal | None) -> Decimal | msgspec.Raw | None:
    # JSON has no number for NaN, and what came as a text goes as one.
    return value if value is None or not value.is_finite() else msgspec.Raw(str(value).encode())


def _identity(_: Any) -> Callable[[Any], Any]:
    return identity


def _is_plain(kind: Any) -> bool:
    """Whether a type holds no attrs class, so that its values are written as they stand."""
    return kind not in _OPEN and not any(attrs_classes(kind))


def _is_link(hint: Any) -> bool:
    arguments = get_args(hint)
    if get_origin(hint) is Annotated:
        return arguments[0] is Link
    return hint is Link or any(map(_is_link, arguments))


def _explain(error: BaseException, _: type | None) -> str:
    # Never the text of another error than our own: it might show the value.
    return f"expected {error}" if isinstance(error, _ExpectedError) else "is missing"


def _plain(value: Any) -> Any:
    """Return the plain value of a subclass of date or datetime, and anything else as it is."""
    if is_datetime(value):
        return plain_datetime(value)
    return plain_date(value) if is_date(value) else value


def _write_other(value: object) -> object:
    """Write what msgspec does not know: subclasses of date and datetime."""
    plain = _plain(value)
    if plain is value:
        raise TypeError(f"a {type(value).__name__} cannot be written as JSON")
    return plain


_encoder = msgspec.json.Encoder(enc_hook=_write_other)
_sorting_encoder = msgspec.json.Encoder(enc_hook=_write_other, order="sorted")
