"""The body of a request: reading it, recording it, and parsing it for the operation."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NoReturn, cast

from aiohttp import web

from ..protocol import RefusedRequest, error_reply
from .listener import UNREADABLE

_MAX_DEPTH = 100


async def read_body(request: web.BaseRequest) -> bytes:
    """Read a body to its end.

    Raises:
        RefusedRequest: The body is too long, or is not encoded as its headers declare.
    """
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise RefusedRequest(error_reply(413, "Payload Too Large")) from None
    except UNREADABLE:
        raise _bad_request() from None


def recorded_body(raw: bytes) -> Any:
    """Return a body as it is recorded: its JSON, its text if it is not JSON, or None if it is empty."""
    try:
        return json.loads(raw) if raw else None
    except (ValueError, RecursionError):
        return raw.decode(errors="replace")


def parsed_body(raw: bytes) -> Any:
    """Parse a body without losing digits of its decimals; an empty one is an object without fields.

    Raises:
        RefusedRequest: The body is not JSON, or is nested too deeply.
    """
    try:
        body: Any = json.loads(raw, parse_float=Decimal, parse_constant=_refuse_constant) if raw else {}
    except (ValueError, RecursionError):
        raise _bad_request() from None
    if _is_too_deep(body):
        raise _bad_request()
    return body


def _bad_request() -> RefusedRequest:
    return RefusedRequest(error_reply(400, "Bad Request"))


def _is_too_deep(body: Any) -> bool:
    """Return whether a body is nested so deeply that it could not be serialized again."""
    level = [body]
    for _ in range(_MAX_DEPTH):
        level = [child for value in level if isinstance(value, dict | list) for child in _children(value)]
    return bool(level)


def _children(value: Any) -> Iterable[Any]:
    return cast("dict[str, Any]", value).values() if isinstance(value, dict) else value


def _refuse_constant(name: str) -> NoReturn:
    # Python's json accepts NaN and Infinity, which are not JSON.
    raise ValueError(name)
