"""Sends every request of an iteration, on demand or ahead of time, without a reference to the iterator.

This way an iterator that is dropped is collected at once, and its prefetch requests are cancelled.
"""

import asyncio
import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from .._api import Api
from .._loops import call_from_anywhere
from .._messages import RedactedRepr, Request, Response
from .._records.page import decode_page
from .strategy import DecodedPage


class FetchedPage(RedactedRepr, msgspec.Struct, frozen=True):
    """A response, and when it was requested and received: the numbers of both events within one iteration."""

    request: Request
    response: Response
    request_order: int
    receipt_order: int


class PageFetcher:
    """Requests the pages of one iteration, and numbers requests and receipts in the order in which they happen."""

    def __init__(self, api: Api, record: type[Any], envelope: str, *, survives_cancellation: bool = False) -> None:
        """Create the fetcher of one iteration.

        Args:
            api: The client.
            record: The class of the records.
            envelope: The key of a page that holds its records.
            survives_cancellation: Whether a request continues if the caller waiting for it is cancelled.
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
        """Return the page at a URL, which may have been requested ahead."""
        if not self._survives_cancellation:
            return self._decode(await self._fetch(url))
        if url not in self._tasks:
            self._tasks[url] = self._start(url)
        task = self._tasks[url]
        if task.done():
            # Let the requests that the last page triggered start before this page is decoded. Otherwise they would wait
            # until all pages that were received together are decoded.
            await asyncio.sleep(0)
        else:
            # The caller may be cancelled and ask again, so the request continues.
            await asyncio.wait((task,))
        if self._closed:
            raise StopAsyncIteration
        del self._tasks[url]
        try:
            fetched = task.result()
        finally:
            # The task keeps its error, whose traceback keeps this frame: a cycle would keep the whole iteration alive.
            del task
        return self._decode(fetched)

    def keep_only(self, urls: Sequence[str]) -> None:
        """Request these pages ahead unless already requested, and cancel all others."""
        for url in self._tasks.keys() - set(urls):
            self._tasks.pop(url).cancel()
        for url in urls:
            if url not in self._tasks:
                self._tasks[url] = self._start(url)

    def drop_pending(self) -> None:
        """Cancel the requests without a response so far."""
        self.keep_only([url for url, task in self._tasks.items() if task.done()])

    async def aclose(self) -> None:
        """Cancel every pending request, and wait until all have ended."""
        self._closed = True
        if tasks := list(self._tasks.values()):
            self.keep_only(())
            await asyncio.wait(tasks)

    def cancel(self) -> None:
        """Cancel the prefetch requests. The garbage collector may call this from any thread."""
        if self._loop is not None:
            call_from_anywhere(self._loop, partial(self.keep_only, ()))

    def _start(self, url: str) -> asyncio.Task[FetchedPage]:
        self._loop = asyncio.get_running_loop()
        task = self._api.spawn(self._fetch(url))
        task.add_done_callback(_retrieve_error)
        return task

    async def _fetch(self, url: str) -> FetchedPage:
        request_order = next(self._events)
        request = Request("GET", url)
        response = await self._api.send(request)
        return FetchedPage(request, response, request_order, next(self._events))

    def _decode(self, fetched: FetchedPage) -> DecodedPage:
        # Not in the task, or all pages received together would be decoded before the first is yielded.
        page = decode_page(self._record, self._envelope, fetched.request, fetched.response)
        return DecodedPage(page, fetched.request_order, fetched.receipt_order)


def _retrieve_error(task: asyncio.Task[FetchedPage]) -> None:
    """Keep the loop from logging the error of a prefetch request that nothing awaits."""
    if not task.cancelled():
        task.exception()
