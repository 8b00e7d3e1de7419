"""The server: takes a request through the checks, the budget and the faults to its operation, and sends the answer."""

import json
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, NoReturn, cast
from urllib.parse import parse_qsl

import attrs
from aiohttp import web

from ..api.operations import Call
from ..protocol import (
    NOT_FOUND,
    UNAUTHORIZED,
    Refused,
    Reply,
    SandboxRequest,
    header_fault,
    is_authorized,
    readable,
    refusal,
)
from .faults import Exchange, Faults, throttled
from .listener import UNREADABLE, Form, Outlet
from .rate_limit import Budget
from .routes import Routes

BASE_PATH = "/v1"
FORM = Form("Cliniko sandbox", lambda status: refusal(status, HTTPStatus(status).phrase))
_SAME_METHODS = {"HEAD": "GET", "PUT": "PATCH"}
"""Methods that are taken for others."""
_MOST_LEVELS = 100
_UNREADABLE = object()


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
    strict: bool = False
    """Whether to refuse what the API takes and its documentation does not describe."""
    requests: list[SandboxRequest] = attrs.field(factory=list[SandboxRequest])

    async def handle(self, request: web.BaseRequest) -> Reply | None:
        """Answer one request, or close its connection and return None."""
        outlet = Outlet.of(request)
        await self.travel()
        received = self._received(request)
        self.requests.append(received)
        wait = self.budget.arrive() if received.authorized else None
        visit = _Visit(self, request, received, wait, outlet)
        reply = await self.faults.act(visit.exchange())
        if reply is None:
            return None
        await self.pause()
        received.status = reply.status
        return attrs.evolve(reply, headers={**reply.headers, "Date": formatdate(self.wall(), usegmt=True)})

    def _received(self, request: web.BaseRequest) -> SandboxRequest:
        headers = {name.lower(): readable(value) for name, value in request.headers.items()}
        authorization = headers.pop("authorization", None)
        query: dict[str, list[str]] = {}
        for name, value in _pairs(request):
            query.setdefault(name, []).append(value)
        return SandboxRequest(
            method=request.method,
            path=readable(request.rel_url.raw_path),
            url=readable(request.rel_url.raw_path_qs),
            query=query,
            headers=headers,
            authorized=is_authorized(authorization, self.api_key),
            time=self.clock(),
        )

    async def answer(self, request: web.BaseRequest, received: SandboxRequest, wait: float | None) -> Reply:
        """The answer, had nothing gone wrong."""
        try:
            raw = await _body_of(request)
            received.body = _readable(raw)
            if not received.authorized:
                return UNAUTHORIZED
            if wait is not None:
                return throttled(self.wall(), wait)
            return header_fault(request.headers, strict=self.strict) or self._operate(request, received, raw)
        except Refused as refused:
            return refused.reply

    def _operate(self, request: web.BaseRequest, received: SandboxRequest, raw: bytes) -> Reply:
        method, path = received.method, received.path
        if not self.strict:
            method, path = _SAME_METHODS.get(method, method), path.removesuffix("/")
        below = path.removeprefix(BASE_PATH)
        found = self.routes.find(method, below) if path.startswith(f"{BASE_PATH}/") else None
        if found is None:
            return NOT_FOUND
        if raw and request.content_type != "application/json":
            return refusal(400, "Content-Type must be application/json")
        operation, ids = found
        return operation(Call(below, _pairs(request), _parsed(raw), ids))


@attrs.frozen
class _Visit:
    """A request on its way to its answer."""

    server: Server
    request: web.BaseRequest
    received: SandboxRequest
    wait: float | None
    outlet: Outlet

    async def proceed(self) -> Reply:
        return await self.server.answer(self.request, self.received, self.wait)

    def exchange(self) -> Exchange:
        return Exchange(self.received, self.proceed, self.outlet.write, self.outlet.close, self.server.wall)


def _pairs(request: web.BaseRequest) -> list[tuple[str, str]]:
    return parse_qsl(readable(request.rel_url.raw_query_string), keep_blank_values=True)


async def _body_of(request: web.BaseRequest) -> bytes:
    """Read a body to its end.

    Raises:
        Refused: it is too long, or not in the encoding that the headers name.
    """
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Refused(refusal(413, "Payload Too Large")) from None
    except UNREADABLE:
        raise Refused(refusal(400, "Bad Request")) from None


def _readable(raw: bytes) -> Any:
    """A body for the list of requests: its JSON, or else its text."""
    try:
        return json.loads(raw) if raw else None
    except (ValueError, RecursionError):
        return raw.decode(errors="replace")


def _parsed(raw: bytes) -> Any:
    """A body to act on; its decimals keep every digit. No body is an object without fields."""
    try:
        body: Any = json.loads(raw, parse_float=Decimal, parse_constant=_no_constant) if raw else {}
    except (ValueError, RecursionError):
        body = _UNREADABLE
    if body is _UNREADABLE or _is_deep(body):
        raise Refused(refusal(400, "Bad Request"))
    return body


def _is_deep(body: Any) -> bool:
    """Whether a body is nested so deeply that it could not be written again."""
    level = [body]
    for _ in range(_MOST_LEVELS):
        level = [inner for one in level if isinstance(one, dict | list) for inner in _inside(one)]
    return bool(level)


def _inside(outer: Any) -> Iterable[Any]:
    return cast("dict[str, Any]", outer).values() if isinstance(outer, dict) else outer


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
