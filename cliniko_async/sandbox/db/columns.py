"""The kinds of values: how each is stored, and how the database writes it as JSON."""

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs

from ..._dates import Real
from ..protocol import micros

Stored = str | int | None
Row = dict[str, Stored]


@attrs.frozen
class Kind:
    """How one kind of value is kept in a column."""

    name: str
    sql: str
    store: Callable[[Any], Stored]
    """Makes a stored value of a Python value or of its JSON form."""
    json: Callable[[str], str]
    """Makes of a column's name the SQL expression of its JSON text."""
    least: Stored
    """Stands in a column that may not be null and was not given."""


def _quoted(column: str) -> str:
    return f"json_quote({column})"


def _bare(column: str) -> str:
    return f"ifnull({column}, 'null')"


def _truth(column: str) -> str:
    return f"CASE {column} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END"


def _moment(column: str) -> str:
    return f"""ifnull(strftime('"%Y-%m-%dT%H:%M:%SZ"', {column} / 1000000, 'unixepoch'), 'null')"""


def _number(column: str) -> str:
    return f"""ifnull('"' || {column} || '"', 'null')"""


def decimal_text(value: Decimal | float | str) -> str:
    """A decimal as the API writes it: no exponent, no needless zeros, but always one place: `50.0`, `18.1818`."""
    text = format(Decimal(str(value)), "f")
    whole, _, places = text.partition(".")
    return f"{whole}.{places.rstrip('0') or '0'}"


def stored_moment(value: dt.datetime | float | str) -> int:
    """A moment in whole microseconds since 1970; of an aware datetime, of seconds, or of an ISO text."""
    if isinstance(value, int | float):
        return round(value * 1_000_000)
    moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    return micros(moment)


def _stored_json(value: Any) -> str:
    # In ASCII, as half a surrogate pair has no other form that the database takes.
    return json.dumps(value, separators=(",", ":"), default=float)


def _stored_ids(values: Any) -> str:
    return json.dumps([str(value) for value in values], separators=(",", ":"))


TEXT = Kind("string", "TEXT", str, _quoted, "")
INTEGER = Kind("integer", "INTEGER", int, _bare, 0)
BOOLEAN = Kind("boolean", "INTEGER", int, _truth, 0)
DECIMAL = Kind("decimal", "TEXT", decimal_text, _quoted, "0.0")
NUMBER = Kind("number", "TEXT", decimal_text, _bare, "0.0")
MOMENT = Kind("date-time", "INTEGER", stored_moment, _moment, 0)
DAY = Kind("date", "TEXT", str, _quoted, "1970-01-01")
ID = Kind("int64", "INTEGER", int, _number, 0)
IDS = Kind("array", "TEXT", _stored_ids, _bare, "[]")
OBJECT = Kind("object", "TEXT", _stored_json, _bare, "{}")

OF_FILTER = {kind.name: kind for kind in (TEXT, INTEGER, BOOLEAN, MOMENT, DAY, ID, IDS)}
_SCALARS: dict[Any, Kind] = {str: TEXT, int: INTEGER, bool: BOOLEAN, Decimal: DECIMAL}
OF_TYPE = {**_SCALARS, Real.datetime: MOMENT, Real.date: DAY}
