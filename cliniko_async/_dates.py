"""The real classes of dates and times, and the plain value of their subclasses.

Libraries that freeze time in tests replace `date` and `datetime` in every module that holds them. The classes are taken
here once, from below whatever stands in their place, and kept where no such library looks: not as a module's attribute.
"""

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeGuard

import msgspec


def _real(cls: type) -> Any:
    return next(base for base in cls.__mro__ if base.__module__ == "datetime")


class Real:
    """The real classes."""

    date: Final[type[dt.date]] = _real(dt.date)
    datetime: Final[type[dt.datetime]] = _real(dt.datetime)


if TYPE_CHECKING:
    Date = Annotated[dt.date, "a day"]
    DateTime = Annotated[dt.datetime, msgspec.Meta(tz=True)]
else:
    Date = Annotated[Real.date, "a day"]
    DateTime = Annotated[Real.datetime, msgspec.Meta(tz=True)]
"""A day, and a moment that always has a zone; a stamp without one does not fit."""


def is_date(value: object) -> TypeGuard[dt.date]:
    """Whether a value is a day; a datetime, which is a date to Python, is not."""
    return isinstance(value, Real.date) and not isinstance(value, Real.datetime)


def is_datetime(value: object) -> TypeGuard[dt.datetime]:
    """Whether a value is a moment that Python can hold; the NaT of pandas is a datetime whose year is not a number."""
    return isinstance(value, Real.datetime) and dt.MINYEAR <= value.year <= dt.MAXYEAR


def plain_date(value: dt.date) -> dt.date:
    """Return the day that an instance of any subclass stands for."""
    return value if type(value) is Real.date else Real.date(value.year, value.month, value.day)


def plain_datetime(value: dt.datetime) -> dt.datetime:
    """Return the moment that an instance of any subclass stands for, to the microsecond."""
    if type(value) is Real.datetime:
        return value
    day, time = (value.year, value.month, value.day), (value.hour, value.minute, value.second, value.microsecond)
    return Real.datetime(*day, *time, tzinfo=value.tzinfo, fold=value.fold)


def is_fractional(value: dt.datetime) -> bool:
    """Whether a moment lies between two seconds; that of pandas may do so by nanoseconds alone."""
    return bool(value.microsecond or getattr(value, "nanosecond", 0))
