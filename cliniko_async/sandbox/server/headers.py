"""The headers of a request: reading them, and refusing those that the API does not accept."""

import base64
import re
from collections.abc import Mapping

from aiohttp import web

from ..protocol import Reply, SandboxRequest, error_reply

_USER_AGENT = re.compile(r".*\S \([^()\s]+@[^()\s]+\.[^()\s]+\)")
_SHARD = re.compile(r"-\w{2}\d{1,2}\Z", re.IGNORECASE | re.ASCII)


def received_request(request: web.BaseRequest, time: float) -> tuple[SandboxRequest, str | None]:
    """Return a request as it is recorded, and its Authorization header, which is not recorded.

    The query is empty, and `authorized` is True if there was an Authorization header at all.
    """
    headers = {name.lower(): replace_invalid_utf8(value) for name, value in request.headers.items()}
    authorization = headers.pop("authorization", None)
    received = SandboxRequest(
        method=request.method,
        path=replace_invalid_utf8(request.rel_url.raw_path),
        url=replace_invalid_utf8(request.rel_url.raw_path_qs),
        query={},
        headers=headers,
        authorized=authorization is not None,
        time=time,
    )
    return received, authorization


def is_authorized(header: str | None, api_key: str) -> bool:
    """Return whether a header is HTTP Basic with an empty password and the key, with or without its shard."""
    scheme, _, encoded = (header or "").partition(" ")
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return False
    is_key = user in (api_key, _SHARD.sub("", api_key))
    return scheme.lower() == "basic" and is_key and colon == ":" and not password


def refused_headers(headers: Mapping[str, str], *, strict: bool) -> Reply | None:
    """Return the error for headers that the API does not accept, or None."""
    agent = headers.get("User-Agent", "")
    if not (_USER_AGENT.fullmatch(agent) if strict else agent.strip()):
        return error_reply(400, "User-Agent must be in the form APP_VENDOR_NAME (APP_VENDOR_EMAIL)")
    if "application/json" not in headers.get("Accept", ""):
        return error_reply(406, "Accept must be application/json")
    return None


def replace_invalid_utf8(text: str) -> str:
    """Return text from a URL or a header with replacement characters for bytes that are not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
