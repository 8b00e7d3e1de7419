"""The rules of the options of a sandbox, checked before anything starts."""

import math
import re
from collections.abc import Callable
from typing import Any, get_args

import attrs

from .. import ConfigurationError
from .db.row_store import IdOrder
from .seed.patients import MIN_PATIENTS
from .server.rate_limit import WindowType

_KEY = re.compile(r"[!-9;-~]+", re.ASCII)
_MAX_PORT = 65_535


@attrs.frozen
class _OptionRule:
    is_valid: Callable[[Any], bool]
    expected: str
    is_secret: bool = False
    """Whether the error must not show the value."""


def check_options(**options: Any) -> None:
    """Check options against their rules.

    Raises:
        ConfigurationError: An option is not valid.
    """
    for name, value in options.items():
        rule = _RULES[name]
        if not rule.is_valid(value):
            given = "" if rule.is_secret else f", not {value!r}"
            raise ConfigurationError(f"{name} must be {rule.expected}{given}")


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _integer_within(low: int, high: float = math.inf) -> Callable[[Any], bool]:
    return lambda value: _is_integer(value) and low <= value <= high


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _is_key(value: Any) -> bool:
    return value is None or (isinstance(value, str) and _KEY.fullmatch(value) is not None)


def _choice_rule(choice: Any) -> _OptionRule:
    words = get_args(choice)
    return _OptionRule(lambda value: value in words, f"one of {', '.join(map(repr, words))}")


_FLAG = _OptionRule(lambda value: isinstance(value, bool), "True or False")
_CLOCK = _OptionRule(callable, "a function that returns seconds")
_RULES = {
    "seed": _OptionRule(_is_integer, "a whole number"),
    "appointment_types": _OptionRule(_integer_within(0), "a whole number from 0"),
    "patients": _OptionRule(_integer_within(MIN_PATIENTS), f"a whole number from {MIN_PATIENTS}"),
    "limit": _OptionRule(_integer_within(1), "a whole number from 1"),
    "period": _OptionRule(lambda value: _is_seconds(value) and value > 0, "a number of seconds above 0"),
    "window": _choice_rule(WindowType),
    "latency": _OptionRule(_is_seconds, "a number of seconds from 0"),
    "jitter": _OptionRule(_is_seconds, "a number of seconds from 0"),
    "host": _OptionRule(lambda value: isinstance(value, str) and value != "", "the name or address of a host"),
    "port": _OptionRule(_integer_within(0, _MAX_PORT), f"a whole number from 0 to {_MAX_PORT}"),
    "api_key": _OptionRule(_is_key, "printable ASCII characters without spaces and colons, or None", is_secret=True),
    "ids": _choice_rule(IdOrder),
    "unsortable": _OptionRule(lambda unknown: not unknown, "names of columns"),
    "shuffle_ties": _FLAG,
    "archiving_touches": _FLAG,
    "strict": _FLAG,
    "keep_alive": _FLAG,
    "clock": _CLOCK,
    "wall": _CLOCK,
}
