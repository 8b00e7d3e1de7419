"""Filters: from the text of a `q[]` parameter to a condition in SQL, its values bound."""

import datetime as dt
import re
from collections.abc import Callable, Iterable
from decimal import Decimal

import attrs

from ..protocol import Refused, micros, refusal
from .columns import Kind, Stored
from .schema import Table, quoted

_FORM = re.compile(r"([^:]*):(.*)", re.DOTALL)
_OPERATORS = ("!?", "!=", ">=", "<=", "~~", "=", ">", "<", "~", "?", "*")
_ORDER = (">=", ">", "<=", "<")
_VALUELESS = {"?": "IS NOT NULL", "!?": "IS NULL", "*": ""}
_LARGEST = Decimal(2**63 - 1)
_NUMBER = re.compile(r"-?\d+", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_DAY = re.compile(r"[\d*]{4}-[\d*]{2}-[\d*]{2}", re.ASCII)

OPERATORS = {
    "int64": ("=", "!=", *_ORDER, "?", "!?"),
    "date-time": (*_ORDER, "?", "!?", "*"),
    "date": ("=", *_ORDER, "?", "!?"),
    "string": ("=", "!=", "~", "~~", "?", "!?"),
    "boolean": ("=", "!="),
    "array": ("~",),
}
"""The operators that each kind of filter has."""


@attrs.define
class Conditions:
    """What a row must fulfil, and the values bound to it; strict ones are taken in the documented form alone."""

    strict: bool = False
    parts: list[str] = attrs.field(factory=list[str])
    values: dict[str, Stored] = attrs.field(factory=dict[str, Stored])

    def bind(self, value: Stored) -> str:
        """Give the name under which a value stands in the SQL."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def add(self, part: str) -> None:
        """Ask for one thing more."""
        self.parts.append(part)

    @property
    def sql(self) -> str:
        """All of them, as they stand behind WHERE."""
        return " AND ".join(self.parts) or "1"


def add_filters(conditions: Conditions, filters: Iterable[str], searchable: dict[str, Kind]) -> set[str]:
    """Add the condition of each filter, and give the fields that were asked for."""
    asked: set[str] = set()
    for text in filters:
        field, operator, value = _taken_apart(text, searchable)
        asked.add(field)
        if operator in _VALUELESS:
            _add_valueless(conditions, field, operator)
        else:
            conditions.add(_CONDITIONS[searchable[field].name](conditions, field, operator, value))
    return asked


def hide(conditions: Conditions, table: Table, asked: set[str]) -> None:
    """Leave out archived, cancelled and deleted records where nobody asked about them."""
    for name in table.hiding:
        if name not in asked:
            conditions.add(f"{quoted(name)} IS NULL")


def _add_valueless(conditions: Conditions, field: str, operator: str) -> None:
    if operator != "*":
        conditions.add(f"{quoted(field)} {_VALUELESS[operator]}")


def _taken_apart(text: str, searchable: dict[str, Kind]) -> tuple[str, str, str]:
    match = _FORM.fullmatch(text)
    if match is None:
        raise _refused("Filters are given as field:operator and value")
    field, rest = match[1], match[2]
    if field not in searchable:
        raise _refused(f"{field} is not filterable")
    operator = next((one for one in _OPERATORS if rest.startswith(one)), "")
    value = rest.removeprefix(operator)
    if operator not in OPERATORS[searchable[field].name] or (operator in _VALUELESS and value):
        raise _refused(f"Filter operator for {field} is not valid")
    return field, operator, value


def _number(conditions: Conditions, field: str, operator: str, value: str) -> str:
    numbers = value.split(",") if operator == "=" else [value]
    if not all(_NUMBER.fullmatch(number) for number in numbers):
        raise _refused(f"Filter value for {field} must be a number")
    bound = [conditions.bind(_within(number)) for number in numbers]
    return f"{quoted(field)} IN ({', '.join(bound)})" if operator == "=" else f"{quoted(field)} {operator} {bound[0]}"


def _within(digits: str) -> int:
    """Keep a number of any length within what the database can hold; no id lies beyond."""
    return int(max(-_LARGEST, min(_LARGEST, Decimal(digits))))


def _moment(conditions: Conditions, field: str, operator: str, value: str) -> str:
    try:
        # The stored stamp has fractions, and it is what is compared: `>05` finds a 05.7 that is shown as 05.
        moment = dt.datetime.fromisoformat(value) if _is_moment(value, strict=conditions.strict) else None
    except ValueError:
        moment = None
    if moment is None:
        raise _refused(f"Filter value for {field} must be a date and time")
    return f"{quoted(field)} {operator} {conditions.bind(micros(moment))}"


def _is_moment(value: str, *, strict: bool) -> bool:
    """Whether a text is a moment; one with fractions of a second is not documented but taken."""
    match = _MOMENT.fullmatch(value)
    return match is not None and not (strict and match[1])


def _day(conditions: Conditions, field: str, operator: str, value: str) -> str:
    if not _DAY.fullmatch(value) or ("*" in value and operator != "="):
        raise _refused(f"Filter value for {field} must be a date")
    if "*" in value:
        return f"{quoted(field)} LIKE {conditions.bind(value.replace('*', '_'))}"
    return f"{quoted(field)} {operator} {conditions.bind(value)}"


def _text(conditions: Conditions, field: str, operator: str, value: str) -> str:
    if operator in ("=", "!="):
        return f"{quoted(field)} {operator} {conditions.bind(value)}"
    function = "contains" if operator == "~" else "matches"
    return f"{function}({quoted(field)}, {conditions.bind(value)})"


def _boolean(conditions: Conditions, field: str, operator: str, value: str) -> str:
    if value not in ("true", "false"):
        raise _refused(f"Filter value for {field} must be true or false")
    return f"{quoted(field)} {operator} {conditions.bind(int(value == 'true'))}"


def _array(conditions: Conditions, field: str, operator: str, value: str) -> str:
    del operator
    if not _NUMBER.fullmatch(value):
        raise _refused(f"Filter value for {field} must be a number")
    return contains(field, conditions.bind(value))


def contains(column: str, bound: str) -> str:
    """The condition that a list in a column has a value."""
    return f"{bound} IN {listed(quoted(column))}"


def listed(array: str) -> str:
    """The values of a list, as they stand behind IN."""
    return f"(SELECT value FROM json_each({array}))"  # noqa: S608  (names are ours, values are bound)


def _refused(text: str) -> Refused:
    return Refused(refusal(400, text))


_CONDITIONS: dict[str, Callable[[Conditions, str, str, str], str]] = {
    "int64": _number,
    "date-time": _moment,
    "date": _day,
    "string": _text,
    "boolean": _boolean,
    "array": _array,
}
