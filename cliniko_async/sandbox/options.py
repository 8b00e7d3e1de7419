"""The rules of the options of a sandbox: what cannot work is refused by name before anything starts."""

import math
import re
from collections.abc import Callable
from typing import Any, get_args

import attrs

from .. import ConfigurationError
from .db.rows import Ids
from .server.rate_limit import Window

_KEY = re.compile(r"[!-9;-~]+", re.ASCII)
_LARGEST_PORT = 65_535


@attrs.frozen
class _Rule:
    takes: Callable[[Any], bool]
    expected: str
    shown: bool = True
    """Whether the error may show the value."""


def check_options(**options: Any) -> None:
    """Hold options against their rules.

    Raises:
        ConfigurationError: one of them cannot work.
    """
    for name, value in options.items():
        rule = _RULES[name]
        if not rule.takes(value):
            raise ConfigurationError(f"{name} must be {rule.expected}" + (f", not {value!r}" if rule.shown else ""))


def _whole(least: int, most: float = math.inf) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _one_of(choice: Any) -> _Rule:
    words = get_args(choice)
    return _Rule(lambda value: value in words, f"one of {', '.join(map(repr, words))}")


def _is_key(value: Any) -> bool:
    return value is None or (isinstance(value, str) and _KEY.fullmatch(value) is not None)


_FLAG = _Rule(lambda value: isinstance(value, bool), "True or False")
_CLOCK = _Rule(callable, "a function that returns seconds")
_RULES = {
    "seed": _Rule(lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number"),
    "appointment_types": _Rule(_whole(0), "a whole number from 0"),
    "limit": _Rule(_whole(1), "a whole number from 1"),
    "period": _Rule(lambda value: _seconds(value) and value > 0, "a number of seconds above 0"),
    "window": _one_of(Window),
    "latency": _Rule(_seconds, "a number of seconds from 0"),
    "jitter": _Rule(_seconds, "a number of seconds from 0"),
    "host": _Rule(lambda value: isinstance(value, str) and value != "", "the name or address of a host"),
    "port": _Rule(_whole(0, _LARGEST_PORT), f"a whole number from 0 to {_LARGEST_PORT}"),
    "api_key": _Rule(_is_key, "printable ASCII characters without spaces and colons, or None", shown=False),
    "ids": _one_of(Ids),
    "unsortable": _Rule(lambda unknown: not unknown, "names of columns"),
    "shuffle_ties": _FLAG,
    "archiving_touches": _FLAG,
    "strict": _FLAG,
    "keep_alive": _FLAG,
    "clock": _CLOCK,
    "wall": _CLOCK,
}
