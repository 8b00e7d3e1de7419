"""The messages of the sandbox as values: the requests it received, the replies it sends, and its standard refusals."""

import json
from collections.abc import Mapping
from typing import Any

import attrs


@attrs.define(repr=False)
class SandboxRequest:
    """A request that the sandbox received, without its API key.

    Attributes:
        method: The method.
        path: The path, such as `/v1/appointment_types`.
        url: The path and the query as received.
        query: The decoded values of each query parameter.
        headers: Every header except Authorization, by its lower-case name.
        authorized: Whether the API key was right; in the file store, whether credentials were sent.
        time: When the request arrived, in seconds of the sandbox's clock.
        body: The JSON body, the text of a body that is not JSON, or None.
        status: The status of the reply; None while the request is being handled, and if no reply was sent.
    """

    method: str
    path: str
    url: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    authorized: bool
    time: float
    body: Any = None
    status: int | None = None

    def __repr__(self) -> str:
        """Show the method, the path without its query, and the status."""
        return f"SandboxRequest({self.method} {self.path} {self.status})"


@attrs.frozen
class Reply:
    """A reply that has not been sent yet."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def json(self) -> Any:
        """Return the body as JSON, or None if it is empty."""
        return json.loads(self.body) if self.body else None


class RefusedRequest(Exception):  # noqa: N818  (it carries a reply and never leaves the sandbox)
    """Stop handling a request and send a reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def json_reply(status: int, body: Any) -> Reply:
    """Return a reply with a value as its JSON body."""
    return json_text_reply(status, json.dumps(body, ensure_ascii=False))


def json_text_reply(status: int, text: str) -> Reply:
    """Return a reply with a body that is JSON text already."""
    return Reply(status, text.encode(), {"Content-Type": "application/json; charset=utf-8"})


def error_reply(status: int, text: str) -> Reply:
    """Return an error in the form that the API is known to use for a 404."""
    return json_reply(status, {"status": str(status), "error": text})


NOT_FOUND = error_reply(404, "Not Found")
NOT_AN_OBJECT = json_reply(422, {"message": "must be an object"})
UNAUTHORIZED = Reply(
    401,
    b"HTTP Basic: Access denied.\n",
    {"Content-Type": "text/plain; charset=utf-8", "WWW-Authenticate": 'Basic realm="Application"'},
)


def validation_reply(errors: Mapping[str, str | None]) -> Reply:
    """Return a 422 with a text or null for each invalid field."""
    return json_reply(422, {"message": "Validation Failed", "errors": dict(errors)})
