"""Checks of counts and durations: of the options of an object, and of the arguments of a call."""

import math
import numbers
import operator
from typing import SupportsIndex

from .errors import ConfigurationError, InvalidRequestError


def count_option(name: str, value: object) -> int:
    """Return an option that must be a whole number of at least 1, of Python or of a library such as numpy.

    Raises:
        ConfigurationError: It is not.
    """
    count = _count(value)
    if count is None or count < 1:
        raise ConfigurationError(_count_rule(name, 1))
    return count


def count_argument(name: str, value: object, *, least: int = 1) -> int:
    """Return an argument that must be a whole number of at least `least`.

    Raises:
        InvalidRequestError: It is not.
    """
    count = _count(value)
    if count is None or count < least:
        raise InvalidRequestError(_count_rule(name, least), argument=name)
    return count


def seconds_option(name: str, value: object) -> float:
    """Return an option that must be a finite number of seconds above 0.

    Raises:
        ConfigurationError: It is not.
    """
    seconds = _finite(value)
    if seconds is None or seconds <= 0:
        raise ConfigurationError(f"{name} must be a number of seconds above 0")
    return seconds


def seconds_argument(name: str, value: object, *, zero: bool = False) -> float:
    """Return an argument that must be a finite number of seconds above 0, or with `zero` at least 0.

    Raises:
        InvalidRequestError: It is not.
    """
    seconds = _finite(value)
    if seconds is None or seconds < 0 or not (seconds or zero):
        least = ", at least 0" if zero else " above 0"
        raise InvalidRequestError(f"{name} must be a number of seconds{least}", argument=name)
    return seconds


def share_option(name: str, value: object) -> float:
    """Return an option that must be a number above 0 and at most 1.

    Raises:
        ConfigurationError: It is not.
    """
    share = _finite(value)
    if share is None or not 0 < share <= 1:
        raise ConfigurationError(f"{name} must be a number above 0 and at most 1")
    return share


def _count_rule(name: str, least: int) -> str:
    return f"{name} must be a whole number, at least {least}"


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return None
    return operator.index(value)


def _finite(value: object) -> float | None:
    """Return a finite real number as a float, and None for anything else."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
