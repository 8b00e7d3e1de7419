"""Handles a request to the API: headers, request budget, scripted faults, then the operation and its reply."""

from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import parse_qsl

import attrs
from aiohttp import web

from ..api.operations import OperationCall
from ..protocol import NOT_FOUND, UNAUTHORIZED, RefusedRequest, Reply, SandboxRequest, error_reply
from .bodies import parsed_body, read_body, recorded_body
from .delays import Delays
from .faults import Exchange, too_many_requests
from .headers import is_authorized, received_request, refused_headers, replace_invalid_utf8
from .listener import ConnectionHandle, ReplyStyle
from .rate_limit import RateLimit
from .routes import Routes
from .scripting import Faults

BASE_PATH = "/v1"
API_STYLE = ReplyStyle("Cliniko sandbox", lambda status: error_reply(status, HTTPStatus(status).phrase))
_METHOD_ALIASES = {"HEAD": "GET", "PUT": "PATCH"}


@attrs.frozen
class RequestHandler:
    """Handles the requests to the API of one sandbox."""

    api_key: str
    routes: Routes
    budget: RateLimit
    faults: Faults
    delays: Delays
    clock: Callable[[], float]
    wall: Callable[[], float]
    strict: bool = False
    """Whether to refuse what the API accepts although its documentation does not describe it."""
    requests: list[SandboxRequest] = attrs.field(factory=list[SandboxRequest])

    async def handle(self, request: web.BaseRequest) -> Reply | None:
        """Return the reply to a request, or None if its connection was closed instead."""
        connection = ConnectionHandle.of(request)
        await self.delays.of_request()
        received = self._receive(request)
        reset_in = self.budget.count() if received.authorized else None

        async def proceed() -> Reply:
            return await self._answer(request, received, reset_in)

        reply = await self.faults.act(Exchange(received, proceed, connection.write, connection.close, self.wall))
        if reply is None:
            return None
        await self.delays.of_reply()
        received.status = reply.status
        return attrs.evolve(reply, headers={**reply.headers, "Date": formatdate(self.wall(), usegmt=True)})

    def _receive(self, request: web.BaseRequest) -> SandboxRequest:
        received, authorization = received_request(request, self.clock())
        received.authorized = is_authorized(authorization, self.api_key)
        for name, value in _query_pairs(request):
            received.query.setdefault(name, []).append(value)
        self.requests.append(received)
        return received

    async def _answer(self, request: web.BaseRequest, received: SandboxRequest, reset_in: float | None) -> Reply:
        """Return the reply to a request that no fault has ended."""
        try:
            raw = await read_body(request)
            received.body = recorded_body(raw)
            if not received.authorized:
                return UNAUTHORIZED
            if reset_in is not None:
                return too_many_requests(self.wall(), reset_in)
            return refused_headers(request.headers, strict=self.strict) or self._operate(request, received, raw)
        except RefusedRequest as refused:
            return refused.reply

    def _operate(self, request: web.BaseRequest, received: SandboxRequest, raw: bytes) -> Reply:
        method, path = received.method, received.path
        if not self.strict:
            method, path = _METHOD_ALIASES.get(method, method), path.removesuffix("/")
        relative = path.removeprefix(BASE_PATH)
        found = self.routes.find(method, relative) if path.startswith(f"{BASE_PATH}/") else None
        if found is None:
            return NOT_FOUND
        if raw and request.content_type != "application/json":
            return error_reply(400, "Content-Type must be application/json")
        operation, ids = found
        return operation(OperationCall(relative, _query_pairs(request), parsed_body(raw), ids))


def _query_pairs(request: web.BaseRequest) -> list[tuple[str, str]]:
    return parse_qsl(replace_invalid_utf8(request.rel_url.raw_query_string), keep_blank_values=True)
