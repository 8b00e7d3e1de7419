"""Scripted faults: what a server, a proxy or a network may do to a request.

A fault either ends a request (`status`, `throttle`, `drop`, `cut`, `raw`) or changes how it is answered (`edit`,
`slow`, `between`). A request meets every pending change that is for it, in the order they were added, then the first
pending end. A change that could have no effect beside that end, such as an `edit` of an answer that is not sent, does
not strike: it stays pending for the next request.
"""

import asyncio
import json
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Literal, TypeAlias, TypedDict, Unpack, get_args

import attrs

from ..protocol import Reply, SandboxRequest

Moment: TypeAlias = Literal["request", "answer", "headers", "body"]
Need: TypeAlias = Literal["work", "answer"]
"""What must happen for a change to have an effect: the work is done, or its answer is sent."""

_NOTHING: frozenset[Need] = frozenset()
_WORK: frozenset[Need] = frozenset({"work"})
_ALL: frozenset[Need] = frozenset({"work", "answer"})


@attrs.frozen
class Exchange:
    """One request under way, for a fault to act on."""

    request: SandboxRequest
    proceed: Callable[[], Awaitable[Reply]]
    """Does the work and returns the answer to it."""
    write: Callable[[bytes], None]
    close: Callable[[], None]
    wall: Callable[[], float]


class When(TypedDict, total=False):
    """Which requests a fault is for."""

    method: str
    """Only this method."""
    path: str | re.Pattern[str]
    """Only where path and query, as received, contain this text or match this pattern."""
    after: int
    """Let this many such requests pass first."""
    times: int | None
    """How many requests it strikes; None is for ever. One by default."""
    delay: float
    """Seconds that pass before it strikes."""


@attrs.define(repr=False, kw_only=True)
class Fault:
    """A scripted fault: how often it struck, and a way to cancel it."""

    name: str
    method: str | None = None
    path: str | re.Pattern[str] = ""
    after: int = 0
    times: int | None = 1
    delay: float = 0.0
    hits: int = 0
    """How many requests it has struck."""

    def cancel(self) -> None:
        """Strike no more."""
        self.times = self.hits

    @property
    def spent(self) -> bool:
        """Whether it has struck as often as it was to."""
        return self.times is not None and self.hits >= self.times

    def strikes(self, request: SandboxRequest) -> bool:
        """Whether this is a request to act on; counts it."""
        if self.spent or not self._concerns(request):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.hits += 1
        return True

    def covers(self, other: "Fault") -> bool:
        """Whether this fault is for ever, and for every request that the other is for."""
        if self.times is not None or self.after:
            return False
        if self.method is not None and (other.method or "").upper() != self.method.upper():
            return False
        if isinstance(self.path, str) and isinstance(other.path, str):
            return self.path in other.path
        return self.path in ("", other.path)

    def _concerns(self, request: SandboxRequest) -> bool:
        if self.method is not None and self.method.upper() != request.method:
            return False
        if isinstance(self.path, str):
            return self.path in request.url
        return self.path.search(request.url) is not None

    def __repr__(self) -> str:
        return f"Fault({self.name}, hits={self.hits})"


@attrs.define(repr=False, kw_only=True)
class _End(Fault):
    """A fault that decides how a request ends; its action returns None when it has closed the connection."""

    action: Callable[[Exchange], Awaitable[Reply | None]]
    leaves: frozenset[Need] = _NOTHING
    """What is left for changes to act on."""

    async def strike(self, exchange: Exchange) -> Reply | None:
        """End the request."""
        await asyncio.sleep(self.delay)
        return await self.action(exchange)


@attrs.define(repr=False, kw_only=True)
class _Change(Fault):
    """A fault that changes how a request is answered."""

    action: Callable[[Exchange], Awaitable[Reply]]
    needs: Need

    async def strike(self, exchange: Exchange) -> Reply:
        """Return the answer as it is changed."""
        await asyncio.sleep(self.delay)
        return await self.action(exchange)


class Faults:
    """The faults to come, in the order they were added."""

    def __init__(self) -> None:
        self._ends: list[_End] = []
        self._changes: list[_Change] = []

    def clear(self) -> None:
        """Cancel every fault."""
        self._ends.clear()
        self._changes.clear()

    @property
    def pending(self) -> tuple[Fault, ...]:
        """The faults that have not struck as often as they are to: first the changes, then the ends."""
        return tuple(fault for fault in (*self._changes, *self._ends) if not fault.spent)

    async def act(self, exchange: Exchange) -> Reply | None:
        """Answer a request with every fault that is for it, or close its connection and return None."""
        end = next((fault for fault in self._ends if fault.strikes(exchange.request)), None)
        for change in self._changes:
            if (end is None or change.needs in end.leaves) and change.strikes(exchange.request):
                exchange = attrs.evolve(exchange, proceed=partial(change.strike, exchange))
        return await exchange.proceed() if end is None else await end.strike(exchange)

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
        _demand(_is_whole(status) and 200 <= status <= 599, "status must be from 200 to 599")
        payload = body.encode() if isinstance(body, str) else body
        reply = Reply(status, payload, {"Content-Type": content_type, **(headers or {})})

        async def act(exchange: Exchange) -> Reply:
            if acted:
                await exchange.proceed()
            return reply

        return self._end(f"status {status}", act, _WORK if acted else _NOTHING, when)

    def throttle(self, reset: float | None = 1.0, **when: Unpack[When]) -> Fault:
        """Answer 429 that resets in `reset` seconds; None sends no X-RateLimit-Reset."""
        _demand(reset is None or _is_number(reset), "reset must be a number of seconds, or None")

        async def act(exchange: Exchange) -> Reply:
            await asyncio.sleep(0)
            return throttled(exchange.wall(), reset)

        return self._end("throttle", act, _NOTHING, when)

    def drop(self, at: Moment = "request", *, keep: float = 0.5, **when: Unpack[When]) -> Fault:
        """Close the connection.

        At `"request"` before the body was read and anything was done; at `"answer"` after the work was done, before the
        first byte of the answer; at `"headers"` and `"body"` amid them, after the share `keep` of their bytes.
        """
        _demand(at in get_args(Moment), f"at must be one of {', '.join(get_args(Moment))}")
        _demand(_is_number(keep) and 0 <= keep <= 1, "keep must be a share from 0 to 1")

        async def act(exchange: Exchange) -> None:
            reply = None if at == "request" else await exchange.proceed()
            if reply is not None:
                exchange.write(_part_of(reply, at, keep))
            exchange.close()

        leaves = {"request": _NOTHING, "answer": _WORK}.get(at, _ALL)
        return self._end(f"drop at {at}", act, leaves, when)

    def cut(self, keep: float = 0.5, **when: Unpack[When]) -> Fault:
        """Send only the share `keep` of the body that Content-Length promises, and close."""
        return self.drop("body", keep=keep, **when)

    def raw(self, data: bytes, **when: Unpack[When]) -> Fault:
        """Send these bytes in place of an answer, and close."""
        _demand(isinstance(data, bytes), "data must be bytes")

        async def act(exchange: Exchange) -> None:
            await asyncio.sleep(0)
            exchange.write(data)
            exchange.close()

        return self._end("raw", act, _NOTHING, when)

    def slow(self, seconds: float, *, acted: bool = True, **when: Unpack[When]) -> Fault:
        """Answer `seconds` late, having done the work at once, or with `acted=False` doing it only then."""
        _demand(_is_number(seconds) and seconds >= 0, "seconds must be at least 0")

        async def act(exchange: Exchange) -> Reply:
            if not acted:
                await asyncio.sleep(seconds)
                return await exchange.proceed()
            reply = await exchange.proceed()
            await asyncio.sleep(seconds)
            return reply

        return self._change("slow", act, "work", when)

    def between(self, change: Callable[[], object], *, before: bool = False, **when: Unpack[When]) -> Fault:
        """Call `change` between the work and the sending of its answer, or with `before=True` before the work."""
        _demand(callable(change), "change must be a function")

        async def act(exchange: Exchange) -> Reply:
            if before:
                change()
            reply = await exchange.proceed()
            if not before:
                change()
            return reply

        return self._change("between", act, "work", when)

    def edit(self, change: Callable[[Any], Any], **when: Unpack[When]) -> Fault:
        """Send what `change` makes of the JSON that was to be sent.

        It may return another value, or bytes that are sent as they are, or change what it was given and return None.
        An answer that is not JSON is given as bytes.
        """
        _demand(callable(change), "change must be a function")

        async def act(exchange: Exchange) -> Reply:
            return _edited(await exchange.proceed(), change)

        return self._change("edit", act, "answer", when)

    def _end(
        self, name: str, action: Callable[[Exchange], Awaitable[Reply | None]], leaves: frozenset[Need], when: When
    ) -> Fault:
        added = _End(name=name, action=action, leaves=leaves, **when)
        _check(added)
        for end in self._ends:
            _check_reachable(end, added, not end.spent)
        for change in self._changes:
            _check_reachable(added, change, not change.spent and change.needs not in leaves)
        self._ends.append(added)
        return added

    def _change(self, name: str, action: Callable[[Exchange], Awaitable[Reply]], needs: Need, when: When) -> Fault:
        added = _Change(name=name, action=action, needs=needs, **when)
        _check(added)
        for end in self._ends:
            _check_reachable(end, added, needs not in end.leaves and not end.spent)
        self._changes.append(added)
        return added


def _check(fault: Fault) -> None:
    """Refuse what no request could meet, or what would fail only once one does."""
    _demand(fault.method is None or isinstance(fault.method, str), f"{fault.name}: method must be a text such as POST")
    _demand(isinstance(fault.path, str | re.Pattern), f"{fault.name}: path must be a text or a compiled pattern")
    counted = _is_whole(fault.after) and (fault.times is None or _is_whole(fault.times)) and _is_number(fault.delay)
    least = counted and fault.after >= 0 and fault.delay >= 0 and (fault.times is None or fault.times >= 1)
    _demand(least, f"{fault.name}: after and delay must be at least 0, times at least 1")


def _demand(fine: bool, expected: str) -> None:  # noqa: FBT001
    if not fine:
        raise ValueError(expected)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_reachable(end: _End, other: Fault, rivals: bool) -> None:  # noqa: FBT001
    """Refuse a fault that would never strike, as an end takes every request that it is for."""
    if rivals and end.covers(other):
        raise ValueError(f"{other.name} would never strike: {end.name} ends every request that it is for")


def throttled(now: float, reset: float | None) -> Reply:
    """A 429 as the API gives it: the moment of the reset in whole seconds, and no body."""
    return Reply(429, b"", {} if reset is None else {"X-RateLimit-Reset": str(math.ceil(now + reset))})


def _edited(reply: Reply, change: Callable[[Any], Any]) -> Reply:
    try:
        value = reply.json()
    except ValueError:
        value = reply.body
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
