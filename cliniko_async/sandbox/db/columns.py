"""Column types: how a value is stored, and how the database writes it as JSON."""

import datetime as dt
import json
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, TypeAlias

import attrs

from ..._dates import Real

Stored: TypeAlias = str | int | None
Row: TypeAlias = dict[str, Stored]

_LARGEST_INTEGER = 2**63 - 1
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_INTEGER = re.compile(r"-?\d+", re.ASCII)
_ID = re.compile(r"\d{1,19}", re.ASCII)
_CENT = Decimal("0.01")


@attrs.frozen
class ColumnType:
    """How the values of a column are stored and written."""

    name: str
    sql: str
    store: Callable[[Any], Stored]
    """Converts a Python value, or its JSON form, to a stored value."""
    json: Callable[[str], str]
    """Returns the SQL expression that writes a column as JSON."""
    empty: Stored
    """The value of a column that may not be null and was not given."""


def decimal_text(value: Decimal | float | str) -> str:
    """Write a decimal like the API: no exponent, no trailing zeros, but at least one place: `50.0`, `18.1818`."""
    text = format(Decimal(str(value)), "f")
    whole, _, places = text.partition(".")
    return f"{whole}.{places.rstrip('0') or '0'}"


def rounded_to_cents(amount: Decimal) -> Decimal:
    """Round an amount to cents, halves up."""
    # More digits than the product of any price and any rate that may be sent.
    return amount.quantize(_CENT, ROUND_HALF_UP, Context(prec=60))


def stored_moment(value: dt.datetime | float | str) -> int:
    """Convert an aware datetime, seconds since 1970, or an ISO 8601 text to whole microseconds since 1970.

    Raises:
        ValueError: A text is not a valid date and time.
    """
    if isinstance(value, int | float):
        return round(value * 1_000_000)
    moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def parsed_integer(text: str) -> int | None:
    """Parse a whole number of any length, moved into the range of the database; None for any other text."""
    if not _INTEGER.fullmatch(text):
        return None
    # A Decimal, because int refuses numbers of thousands of digits.
    return int(max(Decimal(-_LARGEST_INTEGER), min(Decimal(_LARGEST_INTEGER), Decimal(text))))


def parsed_id(text: str) -> int | None:
    """Parse an id of 1 to 19 digits; None for any other text, and for a number beyond the range of the database."""
    number = int(text) if _ID.fullmatch(text) else None
    return None if number is None or number > _LARGEST_INTEGER else number


def _stored_json(value: Any) -> str:
    # In ASCII, because the database does not accept half a surrogate pair in any other form.
    return json.dumps(value, separators=(",", ":"), default=float)


def _stored_ids(values: Any) -> str:
    return json.dumps([str(value) for value in values], separators=(",", ":"))


def _text_json(column: str) -> str:
    return f"json_quote({column})"


def _bare_json(column: str) -> str:
    return f"ifnull({column}, 'null')"


def _boolean_json(column: str) -> str:
    return f"CASE {column} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END"


def _moment_json(column: str) -> str:
    return f"""ifnull(strftime('"%Y-%m-%dT%H:%M:%SZ"', {column} / 1000000, 'unixepoch'), 'null')"""


def _id_json(column: str) -> str:
    return f"""ifnull('"' || {column} || '"', 'null')"""


TEXT = ColumnType("string", "TEXT", str, _text_json, "")
INTEGER = ColumnType("integer", "INTEGER", int, _bare_json, 0)
BOOLEAN = ColumnType("boolean", "INTEGER", int, _boolean_json, 0)
DECIMAL = ColumnType("decimal", "TEXT", decimal_text, _text_json, "0.0")
NUMBER = ColumnType("number", "TEXT", decimal_text, _bare_json, "0.0")
MOMENT = ColumnType("date-time", "INTEGER", stored_moment, _moment_json, 0)
DATE = ColumnType("date", "TEXT", str, _text_json, "1970-01-01")
ID = ColumnType("int64", "INTEGER", int, _id_json, 0)
IDS = ColumnType("array", "TEXT", _stored_ids, _bare_json, "[]")
OBJECT = ColumnType("object", "TEXT", _stored_json, _bare_json, "{}")

BY_FILTER_TYPE = {column.name: column for column in (TEXT, INTEGER, BOOLEAN, MOMENT, DATE, ID, IDS)}
_BY_SCALAR_TYPE: dict[Any, ColumnType] = {str: TEXT, int: INTEGER, bool: BOOLEAN, Decimal: DECIMAL}
BY_PYTHON_TYPE = {**_BY_SCALAR_TYPE, Real.datetime: MOMENT, Real.date: DATE}
