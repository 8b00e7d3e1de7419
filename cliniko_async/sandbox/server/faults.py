"""What a scripted fault is, and how it acts on a request.

`EndingFault`s decide how a request ends; `ChangingFault`s change how it is answered. Tests make both through `Faults`,
in `scripting.py`.
"""

import asyncio
import json
import math
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Literal, TypeAlias, TypedDict

import attrs

from ..protocol import Reply, SandboxRequest

DropPoint: TypeAlias = Literal["request", "answer", "headers", "body"]
Stage: TypeAlias = Literal["work", "answer"]
"""What a change needs in order to have an effect: that the request is carried out, or that its response is sent."""


@attrs.frozen
class Exchange:
    """A request that is being handled, for a fault to act on."""

    request: SandboxRequest
    proceed: Callable[[], Awaitable[Reply]]
    """Does the work and returns the reply."""
    write: Callable[[bytes], None]
    close: Callable[[], None]
    wall: Callable[[], float]


class When(TypedDict, total=False):
    """The options that select the requests of a fault."""

    method: str
    """Only requests with this method."""
    path: str | re.Pattern[str]
    """Only requests whose path and query, as received, contain this text or match this pattern."""
    after: int
    """Let this many matching requests pass first."""
    times: int | None
    """The number of requests to strike; None means no limit. One by default."""
    delay: float
    """Seconds to wait before striking."""


@attrs.define(repr=False, kw_only=True)
class Fault:
    """A scripted fault, which counts the requests it struck and can be cancelled.

    Attributes:
        name: What it does, for messages.
        method: Only requests with this method.
        path: Only requests whose path and query, as received, contain this text or match this pattern.
        after: How many matching requests pass first.
        times: The number of requests to strike; None means no limit.
        delay: Seconds to wait before striking.
        hits: The number of requests that it has struck.
    """

    name: str
    method: str | None = None
    path: str | re.Pattern[str] = ""
    after: int = 0
    times: int | None = 1
    delay: float = 0.0
    hits: int = 0

    def __attrs_post_init__(self) -> None:
        """Reject options that no request could match, and numbers out of range.

        Raises:
            ValueError: An option is out of range or of another type.
        """
        require(self.method is None or isinstance(self.method, str), f"{self.name}: method must be a text such as POST")
        require(isinstance(self.path, str | re.Pattern), f"{self.name}: path must be a text or a compiled pattern")
        counts = (
            is_whole(self.after)
            and self.after >= 0
            and (self.times is None or (is_whole(self.times) and self.times > 0))
        )
        fits = counts and is_number(self.delay) and self.delay >= 0
        require(fits, f"{self.name}: after and delay must be at least 0, times at least 1")

    def cancel(self) -> None:
        """Do not strike any more."""
        self.times = self.hits

    @property
    def spent(self) -> bool:
        """Whether it will not strike any more."""
        return self.times is not None and self.hits >= self.times

    def strikes(self, request: SandboxRequest) -> bool:
        """Decide whether to strike a request, and count it.

        Args:
            request: The request.

        Returns:
            Whether to strike it.
        """
        if self.spent or not self._matches(request):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.hits += 1
        return True

    def covers(self, other: "Fault") -> bool:
        """Return whether this fault strikes every request that another one matches, and never ends.

        Args:
            other: The other fault.

        Returns:
            Whether it does.
        """
        if self.times is not None or self.after:
            return False
        if self.method is not None and (other.method or "").upper() != self.method.upper():
            return False
        if isinstance(self.path, str) and isinstance(other.path, str):
            return self.path in other.path
        return self.path in ("", other.path)

    def _matches(self, request: SandboxRequest) -> bool:
        if self.method is not None and self.method.upper() != request.method:
            return False
        if isinstance(self.path, str):
            return self.path in request.url
        return self.path.search(request.url) is not None

    def __repr__(self) -> str:
        return f"Fault({self.name}, hits={self.hits})"


@attrs.define(repr=False, kw_only=True)
class EndingFault(Fault):
    """A fault that decides how a request ends."""

    action: Callable[[Exchange], Awaitable[Reply | None]]
    """Returns the reply, or None if it closed the connection."""
    stages: frozenset[Stage] = frozenset()
    """The stages that the request still passes, so that a change can have an effect."""

    async def strike(self, exchange: Exchange) -> Reply | None:
        """End the request."""
        await asyncio.sleep(self.delay)
        return await self.action(exchange)

    def shadows(self, change: "ChangingFault") -> bool:
        """Return whether a change has no effect on a request that this fault ends."""
        return change.needs not in self.stages


@attrs.define(repr=False, kw_only=True)
class ChangingFault(Fault):
    """A fault that changes how a request is answered."""

    action: Callable[[Exchange], Awaitable[Reply]]
    needs: Stage

    async def strike(self, exchange: Exchange) -> Reply:
        """Return the changed reply."""
        await asyncio.sleep(self.delay)
        return await self.action(exchange)


def require(fits: object, expected: str) -> None:
    """Raise a ValueError with the expected values unless the option fits."""
    if not fits:
        raise ValueError(expected)


def is_whole(value: object) -> bool:
    """Return whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Return whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def too_many_requests(now: float, reset_in: float | None) -> Reply:
    """Return a 429 as the API sends it: without a body, and the time of the reset in whole seconds."""
    return Reply(429, b"", {} if reset_in is None else {"X-RateLimit-Reset": str(math.ceil(now + reset_in))})


def edited(reply: Reply, change: Callable[[Any], Any]) -> Reply:
    """Return a reply with its body changed by `change`, which takes its JSON, or its bytes if it is not JSON."""
    try:
        value = reply.json()
    except ValueError:
        value = reply.body
    result = change(value)
    if not isinstance(result, bytes):
        result = json.dumps(value if result is None else result, ensure_ascii=False).encode()
    return attrs.evolve(reply, body=result)


def truncated(reply: Reply, at: DropPoint, keep: float) -> bytes:
    """Return the part of a reply that is sent before its connection is dropped.

    Args:
        reply: The whole reply.
        at: Where the connection is dropped.
        keep: The share of the headers, or of the body, that is sent first; from 0 to 1.
    """
    headers = {**reply.headers, "Content-Length": str(len(reply.body))}
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", *map(": ".join, headers.items())]
    head = "\r\n".join([*lines, "", ""]).encode()
    if at == "headers":
        return head[: int(len(head) * keep)]
    return head + reply.body[: int(len(reply.body) * keep)] if at == "body" else b""
