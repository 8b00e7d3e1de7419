"""Records as flat rows with a fixed set of columns, for CSV files, data frames and databases.

Every column has one type. The columns of a class are derived from its annotations once, and then serve all its records.
"""

import operator
import types
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs

from ._compat import TypedDict
from ._frames import hides_locals
from ._records.record import is_record, is_union, variants_of
from .links import Link, ListLink, SelfLink

__all__ = ["ColumnType", "columns", "row"]

Read = Callable[[Any], Any]
ColumnType = type | types.UnionType | types.GenericAlias
"""The type of a column, such as `str` or `datetime | None`."""

_NONE: Any = types.NoneType
_LINK: Any = Link
_typed_dict: Any = TypedDict
_OMITTED = (SelfLink, ListLink)


@attrs.frozen
class RowColumn:
    """A column of a class of records.

    Attributes:
        name: The name.
        type: The type of its values.
        read: Returns the value of a record.
    """

    name: str
    type: ColumnType
    read: Read


def columns(cls: type) -> dict[str, ColumnType]:
    """Return the columns of a class of records: the keys of `row`, in the same order, with the types of their values.

    Args:
        cls: The class, such as `AppointmentType`, or the `record` of a resource. `Booking`, `Communication` and
            `PatientAttachment` have the same columns as each of their variants: those of all variants.

    Returns:
        For each column the type of its values. It includes None if a record may have no value. The dict of a part is a
        TypedDict.

    Raises:
        TypeError: It is not a class of records.
    """
    return {column.name: column.type for column in columns_of(cls)}


@hides_locals
def row(record: object) -> dict[str, Any]:
    """Return a record as a dict of Python values, with the same keys for every record of a class.

    A field keeps its name and its value, with these exceptions:

    - A link to one record becomes its id, such as `practitioner_id` for `practitioner`. It is None if the URL does not
      end in an id. A tuple of links becomes a tuple of ids, such as `practitioner_ids` for `practitioners`.
    - A link to many records, and the record's link to itself, are left out.
    - A part, such as a repeat rule, becomes a dict by the same rules.
    - A field that may be a text, an object or a list, as the `answer` in a patient form, becomes a column for each:
      `answer`, `answer_object` and `answer_list`.

    Args:
        record: The record.

    Returns:
        The values by the names of the columns, in the order of `columns`.

    Raises:
        TypeError: It is not a record.
    """
    cls: Any = type(record)
    if not is_record(cls):
        raise TypeError(f"expected a record, not a {cls.__name__}")
    return _row(columns_of(cls), record)


def _row(of: tuple[RowColumn, ...], record: Any) -> dict[str, Any]:
    return {column.name: column.read(record) for column in of}


def table_class(cls: type) -> type:
    """Return the class whose records make up one table: the base of a variant, or else the class itself.

    Args:
        cls: A class of records.

    Returns:
        The class.

    Raises:
        TypeError: It is not a class of records.
    """
    if not is_record(cls):
        raise TypeError("expected a class of records, such as AppointmentType")
    return next((each for each in cls.__mro__ if is_union(each)), cls)


@cache
def columns_of(cls: Any) -> tuple[RowColumn, ...]:
    """Return the columns of a class of records, with the functions that read them.

    Args:
        cls: As for `columns`.

    Returns:
        The columns, in their order.

    Raises:
        TypeError: It is not a class of records.
    """
    whole = table_class(cls)
    if whole is not cls:
        return columns_of(whole)
    by_name: dict[str, list[RowColumn]] = {}
    for column in _columns(variants_of(cls) if is_union(cls) else (cls,)):
        by_name.setdefault(column.name, []).append(column)
    return tuple(each[0] if len(each) == 1 else _merged(each) for each in by_name.values())


def _columns(variants: Iterable[Any]) -> Iterator[RowColumn]:
    """Yield the columns of one class, or those of several variants, of which some may not have a field."""
    hints = [get_type_hints(variant) for variant in variants]
    for name in dict.fromkeys(name for each in hints for name in each):
        kinds = dict.fromkeys(kind for each in hints for kind in _alternatives(each.get(name, _NONE)))
        optional = _NONE in kinds
        kinds.pop(_NONE, None)
        read = operator.attrgetter(name) if len(hints) == 1 else partial(_field_or_none, name)
        for kind in kinds:
            if kind not in _OMITTED:
                yield _column(name, kind, read, optional=optional, mixed=len(kinds) > 1)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _column(name: str, kind: Any, read: Read, *, optional: bool, mixed: bool) -> RowColumn:
    of, convert = _conversion(kind)
    if mixed:
        read = partial(_if_instance, get_origin(kind) or kind, read)
    if convert is not None:
        read = partial(_converted, convert, read)
    return RowColumn(_name(name, kind, mixed=mixed), of | None if optional else of, read)


def _name(name: str, kind: Any, *, mixed: bool) -> str:
    if kind is Link:
        return f"{name}_id"
    if kind == tuple[_LINK, ...]:
        return f"{name.removesuffix('s')}_ids"
    if mixed and kind is not str:
        return f"{name}_list" if get_origin(kind) is tuple else f"{name}_object"
    return name


@cache
def _conversion(kind: Any) -> tuple[Any, Read | None]:
    """Return the type that a type has in a row, and the function that converts its values, if they differ."""
    if kind is Link:
        return str | None, operator.attrgetter("id")
    if is_record(kind):
        return _typed_dict(kind.__name__, columns(kind)), partial(_row, columns_of(kind))
    if get_origin(kind) is tuple:
        item, convert = _conversion(get_args(kind)[0])
        return types.GenericAlias(tuple, (item, ...)), convert and partial(_each, convert)
    return kind, None


def _field_or_none(name: str, record: Any) -> Any:
    return getattr(record, name, None)


def _if_instance(cls: type, read: Read, record: Any) -> Any:
    value = read(record)
    return value if isinstance(value, cls) else None


def _converted(convert: Read, read: Read, record: Any) -> Any:
    value = read(record)
    return None if value is None else convert(value)


def _each(convert: Read, values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(map(convert, values))


def _merged(same: list[RowColumn]) -> RowColumn:
    """Return one column for a field and a link that have the same id: the value of the field, or else of the link."""
    fields_first = sorted(same, key=lambda column: isinstance(column.read, partial))
    return attrs.evolve(same[0], read=partial(_first_value, [column.read for column in fields_first]))


def _first_value(reads: Iterable[Read], record: Any) -> Any:
    return next((value for read in reads if (value := read(record)) is not None), None)
