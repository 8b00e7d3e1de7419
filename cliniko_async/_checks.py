"""Checks for numeric arguments: durations and counts."""

import math


def is_seconds(value: object, *, zero: bool = False) -> bool:
    """Return whether a value is a finite number of seconds above 0, or with `zero` at least 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (value >= 0 if zero else value > 0) and value < math.inf


def is_count(value: object) -> bool:
    """Return whether a value is an integer of at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
