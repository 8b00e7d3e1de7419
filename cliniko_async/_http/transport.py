"""The only place that calls aiohttp."""

import asyncio
import functools
import os
import select
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import aiohttp
import msgspec
from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from .._frames import HiddenLocals
from .._messages import Credentials, Discreet, Request, Response
from .._timeouts import Timeouts
from ..errors import DecodingError, TransportError, TransportTimeoutError
from .deadline import Deadline

if TYPE_CHECKING:
    from aiohttp.connector import Connection

LARGEST_ANSWER = 64 * 1024 * 1024
CONNECT_SHARE = 0.75
FAILURES = (aiohttp.ClientError, TimeoutError, OSError)
"""What a request may end with, other than an answer."""
_KEEP_ALIVE = 15.0
_CONNECTIONS = 100
_NEVER_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ServerFingerprintMismatch,
)
_HOPELESS = (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch)
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ServerDisconnectedError, "the server closed the connection"),
    (aiohttp.ServerFingerprintMismatch, "the certificate has another fingerprint"),
    (aiohttp.ClientPayloadError, "the answer was cut off"),
    (aiohttp.ClientResponseError, "the answer is not HTTP"),
)


class Call(Discreet, msgspec.Struct):
    """A request on its way: what happens to it is written here, so that it is known when the call is cut short."""

    request: Request
    sent: bool = False
    """Whether the server may have seen the attempt under way."""
    attempts: int = 0
    """How often it was given to a connection, or was about to be."""
    deadline: Deadline | None = None
    hopeless: bool = False
    """Whether the last attempt failed in a way that no other one will not: the certificate is not the server's."""


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

    Each sending needs a permit of its own. A connection on which the server sent something unasked is not used.
    """

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        """Take whose sending it is."""
        self._call = call

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Pass the request on, and its loss as an error that aiohttp lets pass."""
        # On the request itself, so that it works in a session that was given, too. Without it, every request would
        # count as unsent until its answer, and unasked bytes would be taken for one. A `TraceConfig` would cost ten
        # times as much, and cannot stop a request.
        vars(request)["send"] = functools.partial(self._send, request)
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            raise _LostError(reason_of(error)) from None
        finally:
            vars(request).pop("send", None)  # It refers to the request.

    async def _send(self, request: ClientRequest, connection: "Connection") -> ClientResponse:
        if await _has_unasked(connection):
            raise _LostError("the server had sent something that nobody asked for")
        if isinstance(connection.protocol, _QuietHandler):
            connection.protocol.ask(connection)
        self._call.sent = True
        return await type(request).send(request, connection)


# Windows cannot: there the loop has to look each time.
_CAN_POLL = hasattr(select, "poll")


async def _has_unasked(connection: "Connection") -> bool:
    """Whether something came before the request, which would be taken for its answer; or the end of the connection."""
    ending = connection.transport.get_extra_info("socket") if connection.transport else None
    if ending is not None and (not _CAN_POLL or _is_readable(ending.fileno())):
        # What lies in the system's buffer is read in the first turn of the loop and handed over in the second.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    protocol = connection.protocol
    return protocol is None or protocol.should_close or not protocol.is_connected()


def _is_readable(number: int) -> bool:
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))


class _QuietHandler(ResponseHandler):
    """A connection that is closed as soon as the server sends something that nobody asked for."""

    _asked = False

    def ask(self, connection: "Connection") -> None:
        """Take what comes for an answer until the connection is released."""
        self._asked = True
        connection.add_callback(self._release)

    def _release(self) -> None:
        self._asked = False

    def data_received(self, data: bytes) -> None:
        if self._asked or not data:  # With none, aiohttp goes on with what it had held back.
            super().data_received(data)
        else:
            self.close()


def open_session(connections: int = _CONNECTIONS) -> aiohttp.ClientSession:
    """Open a session of our own, of so many connections, without cookies."""
    # A connection is let go before the server would close it under a request.
    connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=_KEEP_ALIVE)
    # Without this, a connection with unasked bytes is only refused when it is to be used again, and half a head of an
    # unasked answer is not seen at all.
    setattr(connector, "_factory", functools.partial(_QuietHandler, asyncio.get_running_loop()))  # noqa: B010
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


class AiohttpTransport:
    """Sends a call by aiohttp, once."""

    def __init__(self, session: Callable[[], aiohttp.ClientSession], credentials: Credentials, timeout: float) -> None:
        """Take the session, and the timeout of an attempt in seconds."""
        self._session = session
        self._headers = credentials.headers()
        # The timer of aiohttp's total swallows a cancellation that comes with it, so that one is ours. That of
        # connecting is shorter, so that a timeout while connecting is told from one in flight.
        self._timeouts = Timeouts(timeout)
        self._timeout = aiohttp.ClientTimeout(total=None, connect=timeout * CONNECT_SHARE)

    async def send(self, call: Call) -> Response:
        """Send it once, follow no redirect, and read the answer to its end."""
        call.sent = False
        call.attempts += 1
        status: list[int] = []
        try:
            # Frames of aiohttp, and of the user's middlewares, resolver and trace hooks, hold the key.
            with HiddenLocals(aiohttp.ClientError):
                return await self._timeouts.bound(self._exchange(call, status))
        except FAILURES as error:
            failure = failure_of(call, error, self._timeouts.seconds, status=status[0] if status else None)
        # Raised here and not from it: the repr of an aiohttp error shows the Authorization header.
        try:
            raise failure
        finally:
            del failure  # aiohttp may keep this frame, by the traceback of an error that a response holds.

    async def _exchange(self, call: Call, status: list[int]) -> Response:
        request, session, started = call.request, self._session(), time.monotonic()
        async with session.request(
            request.method,
            URL(request.url, encoded=True),
            data=request.body,
            headers=self._headers if request.body is None else self._headers | {"Content-Type": "application/json"},
            # Without a body, aiohttp would call a POST an octet stream; of a GET it costs a tenth to say so.
            skip_auto_headers=None if request.method == "GET" else ("Content-Type",),
            timeout=self._timeout,
            allow_redirects=False,
            auto_decompress=True,
            raise_for_status=False,
            # Those given with a request replace the session's own.
            middlewares=(Once(call), *middlewares_of(session)),
        ) as answer:
            status.append(answer.status)
            body = await _body(answer, request)
            return Response(answer.status, answer.headers.copy(), body, elapsed=time.monotonic() - started)


def middlewares_of(session: aiohttp.ClientSession) -> tuple[ClientMiddlewareType, ...]:
    """Return the middlewares of a session; without the private name, those of a given session would not be called."""
    return tuple(getattr(session, "_middlewares", ()))


async def _body(answer: ClientResponse, request: Request) -> bytes:
    """Read an answer to its end, or as far as it is of use."""
    body = bytearray()
    try:
        if answer.content.at_eof():
            body += await read_before(answer)
        else:
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


async def read_before(answer: ClientResponse) -> bytes:
    """Return the body of an answer whose stream is at its end: a middleware may have read it, and even released it."""
    # A released answer gives its text, and not its bytes; in Latin-1 the one is the other.
    return (await answer.text("latin-1")).encode("latin-1")


def failure_of(
    call: Call, error: Exception, seconds: float, *, late: str = "had no answer within", status: int | None = None
) -> TransportError:
    """Return what an attempt ended with as an error of ours, and note on the call what that says of it.

    Args:
        call: the call that the attempt was made for.
        error: what aiohttp raised.
        seconds: the timeout of the attempt.
        late: what is said before the seconds of an attempt that took longer.
        status: the status of the answer where it came before the end.
    """
    if isinstance(error, _NEVER_SENT):
        call.sent = False
    call.hopeless = isinstance(error, _HOPELESS)
    kind, reason = TransportError, f"had no answer: {reason_of(error)}"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        kind, reason = TransportTimeoutError, f"had no connection within {seconds * CONNECT_SHARE:g} s"
    elif isinstance(error, TimeoutError):
        kind, reason = TransportTimeoutError, f"{late} {seconds:g} s"
    elif isinstance(error, _NEVER_SENT):
        reason = f"had no connection: {reason_of(error)}"
    return kind(reason, request=call.request, sent=call.sent, status=status)


def reason_of(error: Exception) -> str:
    """Say why a request failed in the system's own words, and never in aiohttp's: those may show a URL or a header."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _reason_of_system(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        # A resolver knows the host alone. The numbers of its errors are not those of the system.
        return error.os_error.strerror or "the name cannot be resolved"
    if isinstance(error, aiohttp.ClientConnectorError):
        return _reason_of_system(error.os_error)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy answered {error.status}"
    if isinstance(error, aiohttp.ClientResponseError) and error.__cause__ is None:
        # aiohttp raises its own from that of its parser.
        return f"a middleware raised an error for the status {error.status}"
    known = next((text for kind, text in _REASONS if isinstance(error, kind)), None)
    return known or (str(error) if isinstance(error, _LostError) else _reason_of_system(error))


def _reason_of_system(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'the handshake failed').lower().replace('_', ' ')}"
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else type(error).__name__
