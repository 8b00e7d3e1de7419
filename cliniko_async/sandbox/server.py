"""The server: takes a request through the checks, the budget and the faults to its operation, and sends the answer."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from email.utils import formatdate
from typing import Any, NoReturn, cast
from urllib.parse import parse_qsl

import attrs
from aiohttp import web

from .budget import Budget
from .faults import Exchange, Faults, throttled
from .operations import Call
from .protocol import NOT_FOUND, UNAUTHORIZED, Refused, Reply, SandboxRequest, header_fault, is_authorized, refusal
from .routes import Routes

BASE_PATH = "/v1"


@attrs.frozen
class Server:
    """Answers requests; all that it knows lies in what it is given."""

    api_key: str
    routes: Routes
    budget: Budget
    faults: Faults
    clock: Callable[[], float]
    wall: Callable[[], float]
    travel: Callable[[], Awaitable[None]]
    """Waited for before a request is received and counts."""
    pause: Callable[[], Awaitable[None]]
    """Waited for before each answer is sent."""
    requests: list[SandboxRequest] = attrs.field(factory=list[SandboxRequest])
    _under_way: set[asyncio.Task[Any]] = attrs.field(factory=set[asyncio.Task[Any]])

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request, or close its connection."""
        # The server does not remember the requests of clients that have left.
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._under_way.add(task)
        try:
            return await self._handle(request)
        finally:
            self._under_way.discard(task)

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        # Held here, as the request lets go of it when the client closes it; writing to it then does nothing.
        connection = cast("asyncio.Transport", request.transport)
        await self.travel()
        received = self._received(request)
        self.requests.append(received)
        wait = self.budget.arrive() if received.authorized else None
        visit = _Visit(self, request, received, wait, connection)
        reply = await self.faults.act(visit.exchange())
        if reply is None:
            # The connection is closed, so nothing of this is sent.
            return web.Response()
        await self.pause()
        received.status = reply.status
        headers = {**reply.headers, "Date": formatdate(self.wall(), usegmt=True)}
        return web.Response(status=reply.status, body=reply.body or None, headers=headers)

    def _received(self, request: web.BaseRequest) -> SandboxRequest:
        headers = {name.lower(): value for name, value in request.headers.items()}
        authorization = headers.pop("authorization", None)
        query: dict[str, list[str]] = {}
        for name, value in _pairs(request):
            query.setdefault(name, []).append(value)
        return SandboxRequest(
            method=request.method,
            path=request.rel_url.raw_path,
            url=request.rel_url.raw_path_qs,
            query=query,
            headers=headers,
            authorized=is_authorized(authorization, self.api_key),
            time=self.clock(),
        )

    async def answer(self, request: web.BaseRequest, received: SandboxRequest, wait: float | None) -> Reply:
        """The answer, had nothing gone wrong."""
        raw = await request.read()
        received.body = _readable(raw)
        if not received.authorized:
            return UNAUTHORIZED
        if wait is not None:
            return throttled(self.wall(), wait)
        try:
            return header_fault(request.headers) or self._operate(request, received, raw)
        except Refused as refused:
            return refused.reply

    def _operate(self, request: web.BaseRequest, received: SandboxRequest, raw: bytes) -> Reply:
        outside, base, path = received.path.partition(BASE_PATH)
        found = self.routes.find(received.method, path) if base and not outside else None
        if found is None:
            return NOT_FOUND
        if raw and request.content_type != "application/json":
            return refusal(400, "Content-Type must be application/json")
        operation, ids = found
        return operation(Call(path, _pairs(request), _parsed(raw), ids))


@attrs.frozen
class _Visit:
    """A request on its way to its answer."""

    server: Server
    request: web.BaseRequest
    received: SandboxRequest
    wait: float | None
    connection: asyncio.Transport

    async def proceed(self) -> Reply:
        return await self.server.answer(self.request, self.received, self.wait)

    def exchange(self) -> Exchange:
        write, close = self.connection.write, self.connection.close
        return Exchange(self.received, self.proceed, write, close, self.server.wall)


def _pairs(request: web.BaseRequest) -> list[tuple[str, str]]:
    return parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True)


def _readable(raw: bytes) -> Any:
    """A body for the list of requests: its JSON, or else its text."""
    try:
        return json.loads(raw) if raw else None
    except (ValueError, RecursionError):
        return raw.decode(errors="replace")


def _parsed(raw: bytes) -> Any:
    """A body to act on; its decimals keep every digit."""
    try:
        return json.loads(raw, parse_float=Decimal, parse_constant=_no_constant) if raw else None
    except (ValueError, RecursionError):
        raise Refused(refusal(400, "Bad Request")) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
