"""A receiver of webhooks that verifies each with the library of the specification, and answers as scripted."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import attrs
from aiohttp import web
from standardwebhooks import Webhook

_PATH = "/hook"

Reply = int | web.Response | Callable[[web.Request], Awaitable[web.StreamResponse]]


@attrs.frozen
class Received:
    """A message with a valid signature."""

    at: float
    id: str
    signature: str
    body: dict[str, Any]
    accepted: bool

    @property
    def name(self) -> str:
        return str(self.body["data"]["name"])


class Receiver:
    """Sends the scripted answers, one after the other, and then 204."""

    def __init__(self, secret: str) -> None:
        self.script: list[Reply] = []
        self.choose: Callable[[], Reply] = lambda: self.script.pop(0) if self.script else 204
        self.got: list[Received] = []
        self.redirected = 0
        self._webhook = Webhook(secret)
        self._port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}{_PATH}?token=hush"

    @property
    def accepted(self) -> str:
        return "".join(each.name for each in self.got if each.accepted)

    async def start(self) -> None:
        """Listen, on the same port as before."""
        app = web.Application()
        app.router.add_post(_PATH, self._take)
        app.router.add_route("*", "/elsewhere", self._redirected)
        self._runner = web.AppRunner(app, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening."""
        assert self._runner is not None
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        body = self._webhook.verify(text, dict(request.headers))
        answer = self.choose()
        accepted = isinstance(answer, int) and answer < 300
        loop, headers = asyncio.get_running_loop(), request.headers
        self.got.append(
            Received(loop.time(), headers["webhook-id"], headers["webhook-signature"], json.loads(text), accepted)
        )
        assert body == json.loads(text)
        if callable(answer):
            return await answer(request)
        return web.Response(status=answer) if isinstance(answer, int) else answer

    async def _redirected(self, _: web.Request) -> web.StreamResponse:
        self.redirected += 1
        return web.Response()


async def hang(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError


async def reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cut(request: web.Request) -> web.StreamResponse:
    """Closes the connection in the middle of an answer."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"half")
    assert request.transport is not None
    request.transport.close()
    return response


@contextmanager
def in_a_thread(receiver: Receiver) -> Iterator[Receiver]:
    """Run a receiver in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(receiver.start(), loop).result(10)
        yield receiver
        asyncio.run_coroutine_threadsafe(receiver.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
