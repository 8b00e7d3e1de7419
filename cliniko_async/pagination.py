"""Lists: a `Paginator` describes one; its iterators yield the records or the pages."""

import asyncio
import contextlib
import operator
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar

import msgspec

from ._frames import HiddenLocals
from ._paging import resume
from ._paging.cursor import ListPosition, Start, fingerprint, list_positions, read_cursor
from ._paging.page import Page
from ._paging.pager import ListSpec, Pager
from .errors import PaginationError

__all__ = ["Page", "PageIterator", "Paginator", "RecordIterator"]

T = TypeVar("T")


class Paginator(Generic[T]):
    """A list. Nothing is sent until it is used, and each use starts over.

    `async for record in paginator` yields the records, `async for page in paginator.pages()` the pages, and
    `await paginator` returns the first page.
    """

    def __init__(self, spec: ListSpec[T], cursor: str | None = None) -> None:
        """Create a description of a list.

        Args:
            spec: What to request, and how its pages are decoded.
            cursor: Where to continue; by default, at the first record.

        Raises:
            InvalidRequestError: `cursor` is not a cursor of this list.
        """
        self._spec = spec
        query = spec.query
        self._belongs_to = fingerprint(spec.api.account_digest, query.sources, query.filters, query.sort, query.stable)
        self._position: ListPosition = Start()
        if cursor is not None:
            self._position = read_cursor(cursor, self._belongs_to, list_positions)

    def __aiter__(self) -> "RecordIterator[T]":
        """Return an iterator over the records."""
        return RecordIterator(self._pager(self._spec))

    def __await__(self) -> Generator[Any, None, Page[T]]:
        """Return the first page."""
        return self._first_page().__await__()

    def __repr__(self) -> str:
        """Return the resource, the number of filters and the options."""
        return f"<Paginator of {self._spec.describe()}>"

    async def _first_page(self) -> Page[T]:
        return await anext(self._pages(prefetch=0))

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise TypeError("iterate over a list with `async for`, not with `for`")

    def pages(self) -> "PageIterator[T]":
        """Iterate over the pages.

        Returns:
            An iterator from the start of the list, or from its cursor.
        """
        return self._pages()

    async def first(self) -> T | None:
        """Request only the first record.

        Returns:
            The record, or None if the list is empty.
        """
        query = msgspec.structs.replace(self._spec.query, per_page=1)
        async for page in self._pages(query=query, prefetch=0):
            if page.items:
                return page.items[0]
        return None

    async def collect(self) -> list[T]:
        """Read the list to its end.

        Returns:
            All records, in the order of the list.
        """
        async with contextlib.aclosing(self.pages()) as pages:
            return [record async for page in pages for record in page.items]

    async def count(self) -> int:
        """Request the number of records that currently match, with a page of one record per source.

        Returns:
            The server's total; for several sources, the sum of their totals.

        Raises:
            PaginationError: The server does not report it.
        """
        query = msgspec.structs.replace(self._spec.query, per_page=1)
        fetcher = msgspec.structs.replace(self._spec, prefetch=0).page_fetcher()
        sources = range(len(query.sources))
        with HiddenLocals():  # So that no traceback shows a URL, which may name a patient.
            totals = [(await fetcher.get(query.url(source))).page.total_entries for source in sources]
        if None in totals:
            error = PaginationError("the server did not say how many records the list has")
            error.request = self._spec.request()
            raise error
        return sum(filter(None, totals))

    def _pages(self, **changes: Any) -> "PageIterator[T]":  # noqa: ANN401
        return PageIterator(self._pager(msgspec.structs.replace(self._spec, **changes)))

    def _pager(self, spec: ListSpec[T]) -> Pager[T]:
        return Pager(spec, partial(resume, spec.query, prefetch=spec.prefetch), self._position, self._belongs_to)


class PageIterator(Generic[T]):
    """Yields the pages of a list; after an error the next step requests the same page again."""

    def __init__(self, pager: Pager[T]) -> None:
        """Create an iterator over pages.

        Args:
            pager: Requests the pages and tracks the position.
        """
        self._pager = pager
        self._lock = asyncio.Lock()
        self._begun = False
        self._yielded = 0

    @property
    def cursor(self) -> str:
        """The position after the last page yielded, for `list(cursor=…)`."""
        return self._pager.cursor(self._yielded)

    def __aiter__(self) -> Self:
        """Continue this iteration."""
        return self

    async def __anext__(self) -> Page[T]:
        """Return the next page."""
        async with self._lock:
            self._pager.release_page()
            rows, total = await self._pager.next_rows(even_none=not self._begun)
            self._begun = True
            self._yielded = len(rows)
            return self._pager.page(total)

    async def aclose(self) -> None:
        """Cancel the requests under way and end the iteration.

        The next step raises `StopAsyncIteration`; `cursor` stays after the last page returned. Closing twice is
        allowed. `contextlib.aclosing` calls this.
        """
        await self._pager.aclose(self._yielded)


class RecordIterator(Generic[T]):
    """Yields the records of a list; after an error the next step requests the same page again."""

    def __init__(self, pager: Pager[T]) -> None:
        """Create an iterator over records.

        Args:
            pager: Requests the pages and tracks the position.
        """
        self._pager = pager
        self._lock = asyncio.Lock()
        self._rows: Sequence[T] = ()
        self._items: Iterator[T] = iter(())

    @property
    def cursor(self) -> str:
        """The position after the last record yielded, for `list(cursor=…)`."""
        return self._pager.cursor(self._yielded)

    @property
    def _yielded(self) -> int:
        return len(self._rows) - operator.length_hint(self._items)

    def __aiter__(self) -> Self:
        """Continue this iteration."""
        return self

    async def __anext__(self) -> T:
        """Return the next record."""
        for record in self._items:
            return record
        return await self._next_page()

    async def _next_page(self) -> T:
        async with self._lock:
            for record in self._items:
                return record  # Another consumer of this iterator received the page in the meantime.
            if self._pager.release_page():
                self._rows, self._items = (), iter(())
            self._rows, _ = await self._pager.next_rows()
            self._items = iter(self._rows)
            return next(self._items)

    async def aclose(self) -> None:
        """Cancel the requests under way and end the iteration.

        The next step raises `StopAsyncIteration`; `cursor` stays after the last record returned. Closing twice is
        allowed. `contextlib.aclosing` calls this.
        """
        yielded = self._yielded
        self._rows, self._items = (), iter(())
        await self._pager.aclose(yielded)
