"""The base of all records: frozen attrs classes with the API's field names."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import (
    TYPE_CHECKING,
    Any,
    Self,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs

from .._reveal import RevealableRepr
from ..links import Link, SelfLink

C = TypeVar("C", bound=type)

DEPRECATED: dict[str, Any] = {"deprecated": True}
"""Marks a field that the API has deprecated and may remove at any time."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(attrs.field,))
def record(cls: C) -> C:
    """Turn an annotated class into an attrs class: frozen, slotted, keyword-only, and without values in its repr."""
    return attrs.frozen(kw_only=True, repr=False)(cls)


class Value(RevealableRepr):
    """The base of every class read from the API. A field that is None is written as null, unless it is a link."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: Any) -> Any:
        from .pydantic import schema_of  # noqa: PLC0415  (pydantic is optional, and calls this itself)

        return schema_of(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, _: Any, __: Any) -> dict[str, Any]:
        from .pydantic import json_schema_of  # noqa: PLC0415  (as above)

        return json_schema_of(cls)


class Holder:
    """The base of classes that hold records, such as a page; generic in the type of the records."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from .pydantic import schema_of_holder  # noqa: PLC0415  (as above)

        return schema_of_holder(cls, source, handler)


class Part(Value):
    """The base of the parts of a record. A field that is None is not written."""

    __slots__ = ()


class Record(Value):
    """The base of records, which each have a link to themselves."""

    __slots__ = ()

    if TYPE_CHECKING:
        links: SelfLink

    @property
    def link(self) -> Link[Self]:
        """The record's link to itself."""
        return Link(self.links)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return the id, but not the other values, which may be about a patient, unless they are revealed."""
        return super().__rich_repr__() or [("id", getattr(self, "id", None))]


def is_record(kind: Any) -> bool:
    """Return whether a type is a class read from the API: a record, a part of one, or settings."""
    return isinstance(kind, type) and issubclass(kind, Value) and attrs.has(kind)


@cache
def is_renamed(cls: type) -> bool:
    """Return whether a class or a part of it has a renamed field, because Python does not allow the API's name."""
    hints = get_type_hints(cls).values()
    return bool(wire_names(cls)) or any(is_renamed(part) for hint in hints for part in attrs_classes(hint))


def attrs_classes(kind: Any) -> Iterator[type]:
    """Yield the attrs classes within a type."""
    if attrs.has(get_origin(kind) or kind):
        yield kind
    for argument in get_args(kind):
        yield from attrs_classes(argument)


def wire_names(cls: type) -> dict[str, str]:
    """Return the API's names of renamed fields, which Python does not allow as names."""
    return {field.name: field.metadata["wire"] for field in attrs.fields(cls) if "wire" in field.metadata}


def is_union(cls: type) -> bool:
    """Return whether a record of this class is always one of its subclasses, chosen by `variant`."""
    return "variant" in vars(cls)


def variants_of(cls: type) -> list[type]:
    """Return the variants of a union, in the order of their definition."""
    # For slots, attrs replaces a class. The original is a subclass, too, until it is collected.
    subclasses: list[type] = cls.__subclasses__()
    return [each for each in subclasses if "__attrs_attrs__" in vars(each)]


def variant_of(cls: type, found: Mapping[str, Any]) -> type:
    """Return the variant of an API object, chosen by its keys."""
    variant: Callable[[Mapping[str, Any]], type] = vars(cls)["variant"].__func__
    return variant(found)
