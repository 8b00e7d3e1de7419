"""Decodes JSON bytes: first with msgspec, then, within limits, by parsing what msgspec rejects.

A msgspec decoder fills frozen classes without calling `__init__`, which is fast, but reports little about an invalid
value. JSON that it rejects is parsed and passed to cattrs.
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
"""Maximum number of values to read field by field; each blocks the event loop for a few microseconds."""
_MOST_SIGNS = 1_000_000
"""Maximum number of commas and opening brackets in a body to parse at all. That is about the number of values, and
parsing that many takes about half a second, which cannot be interrupted."""
TOO_MANY = "holds too many values to be read"

_DECODERS = threading.Lock()

_REFUSED = (msgspec.MsgspecError, ValueError, RecursionError)
"""What a decoder raises for invalid bytes."""


class RefusedError(ValueError):
    """JSON that is rejected as a whole; the arguments are the reasons."""

    args: tuple[str, ...]

    def __str__(self) -> str:
        """Return the reasons."""
        return "; ".join(self.args)


def bytes_first(decode: Callable[[bytes], Any], exact: Callable[[Any], Any]) -> Hook:
    """Return a hook that passes bytes to `decode`, and parsed JSON or anything that `decode` rejects to `exact`."""

    def structure(value: Any, _: Any) -> Any:
        if isinstance(value, (bytes, msgspec.Raw)):
            body = bytes(value)
            _check_size(body)
            # Fall through rather than handle the error, so that later errors are not chained to those of msgspec.
            with suppress(*_REFUSED):
                return decode(body)
            value = parse(body)
        return exact(value)

    return structure


def json_decoder(kind: Any) -> Callable[[Any], Any]:
    """Return msgspec's decode function for a type."""
    # msgspec caches type information on the class, and it is incomplete while msgspec runs Python code to collect it.
    # A decoder created in another thread at that time would use it and crash the process.
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
    """Reject constants such as NaN, and JSON of a class with renamed fields, which msgspec would leave out."""
    raise msgspec.DecodeError


def parse(body: bytes) -> Any:
    """Parse JSON that is read field by field.

    Raises:
        RefusedError: It is not JSON, or has so many values that reading them would block the event loop.
    """
    data = _loads(body)
    if count_values(data) > MOST_VALUES:
        raise RefusedError(TOO_MANY)
    return data


def _loads(body: bytes) -> Any:
    with suppress(*_REFUSED, ArithmeticError):
        # As floats, decimals would lose digits, and be reported in addition to the real fault.
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
