"""Everything the library relies on in aiohttp beyond its documented interface.

Each of these has a test that fails when aiohttp changes, and a comment on what is lost without it.
"""

import asyncio
import functools
import select
from typing import TYPE_CHECKING, Protocol

import aiohttp
from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from aiohttp.client_proto import ResponseHandler

from .reasons import ConnectionLostError, reason_of

if TYPE_CHECKING:
    from aiohttp.connector import Connection

_KEEP_ALIVE = 15.0
"""Seconds. Idle connections are closed before the server would close them while a request is being sent."""


class Sending(Protocol):
    """An object that records when its request is handed to a connection."""

    sent: bool


class NoReplay:
    """A middleware for one attempt that keeps aiohttp from sending it twice and records in `sent` whether it went out.

    aiohttp resends a GET or DELETE on its own if the connection was stale, but each send needs its own permit. A
    connection on which the server sent unsolicited data is not used.
    """

    __slots__ = ("_sending",)

    def __init__(self, sending: Sending) -> None:
        """Create the middleware for one attempt."""
        self._sending = sending

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Pass the request on, and raise `ConnectionLostError` if the connection is lost."""
        # `send` is overridden on the request itself so that it also works in a borrowed session. Without it, a request
        # would count as unsent until its response arrived, so a create might be sent twice, and unsolicited bytes
        # would be mistaken for the response. A `TraceConfig` costs ten times as much and cannot stop a request.
        vars(request)["send"] = functools.partial(self._send, request)
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            raise ConnectionLostError(reason_of(error)) from None
        finally:
            vars(request).pop("send", None)  # It is a reference cycle with the request.

    async def _send(self, request: ClientRequest, connection: "Connection") -> ClientResponse:
        if await _has_unsolicited(connection):
            raise ConnectionLostError("the server had sent data that was not requested")
        if isinstance(connection.protocol, _QuietHandler):
            connection.protocol.expect_response(connection)
        self._sending.sent = True
        return await type(request).send(request, connection)


# Windows has no `poll`, so there the loop has to check every time.
_CAN_POLL = hasattr(select, "poll")


async def _has_unsolicited(connection: "Connection") -> bool:
    """Return whether the connection was closed, or received bytes that the next request would take for its response."""
    ending = connection.transport.get_extra_info("socket") if connection.transport else None
    if ending is not None and (not _CAN_POLL or _is_readable(ending.fileno())):
        # The loop reads the socket buffer in its next iteration and passes the data to the protocol in the one after.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    protocol = connection.protocol
    return protocol is None or protocol.should_close or not protocol.is_connected()


def _is_readable(number: int) -> bool:
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))


class _QuietHandler(ResponseHandler):
    """A connection that closes itself as soon as the server sends unsolicited data."""

    _expects_response = False

    def expect_response(self, connection: "Connection") -> None:
        """Accept bytes until the connection is released."""
        self._expects_response = True
        connection.add_callback(self._release)

    def _release(self) -> None:
        self._expects_response = False

    def data_received(self, data: bytes) -> None:
        if self._expects_response or not data:  # Empty data makes aiohttp process what it buffered.
            super().data_received(data)
        else:
            self.close()


def open_session(connections: int) -> aiohttp.ClientSession:
    """Open a session without cookies.

    Args:
        connections: The largest number of connections; 0 for no limit.
    """
    connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=_KEEP_ALIVE)
    # Without `_factory`, a connection with unsolicited bytes is only rejected when it is reused, which costs an
    # attempt, and a partial header of an unsolicited response is not noticed at all.
    setattr(connector, "_factory", functools.partial(_QuietHandler, asyncio.get_running_loop()))  # noqa: B010
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


def middlewares_of(session: aiohttp.ClientSession) -> tuple[ClientMiddlewareType, ...]:
    """Return the middlewares of a session."""
    # Middlewares passed with a request replace those of the session. Without `_middlewares`, the middlewares of a
    # borrowed session would not be called.
    return tuple(getattr(session, "_middlewares", ()))


def loop_of(session: aiohttp.ClientSession | None) -> asyncio.AbstractEventLoop | None:
    """Return the event loop that a session belongs to, or None without a session."""
    # Without `_loop`, a client with a borrowed session would bind to the loop of its first call; if the session belongs
    # to a different loop, aiohttp hangs or raises a `RuntimeError`. The `loop` property is deprecated.
    return getattr(session, "_loop", None)


def has_base_url(session: aiohttp.ClientSession) -> bool:
    """Return whether a session has its own base URL."""
    # Without `_base_url`, such a session would be accepted, which is harmless because all our URLs are absolute.
    return getattr(session, "_base_url", None) is not None
