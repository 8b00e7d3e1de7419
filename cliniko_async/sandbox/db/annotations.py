"""Reads an annotation of a record's field, or of a field that may be sent."""

import types
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, Required, Union, get_args, get_origin

import attrs

from .columns import BY_PYTHON_TYPE, DECIMAL, ID, IDS, NUMBER, OBJECT, TEXT, ColumnType

_BY_ALTERNATIVES: tuple[tuple[set[Any], ColumnType], ...] = (({Decimal}, DECIMAL), ({str, int}, ID), ({str}, TEXT))


@attrs.frozen
class FieldAnnotation:
    """An annotation taken apart."""

    type: Any
    """The type; None if a value may be of several types."""
    metadata: tuple[Any, ...]
    """The rules of the field, or the target of a link."""
    nullable: bool
    alternatives: tuple[Any, ...] = ()
    """The types, if there are several besides None."""
    is_number: bool = False
    """Whether a decimal is sent as a JSON number, not as a text."""

    @classmethod
    def of(cls, annotation: Any) -> "FieldAnnotation":
        """Take an annotation apart, in whatever order type, metadata and None were combined."""
        if get_origin(annotation) is Annotated:
            inner = cls.of(get_args(annotation)[0])
            return attrs.evolve(inner, metadata=inner.metadata + get_args(annotation)[1:])
        if get_origin(annotation) is Required:
            return cls.of(get_args(annotation)[0])
        if get_origin(annotation) not in (Union, types.UnionType):
            return cls(annotation, (), nullable=False)
        members = [member for member in get_args(annotation) if member is not types.NoneType]
        nullable = len(members) < len(get_args(annotation))
        if len(members) > 1:
            return cls(None, (), nullable, tuple(members))
        inner = cls.of(members[0])
        return attrs.evolve(inner, nullable=nullable or inner.nullable)

    @property
    def column_type(self) -> ColumnType:
        """How such a value is stored."""
        if self.alternatives:
            members = set(self.alternatives)
            return next((column_type for types_, column_type in _BY_ALTERNATIVES if types_ <= members), OBJECT)
        if self.is_number:
            return NUMBER
        if get_origin(self.type) is Literal:
            return BY_PYTHON_TYPE[type(get_args(self.type)[0])]
        if get_origin(self.type) in (tuple, Sequence):
            return IDS if FieldAnnotation.of(get_args(self.type)[0]).column_type in (ID, TEXT) else OBJECT
        return BY_PYTHON_TYPE.get(self.type, OBJECT)
