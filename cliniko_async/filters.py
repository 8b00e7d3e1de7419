"""Filters and sort orders of lists: columns by type, with the operators that the API has for each type."""

import datetime as dt
import re
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, NoReturn, TypeVar

import msgspec

from ._dates import format_utc, is_date, is_datetime, plain_date
from ._frames import hides_locals
from ._messages import ID_DIGITS, RedactedRepr, is_id
from ._spelling import did_you_mean
from .errors import InvalidRequestError

V = TypeVar("V")
_DAY_PATTERN = re.compile(r"[\d*]{4}-[\d*]{2}-[\d*]{2}", re.ASCII)

Visibility = Literal["exclude", "include", "only"]


class Filter(RedactedRepr, msgspec.Struct, frozen=True):
    """One condition on a list, made with a column of `where`. A record must match all conditions of a list.

    Args:
        text: The condition as the API writes it, such as "category:=Osteo".
    """

    text: str

    @property
    def field(self) -> str:
        """The name of the column."""
        return self.text.partition(":")[0]

    if TYPE_CHECKING:

        def __bool__(self) -> NoReturn: ...

    else:

        def __bool__(self) -> NoReturn:
            raise TypeError("a filter has no truth value: write `a <= x < b` as two filters, `x >= a` and `x < b`")

    def __repr__(self) -> str:
        """Return the column without the value, which may be about a patient."""
        return f"Filter({self.field})"


class Sort(msgspec.Struct, frozen=True):
    """A column to sort by, and its direction.

    Args:
        text: The column and the direction as the API writes them, such as "name:desc".
    """

    text: str


_SIGNS = {"==": "__eq__", "!=": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}


def _operators(column: "Column") -> list[str]:
    """Return the operators of a column: the signs, then the methods."""
    kind = type(column)
    signs = [sign for sign, method in _SIGNS.items() if getattr(kind, method) is not getattr(Column, method)]
    methods = {name for name in dir(kind) if not name.startswith("_")} - set(dir(Column))
    return signs + [f"{name}()" for name in sorted(methods)]


def example_of(column: "Column") -> str:
    """Return an example of a filter on a column, with an ellipsis for the value.

    Args:
        column: The column.

    Returns:
        The example, such as "category == …".
    """
    operator = _operators(column)[0]
    return f"{column.name}.{operator[:-1]}…)" if operator.endswith("()") else f"{column.name} {operator} …"


def _lacks(column: "Column", operator: str) -> str:
    """Return the message for an operator that a column lacks, with the operators that it has."""
    has = _operators(column)
    if not has:
        return f"{column.name!r} cannot be filtered on; it can only be sorted by"
    return f"{column.name!r} has no operator {operator}; it has {', '.join(has)}"


def _refusal(operator: str) -> Callable[..., NoReturn]:
    def refused(column: "Column", *_: object) -> NoReturn:
        raise TypeError(_lacks(column, operator))

    return refused


class Column:
    """A column that lists can be sorted by. Only its subclasses support filtering."""

    kind: ClassVar[str] = ""
    name: str = ""

    def __set_name__(self, owner: type, name: str) -> None:
        """Name the column after the attribute."""
        self.name = name.rstrip("_")

    def asc(self) -> Sort:
        """Sort in ascending order.

        Returns:
            The sort order, to pass as `sort` to `list`.
        """
        return Sort(f"{self.name}:asc")

    def desc(self) -> Sort:
        """Sort in descending order.

        Returns:
            The sort order, to pass as `sort` to `list`.
        """
        return Sort(f"{self.name}:desc")

    def __repr__(self) -> str:
        """Return the name."""
        return f"<column {self.name}>"

    def _filter(self, operator: str, value: str = "") -> Filter:
        return Filter(f"{self.name}:{operator}{value}")

    def _wrong(self, expected: str) -> InvalidRequestError:
        return InvalidRequestError(f"the filter {self.name} takes {expected}", argument=self.name)

    if not TYPE_CHECKING:
        # Otherwise `==` would compare identities, and the list would be requested without its condition.
        __eq__, __ne__, __lt__, __le__, __gt__, __ge__ = map(_refusal, _SIGNS)
        __hash__ = None
        __contains__, __iter__ = _refusal("in"), _refusal("iter()")

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(_lacks(self, f"{name}()"))


class _Nullable(Column):
    def is_null(self) -> Filter:
        """Match records in which the column is not set.

        Returns:
            The filter, to pass to `list`.
        """
        return self._filter("!?")

    def is_not_null(self) -> Filter:
        """Match records in which the column is set.

        Returns:
            The filter, to pass to `list`.
        """
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
        if abs(value) < 10**ID_DIGITS:
            return str(int(value))
    elif isinstance(value, str) and is_id(value.removeprefix("-")):
        return str.__str__(value)
    raise InvalidRequestError(f"the filter {column.name} takes an int, or its digits as a str", argument=column.name)


class IntField(_Unequal[int | str], _Ordered[int | str], _Nullable):
    """A number or an id: `== != < <= > >=` with an int or its digits as a str, `is_in`, `is_null`, `is_not_null`."""

    kind = "int64"

    def _encode(self, value: int | str, *, up: bool = False) -> str:  # noqa: ARG002
        return _encode_int(self, value)

    @hides_locals
    def is_in(self, values: Iterable[int | str]) -> Filter:
        """Match records in which the column has one of several values.

        Args:
            values: The values, each an int or its digits as a str.

        Returns:
            The filter, to pass to `list`.

        Raises:
            InvalidRequestError: There is no value, or one is neither an int nor its digits.
        """
        # The characters of a str would be taken for ids: "12" for 1 and 2.
        listed = [] if isinstance(values, str | bytes) else [self._encode(value) for value in values]
        if not listed:
            raise self._wrong("at least one value, in a list")
        return self._filter("=", ",".join(listed))


class StringField(_Unequal[str], _Nullable):
    """A text: `==` and `!=` with a str, `contains`, `matches`, `is_null`, `is_not_null`."""

    kind = "string"

    def _encode(self, value: str, *, up: bool = False) -> str:  # noqa: ARG002
        if not isinstance(value, str):
            raise self._wrong("a str")
        return str.__str__(value)

    @hides_locals
    def contains(self, value: str) -> Filter:
        """Match records in which the column contains a text.

        Args:
            value: The text.

        Returns:
            The filter, to pass to `list`.

        Raises:
            InvalidRequestError: The value is not a str.
        """
        return self._filter("~", self._encode(value))

    @hides_locals
    def matches(self, pattern: str) -> Filter:
        """Match records in which the column matches a pattern.

        Args:
            pattern: A text in which `%` matches any characters, such as "ja%on".

        Returns:
            The filter, to pass to `list`.

        Raises:
            InvalidRequestError: The value is not a str.
        """
        return self._filter("~~", self._encode(pattern))


class DateTimeField(_Ordered[dt.datetime], _Nullable):
    """A moment: `< <= > >=` with a datetime that has a time zone, `any`, `is_null`, `is_not_null`.

    The API compares whole seconds, so the fraction of a second is rounded: up in an upper bound, down in a lower one.
    """

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
        """Match records whether the column is set or not.

        On `archived_at`, `cancelled_at` and `deleted_at` this includes the records that lists leave out by default.

        Returns:
            The filter, to pass to `list`.
        """
        return self._filter("*")


class DateField(_Equal[dt.date], _Ordered[dt.date], _Nullable):
    """A day: `== < <= > >=` with a date, `matches`, `is_null`, `is_not_null`."""

    kind = "date"

    def _encode(self, value: dt.date, *, up: bool = False) -> str:  # noqa: ARG002
        if not is_date(value):
            raise self._wrong("a date (not a datetime)")
        return plain_date(value).isoformat()

    @hides_locals
    def matches(self, pattern: str) -> Filter:
        """Match records in which the day matches a pattern.

        Args:
            pattern: A date in which `*` matches any digit, such as "****-05-**".

        Returns:
            The filter, to pass to `list`.

        Raises:
            InvalidRequestError: The pattern does not have this form.
        """
        if not isinstance(pattern, str) or not _DAY_PATTERN.fullmatch(pattern):
            raise self._wrong("a pattern such as ****-05-**")
        return self._filter("=", pattern)


class BooleanField(Column):
    """True or False: `is_` and `is_not`."""

    kind = "boolean"

    def _encode(self, value: object) -> str:
        if not isinstance(value, bool):
            raise self._wrong("True or False")
        return str(value).lower()

    @hides_locals
    def is_(self, value: bool) -> Filter:  # noqa: FBT001
        """Match records in which the column has a value.

        Args:
            value: True or False.

        Returns:
            The filter, to pass to `list`.

        Raises:
            InvalidRequestError: The value is neither.
        """
        return self._filter("=", self._encode(value))

    @hides_locals
    def is_not(self, value: bool) -> Filter:  # noqa: FBT001
        """Match records in which the column does not have a value.

        Args:
            value: True or False.

        Returns:
            The filter, to pass to `list`.

        Raises:
            InvalidRequestError: The value is neither.
        """
        return self._filter("!=", self._encode(value))


class ArrayField(Column):
    """A list of ids: `contains`."""

    kind = "array"

    @hides_locals
    def contains(self, value: int | str) -> Filter:
        """Match records in which the list contains an id.

        Args:
            value: The id, as an int or a str.

        Returns:
            The filter, to pass to `list`.

        Raises:
            InvalidRequestError: The value is not an id.
        """
        return self._filter("~", _encode_int(self, value))


class Filters:
    """The base of the columns that the lists of a resource can be filtered and sorted by."""

    def __repr__(self) -> str:
        """Return the names of the columns."""
        return f"<columns {', '.join(self.fields())}>"

    @classmethod
    def fields(cls) -> dict[str, Column]:
        """Return the columns that can be filtered by.

        Returns:
            The columns, by their names in the API.
        """
        found = {name: value for base in reversed(cls.__mro__) for name, value in vars(base).items()}
        return {value.name: value for value in found.values() if isinstance(value, Column) and value.kind}

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            columns = [each for each in dir(self) if not each.startswith("_") and each != "fields"]
            near = did_you_mean(name, columns, f"; it has {', '.join(columns) or 'none'}")
            raise AttributeError(f"{type(self).__name__} has no column {name!r}{near}")


Filterable = Filter | str
Sortable = str | Column | Sort
