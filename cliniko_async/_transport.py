"""The only place that calls aiohttp."""

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import aiohttp
import msgspec
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

from ._http import Credentials, Discreet, Request, Response
from ._timeouts import Timeouts
from .errors import DecodingError, TransportError, TransportTimeoutError

if TYPE_CHECKING:
    from aiohttp.connector import Connection

LARGEST_ANSWER = 64 * 1024 * 1024
_CONNECT_SHARE = 0.75
_KEEP_ALIVE = 15.0
_CONNECTIONS = 100
_NEVER_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ServerFingerprintMismatch,
)


class Call(Discreet, msgspec.Struct):
    """A request on its way: what happens to it is written here, so that it is known when the call is cut short."""

    request: Request
    sent: bool = False
    """Whether the server may have seen the attempt under way."""
    attempts: int = 0
    """How often it was given to a connection, or was about to be."""


class Transport(Protocol):
    """Sends a call and gives the answer, whatever its status."""

    async def send(self, call: Call) -> Response:
        """Send it once.

        Raises:
            TransportError: no whole answer came.
        """
        ...


class _LostError(aiohttp.ClientError):
    """A connection that was lost, as an error that aiohttp does not answer by sending the request again."""


class Once:
    """A middleware for one call: it keeps aiohttp from sending it again by itself, and notes when it may be seen.

    Each sending needs a permit of its own.
    """

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        """Take whose sending it is."""
        self._call = call

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Pass the request on, and its loss as an error that aiohttp lets pass."""
        if _CAN_WATCH and isinstance(request, _WatchedRequest):
            request.call = self._call
        else:
            self._call.sent = True
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            raise _LostError(reason_of(error)) from None


# Where aiohttp has no such method to override, every request counts as sent.
_CAN_WATCH = hasattr(ClientRequest, "send")


class _WatchedRequest(ClientRequest):
    """A request that tells its call when it is given to a connection; a `TraceConfig` would cost ten times as much."""

    call: Call

    async def send(self, conn: "Connection") -> ClientResponse:
        self.call.sent = True
        return await super().send(conn)


def open_session(connections: int = _CONNECTIONS) -> aiohttp.ClientSession:
    """Open a session of our own, of so many connections: no cookies, and it knows which request reached one of them."""
    # A connection is let go before the server would close it under a request.
    connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=_KEEP_ALIVE)
    jar = aiohttp.DummyCookieJar()
    return aiohttp.ClientSession(connector=connector, cookie_jar=jar, request_class=_WatchedRequest)


class AiohttpTransport:
    """Sends a call by aiohttp, once."""

    def __init__(self, session: Callable[[], aiohttp.ClientSession], credentials: Credentials, timeout: float) -> None:
        """Take the session, and the timeout of an attempt in seconds."""
        self._session = session
        self._headers = credentials.headers()
        # The timer of aiohttp's total swallows a cancellation that comes with it, so that one is ours. That of
        # connecting is shorter, so that a timeout while connecting is told from one in flight.
        self._timeouts = Timeouts(timeout)
        self._timeout = aiohttp.ClientTimeout(total=None, connect=timeout * _CONNECT_SHARE)

    async def send(self, call: Call) -> Response:
        """Send it once, follow no redirect, and read the answer to its end."""
        session = self._session()
        call.sent = False
        call.attempts += 1
        status: list[int] = []
        try:
            return await self._timeouts.bound(self._exchange(session, call, status))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = self._failure(call, error, status[0] if status else None)
        # Raised here and not from it: the repr of an aiohttp error shows the Authorization header.
        try:
            raise failure
        finally:
            del failure  # aiohttp may keep this frame, by the traceback of an error that a response holds.

    async def _exchange(self, session: aiohttp.ClientSession, call: Call, status: list[int]) -> Response:
        request, started = call.request, time.monotonic()
        async with session.request(
            request.method,
            URL(request.url, encoded=True),
            data=request.body,
            # No local variable: a traceback that shows those would show the key.
            headers=self._headers if request.body is None else self._headers | {"Content-Type": "application/json"},
            # Without a body, aiohttp would call a POST an octet stream; of a GET it costs a tenth to say so.
            skip_auto_headers=None if request.method == "GET" else ("Content-Type",),
            timeout=self._timeout,
            allow_redirects=False,
            auto_decompress=True,
            raise_for_status=False,
            # Those given with a request replace the session's own.
            middlewares=(Once(call), *getattr(session, "_middlewares", ())),
        ) as answer:
            status.append(answer.status)
            body = await _body(answer, request)
            return Response(answer.status, answer.headers.copy(), body, elapsed=time.monotonic() - started)

    def _failure(self, call: Call, error: Exception, status: int | None) -> TransportError:
        if isinstance(error, _NEVER_SENT):
            call.sent = False
        kind, reason = TransportError, f"had no answer: {reason_of(error)}"
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            kind, reason = TransportTimeoutError, f"had no connection within {self._timeout.connect:g} s"
        elif isinstance(error, TimeoutError):
            kind, reason = TransportTimeoutError, f"had no answer within {self._timeouts.seconds:g} s"
        return kind(reason, request=call.request, sent=call.sent, status=status)


async def _body(answer: ClientResponse, request: Request) -> bytes:
    """Read an answer to its end, or as far as it is of use."""
    body = bytearray()
    try:
        while (chunk := await answer.content.readany()) and len(body) <= LARGEST_ANSWER:
            body += chunk
    except (aiohttp.ClientError, OSError):
        # All that a 429 has to say stands in its headers.
        if answer.status != 429:
            raise
    if len(body) > LARGEST_ANSWER and 200 <= answer.status < 300:
        fault = f"is larger than {LARGEST_ANSWER} bytes"
        raise DecodingError([fault], request=request, status=answer.status, written=request.method != "GET")
    return bytes(body[:LARGEST_ANSWER])


def reason_of(error: Exception) -> str:
    """Say what went wrong by its kind alone: a text of aiohttp's may show a URL."""
    if isinstance(error, _LostError):
        return str(error)
    number = getattr(error, "errno", None)
    return f"{type(error).__name__}, {os.strerror(number)}" if number else type(error).__name__
