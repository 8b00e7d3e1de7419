"""Builds the requests of `Cliniko.request`, and checks its arguments, which may be of any type."""

import re
from collections.abc import Iterable, Mapping, Sequence
from json import dumps
from typing import Any, cast
from urllib.parse import quote

import msgspec

from .._messages import Request, Server, is_unicode
from ..errors import InvalidRequestError

Scalar = str | int | float | bool

_METHOD = re.compile(r"[A-Z]{3,10}")


def custom_request(
    server: Server,
    method: str,
    path_or_url: str,
    params: Mapping[str, Scalar | Sequence[Scalar]] | None,
    json: Any,
) -> Request:
    """Return the request of a call of `Cliniko.request`.

    Args:
        server: The server of the key.
        method: The HTTP method.
        path_or_url: A path below the base path, or a URL on the server.
        params: The query, or None.
        json: The body, as any JSON value, or None.

    Raises:
        InvalidRequestError: The URL is not on the server of the key, or an argument is invalid.
    """
    if not isinstance(method, str) or not _METHOD.fullmatch(method.upper()):
        raise InvalidRequestError("method must be a word such as GET", argument="method")
    url = server.own_url(_with_params(_absolute(server, path_or_url), params))
    if url is None:
        raise InvalidRequestError(
            "path_or_url is not on the server of the key, or contains characters that must be encoded",
            argument="path_or_url",
        )
    return Request(method.upper(), url, None if json is None else _json(json))


def _absolute(server: Server, path_or_url: str) -> str:
    if not isinstance(path_or_url, str):
        raise InvalidRequestError("path_or_url must be a str", argument="path_or_url")
    absolute = path_or_url.startswith("//") or "://" in path_or_url.partition("?")[0]
    return path_or_url if absolute else server.url("/" + path_or_url.removeprefix("/"))


def _with_params(url: str, params: Mapping[str, Scalar | Sequence[Scalar]] | None) -> str:
    if params is None:
        return url
    if not isinstance(params, Mapping):
        raise InvalidRequestError("params must be a mapping", argument="params")
    pairs: list[str] = []
    for name, value in params.items():
        pairs += [f"{_quoted(name)}={_quoted(one)}" for one in _values(value)]
    return f"{url}{'&' if '?' in url else '?'}{'&'.join(pairs)}" if pairs else url


def _values(value: object) -> Iterable[object]:
    several = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
    return cast("Iterable[object]", value if several else [value])


def _quoted(value: object) -> str:
    if isinstance(value, Scalar) and is_unicode(str(value)):
        return quote(str(value).lower() if isinstance(value, bool) else str(value), "")
    raise InvalidRequestError(
        "params must be a mapping to str, int, float or bool, or to lists of these, in valid Unicode",
        argument="params",
    )


def _json(value: object) -> bytes:
    try:
        # With Python's encoder, as that of msgspec writes NaN as null.
        plain = msgspec.to_builtins(value, str_keys=True)
        return dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        pass  # Raised outside the handler, as the encoder's error may contain the value.
    raise InvalidRequestError("json must be a value that JSON can express, in valid Unicode", argument="json")
