"""Unstructure hooks: convert records to values that msgspec's encoder writes as JSON.

None in a record is written as null, except for links, which are left out; a part leaves out every None. Without these
hooks msgspec would write every None, and could not rename the fields of attrs classes.
"""

import operator
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import attrs
import cattrs
import msgspec
from cattrs.fns import identity
from cattrs.gen import make_dict_unstructure_fn, override

from .._dates import is_date, is_datetime, plain_date, plain_datetime
from .._messages import RedactedRepr
from ..links import Link
from .record import Part, attrs_classes, is_record, wire_names

_OPEN = (Any, object, list, dict, tuple)
"""Types whose values may hold records."""


def plain(value: Any) -> Any:
    """Return the plain value of a subclass of date or datetime, and anything else as it is."""
    if is_datetime(value):
        return plain_datetime(value)
    return plain_date(value) if is_date(value) else value


def _write_other(value: object) -> object:
    """Return a value that msgspec can write, for a subclass of date or datetime.

    Raises:
        TypeError: The value is of any other type.
    """
    found = plain(value)
    if found is value:
        raise TypeError(f"a {type(value).__name__} cannot be written as JSON")
    return found


_ENCODER = msgspec.json.Encoder(enc_hook=_write_other)
encode = _ENCODER.encode
encode_lines = _ENCODER.encode_lines
encode_sorted = msgspec.json.Encoder(enc_hook=_write_other, order="sorted").encode


def register_unstructure_hooks(converter: cattrs.Converter) -> None:
    """Register hooks that turn records into values that `encode` writes in the format of the API."""
    converter.register_unstructure_hook_factory(_is_plain, _identity_hook)
    converter.register_unstructure_hook_factory(is_record, partial(_record_hook, converter))


def _is_plain(kind: Any) -> bool:
    """Return whether a type contains no attrs class, so that `encode` can write its values directly."""
    return kind not in _OPEN and not any(attrs_classes(kind))


def _identity_hook(_: Any) -> Callable[[Any], Any]:
    return identity


def _record_hook(converter: cattrs.Converter, cls: Any) -> Callable[[Any], Any]:
    return _struct_fn(cls) if _is_flat(cls) else _dict_fn(converter, cls)


def _is_flat(cls: Any) -> bool:
    """Return whether a record has no parts, and no field with a different name or format in JSON."""
    if issubclass(cls, Part) or len(attrs.fields(cls)) == 1:
        return False
    if any(field.metadata.keys() & {"wire", "number"} for field in attrs.fields(cls)):
        return False
    return not any(any(attrs_classes(hint)) for hint in get_type_hints(cls).values())


def _struct_fn(cls: Any) -> Callable[[Any], Any]:
    """Return a function that converts a flat record to a Struct, which is faster to write than a dict."""
    hints = get_type_hints(cls, include_extras=True)
    names = sorted(hints, key=lambda name: _is_link(hints[name]))
    fields: list[Any] = [(name, hints[name], None) if _is_link(hints[name]) else (name, hints[name]) for name in names]
    bases: Any = (RedactedRepr, msgspec.Struct)
    struct: Any = msgspec.defstruct(cls.__name__, fields, bases=bases, omit_defaults=True, gc=False)
    values = operator.attrgetter(*names)
    return lambda record: struct(*values(record))


def _dict_fn(converter: cattrs.Converter, cls: Any) -> Callable[[Any], Any]:
    names = wire_names(cls)
    hints = get_type_hints(cls, include_extras=True)

    def how(field: "attrs.Attribute[Any]") -> Any:
        write = _as_number if field.metadata.get("number") else None
        omit = issubclass(cls, Part) or _is_link(hints[field.name])
        return override(omit_if_default=omit, rename=names.get(field.name), unstruct_hook=write)

    return make_dict_unstructure_fn(cls, converter, **{field.name: how(field) for field in attrs.fields(cls)})


def _as_number(value: Decimal | None) -> Decimal | msgspec.Raw | None:
    # JSON has no NaN or infinity: these are written as strings.
    return value if value is None or not value.is_finite() else msgspec.Raw(str(value).encode())


def _is_link(hint: Any) -> bool:
    arguments = get_args(hint)
    if get_origin(hint) is Annotated:
        return arguments[0] is Link
    return hint is Link or any(map(_is_link, arguments))
