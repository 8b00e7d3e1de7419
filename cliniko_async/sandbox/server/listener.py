"""Accepts connections on a port; every error, even to a message that is not HTTP, has the server's own form."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

import attrs
from aiohttp import web
from aiohttp.http import HttpProcessingError

from ..protocol import Reply

Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[Reply | None]]
"""Returns the reply to a request, or None if it closed the connection instead."""

UNREADABLE = (web.RequestPayloadError, HttpProcessingError)
"""What aiohttp raises while it reads a body that is not encoded as its headers declare."""

_log = logging.getLogger("cliniko_async.sandbox")
# Seconds that running requests have to end when the listener closes. To aiohttp, 0 means no limit.
_GRACE_PERIOD = 0.01


@attrs.frozen
class ReplyStyle:
    """What all replies of one server have in common."""

    server_name: str
    """The value of the Server header."""
    error_reply: Callable[[int], Reply]
    """Returns the reply for an error status."""

    def response(self, reply: Reply) -> web.Response:
        """Convert a reply to the response that aiohttp sends."""
        headers = {"Server": self.server_name, **reply.headers}
        return web.Response(status=reply.status, body=reply.body or None, headers=headers)


@attrs.define(eq=False)
class Listener:
    """Passes the requests that arrive on one port to a handler, until it is closed."""

    style: ReplyStyle
    handler: Handler
    keep_alive: bool = True
    """Whether a connection stays open after its reply."""
    host: str = "127.0.0.1"
    port: int = 0
    """The port to listen on; 0 means any free port."""
    _runner: web.ServerRunner | None = None
    _running: set[asyncio.Task[Any]] = attrs.field(factory=set[asyncio.Task[Any]])

    @property
    def is_open(self) -> bool:
        """Whether it is listening, or has begun to start."""
        return self._runner is not None

    async def start(self) -> str:
        """Listen, and return the origin, such as `http://127.0.0.1:8321`.

        Raises:
            OSError: The port is in use.
        """
        server = _HttpServer(self._handle, self.style, self._finish)
        self._runner = web.ServerRunner(server, shutdown_timeout=_GRACE_PERIOD)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()
        address, number = self._runner.addresses[0][:2]
        return f"http://{f'[{address}]' if ':' in address else address}:{number}"

    async def close(self) -> None:
        """Close every connection."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _finish(self) -> None:
        """Let running requests end, then cancel those that have not."""
        if self._running:
            await asyncio.wait(self._running, timeout=_GRACE_PERIOD)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            reply = await self.handler(request)
        except ConnectionError:
            # The client left before it had sent its body.
            reply = None
        # The connection is closed when there is no reply, so nothing of the empty response is sent.
        response = web.Response() if reply is None else self.style.response(reply)
        if not self.keep_alive:
            response.force_close()
        return response


class _HttpServer(web.Server):
    """An aiohttp server whose connections are of the class below."""

    def __init__(self, handle: Callable[..., Any], style: ReplyStyle, finish: Callable[[], Awaitable[None]]) -> None:
        super().__init__(handle)
        self._style = style
        self._finish = finish

    def __call__(self) -> "_HttpConnection":
        loop = asyncio.get_running_loop()
        return _HttpConnection(self, style=self._style, loop=loop, access_log=None, logger=_log)

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  (aiohttp's own)
        # First, because aiohttp logs an InvalidStateError if a request ends just as aiohttp stops waiting for it.
        await self._finish()
        await super().shutdown(timeout)


class _HttpConnection(web.RequestHandler):
    """One connection; what aiohttp refuses by itself is answered in the style of the server."""

    def __init__(self, manager: web.Server, *, style: ReplyStyle, **options: Any) -> None:
        super().__init__(manager, **options)
        self._style = style

    def log_exception(self, *args: Any, **options: Any) -> None:
        """Log unexpected exceptions; aiohttp goes on reading an unreadable body after the reply to it."""
        if not isinstance(options.get("exc_info"), (*UNREADABLE, ConnectionError)):
            super().log_exception(*args, **options)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a message that is not HTTP, or a failure of the sandbox itself, which is logged."""
        del message
        if status >= 500:
            _log.error("The sandbox failed at %s %s", request.method, request.path, exc_info=exc)
        response = self._style.response(self._style.error_reply(status))
        response.force_close()
        return response


@attrs.frozen
class ConnectionHandle:
    """Writes to a connection or closes it, bypassing the response."""

    write: Callable[[bytes], None]
    close: Callable[[], None]
    """Both do nothing once the client has left."""

    @classmethod
    def of(cls, request: web.BaseRequest) -> "ConnectionHandle":
        """Return the handle of a request's connection, which the request itself forgets when the client leaves."""
        transport = request.transport
        return cls(_ignore, _ignore) if transport is None else cls(transport.write, transport.close)


def _ignore(*_: object) -> None:
    """Do nothing."""
