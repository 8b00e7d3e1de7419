"""Drives a paging strategy: requests page after page, and provides the cursor between any two records."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from .._api import Api
from .._frames import HiddenLocals
from .._messages import RedactedRepr, Request
from .._records.page import InvalidRow, PageData, valid_records
from ..errors import BadRequestError, ClinikoError, DecodingError, PaginationDriftError, PaginationError
from .cursor import Position, Start, write_cursor
from .page import Page
from .page_fetcher import PageFetcher
from .query import ListQuery
from .strategy import ConsumedPage, DecodedPage, PagingStrategy, PositionProvider

T = TypeVar("T")
Begin = Callable[[Any], PagingStrategy]
"""Returns the strategy that continues after a position. Lists and changes have different positions."""


class ListSpec(RedactedRepr, msgspec.Struct, Generic[T], frozen=True):
    """A list: the client, the query, the format of its pages, and how much of it to read."""

    api: Api
    record: type[T]
    name: str
    """The name of the resource, which is also the key of a page that holds its records."""
    query: ListQuery
    limit: int | None = None
    """Maximum number of records to yield."""
    prefetch: int = 0
    """Number of pages to request ahead."""

    def request(self) -> Request:
        """Return a request for the list without its filters, to name it in errors."""
        return Request("GET", self.query.sources[0])

    def describe(self) -> str:
        """Return what the list is in words, without the values of its filters, which may name a patient."""
        query = self.query
        filters = f"{len(query.filters)} filter{'s' if len(query.filters) > 1 else ''}" if query.filters else ""
        options = {"sort": ",".join(query.sort), "limit": self.limit, "prefetch": self.prefetch, "stable": query.stable}
        shown = [f"{name}={value}" for name, value in options.items() if value]
        return ", ".join(filter(None, [self.name, filters, *shown]))

    def page_fetcher(self) -> PageFetcher:
        """Return a new fetcher of its pages."""
        return PageFetcher(self.api, self.record, self.name, survives_cancellation=self.prefetch > 0)


class _LastPage(RedactedRepr, msgspec.Struct, Generic[T], frozen=True):
    """The rows returned last, and what provides the position after any of them."""

    position_provider: PositionProvider
    rows: Sequence[T] = ()
    data: PageData[T] | None = None
    """The page that the rows are from; None before the first page, and after it was released."""


class Pager(Generic[T]):
    """Drives a strategy from page to page. After an error the same page is requested again.

    It drops the last page before it requests the next one, which may take long.
    """

    def __init__(self, spec: ListSpec[T], begin: Begin, position: Position, belongs_to: bytes) -> None:
        """Create a pager.

        Args:
            spec: The list.
            begin: Returns the strategy that continues after a position.
            position: Where to continue.
            belongs_to: The fingerprint of the query, to which its cursors are bound.
        """
        self._spec = spec
        self._begin = begin
        self._belongs_to = belongs_to
        first = self._begun(position)
        self._strategy: PagingStrategy | None = first
        self._last: _LastPage[T] = _LastPage(first)
        self._remaining = spec.limit
        self._refused_sort: str | None = None
        self._closed_at: str | None = None
        self._fetcher = spec.page_fetcher()
        if spec.prefetch:
            weakref.finalize(self, self._fetcher.cancel).atexit = False

    def cursor(self, yielded: int) -> str:
        """Return the cursor after the first `yielded` of the last rows returned."""
        return self._closed_at or self._write(self._last.position_provider.position(self._last.rows[:yielded]))

    async def aclose(self, yielded: int) -> None:
        """Cancel pending requests and drop the last page; the cursor stays after the first `yielded` of its rows."""
        self._closed_at = self.cursor(yielded)
        self._strategy, self._last = None, _LastPage(self._last.position_provider)
        await self._fetcher.aclose()

    def release_page(self) -> bool:
        """Drop the last page before waiting for the next one, as the next strategy knows where it ended.

        Returns:
            Whether there is a next page. If not, the last page is kept, as only it knows where the list ended.
        """
        if self._strategy is not None:
            self._last = _LastPage(self._strategy)
        return self._strategy is not None

    def page(self, total: int | None) -> Page[T]:
        """Return the last rows returned, as a page."""
        rows, data = self._last.rows, self._last.data
        following, body = (data.next, data.response.body) if data else (None, b"")
        date = data.response.headers.get("Date") if data else None
        return Page(tuple(rows), total, following, self.cursor(len(rows)), body, date)

    async def next_rows(self, *, even_none: bool = False) -> tuple[Sequence[T], int | None]:
        """Return the rows of the next page that has any.

        Args:
            even_none: Whether to return the last page even if it has no rows.

        Returns:
            The rows, and the number of records in the whole list, if known.

        Raises:
            StopAsyncIteration: The list has ended.
        """
        try:
            # Inner frames hold the requested URLs, and the contents of a page that could not be decoded.
            with HiddenLocals():
                while (strategy := self._strategy) is not None:
                    consumed = await self._advance(strategy)
                    if consumed.rows or (even_none and self._is_at_end()):
                        return self._last.rows, consumed.total
        except ClinikoError as error:
            error.cursor = error.cursor or self.cursor(len(self._last.rows))
            if isinstance(error, PaginationError):
                error.request = self._spec.request()
            # A caller that keeps the error keeps this iterator alive, but may never resume it.
            self._fetcher.drop_pending()
            raise
        raise StopAsyncIteration

    def _is_at_end(self) -> bool:
        return self._strategy is None

    def _write(self, position: Position) -> str:
        return write_cursor(self._belongs_to, position)

    def _begun(self, position: Position) -> PagingStrategy:
        strategy = self._begin(position)
        refused = self._sort_of(strategy) in self._spec.api.unsortable
        return (strategy.fallback() or strategy) if refused else strategy

    def _sort_of(self, strategy: PagingStrategy) -> str:
        return f"{self._spec.query.sources[strategy.source]} {strategy.sort}"

    async def _advance(self, strategy: PagingStrategy) -> ConsumedPage:
        try:
            received = await self._fetcher.get(strategy.next_url())
        except BadRequestError:
            other = strategy.fallback()
            if other is None:
                raise
            self._refused_sort = self._sort_of(strategy)
            consumed = ConsumedPage((), other)
            self._accept(strategy, None, consumed)
            return consumed
        if self._refused_sort is not None:
            # The request succeeded without the sort, so the server refused the sort.
            self._spec.api.unsortable.add(self._refused_sort)
            self._refused_sort = None
        consumed = self._consumed(strategy, received)
        self._accept(strategy, received.page, consumed)
        return consumed

    def _consumed(self, strategy: PagingStrategy, received: DecodedPage) -> ConsumedPage:
        page = received.page
        try:
            consumed = strategy.consume(received)
        except PaginationDriftError:
            raise
        except PaginationError:
            # If an invalid record may have caused the contradiction, report that instead.
            if page.faults:
                raise self._invalid_records(page, (), None) from None
            raise
        if page.faults and any(isinstance(row, InvalidRow) for row in consumed.rows):
            after = (consumed.position_provider or strategy).position(consumed.rows)
            raise self._invalid_records(page, consumed.rows, self._write(after))
        return consumed

    def _invalid_records(self, page: PageData[T], rows: Sequence[Any], cursor: str | None) -> DecodingError:
        error = DecodingError(page.faults, request=page.request, status=page.response.status)
        items = valid_records(rows)
        error.cursor = cursor or self.cursor(len(self._last.rows))
        date = page.response.headers.get("Date")
        error.page = Page(items, page.total_entries, page.next, error.cursor, page.response.body, date)
        return error

    def _accept(self, strategy: PagingStrategy, page: PageData[T] | None, consumed: ConsumedPage) -> None:
        if self._closed_at is not None:
            raise StopAsyncIteration  # It was closed while the page was being requested.
        following = consumed.following or self._next_source(strategy.source)
        if consumed.rows or following is None:
            self._last = _LastPage(consumed.position_provider or strategy, consumed.rows[: self._remaining], page)
        else:
            self._last = _LastPage(following)
        if self._remaining is not None:
            self._remaining -= len(self._last.rows)
        self._strategy = None if self._remaining == 0 else following
        self._request_ahead()

    def _next_source(self, source: int) -> PagingStrategy | None:
        last = source + 1 == len(self._spec.query.sources)
        return None if last else self._begun(Start(source=source + 1))

    def _request_ahead(self) -> None:
        count = self._spec.prefetch
        if not count:
            return
        if self._remaining is not None:
            count = min(count, -(-self._remaining // self._spec.query.per_page))
        try:
            self._fetcher.keep_only(self._strategy.lookahead(count) if self._strategy else ())
        except PaginationError:
            self._fetcher.keep_only(())  # `next_url` raises it again when the page is due.
