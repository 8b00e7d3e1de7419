"""Scripted faults: what a server, a proxy or a network may do to a request, on demand.

A fault either ends a request (`status`, `throttle`, `drop`, `cut`, `raw`) or changes how it is answered (`edit`,
`slow`, `between`). Every pending change that matches a request acts on it, in the order they were added, and then the
first pending end. A change that could have no effect besides that end, such as an `edit` of a response that is not
sent, does not strike: it stays pending for the next request.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar, Unpack

import attrs

from ..protocol import Reply
from .faults import (
    ChangingFault,
    DropPoint,
    EndingFault,
    Exchange,
    Fault,
    Stage,
    When,
    edited,
    is_number,
    is_whole,
    require,
    too_many_requests,
    truncated,
)

F = TypeVar("F", bound=Callable[..., Fault])

_NONE: frozenset[Stage] = frozenset()
_WORK: frozenset[Stage] = frozenset({"work"})
_WORK_AND_ANSWER: frozenset[Stage] = frozenset({"work", "answer"})
_STAGES_BEFORE_DROP: dict[DropPoint, frozenset[Stage]] = {
    "request": _NONE,
    "answer": _WORK,
    "headers": _WORK_AND_ANSWER,
    "body": _WORK_AND_ANSWER,
}


_WHEN = """\
    method: Only requests with this method.
    path: Only requests whose path and query, as received, contain this text or match this pattern.
    after: How many matching requests pass first.
    times: The number of requests to strike, one by default; None means no limit.
    delay: Seconds to wait before striking.

Returns:
    The fault, which counts what it strikes and can be cancelled.
"""


def _adds_fault(method: F) -> F:
    """Append the options of `When` and the result to the docstring of a method that adds a fault."""
    method.__doc__ = f"{inspect.getdoc(method) or ''}\n{_WHEN}"
    return method


class Faults:
    """The scripted faults, in the order they were added.

    Every method that adds one takes the options of `When` and returns the `Fault`.

    Raises:
        ValueError: An option is out of range, or a fault could never strike because an earlier one ends all of its
            requests.
    """

    def __init__(self) -> None:
        self._ends: list[EndingFault] = []
        self._changes: list[ChangingFault] = []

    def clear(self) -> None:
        """Cancel every fault."""
        self._ends.clear()
        self._changes.clear()

    @property
    def pending(self) -> tuple[Fault, ...]:
        """The faults that will still strike: first the changes, then the ends."""
        return tuple(fault for fault in (*self._changes, *self._ends) if not fault.spent)

    async def act(self, exchange: Exchange) -> Reply | None:
        """Handle a request with every fault that matches it.

        Args:
            exchange: The request, and what handles it.

        Returns:
            The reply, or None if the connection was closed.
        """
        end = next((fault for fault in self._ends if fault.strikes(exchange.request)), None)
        for change in self._changes:
            if (end is None or not end.shadows(change)) and change.strikes(exchange.request):
                exchange = attrs.evolve(exchange, proceed=partial(change.strike, exchange))
        return await exchange.proceed() if end is None else await end.strike(exchange)

    @_adds_fault
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
        """Answer with a status.

        Args:
            status: From 200 to 599.
            body: The body; a text is sent as UTF-8.
            headers: Further headers.
            content_type: The `Content-Type` of the body.
            acted: Whether the request is carried out first, as behind a failing proxy; False by default.
        """
        require(is_whole(status) and 200 <= status <= 599, "status must be from 200 to 599")
        payload = body.encode() if isinstance(body, str) else body
        reply = Reply(status, payload, {"Content-Type": content_type, **(headers or {})})

        async def act(exchange: Exchange) -> Reply:
            if acted:
                await exchange.proceed()
            return reply

        return self._end(f"status {status}", act, _WORK if acted else _NONE, when)

    @_adds_fault
    def throttle(self, reset: float | None = 1.0, **when: Unpack[When]) -> Fault:
        """Answer 429.

        Args:
            reset: Seconds until the reset that `X-RateLimit-Reset` states; None sends no such header.
        """
        require(reset is None or is_number(reset), "reset must be a number of seconds, or None")

        async def act(exchange: Exchange) -> Reply:
            await asyncio.sleep(0)
            return too_many_requests(exchange.wall(), reset)

        return self._end("throttle", act, _NONE, when)

    @_adds_fault
    def drop(self, at: DropPoint = "request", *, keep: float = 0.5, **when: Unpack[When]) -> Fault:
        """Close the connection.

        Args:
            at: `"request"` is before the body is read and anything is done; `"answer"` after the request is carried
                out, before the first byte of the response; `"headers"` and `"body"` in the middle of these.
            keep: The share of the headers or of the body that is sent first, from 0 to 1.
        """
        require(at in _STAGES_BEFORE_DROP, f"at must be one of {', '.join(_STAGES_BEFORE_DROP)}")
        require(is_number(keep) and 0 <= keep <= 1, "keep must be a share from 0 to 1")

        async def act(exchange: Exchange) -> None:
            reply = None if at == "request" else await exchange.proceed()
            if reply is not None:
                exchange.write(truncated(reply, at, keep))
            exchange.close()

        return self._end(f"drop at {at}", act, _STAGES_BEFORE_DROP[at], when)

    @_adds_fault
    def cut(self, keep: float = 0.5, **when: Unpack[When]) -> Fault:
        """Send only a part of the body that `Content-Length` promises, then close the connection.

        Args:
            keep: The share of the body, from 0 to 1.
        """
        return self.drop("body", keep=keep, **when)

    @_adds_fault
    def raw(self, data: bytes, **when: Unpack[When]) -> Fault:
        """Send bytes instead of a response, then close the connection.

        Args:
            data: The bytes.
        """
        require(isinstance(data, bytes), "data must be bytes")

        async def act(exchange: Exchange) -> None:
            await asyncio.sleep(0)
            exchange.write(data)
            exchange.close()

        return self._end("raw", act, _NONE, when)

    @_adds_fault
    def slow(self, seconds: float, *, acted: bool = True, **when: Unpack[When]) -> Fault:
        """Delay the response.

        Args:
            seconds: The delay, at least 0.
            acted: Whether the request is carried out at once, and only its response is delayed; True by default.
        """
        require(is_number(seconds) and seconds >= 0, "seconds must be at least 0")

        async def act(exchange: Exchange) -> Reply:
            if not acted:
                await asyncio.sleep(seconds)
                return await exchange.proceed()
            reply = await exchange.proceed()
            await asyncio.sleep(seconds)
            return reply

        return self._change("slow", act, "work", when)

    @_adds_fault
    def between(self, change: Callable[[], object], *, before: bool = False, **when: Unpack[When]) -> Fault:
        """Call a function while a request is handled.

        Args:
            change: The function to call, without arguments.
            before: Whether to call it before the request is carried out; by default after that, and before the response
                is sent.
        """
        require(callable(change), "change must be a function")

        async def act(exchange: Exchange) -> Reply:
            if before:
                change()
            reply = await exchange.proceed()
            if not before:
                change()
            return reply

        return self._change("between", act, "work", when)

    @_adds_fault
    def edit(self, change: Callable[[Any], Any], **when: Unpack[When]) -> Fault:
        """Change the JSON of the response with a function.

        Args:
            change: Takes the JSON, or bytes if the response is not JSON. It returns another value, or bytes that are
                sent as they are, or changes its argument and returns None.
        """
        require(callable(change), "change must be a function")

        async def act(exchange: Exchange) -> Reply:
            return edited(await exchange.proceed(), change)

        return self._change("edit", act, "answer", when)

    def _end(
        self, name: str, action: Callable[[Exchange], Awaitable[Reply | None]], stages: frozenset[Stage], when: When
    ) -> Fault:
        added = EndingFault(name=name, action=action, stages=stages, **when)
        for end in self._ends:
            _check_reachable(end, added)
        for change in self._changes:
            if added.shadows(change) and not change.spent:
                _check_reachable(added, change)
        self._ends.append(added)
        return added

    def _change(self, name: str, action: Callable[[Exchange], Awaitable[Reply]], needs: Stage, when: When) -> Fault:
        added = ChangingFault(name=name, action=action, needs=needs, **when)
        for end in self._ends:
            if end.shadows(added):
                _check_reachable(end, added)
        self._changes.append(added)
        return added


def _check_reachable(end: EndingFault, other: Fault) -> None:
    """Refuse a fault that could never strike because another one ends every request that it matches."""
    if not end.spent and end.covers(other):
        raise ValueError(f"{other.name} would never strike: {end.name} ends every request that it matches")
