"""Requests pages, at their turn or before. It holds no reference to the iterator.

So an iterator that is dropped is collected at once, and what was requested ahead for it is cancelled.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from typing import Any

import msgspec

from .._loops import runs_here
from .._messages import RedactedRepr, Request, Response
from .._records.page import decode_page
from .api import Api
from .strategy import DecodedPage


class FetchedPage(RedactedRepr, msgspec.Struct, frozen=True):
    """A response, and when it was requested and received, as ordinals of the events of one iteration."""

    request: Request
    response: Response
    requested_at: int
    received_at: int


class Prefetcher:
    """Requests the pages of one iteration and records the order in which they were requested and received."""

    def __init__(self, api: Api, record: type[Any], envelope: str, *, survives_cancellation: bool = False) -> None:
        """Take whom to ask and what the pages consist of.

        Args:
            api: The client.
            record: The class of the records.
            envelope: The key of a page that holds its records.
            survives_cancellation: Whether a request goes on when the caller that waits for it is cancelled.
        """
        self._api = api
        self._record = record
        self._envelope = envelope
        self._survives_cancellation = survives_cancellation
        self._events = itertools.count()
        self._tasks: dict[str, asyncio.Task[FetchedPage]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def get(self, url: str) -> DecodedPage:
        """Return the page at a URL, which may have been requested before."""
        if not self._survives_cancellation:
            return self._decode(await self._fetch(url))
        if url not in self._tasks:
            self._tasks[url] = self._start(url)
        task = self._tasks[url]
        if task.done():
            # Let the requests start that the last page led to, before this page is decoded: of pages that were received
            # together, each would otherwise delay them by the time it takes to decode all.
            await asyncio.sleep(0)
        else:
            # The caller may be cancelled and come again: the request goes on.
            await asyncio.wait((task,))
        if self._closed:
            raise StopAsyncIteration
        del self._tasks[url]
        try:
            fetched = task.result()
        finally:
            # The task keeps its error, whose traceback has this frame: together they would keep the whole iteration.
            del task
        return self._decode(fetched)

    def keep_only(self, urls: Sequence[str]) -> None:
        """Request these pages ahead if they are not yet, and cancel all others."""
        for url in self._tasks.keys() - set(urls):
            self._tasks.pop(url).cancel()
        for url in urls:
            if url not in self._tasks:
                self._tasks[url] = self._start(url)

    def drop_pending(self) -> None:
        """Cancel what was not received yet."""
        self.keep_only([url for url, task in self._tasks.items() if task.done()])

    async def aclose(self) -> None:
        """Cancel every request under way, and wait until none is left."""
        self._closed = True
        if tasks := list(self._tasks.values()):
            self.keep_only(())
            await asyncio.wait(tasks)

    def cancel(self) -> None:
        """Cancel what was requested ahead; from any thread, as the garbage collector may be the caller."""
        if runs_here(self._loop):
            self.keep_only(())
        elif self._loop is not None:
            with contextlib.suppress(RuntimeError):  # The loop is closed, and its tasks with it.
                self._loop.call_soon_threadsafe(self.keep_only, ())

    def _start(self, url: str) -> asyncio.Task[FetchedPage]:
        self._loop = asyncio.get_running_loop()
        task = self._api.spawn(self._fetch(url))
        task.add_done_callback(_retrieve_error)
        return task

    async def _fetch(self, url: str) -> FetchedPage:
        requested_at = next(self._events)
        request = Request("GET", url)
        response = await self._api.send(request)
        return FetchedPage(request, response, requested_at, next(self._events))

    def _decode(self, fetched: FetchedPage) -> DecodedPage:
        # At its turn: of pages that are received together, all would otherwise be decoded before the first is yielded.
        page = decode_page(self._record, self._envelope, fetched.request, fetched.response)
        return DecodedPage(page, fetched.requested_at, fetched.received_at)


def _retrieve_error(task: asyncio.Task[FetchedPage]) -> None:
    """Keep the loop from logging an error that nobody waited for: the page is requested again at its turn."""
    if not task.cancelled():
        task.exception()
