"""JSON as bytes to values: decoders of msgspec first, and the limits of what is parsed when they refuse.

A decoder fills frozen classes without calling `__init__`, which is fast, but says little about a value that does not
fit. What it refuses is parsed and handed to cattrs.
"""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import cache
from typing import Any, NoReturn

import msgspec

from .record import is_renamed, is_union, variant_of

Hook = Callable[[Any, Any], Any]

MOST_VALUES = 100_000
"""Maximum number of values that are read field by field: each takes a few microseconds and blocks the event loop."""
_MOST_SIGNS = 1_000_000
"""Maximum number of commas and opening brackets in a body that is parsed at all. There are about as many values, and
parsing so many takes about half a second, which nothing can interrupt."""
TOO_MANY = "holds too many values to be read"

_DECODERS = threading.Lock()

_REFUSED = (msgspec.MsgspecError, ValueError, RecursionError)
"""What a decoder raises for bytes that it cannot read."""


class RefusedError(ValueError):
    """JSON that is refused as a whole; its arguments say why."""

    args: tuple[str, ...]

    def __str__(self) -> str:
        """The reasons."""
        return "; ".join(self.args)


def bytes_first(decode: Callable[[bytes], Any], exact: Callable[[Any], Any]) -> Hook:
    """Return a hook that gives bytes to `decode`, and parsed JSON, or what `decode` refuses, to `exact`."""

    def structure(value: Any, _: Any) -> Any:
        if isinstance(value, (bytes, msgspec.Raw)):
            body = bytes(value)
            _check_size(body)
            # What follows runs after the handler, so that its errors are not chained to those of msgspec.
            with suppress(*_REFUSED):
                return decode(body)
            value = parse(body)
        return exact(value)

    return structure


def json_decoder(kind: Any) -> Callable[[Any], Any]:
    """Return the function with which msgspec decodes the JSON of a type."""
    # msgspec keeps what it knows of a class on the class, unfinished while it runs Python code to find out. A decoder
    # that is made meanwhile in another thread would use that, and the process would crash.
    with _DECODERS:
        return msgspec.json.Decoder(kind).decode


@cache
def decoder_of(cls: Any) -> Callable[[Any], Any]:
    """Return the function that decodes the JSON of a record."""
    if is_renamed(cls):
        return refuse
    if not is_union(cls):
        return json_decoder(cls)
    keys = json_decoder(dict[str, Any])
    return lambda body: decoder_of(variant_of(cls, keys(body)))(body)


def refuse(_: Any) -> NoReturn:
    """Refuse constants such as NaN, and JSON of a class with renamed fields, which msgspec would read without them."""
    raise msgspec.DecodeError


def parse(body: bytes) -> Any:
    """Return the value of JSON that is to be read field by field.

    Raises:
        RefusedError: It is not JSON, or holds so many values that the event loop would be blocked.
    """
    data = _loads(body)
    if count_values(data) > MOST_VALUES:
        raise RefusedError(TOO_MANY)
    return data


def _loads(body: bytes) -> Any:
    with suppress(*_REFUSED, ArithmeticError):
        # As floats, decimals would lose digits and be reported beside the real fault.
        return json.loads(body, parse_float=Decimal, parse_constant=refuse)
    raise RefusedError("is not JSON")


def _check_size(body: bytes) -> None:
    if len(body) > _MOST_SIGNS and sum(map(body.count, (b",", b"[", b"{"))) > _MOST_SIGNS:
        raise RefusedError(TOO_MANY)


def count_values(data: Any) -> int:
    """Count the values in parsed JSON, at any depth."""
    count, left = 0, [data]
    while left:
        value = left.pop()
        count += 1
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
    return count
