"""Checks of single values in a body, with the error texts of a Rails application."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias, cast

from ...fields import MaxLength, Pattern, Range
from ..db.columns import BOOLEAN, DATE, DECIMAL, ID, INTEGER, MOMENT, TEXT, decimal_text, parsed_id

Check: TypeAlias = Callable[[Any], Any]
"""Returns the value to store, or raises `InvalidValue`."""

INVALID = "is invalid"
BLANK = "can’t be blank"  # noqa: RUF001
NOT_LISTED = "is not included in the list"
NOT_A_NUMBER = "is not a number"

_MAX_DIGITS = 15
# Within these, anything that follows from a moment is still a valid moment.
_EARLIEST, _LATEST = dt.datetime(1, 1, 2, tzinfo=dt.UTC), dt.datetime(9999, 12, 30, tzinfo=dt.UTC)


class InvalidValue(Exception):  # noqa: N818  (it becomes the text of a reply and never leaves the sandbox)
    """A value is not valid; the text is the reason."""


class NotAnObject(InvalidValue):
    """The value is a text, a number or a list instead of an object."""


def check_rule(rule: Any, value: str | int) -> None:
    """Check a value against a rule of its field; other metadata of a field is ignored.

    Raises:
        InvalidValue: The value breaks the rule.
    """
    match rule:
        case MaxLength() if rule.fault(str(value)) is not None:
            raise InvalidValue(f"is too long (maximum is {rule.most} characters)")
        case Pattern() if rule.fault(str(value)) is not None:
            raise InvalidValue(INVALID)
        case Range() if rule.fault(Decimal(value)) is not None:
            raise InvalidValue(_out_of_range(rule, Decimal(value)))
        case _:
            pass


def _out_of_range(rule: Range, number: Decimal) -> str:
    if rule.high is not None and number >= rule.high:
        return f"must be less than {'' if rule.high_excluded else 'or equal to '}{rule.high}"
    return f"must be greater than {'' if rule.low_excluded else 'or equal to '}{rule.low}"


def one_of(allowed: tuple[Any, ...]) -> Check:
    """Return a check for the values of an enumeration."""

    def check(value: Any) -> Any:
        if not any(value == each and type(value) is type(each) for each in allowed):
            raise InvalidValue(NOT_LISTED)
        return value

    return check


def list_of(check_item: Check) -> Check:
    """Return a check for a list whose items pass a check."""

    def check(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise InvalidValue(INVALID)
        try:
            return [check_item(item) for item in cast("list[object]", value)]
        except NotAnObject:
            raise InvalidValue(INVALID) from None

    return check


def any_of(checks: list[Check]) -> Check:
    """Return a check for a value that passes one of several checks."""

    def check(value: Any) -> Any:
        errors: list[InvalidValue] = []
        for each in checks:
            try:
                return each(value)
            except InvalidValue as error:
                errors.append(error)
        raise next((error for error in errors if isinstance(error, NotAnObject)), InvalidValue(INVALID))

    return check


def check_object(value: Any) -> dict[str, Any]:
    """Return an object as it is."""
    if not isinstance(value, dict):
        raise NotAnObject(INVALID)
    return cast("dict[str, Any]", value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or value != value.encode("utf-8", "replace").decode():
        raise InvalidValue(INVALID)
    return value


def _integer(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise InvalidValue("must be an integer")
    return int(number)


def _decimal(value: Any) -> str:
    return decimal_text(_number(value))


def _number(value: Any) -> Decimal:
    try:
        number = Decimal(str(value)) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise InvalidValue(NOT_A_NUMBER)
    if not number:
        # Without its exponent, which could be written only with as many zeros.
        return Decimal(0)
    if abs(number.adjusted()) > _MAX_DIGITS:
        raise InvalidValue(f"must be less than {10**_MAX_DIGITS}")
    return number


def _id(value: Any) -> str:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if parsed_id(text) is None:
        raise InvalidValue(INVALID)
    return text


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidValue(NOT_LISTED)
    return value


def _moment(value: Any) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(_text(value))
    except ValueError:
        raise InvalidValue(INVALID) from None
    if moment.utcoffset() is None or not _EARLIEST <= moment <= _LATEST:
        raise InvalidValue(INVALID)
    return moment


def _date(value: Any) -> dt.date:
    try:
        return dt.date.fromisoformat(_text(value))
    except ValueError:
        raise InvalidValue(INVALID) from None


CHECKS: dict[str, Check] = {
    BOOLEAN.name: _boolean,
    DATE.name: _date,
    DECIMAL.name: _decimal,
    ID.name: _id,
    INTEGER.name: _integer,
    MOMENT.name: _moment,
    TEXT.name: _text,
}
"""The checks by the names of column types."""
