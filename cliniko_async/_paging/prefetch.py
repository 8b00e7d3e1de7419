"""Requests of a walk, now or ahead of their turn. Knows the API and the URLs, never the walk, which may be dropped."""

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from typing import Any

import msgspec

from .._loops import runs_here
from .._messages import RedactedRepr, Request, Response
from .._records.page import decode_page
from . import Answer
from .api import Api


class Arrival(RedactedRepr, msgspec.Struct, frozen=True):
    """An answer as it came, and at which turns of the walk it was asked for and had arrived."""

    request: Request
    response: Response
    sent: int
    arrived: int


class Ahead:
    """Asks for pages, and remembers in which order each was sent and had arrived."""

    def __init__(self, api: Api, record: type[Any], envelope: str, *, keeps: bool = False) -> None:
        """Take what is asked for, and whom, and whether a request goes on when whoever waits for it is cancelled."""
        self._api = api
        self._record = record
        self._envelope = envelope
        self._keeps = keeps
        self._turns = itertools.count()
        self._tasks: dict[str, asyncio.Task[Arrival]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def get(self, url: str) -> Answer:
        """Give the answer to a URL, whether it was asked for ahead or not."""
        if not self._keeps:
            return self._read(await self._fetch(url))
        if url not in self._tasks:
            self._tasks[url] = self._start(url)
        task = self._tasks[url]
        if task.done():
            # Those asked for behind the last page go out before this one is read: of pages that arrive together, each
            # would else wait for all the others before the next is asked for in its place.
            await asyncio.sleep(0)
        else:
            # Whoever waits may be cancelled and come again: the request goes on.
            await asyncio.wait((task,))
        if self._closed:
            raise StopAsyncIteration
        del self._tasks[url]
        try:
            arrival = task.result()
        finally:
            # The task keeps its error, whose traceback has this frame: together they would keep the whole walk.
            del task
        return self._read(arrival)

    def ask(self, urls: Sequence[str]) -> None:
        """Ask for these ahead, and for no others any longer."""
        for url in self._tasks.keys() - set(urls):
            self._tasks.pop(url).cancel()
        for url in urls:
            if url not in self._tasks:
                self._tasks[url] = self._start(url)

    def rest(self) -> None:
        """Give up what has not arrived yet."""
        self.ask([url for url, task in self._tasks.items() if task.done()])

    async def aclose(self) -> None:
        """Cancel every request under way, and wait until none is left."""
        self._closed = True
        if tasks := list(self._tasks.values()):
            self.ask(())
            await asyncio.wait(tasks)

    def cancel(self) -> None:
        """Give up what was asked for ahead; from any thread, as the garbage collector may be the caller."""
        if runs_here(self._loop):
            self.ask(())
        elif self._loop is not None:
            with contextlib.suppress(RuntimeError):  # The loop is closed, and its tasks with it.
                self._loop.call_soon_threadsafe(self.ask, ())

    def _start(self, url: str) -> asyncio.Task[Arrival]:
        self._loop = asyncio.get_running_loop()
        task = self._api.spawn(self._fetch(url))
        task.add_done_callback(_read_error)
        return task

    async def _fetch(self, url: str) -> Arrival:
        sent = next(self._turns)
        request = Request("GET", url)
        response = await self._api.send(request)
        return Arrival(request, response, sent, next(self._turns))

    def _read(self, arrival: Arrival) -> Answer:
        # At its turn: pages that arrive together would otherwise all be read before the first is handed out.
        page = decode_page(self._record, self._envelope, arrival.request, arrival.response)
        return Answer(page, arrival.sent, arrival.arrived)


def _read_error(task: asyncio.Task[Arrival]) -> None:
    """Keep the loop from logging an error that nobody waited for: the page is asked for again at its turn."""
    if not task.cancelled():
        task.exception()
