"""Checks for numeric arguments: durations and counts."""

import math
import numbers
import operator
from typing import SupportsIndex


def is_seconds(value: object, *, zero: bool = False) -> bool:
    """Return whether a value is a finite number of seconds above 0, or with `zero` at least 0."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    try:
        seconds = float(value)
    except OverflowError:
        return False
    return (seconds >= 0 if zero else seconds > 0) and seconds < math.inf


def is_count(value: object) -> bool:
    """Return whether a value is an integer of at least 1, of Python or of a library such as numpy."""
    return isinstance(value, SupportsIndex) and not isinstance(value, bool) and operator.index(value) >= 1
