"""Filters: converts the text of a `q[]` parameter to an SQL condition with bound values."""

import re
from collections.abc import Callable, Iterable, Mapping

import attrs

from ..protocol import RefusedRequest, error_reply
from .columns import ColumnType, Stored, parsed_integer, stored_moment
from .json_sql import quoted
from .schema import Table

_FILTER = re.compile(r"([^:]*):(.*)", re.DOTALL)
_ALL_OPERATORS = ("!?", "!=", ">=", "<=", "~~", "=", ">", "<", "~", "?", "*")
_COMPARISONS = (">=", ">", "<=", "<")
_WITHOUT_VALUE = {"?": "IS NOT NULL", "!?": "IS NULL", "*": ""}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_DATE = re.compile(r"[\d*]{4}-[\d*]{2}-[\d*]{2}", re.ASCII)

_OPERATORS = {
    "int64": ("=", "!=", *_COMPARISONS, "?", "!?"),
    "date-time": (*_COMPARISONS, "?", "!?", "*"),
    "date": ("=", *_COMPARISONS, "?", "!?"),
    "string": ("=", "!=", "~", "~~", "?", "!?"),
    "boolean": ("=", "!="),
    "array": ("~",),
}
"""The operators of each filter type."""


@attrs.define
class Conditions:
    """The conditions that a row must meet, and the values that are bound to them.

    With `strict`, filter values are accepted only in their documented form.
    """

    strict: bool = False
    parts: list[str] = attrs.field(factory=list[str])
    values: dict[str, Stored] = attrs.field(factory=dict[str, Stored])

    def bind(self, value: Stored) -> str:
        """Bind a value and return its placeholder."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def add(self, part: str) -> None:
        """Add a condition."""
        self.parts.append(part)

    @property
    def sql(self) -> str:
        """The SQL expression after WHERE."""
        return " AND ".join(self.parts) or "1"


@attrs.frozen
class _Comparison:
    """A filter that has a value."""

    field: str
    operator: str
    value: str
    conditions: Conditions

    def sql(self, value: Stored) -> str:
        """Return the condition that compares the column to a value."""
        return f"{quoted(self.field)} {self.operator} {self.conditions.bind(value)}"

    def must_be(self, expected: str) -> RefusedRequest:
        """Return the error for a value of the wrong form."""
        return _refused(f"Filter value for {self.field} must be {expected}")


def add_filters(conditions: Conditions, filters: Iterable[str], searchable: Mapping[str, ColumnType]) -> set[str]:
    """Add the condition of each filter, and return the fields that the filters name.

    Raises:
        RefusedRequest: A filter is not valid.
    """
    fields: set[str] = set()
    for text in filters:
        field, operator, value = _parse(text, searchable)
        fields.add(field)
        if operator not in _WITHOUT_VALUE:
            convert = _CONVERTERS[searchable[field].name]
            conditions.add(convert(_Comparison(field, operator, value, conditions)))
        elif operator != "*":
            conditions.add(f"{quoted(field)} {_WITHOUT_VALUE[operator]}")
    return fields


def hide_records(conditions: Conditions, table: Table, filtered: set[str]) -> None:
    """Exclude archived, cancelled and deleted records unless the filters name the column."""
    for name in table.visibility_columns:
        if name not in filtered:
            conditions.add(f"{quoted(name)} IS NULL")


def list_contains(column: str, bound: str) -> str:
    """Return the condition that a list in a column contains a bound value."""
    return f"{bound} IN {list_values(quoted(column))}"


def list_values(array: str) -> str:
    """Return the subquery of the values of a JSON list, to be used after IN."""
    return f"(SELECT value FROM json_each({array}))"  # noqa: S608  (names are from our tables, values are bound)


def _parse(text: str, searchable: Mapping[str, ColumnType]) -> tuple[str, str, str]:
    match = _FILTER.fullmatch(text)
    if match is None:
        raise _refused("Filters are given as field:operator and value")
    field, rest = match[1], match[2]
    if field not in searchable:
        raise _refused(f"{field} is not filterable")
    operator = next((each for each in _ALL_OPERATORS if rest.startswith(each)), "")
    value = rest.removeprefix(operator)
    if operator not in _OPERATORS[searchable[field].name] or (operator in _WITHOUT_VALUE and value):
        raise _refused(f"Filter operator for {field} is not valid")
    return field, operator, value


def _integer(filter_: _Comparison) -> str:
    texts = filter_.value.split(",") if filter_.operator == "=" else [filter_.value]
    numbers = [number for number in map(parsed_integer, texts) if number is not None]
    if len(numbers) < len(texts):
        raise filter_.must_be("a number")
    if filter_.operator != "=":
        return filter_.sql(numbers[0])
    return f"{quoted(filter_.field)} IN ({', '.join(map(filter_.conditions.bind, numbers))})"


def _moment(filter_: _Comparison) -> str:
    match = _MOMENT.fullmatch(filter_.value)
    # Fractions of a second are accepted, although they are not documented.
    if match is None or (filter_.conditions.strict and match[1]):
        raise filter_.must_be("a date and time")
    try:
        # Stamps are stored with fractions and compared with them: `>05` finds a 05.7 that is shown as 05.
        return filter_.sql(stored_moment(filter_.value))
    except ValueError:
        raise filter_.must_be("a date and time") from None


def _date(filter_: _Comparison) -> str:
    is_pattern = "*" in filter_.value
    if not _DATE.fullmatch(filter_.value) or (is_pattern and filter_.operator != "="):
        raise filter_.must_be("a date")
    if not is_pattern:
        return filter_.sql(filter_.value)
    return f"{quoted(filter_.field)} LIKE {filter_.conditions.bind(filter_.value.replace('*', '_'))}"


def _text(filter_: _Comparison) -> str:
    if filter_.operator in ("=", "!="):
        return filter_.sql(filter_.value)
    function = "contains" if filter_.operator == "~" else "matches"
    return f"{function}({quoted(filter_.field)}, {filter_.conditions.bind(filter_.value)})"


def _boolean(filter_: _Comparison) -> str:
    if filter_.value not in ("true", "false"):
        raise filter_.must_be("true or false")
    return filter_.sql(int(filter_.value == "true"))


def _array(filter_: _Comparison) -> str:
    if parsed_integer(filter_.value) is None:
        raise filter_.must_be("a number")
    return list_contains(filter_.field, filter_.conditions.bind(filter_.value))


def _refused(text: str) -> RefusedRequest:
    return RefusedRequest(error_reply(400, text))


_CONVERTERS: dict[str, Callable[[_Comparison], str]] = {
    "int64": _integer,
    "date-time": _moment,
    "date": _date,
    "string": _text,
    "boolean": _boolean,
    "array": _array,
}
