"""What the library relies on in aiohttp beyond its documented interface, all in one place.

Each of these has a test that fails when aiohttp changes its meaning, and says what is lost without it.
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
"""Seconds: a connection is closed before the server would close it under a request."""


class Sending(Protocol):
    """What is told that a request is given to a connection."""

    sent: bool


class NoReplay:
    """A middleware for one attempt: aiohttp does not send it a second time, and `sent` says whether it was sent.

    aiohttp resends a GET or DELETE on a stale connection by itself, but each sending needs a permit of its own. A
    connection on which the server sent something unasked is not used.
    """

    __slots__ = ("_sending",)

    def __init__(self, sending: Sending) -> None:
        """Create the middleware for one attempt."""
        self._sending = sending

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Pass the request on; raise a lost connection as a `ConnectionLostError`."""
        # `send` is overridden on the request itself, so that it works in a borrowed session, too. Without it, a
        # request would count as unsent until its answer arrived, so that a create might be sent twice, and unasked
        # bytes would be taken for its answer. A `TraceConfig` costs ten times as much and cannot stop a request.
        vars(request)["send"] = functools.partial(self._send, request)
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            raise ConnectionLostError(reason_of(error)) from None
        finally:
            vars(request).pop("send", None)  # It refers to the request.

    async def _send(self, request: ClientRequest, connection: "Connection") -> ClientResponse:
        if await _has_unasked(connection):
            raise ConnectionLostError("the server had sent something that nobody asked for")
        if isinstance(connection.protocol, _QuietHandler):
            connection.protocol.expect_answer(connection)
        self._sending.sent = True
        return await type(request).send(request, connection)


# Windows has no `poll`: there the loop has to look each time.
_CAN_POLL = hasattr(select, "poll")


async def _has_unasked(connection: "Connection") -> bool:
    """Whether the connection was closed, or received bytes that would be taken for the answer to the next request."""
    ending = connection.transport.get_extra_info("socket") if connection.transport else None
    if ending is not None and (not _CAN_POLL or _is_readable(ending.fileno())):
        # What is in the system's buffer is read in the first turn of the loop and handed over in the second.
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

    _expects_answer = False

    def expect_answer(self, connection: "Connection") -> None:
        """Accept bytes until the connection is released."""
        self._expects_answer = True
        connection.add_callback(self._release)

    def _release(self) -> None:
        self._expects_answer = False

    def data_received(self, data: bytes) -> None:
        if self._expects_answer or not data:  # With none, aiohttp goes on with what it had held back.
            super().data_received(data)
        else:
            self.close()


def open_session(connections: int) -> aiohttp.ClientSession:
    """Open a session without cookies.

    Args:
        connections: the largest number of connections; 0 for no limit.
    """
    connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=_KEEP_ALIVE)
    # Without `_factory`, a connection with unasked bytes is refused only when it is to be used again, which costs an
    # attempt, and half a head of an unasked answer is not noticed at all.
    setattr(connector, "_factory", functools.partial(_QuietHandler, asyncio.get_running_loop()))  # noqa: B010
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


def middlewares_of(session: aiohttp.ClientSession) -> tuple[ClientMiddlewareType, ...]:
    """Return the middlewares of a session."""
    # Those given with a request replace the session's own. Without `_middlewares`, a borrowed session's are not called.
    return tuple(getattr(session, "_middlewares", ()))


def loop_of(session: aiohttp.ClientSession | None) -> asyncio.AbstractEventLoop | None:
    """Return the event loop that a session belongs to; None without a session."""
    # Without `_loop`, a client on a borrowed session belongs to the loop of its first call; if that is not the loop of
    # the session, aiohttp hangs or raises a `RuntimeError`. The property `loop` is deprecated.
    return getattr(session, "_loop", None)


def has_base_url(session: aiohttp.ClientSession) -> bool:
    """Whether a session has a base URL of its own."""
    # Without `_base_url`, such a session is accepted; every URL of ours is absolute, so that it does no harm.
    return getattr(session, "_base_url", None) is not None
