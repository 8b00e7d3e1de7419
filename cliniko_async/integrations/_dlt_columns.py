"""The tables of a database: the columns of a class of records, and records as tables of Arrow."""

import datetime as dt
import importlib
import types
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, TypeAlias, Union, get_args, get_origin

import attrs
import msgspec

from .. import DecodingError
from .._dates import Real
from ..rows import columns_of
from ._decimals import PRECISION, fixed_decimals

pa: Any = importlib.import_module("pyarrow")  # It has no types.
ArrowTable: TypeAlias = Any

KEY = "id"
"""The primary key of every table whose records have one."""
READ_AT = "_read_at"
"""When a row was read. Of two versions of a row in one load, the later one is kept."""
REMOVED = "_removed"
"""Set in rows that the load deletes, and null in every row of the destination."""
_DECIMAL = pa.decimal128(PRECISION, 9)
"""What every destination of dlt can hold. A decimal that does not fit raises an error and is never rounded."""
_STAMP = pa.timestamp("us", "UTC")
_ARROW: dict[Any, Any] = {
    str: pa.string(),
    int: pa.int64(),
    bool: pa.bool_(),
    Decimal: _DECIMAL,
    Real.datetime: _STAMP,
    Real.date: pa.date32(),
}
_HINTS: dict[Any, dict[str, Any]] = {
    str: {"data_type": "text"},
    int: {"data_type": "bigint"},
    bool: {"data_type": "bool"},
    Decimal: {"data_type": "decimal", "precision": _DECIMAL.precision, "scale": _DECIMAL.scale},
    Real.datetime: {"data_type": "timestamp", "timezone": True, "precision": 6},
    Real.date: {"data_type": "date"},
}
_JSON: dict[str, Any] = {"data_type": "json"}


@attrs.frozen
class TableColumn:
    """A column of a table.

    Attributes:
        name: Its name in the database.
        read: Returns the values of some records.
        arrow: Its type in Arrow.
        hints: Its description for dlt.
    """

    name: str
    read: Callable[[Iterable[Any]], list[Any]]
    arrow: Any
    hints: dict[str, Any]


@cache
def table_columns(cls: Any) -> tuple[TableColumn, ...]:
    """Return the columns of the table for a class of records."""
    # The API calls a column `from`; the underscore is there for Python alone.
    return tuple(_table_column(column.name.rstrip("_"), column.type, column.read) for column in columns_of(cls))


def column_hints(cls: Any, *, merged: bool) -> dict[str, Any]:
    """Return the columns of a table as dlt describes them, those of the load included.

    Args:
        cls: The class of the records.
        merged: Whether rows are merged by id, not replaced as a whole.
    """
    hints = {column.name: {"name": column.name, "nullable": True, **column.hints} for column in table_columns(cls)}
    hints[READ_AT] = {"name": READ_AT, "nullable": True, **_HINTS[Real.datetime]}
    if merged:
        hints[KEY] |= {"primary_key": True, "nullable": False}
        hints[READ_AT]["dedup_sort"] = "desc"
        hints[REMOVED] = {"name": REMOVED, "nullable": True, "hard_delete": True, **_HINTS[bool]}
    return hints


def records_table(cls: Any, records: Sequence[Any], read_at: dt.datetime) -> ArrowTable:
    """Return records as a table of Arrow; of none, an empty table with the same schema.

    Raises:
        DecodingError: A value does not fit its column, such as a decimal with more than nine decimal places.
    """
    arrays = [_array(cls, column, records) for column in table_columns(cls)]
    return pa.Table.from_arrays([*arrays, pa.array([read_at] * len(records), _STAMP)], schema=_schema(cls))


def removals_table(cls: Any, ids: Sequence[str], read_at: dt.datetime) -> ArrowTable:
    """Return a table that deletes the rows with some ids."""
    values: dict[str, list[Any]] = {KEY: list(ids), READ_AT: [read_at] * len(ids), REMOVED: [True] * len(ids)}
    schema = _schema(cls).append(pa.field(REMOVED, pa.bool_()))
    nothing = [None] * len(ids)
    return pa.table({name: values.get(name, nothing) for name in schema.names}, schema=schema)


@cache
def _schema(cls: Any) -> Any:
    # Everything but the key is null in a row that only says that a record is gone.
    fields = [pa.field(column.name, column.arrow, nullable=column.name != KEY) for column in table_columns(cls)]
    return pa.schema([*fields, pa.field(READ_AT, _STAMP)])


def _table_column(name: str, kind: Any, read: Callable[[Any], Any]) -> TableColumn:
    (plain,) = (one for one in _alternatives(kind) if one is not types.NoneType)
    if plain in _ARROW:
        return TableColumn(name, lambda records: [read(record) for record in records], _ARROW[plain], _HINTS[plain])
    return TableColumn(name, lambda records: [_json_text(read(record)) for record in records], pa.string(), _JSON)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _json_text(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _array(cls: Any, column: TableColumn, records: Sequence[Any]) -> Any:
    try:
        values = column.read(records)
        if column.arrow is _DECIMAL:
            values = fixed_decimals(values, _DECIMAL.scale)
        return pa.array(values, column.arrow)
    except (pa.ArrowInvalid, ArithmeticError):
        pass
    # Outside of the block above, because that error may show a value.
    raise DecodingError([f"a value of {cls.__name__}.{column.name} does not fit {column.arrow}"])
