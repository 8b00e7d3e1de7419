"""What a list may be asked for: a field of each kind with the operators that the API has for it."""

import datetime as dt
import math
import re
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, NoReturn, TypeVar

import msgspec

from ._dates import is_date, is_datetime, is_fractional, plain_date, plain_datetime
from ._frames import hides_locals
from ._messages import RedactedRepr, is_id
from ._spelling import did_you_mean
from .errors import InvalidRequestError

V = TypeVar("V")
_DAY_PATTERN = re.compile(r"[\d*]{4}-[\d*]{2}-[\d*]{2}", re.ASCII)
_LARGEST = 10**19

Visibility = Literal["exclude", "include", "only"]


class Filter(RedactedRepr, msgspec.Struct, frozen=True):
    """One condition on a list; several are all to hold."""

    text: str

    @property
    def field(self) -> str:
        """The field that it asks about."""
        return self.text.partition(":")[0]

    if TYPE_CHECKING:

        def __bool__(self) -> NoReturn: ...

    else:

        def __bool__(self) -> NoReturn:
            raise TypeError("a filter has no truth value: write `a <= x < b` as two filters, `x >= a` and `x < b`")

    def __repr__(self) -> str:
        """Field and operator; the value may be about a patient."""
        return f"Filter({self.field})"


class Sort(msgspec.Struct, frozen=True):
    """A column to sort by, and its direction."""

    text: str


_SIGNS = {"==": "__eq__", "!=": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}


def _operators(column: "Column") -> list[str]:
    """Return what a column can be filtered with: the signs, then the methods."""
    kind = type(column)
    signs = [sign for sign, method in _SIGNS.items() if getattr(kind, method) is not getattr(Column, method)]
    methods = {name for name in dir(kind) if not name.startswith("_")} - set(dir(Column))
    return signs + [f"{name}()" for name in sorted(methods)]


def example_of(column: "Column") -> str:
    """Return a filter on a column as it is written, but for the value."""
    operator = _operators(column)[0]
    return f"{column.name}.{operator[:-1]}…)" if operator.endswith("()") else f"{column.name} {operator} …"


def _lacks(column: "Column", operator: str) -> str:
    """Say that a column does not have an operator, and which it has."""
    has = _operators(column)
    if not has:
        return f"{column.name!r} cannot be filtered on; it can only be sorted by"
    return f"{column.name!r} has no operator {operator}; it has {', '.join(has)}"


def _refusal(operator: str) -> Callable[..., NoReturn]:
    def refused(column: "Column", *_: object) -> NoReturn:
        raise TypeError(_lacks(column, operator))

    return refused


class Column:
    """A column that a list can be sorted by, and by itself not searched."""

    kind: ClassVar[str] = ""
    name: str = ""

    def __set_name__(self, owner: type, name: str) -> None:
        """Take the name of the column from the attribute."""
        self.name = name.rstrip("_")

    def asc(self) -> Sort:
        """Sort by it, the least first."""
        return Sort(f"{self.name}:asc")

    def desc(self) -> Sort:
        """Sort by it, the greatest first."""
        return Sort(f"{self.name}:desc")

    def _filter(self, operator: str, value: str = "") -> Filter:
        return Filter(f"{self.name}:{operator}{value}")

    def _wrong(self, expected: str) -> InvalidRequestError:
        return InvalidRequestError(f"the filter {self.name} takes {expected}", argument=self.name)

    if not TYPE_CHECKING:
        # Otherwise Python would answer `==` by identity, and a list would be asked for without its condition.
        __eq__, __ne__, __lt__, __le__, __gt__, __ge__ = map(_refusal, _SIGNS)
        __hash__ = None
        __contains__, __iter__ = _refusal("in"), _refusal("iter()")

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(_lacks(self, f"{name}()"))


class _Nullable(Column):
    def is_null(self) -> Filter:
        """Only where it is not set."""
        return self._filter("!?")

    def is_not_null(self) -> Filter:
        """Only where it is set."""
        return self._filter("?")


class _Encoded(Column, Generic[V]):
    @abstractmethod
    def _encode(self, value: V, *, up: bool = False) -> str: ...


class _Equal(_Encoded[V]):
    @hides_locals
    def __eq__(self, value: V) -> Filter:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._filter("=", self._encode(value))

    __hash__ = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


class _Unequal(_Equal[V]):
    @hides_locals
    def __ne__(self, value: V) -> Filter:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._filter("!=", self._encode(value))


class _Ordered(_Encoded[V]):
    @hides_locals
    def __lt__(self, value: V) -> Filter:
        return self._filter("<", self._encode(value, up=True))

    @hides_locals
    def __le__(self, value: V) -> Filter:
        return self._filter("<=", self._encode(value, up=True))

    @hides_locals
    def __gt__(self, value: V) -> Filter:
        return self._filter(">", self._encode(value))

    @hides_locals
    def __ge__(self, value: V) -> Filter:
        return self._filter(">=", self._encode(value))


def _encode_int(column: Column, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) < _LARGEST:
            return str(int(value))
    elif isinstance(value, str) and is_id(value.removeprefix("-")):
        return str.__str__(value)
    raise InvalidRequestError(f"the filter {column.name} takes an int, or its digits as a str", argument=column.name)


class IntField(_Unequal[int | str], _Ordered[int | str], _Nullable):
    """A number or an id."""

    kind = "int64"

    def _encode(self, value: int | str, *, up: bool = False) -> str:  # noqa: ARG002
        return _encode_int(self, value)

    @hides_locals
    def is_in(self, values: Iterable[int | str]) -> Filter:
        """Only where it is one of several."""
        # The parts of a text would be taken for ids: "12" for 1 and 2.
        listed = [] if isinstance(values, str | bytes) else [self._encode(value) for value in values]
        if not listed:
            raise self._wrong("at least one value, in a list")
        return self._filter("=", ",".join(listed))


class StringField(_Unequal[str], _Nullable):
    """A text."""

    kind = "string"

    def _encode(self, value: str, *, up: bool = False) -> str:  # noqa: ARG002
        if not isinstance(value, str):
            raise self._wrong("a str")
        return str.__str__(value)

    @hides_locals
    def contains(self, value: str) -> Filter:
        """Only where the text is part of it."""
        return self._filter("~", self._encode(value))

    @hides_locals
    def matches(self, pattern: str) -> Filter:
        """Only where it matches a pattern in which `%` stands for any text."""
        return self._filter("~~", self._encode(pattern))


class DateTimeField(_Ordered[dt.datetime], _Nullable):
    """A moment; the API compares whole seconds, so a bound with a fraction is widened to the second around it."""

    kind = "date-time"

    def _encode(self, value: dt.datetime, *, up: bool = False) -> str:
        if not is_datetime(value):
            raise self._wrong("a datetime")
        if value.utcoffset() is None:
            raise self._wrong("a datetime with a zone (a naive one has none)")
        try:
            return format_utc(value, up=up)
        except ValueError:
            raise self._wrong("a datetime between the years 1 and 9999 in UTC") from None

    def any(self) -> Filter:
        """Whether it is set or not: lifts the default that leaves archived, cancelled or deleted records out."""
        return self._filter("*")


class DateField(_Equal[dt.date], _Ordered[dt.date], _Nullable):
    """A day."""

    kind = "date"

    def _encode(self, value: dt.date, *, up: bool = False) -> str:  # noqa: ARG002
        if not is_date(value):
            raise self._wrong("a date (not a datetime)")
        return plain_date(value).isoformat()

    @hides_locals
    def matches(self, pattern: str) -> Filter:
        """Only days that match a pattern with `*` in place of digits, such as `****-05-**`."""
        if not isinstance(pattern, str) or not _DAY_PATTERN.fullmatch(pattern):
            raise self._wrong("a pattern such as ****-05-**")
        return self._filter("=", pattern)


class BooleanField(Column):
    """A yes or no."""

    kind = "boolean"

    def _encode(self, value: object) -> str:
        if not isinstance(value, bool):
            raise self._wrong("True or False")
        return str(value).lower()

    @hides_locals
    def is_(self, value: bool) -> Filter:  # noqa: FBT001
        """Only where it is so."""
        return self._filter("=", self._encode(value))

    @hides_locals
    def is_not(self, value: bool) -> Filter:  # noqa: FBT001
        """Only where it is otherwise."""
        return self._filter("!=", self._encode(value))


class ArrayField(Column):
    """A list of ids."""

    kind = "array"

    @hides_locals
    def contains(self, value: int | str) -> Filter:
        """Only where the id is one of the list."""
        return self._filter("~", _encode_int(self, value))


class Filters:
    """The base of what a resource's list can be asked for."""

    @classmethod
    def fields(cls) -> dict[str, Column]:
        """Give the fields that can be searched by, under their wire names."""
        found = {name: value for base in reversed(cls.__mro__) for name, value in vars(base).items()}
        return {value.name: value for value in found.values() if isinstance(value, Column) and value.kind}

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            columns = [each for each in dir(self) if not each.startswith("_") and each != "fields"]
            near = did_you_mean(name, columns, f"; it has {', '.join(columns) or 'none'}")
            raise AttributeError(f"{type(self).__name__} has no column {name!r}{near}")


Filterable = Filter | str
Sortable = str | Column | Sort


def format_utc(moment: dt.datetime, *, up: bool = False) -> str:
    """Write an aware moment as the API does: UTC in whole seconds, cut off or rounded up.

    Raises:
        ValueError: it has no zone, or in UTC it lies beyond the years that there are.
    """
    plain = plain_datetime(moment)
    if plain.utcoffset() is None:
        raise ValueError("must have a time zone")
    try:
        utc = plain.astimezone(dt.UTC)
        if up and is_fractional(moment):
            utc += dt.timedelta(seconds=1)
    except OverflowError:
        raise ValueError("must lie between the years 1 and 9999 in UTC") from None
    return utc.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def epoch_of(moment: dt.datetime) -> int:
    """Give the second of an aware moment.

    Raises:
        InvalidRequestError: it has no zone.
    """
    if not is_datetime(moment) or moment.utcoffset() is None:
        raise InvalidRequestError("since must be a datetime with a time zone, or a cursor", argument="since")
    return math.floor(plain_datetime(moment).timestamp())
