"""The server: takes a request through the checks, the budget and the faults to its operation, and sends the answer."""

import json
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from email.utils import formatdate
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import attrs
from aiohttp import web

from .budget import Budget
from .faults import Exchange, Fault, Faults, throttled
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
    pause: Callable[[], Awaitable[None]]
    """Waited for before each answer is sent."""
    requests: list[SandboxRequest] = attrs.field(factory=list[SandboxRequest])

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request, or close its connection."""
        received = self._received(request)
        self.requests.append(received)
        wait = self.budget.arrive() if received.authorized else None
        visit = _Visit(self, request, received, wait, iter(self.faults.take(received)))
        reply = await visit.proceed()
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
    """A request on its way through the faults that strike it."""

    server: Server
    request: web.BaseRequest
    received: SandboxRequest
    wait: float | None
    faults: Iterator[Fault]

    async def proceed(self) -> Reply | None:
        fault = next(self.faults, None)
        if fault is None:
            return await self.server.answer(self.request, self.received, self.wait)
        return await fault.action(Exchange(self.received, self.proceed, self._write, self._close, self.server.wall))

    def _write(self, data: bytes) -> None:
        if self.request.transport is not None:
            self.request.transport.write(data)

    def _close(self) -> None:
        if self.request.transport is not None:
            self.request.transport.close()


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
