"""What goes over the wire as the sandbox sees it: what was received, what is answered, and the texts of refusals."""

import base64
import datetime as dt
import json
import re
from collections.abc import Mapping
from typing import Any

import attrs

_USER_AGENT = re.compile(r".*\S \([^()\s]+@[^()\s]+\.[^()\s]+\)")
_SHARD = re.compile(r"-\w{2}\d{1,2}\Z", re.IGNORECASE | re.ASCII)


@attrs.define(repr=False)
class SandboxRequest:
    """A request that the sandbox received; the key is not kept, only whether it was the right one."""

    method: str
    path: str
    """The path, such as `/v1/appointment_types`."""
    url: str
    """Path and query, as they were received."""
    query: dict[str, list[str]]
    """The values of each parameter, decoded."""
    headers: dict[str, str]
    """All headers but Authorization, under their names in lower case."""
    authorized: bool
    time: float
    """When it arrived, in seconds of the sandbox's clock."""
    body: Any = None
    """The JSON that was sent, or None; a body that is no JSON is kept as text."""
    status: int | None = None
    """What was answered; None while it is under way, and when no answer was sent."""

    def __repr__(self) -> str:
        """Method, URL without its query, and status."""
        return f"SandboxRequest({self.method} {self.path} {self.status})"


@attrs.frozen
class Reply:
    """An answer before it is sent."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def json(self) -> Any:
        """The body as JSON, or None when there is none."""
        return json.loads(self.body) if self.body else None


def json_reply(status: int, body: Any) -> Reply:
    """Answer with a value as JSON."""
    return text_reply(status, json.dumps(body, ensure_ascii=False))


def text_reply(status: int, text: str) -> Reply:
    """Answer with JSON that is already written."""
    return Reply(status, text.encode(), {"Content-Type": "application/json; charset=utf-8"})


def refusal(status: int, text: str) -> Reply:
    """Answer an error in the form that is on record for a 404."""
    return json_reply(status, {"status": str(status), "error": text})


NOT_FOUND = refusal(404, "Not Found")
NO_OBJECT = json_reply(422, {"message": "must be an object"})
UNAUTHORIZED = Reply(
    401,
    b"HTTP Basic: Access denied.\n",
    {"Content-Type": "text/plain; charset=utf-8", "WWW-Authenticate": 'Basic realm="Application"'},
)


def invalid(errors: Mapping[str, str | None]) -> Reply:
    """Answer that a record is not valid, with a text or null for each field."""
    return json_reply(422, {"message": "Validation Failed", "errors": dict(errors)})


def is_authorized(header: str | None, api_key: str) -> bool:
    """Whether a header is HTTP Basic with the key, with or without its shard, and an empty password."""
    scheme, _, encoded = (header or "").partition(" ")
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return False
    right = user in (api_key, _SHARD.sub("", api_key))
    return scheme.lower() == "basic" and right and colon == ":" and not password


def header_fault(headers: Mapping[str, str], *, strict: bool) -> Reply | None:
    """Refuse a request without the headers that every request needs."""
    agent = headers.get("User-Agent", "")
    if not (_USER_AGENT.fullmatch(agent) if strict else agent.strip()):
        return refusal(400, "User-Agent must be in the form APP_VENDOR_NAME (APP_VENDOR_EMAIL)")
    if "application/json" not in headers.get("Accept", ""):
        return refusal(406, "Accept must be application/json")
    return None


def readable(text: str) -> str:
    """Text of a URL or a header in which bytes that are not UTF-8 are replaced."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Refused(Exception):  # noqa: N818
    """Ends the work on a request with an answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def micros(moment: dt.datetime) -> int:
    """A moment in whole microseconds since 1970."""
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
