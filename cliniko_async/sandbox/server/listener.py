"""Listens for requests and sends replies; whatever goes wrong is answered in the form of the server, not aiohttp's."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

import attrs
from aiohttp import web
from aiohttp.http import HttpProcessingError

from ..protocol import Reply

Handler = Callable[[web.BaseRequest], Awaitable[Reply | None]]
"""Makes the reply to a request, or None when it closed the connection instead."""

UNREADABLE = (web.RequestPayloadError, HttpProcessingError)
"""What reading a body raises that is not of the encoding that its headers name."""

_log = logging.getLogger("cliniko_async.sandbox")
# Seconds that requests under way have to end when the listener closes; aiohttp takes 0 for no end.
_LAST_MOMENT = 0.01


@attrs.frozen
class Form:
    """What all replies of one server have in common."""

    name: str
    """The value of the Server header."""
    failure: Callable[[int], Reply]
    """Makes the reply with an error status."""

    def response(self, reply: Reply) -> web.Response:
        """Return a reply as aiohttp sends it."""
        headers = {"Server": self.name, **reply.headers}
        return web.Response(status=reply.status, body=reply.body or None, headers=headers)


@attrs.define(eq=False)
class Listener:
    """Takes requests on one port to a handler, until it is closed."""

    form: Form
    handler: Handler
    keep_alive: bool = True
    """Whether a connection stays open after its answer."""
    _runner: web.ServerRunner | None = None
    _under_way: set[asyncio.Task[Any]] = attrs.field(factory=set[asyncio.Task[Any]])

    async def start(self, host: str, port: int = 0) -> str:
        """Listen, and return the origin, such as `http://127.0.0.1:8321`.

        Raises:
            OSError: the port is taken.
        """
        self._runner = web.ServerRunner(_Server(self._handle, self.form, self._finish), shutdown_timeout=_LAST_MOMENT)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        address, number = self._runner.addresses[0][:2]
        return f"http://{f'[{address}]' if ':' in address else address}:{number}"

    async def close(self) -> None:
        """Close every connection."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _finish(self) -> None:
        """Let requests under way end, then cancel them."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_LAST_MOMENT)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            reply = await self.handler(request)
        except ConnectionError:
            # The client left before it had sent its body.
            reply = None
        # Nothing of an empty response is sent, as the connection is closed.
        response = web.Response() if reply is None else self.form.response(reply)
        if not self.keep_alive:
            response.force_close()
        return response


class _Server(web.Server):
    """Makes a protocol of our own for each connection."""

    def __init__(self, handle: Callable[..., Any], form: Form, finish: Callable[[], Awaitable[None]]) -> None:
        super().__init__(handle)
        self._form = form
        self._finish = finish

    def __call__(self) -> "_Protocol":
        return _Protocol(self, form=self._form, loop=asyncio.get_running_loop(), access_log=None, logger=_log)

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  (aiohttp's own)
        # First, as aiohttp logs an InvalidStateError when a request ends just as it stops waiting for it.
        await self._finish()
        await super().shutdown(timeout)


class _Protocol(web.RequestHandler):
    """One connection; what aiohttp refuses by itself is answered in the form of the server."""

    def log_exception(self, *args: Any, **options: Any) -> None:
        """Log what nobody expected; aiohttp reads the rest of an unreadable body after it was answered."""
        if not isinstance(options.get("exc_info"), (*UNREADABLE, ConnectionError)):
            super().log_exception(*args, **options)

    def __init__(self, manager: web.Server, *, form: Form, **options: Any) -> None:
        super().__init__(manager, **options)
        self._form = form

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a message that is not HTTP, or a fault of the sandbox itself, which is logged."""
        del message
        if status >= 500:
            _log.error("The sandbox failed at %s %s", request.method, request.path, exc_info=exc)
        response = self._form.response(self._form.failure(status))
        response.force_close()
        return response


@attrs.frozen
class Outlet:
    """The way to write to a connection and to close it, past the response."""

    write: Callable[[bytes], None]
    close: Callable[[], None]
    """Both do nothing once the client has left."""

    @classmethod
    def of(cls, request: web.BaseRequest) -> "Outlet":
        """Hold the connection of a request, which the request lets go of when the client closes it."""
        transport = request.transport
        return cls(_ignore, _ignore) if transport is None else cls(transport.write, transport.close)


def _ignore(*_: object) -> None:
    """Do nothing."""
