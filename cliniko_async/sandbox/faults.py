"""Scripted faults: what a server, a proxy or a network may do to a request, in the order it is to happen."""

import asyncio
import json
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Literal, TypedDict, Unpack

import attrs

from .protocol import Reply, SandboxRequest

Moment = Literal["request", "answer", "headers", "body"]


@attrs.frozen
class Exchange:
    """One request under way, for a fault to act on."""

    request: SandboxRequest
    proceed: Callable[[], Awaitable[Reply]]
    """Does the work and gives the answer that it would have had."""
    write: Callable[[bytes], None]
    close: Callable[[], None]
    wall: Callable[[], float]


Action = Callable[[Exchange], Awaitable[Reply | None]]


class When(TypedDict, total=False):
    """Which requests a fault is for."""

    method: str
    """Only this method."""
    path: str | re.Pattern[str]
    """Only where path and query, as received, contain this text or match this pattern."""
    after: int
    """Let so many of these requests pass first."""
    times: int | None
    """For how many of them; None is for ever. One by default."""
    delay: float
    """Seconds that pass before it strikes."""


@attrs.define(repr=False)
class Fault:
    """A fault on the list: how often it struck, and a way to take it off."""

    name: str
    action: Action
    method: str | None = None
    path: str | re.Pattern[str] = ""
    after: int = 0
    times: int | None = 1
    delay: float = 0.0
    hits: int = 0
    """How many requests it has struck."""

    async def strike(self, exchange: Exchange) -> Reply | None:
        """Give the answer, or None when the connection was closed instead."""
        if self.delay > 0:
            await asyncio.sleep(self.delay)
        return await self.action(exchange)

    def cancel(self) -> None:
        """Strike no more."""
        self.times = self.hits

    @property
    def spent(self) -> bool:
        """Whether it has struck as often as it was to."""
        return self.times is not None and self.hits >= self.times

    def strikes(self, request: SandboxRequest) -> bool:
        """Whether this is a request to act on, and count it."""
        if self.spent or not self._concerns(request):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.hits += 1
        return True

    def _concerns(self, request: SandboxRequest) -> bool:
        if self.method is not None and self.method.upper() != request.method:
            return False
        if isinstance(self.path, str):
            return self.path in request.url
        return self.path.search(request.url) is not None

    def __repr__(self) -> str:
        return f"Fault({self.name}, hits={self.hits})"


class Faults:
    """The faults to come, in the order they were added: each request takes the first that is for it."""

    def __init__(self) -> None:
        self._list: list[Fault] = []

    def clear(self) -> None:
        """Take every fault off the list."""
        self._list.clear()

    @property
    def pending(self) -> tuple[Fault, ...]:
        """The faults that have not struck as often as they are to."""
        return tuple(fault for fault in self._list if not fault.spent)

    def take(self, request: SandboxRequest) -> Fault | None:
        """Give the fault that strikes a request, if one does."""
        return next((fault for fault in self.pending if fault.strikes(request)), None)

    def status(
        self,
        status: int,
        *,
        body: bytes | str = b"",
        headers: Mapping[str, str] | None = None,
        content_type: str = "text/html; charset=utf-8",
        acted: bool = False,
        **when: Unpack[When],
    ) -> Fault:
        """Answer with a status; with `acted=True` only after the work was done, as a failing proxy would."""
        payload = body.encode() if isinstance(body, str) else body
        reply = Reply(status, payload, {"Content-Type": content_type, **(headers or {})})

        async def act(exchange: Exchange) -> Reply:
            if acted:
                await exchange.proceed()
            return reply

        return self._add(f"status {status}", act, when)

    def throttle(self, reset: float | None = 1.0, **when: Unpack[When]) -> Fault:
        """Answer 429 that resets in so many seconds; None sends no X-RateLimit-Reset."""

        async def act(exchange: Exchange) -> Reply:
            await asyncio.sleep(0)
            return throttled(exchange.wall(), reset)

        return self._add("throttle", act, when)

    def drop(self, at: Moment = "request", *, keep: float = 0.5, **when: Unpack[When]) -> Fault:
        """Close the connection.

        At `"request"` before the body was read and anything was done; at `"answer"` after the work was done, before the
        first byte of the answer; at `"headers"` and `"body"` amid them, after the share `keep` of their bytes.
        """

        async def act(exchange: Exchange) -> None:
            reply = None if at == "request" else await exchange.proceed()
            if reply is not None:
                exchange.write(_part_of(reply, at, keep))
            exchange.close()

        return self._add(f"drop at {at}", act, when)

    def cut(self, keep: float = 0.5, **when: Unpack[When]) -> Fault:
        """Send only the share `keep` of the body that Content-Length promises, and close."""
        return self.drop("body", keep=keep, **when)

    def raw(self, data: bytes, **when: Unpack[When]) -> Fault:
        """Send these bytes in place of an answer, and close."""

        async def act(exchange: Exchange) -> None:
            await asyncio.sleep(0)
            exchange.write(data)
            exchange.close()

        return self._add("raw", act, when)

    def slow(self, seconds: float, *, acted: bool = True, **when: Unpack[When]) -> Fault:
        """Answer only after so many seconds, having done the work at once, or with `acted=False` doing it only then."""

        async def act(exchange: Exchange) -> Reply:
            if not acted:
                await asyncio.sleep(seconds)
                return await exchange.proceed()
            reply = await exchange.proceed()
            await asyncio.sleep(seconds)
            return reply

        return self._add("slow", act, when)

    def between(self, change: Callable[[], object], *, before: bool = False, **when: Unpack[When]) -> Fault:
        """Call `change` once the answer is made and before it leaves, or with `before=True` before the work is done."""

        async def act(exchange: Exchange) -> Reply:
            if before:
                change()
            reply = await exchange.proceed()
            if not before:
                change()
            return reply

        return self._add("between", act, when)

    def edit(self, change: Callable[[Any], Any], **when: Unpack[When]) -> Fault:
        """Send what `change` makes of the JSON that was to be sent.

        It may return another value, or bytes that are sent as they are, or change what it was given and return None.
        """

        async def act(exchange: Exchange) -> Reply:
            return _edited(await exchange.proceed(), change)

        return self._add("edit", act, when)

    def _add(self, name: str, action: Action, when: When) -> Fault:
        fault = Fault(name, action, **when)
        self._list.append(fault)
        return fault


def throttled(now: float, reset: float | None) -> Reply:
    """A 429 as the API gives it: the moment of the reset in whole seconds, and no body."""
    return Reply(429, b"", {} if reset is None else {"X-RateLimit-Reset": str(math.ceil(now + reset))})


def _edited(reply: Reply, change: Callable[[Any], Any]) -> Reply:
    value = reply.json()
    edited = change(value)
    if not isinstance(edited, bytes):
        edited = json.dumps(value if edited is None else edited, ensure_ascii=False).encode()
    return attrs.evolve(reply, body=edited)


def _part_of(reply: Reply, at: Moment, keep: float) -> bytes:
    head = _head(reply)
    if at == "headers":
        return head[: int(len(head) * keep)]
    return head + reply.body[: int(len(reply.body) * keep)] if at == "body" else b""


def _head(reply: Reply) -> bytes:
    headers = {**reply.headers, "Content-Length": str(len(reply.body))}
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", *map(": ".join, headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()
