"""Converts columns of records to Arrow. pyarrow has no types of its own, so that all of it is `Any` here."""

import importlib
import types
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from .. import DecodingError
from .._compat import is_typeddict
from .._dates import Real
from ..rows import RowColumn, columns_of, table_class
from ._decimals import PRECISION, fixed_decimals

pa: Any = importlib.import_module("pyarrow")

_SCALARS: dict[Any, Any] = {
    str: pa.string(),
    int: pa.int64(),
    bool: pa.bool_(),
    Decimal: pa.decimal128(PRECISION, 18),
    Real.datetime: pa.timestamp("us", tz="UTC"),
    Real.date: pa.date32(),
}
_REFUSED = (pa.ArrowException, ValueError, TypeError, ArithmeticError)
"""What pyarrow raises for values that do not fit; the messages may show them."""


@cache
def schema_of(cls: Any) -> Any:
    """Return the Arrow schema of a class of records."""
    return pa.schema([_field(column.name, column.type) for column in columns_of(cls)])


def _field(name: str, of: Any) -> Any:
    kind = _without_none(of)
    return pa.field(name, _type(kind), nullable=kind is not of)


def _without_none(of: Any) -> Any:
    """Return a type without None. Every column has one type, besides None."""
    if get_origin(of) in (Union, types.UnionType):
        (of,) = (each for each in get_args(of) if each is not types.NoneType)
    return of


def _type(kind: Any) -> Any:
    if is_typeddict(kind):
        return pa.struct([_field(name, of) for name, of in get_type_hints(kind).items()])
    if get_origin(kind) is tuple:
        return pa.list_(_type(_without_none(get_args(kind)[0])))
    if get_origin(kind) is dict:
        return pa.map_(*map(_type, get_args(kind)))
    return _SCALARS[kind]


def batch_of(cls: Any, records: Sequence[Any]) -> Any:
    """Return a record batch.

    Args:
        cls: The class of the records.
        records: The records.

    Raises:
        TypeError: A record is of another class.
        DecodingError: A value does not fit the type of its column.
    """
    schema = schema_of(cls)
    for kind in set(map(type, records)):
        if table_class(kind) is not table_class(cls):
            raise TypeError(f"expected records of the class {cls.__name__}, not {kind.__name__}")
    arrays: list[Any] = []
    for column, field in zip(columns_of(cls), schema, strict=True):
        array = _array(column, field, records)
        if array is None:  # Raised here, as the errors of pyarrow show values, and so do arrays.
            arrays.clear()
            raise DecodingError(_faults(column, field, records))
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def table_of(cls: Any, batches: Sequence[Any]) -> Any:
    """Return a table of batches, of which there may be none."""
    return pa.Table.from_batches(batches, schema_of(cls))


def combined(batches: Sequence[Any]) -> Any:
    """Return one batch with the rows of several."""
    (batch,) = pa.Table.from_batches(batches).combine_chunks().to_batches()
    return batch


def _array(column: RowColumn, field: Any, records: Sequence[Any]) -> Any:
    """Return the values of a column, or None if one of them does not fit."""
    try:
        values: list[Any] = [column.read(record) for record in records]
        if pa.types.is_decimal(field.type):
            values = fixed_decimals(values, field.type.scale)
        array = pa.array(values, field.type)
    except _REFUSED:
        return None
    return array if field.nullable or not array.null_count else None


def _faults(column: RowColumn, field: Any, records: Sequence[Any]) -> list[str]:
    unfit = ((index, record) for index, record in enumerate(records) if _array(column, field, [record]) is None)
    return [f"{_place(index, record)}: {column.name} does not fit in {field.type}" for index, record in unfit]


def _place(index: int, record: Any) -> str:
    return f"record {record.id}" if getattr(record, "id", None) else f"record number {index + 1}"
