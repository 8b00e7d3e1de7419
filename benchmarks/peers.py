"""Other ways to read a page of appointment types, with exactly the fields of the library's record."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import attrs
import cattrs
import msgspec
import pydantic
from cattrs.gen import make_dict_structure_fn, override

from cliniko_async import AppointmentType, Link, ListLink

from .data import ENVELOPE

Decode = Callable[[bytes], Any]


class StructSelf(msgspec.Struct, gc=False):
    """A URL, as a Struct that the garbage collector does not track: the fastest form."""

    href: str = msgspec.field(name="self")


class StructLink(msgspec.Struct, gc=False):
    """A link, as such a Struct."""

    links: StructSelf


@attrs.frozen
class AttrsSelf:
    """A URL, as attrs; msgspec cannot rename the key."""

    self: str = attrs.field(alias="href")


@attrs.frozen
class AttrsLink:
    """A link, as attrs."""

    links: AttrsSelf


class ModelSelf(pydantic.BaseModel):
    """A URL, as a model."""

    href: str = pydantic.Field(alias="self")


class ModelLink(pydantic.BaseModel):
    """A link, as a model."""

    links: ModelSelf


def struct_page() -> Decode:
    """A reader with msgspec and its own Structs: the floor."""
    required, optional = _fields(StructLink, StructSelf)
    record = msgspec.defstruct("Record", [*required.items(), *((name, kind, None) for name, kind in optional.items())])
    page = [(ENVELOPE, tuple[record, ...]), ("total_entries", int), ("links", dict[str, str | None])]
    return msgspec.json.Decoder(msgspec.defstruct("Page", page)).decode


def attrs_page() -> Decode:
    """A reader with msgspec and frozen attrs classes with slots."""
    return msgspec.json.Decoder(_attrs_page()).decode


def pydantic_page() -> Decode:
    """A reader with pydantic and its models."""
    required, optional = _fields(ModelLink, ModelSelf)
    fields: dict[str, Any] = {name: (kind, ...) for name, kind in required.items()}
    fields |= {name: (kind, None) for name, kind in optional.items()}
    record = pydantic.create_model("Record", **fields)
    page: dict[str, Any] = {ENVELOPE: (tuple[record, ...], ...), "total_entries": (int, ...)}
    return pydantic.create_model("Page", **page, links=(dict[str, str | None], ...)).model_validate_json


def cattrs_page(*, detailed: bool = True) -> Callable[[Any], Any]:
    """A reader with cattrs, its usual hooks and the same attrs classes, from JSON-able dicts."""
    page = _attrs_page()
    converter = cattrs.Converter(detailed_validation=detailed)
    converter.register_structure_hook(dt.datetime, lambda value, _: dt.datetime.fromisoformat(value))
    converter.register_structure_hook(Decimal, lambda value, _: Decimal(value))
    renamed = make_dict_structure_fn(AttrsSelf, converter, self=override(rename="self"))
    converter.register_structure_hook(AttrsSelf, renamed)
    return lambda data: converter.structure(data, page)


def _attrs_page() -> type[Any]:
    required, optional = _fields(AttrsLink, AttrsSelf)
    fields = {name: attrs.field(type=kind) for name, kind in required.items()}
    fields |= {name: attrs.field(type=kind, default=None) for name, kind in optional.items()}
    record = attrs.make_class("Record", fields, frozen=True, slots=True, kw_only=True)
    page = {ENVELOPE: tuple[record, ...], "total_entries": int, "links": dict[str, str | None]}
    return attrs.make_class("Page", {name: attrs.field(type=kind) for name, kind in page.items()}, frozen=True)


def _fields(link: type, links: type) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the required and the optional fields of a record, each with its type."""
    hints = get_type_hints(AppointmentType, include_extras=True)
    required, optional = {}, {}
    for field in attrs.fields(AppointmentType):
        kind = links if field.name == "links" else _plain(hints[field.name], link)
        (required if field.default is attrs.NOTHING else optional)[field.name] = kind
    return required, optional


def _plain(hint: Any, link: type) -> Any:  # noqa: ANN401
    """Return a type with the library's links replaced."""
    if get_origin(hint) is Annotated and get_args(hint)[0] in (Link, ListLink):
        return link
    arguments = get_args(hint)
    if type(None) in arguments:
        (kind,) = (one for one in arguments if one is not type(None))
        return _plain(kind, link) | None
    return hint
