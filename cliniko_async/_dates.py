"""The real date and datetime classes, conversion from their subclasses, and the API's format of a moment.

Libraries that freeze time in tests replace `date` and `datetime` in every module that holds them. The real classes are
looked up here once, even if already replaced, and kept on a class, because such libraries only patch module attributes.
"""

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeGuard

import msgspec


def _real(cls: type) -> Any:
    return next(base for base in cls.__mro__ if base.__module__ == "datetime")


class Real:
    """`date` and `datetime` themselves, not what a library put in their place."""

    date: Final[type[dt.date]] = _real(dt.date)
    datetime: Final[type[dt.datetime]] = _real(dt.datetime)


if TYPE_CHECKING:
    Date = Annotated[dt.date, "a day"]
    DateTime = Annotated[dt.datetime, msgspec.Meta(tz=True)]
else:
    Date = Annotated[Real.date, "a day"]
    DateTime = Annotated[Real.datetime, msgspec.Meta(tz=True)]
"""`Date` is a day. `DateTime` is a moment with a time zone; a value without one is invalid."""


def is_date(value: object) -> TypeGuard[dt.date]:
    """Return whether a value is a date but not a datetime, which is a subclass of it."""
    return isinstance(value, Real.date) and not isinstance(value, Real.datetime)


def is_datetime(value: object) -> TypeGuard[dt.datetime]:
    """Return whether a value is a valid datetime, unlike the NaT of pandas, whose year is NaN."""
    return isinstance(value, Real.datetime) and dt.MINYEAR <= value.year <= dt.MAXYEAR


def plain_date(value: dt.date) -> dt.date:
    """Return a date, or an instance of any subclass, as a plain `date`."""
    return value if type(value) is Real.date else Real.date(value.year, value.month, value.day)


def plain_datetime(value: dt.datetime) -> dt.datetime:
    """Return a datetime, or an instance of any subclass, as a plain `datetime`, to the microsecond."""
    if type(value) is Real.datetime:
        return value
    day, time = (value.year, value.month, value.day), (value.hour, value.minute, value.second, value.microsecond)
    return Real.datetime(*day, *time, tzinfo=value.tzinfo, fold=value.fold)


def is_fractional(value: dt.datetime) -> bool:
    """Return whether a moment has a fraction of a second, which in pandas may be only nanoseconds."""
    return bool(value.microsecond or getattr(value, "nanosecond", 0))


def format_utc(moment: dt.datetime, *, up: bool = False) -> str:
    """Return a datetime as the API writes it: in UTC, in whole seconds.

    Args:
        moment: A datetime with a time zone.
        up: Whether to round the fraction of a second up; otherwise it is cut off.

    Returns:
        The text.

    Raises:
        ValueError: The datetime has no time zone, or is not between the years 1 and 9999 in UTC.
    """
    plain = plain_datetime(moment)
    if plain.utcoffset() is None:
        raise ValueError("must have a time zone")
    try:
        utc = plain.astimezone(dt.UTC)
        if up and is_fractional(moment):
            utc += dt.timedelta(seconds=1)
    except OverflowError:
        raise ValueError("must be between the years 1 and 9999 in UTC") from None
    return utc.replace(microsecond=0, tzinfo=None).isoformat() + "Z"
