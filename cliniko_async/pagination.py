"""Lists: a paginator describes one, and walks hand out its records or its pages."""

import asyncio
import contextlib
import json
import operator
import weakref
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar

import attrs
import msgspec

from ._frames import HiddenLocals
from ._messages import RedactedRepr, Request
from ._paging import Answer, Query, Step, Walk, resume, unrepeated
from ._paging.api import Api
from ._paging.cursor import Mark, StartMark, fingerprint, list_marks, read_cursor, write_cursor
from ._paging.prefetch import Ahead
from ._records.page import InvalidRow, PageData, valid_records
from ._records.record import Holder
from .errors import BadRequestError, ClinikoError, DecodingError, PaginationDriftError, PaginationError

T = TypeVar("T")


@attrs.frozen(repr=False)
class Page(RedactedRepr, Holder, Generic[T]):
    """A page: its `items`, the `total_entries` of the list, the link to the `next` page, and a `cursor` behind it."""

    items: tuple[T, ...]
    total_entries: int | None
    next: str | None
    cursor: str
    _body: bytes

    @property
    def raw(self) -> Any:  # noqa: ANN401
        """The answer as JSON, read anew each time, with the keys that the records do not know.

        Raises:
            DecodingError: such a key holds what Python's `json` refuses, such as an integer of thousands of digits.
        """
        try:
            return json.loads(self._body)
        except (ValueError, RecursionError):
            pass
        raise DecodingError(["is not JSON that can be read as a whole"])

    def __repr__(self) -> str:
        """Sizes; the records may be about patients."""
        return f"Page({len(self.items)} of {self.total_entries})"


class Listing(RedactedRepr, msgspec.Struct, Generic[T], frozen=True):
    """What a list is asked for, by whom, and what it is made of."""

    api: Api
    record: type[T]
    envelope: str
    query: Query
    limit: int | None = None
    prefetch: int = 0
    mark: Mark | None = None

    def belongs_to(self) -> bytes:
        """Give what a cursor of it must fit."""
        query = self.query
        return fingerprint(self.api.account, query.sources, query.filters, query.sort, query.stable)

    def request(self) -> Request:
        """Return a request for the list without its filters, by which an error names it."""
        return Request("GET", self.query.sources[0])


class Paginator(Generic[T]):
    """A list as it can be asked for; nothing is sent before it is used, and each use asks anew.

    `async for record in paginator` gives the records, `pages()` the pages, `await paginator` the first page.
    """

    def __init__(self, listing: Listing[T], cursor: str | None = None) -> None:
        """Take the listing, and where to go on in it."""
        if cursor is not None:
            listing = msgspec.structs.replace(listing, mark=read_cursor(cursor, listing.belongs_to(), list_marks))
        self._listing = listing

    def __aiter__(self) -> "RecordIterator[T]":
        """Walk the records."""
        return RecordIterator(self._listing)

    def __await__(self) -> Generator[Any, None, Page[T]]:
        """Ask for the first page."""
        return self._first_page(self._listing).__await__()

    async def _first_page(self, listing: Listing[T]) -> Page[T]:
        return await anext(PageIterator(msgspec.structs.replace(listing, prefetch=0)))

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise TypeError("a list is walked with `async for`, not with `for`")

    def pages(self) -> "PageIterator[T]":
        """Walk the pages."""
        return PageIterator(self._listing)

    async def first(self) -> T | None:
        """Give the first record, or None where there is none."""
        query = msgspec.structs.replace(self._listing.query, per_page=1)
        async for page in PageIterator(msgspec.structs.replace(self._listing, query=query, prefetch=0)):
            if page.items:
                return page.items[0]
        return None

    async def collect(self) -> list[T]:
        """Give all the records in a list."""
        async with contextlib.aclosing(self.pages()) as pages:
            return [record async for page in pages for record in page.items]

    async def count(self) -> int:
        """Give how many records match now, by one small request.

        Raises:
            PaginationError: the answer does not say.
        """
        listing = self._listing
        query = msgspec.structs.replace(listing.query, per_page=1)
        asked = Ahead(listing.api, listing.record, listing.envelope)
        with HiddenLocals():
            totals = [(await asked.get(query.url(source))).page.total_entries for source in range(len(query.sources))]
        if None in totals:
            error = PaginationError("the list does not say how many entries it has")
            error.request = listing.request()
            raise error
        return sum(filter(None, totals))


class _Turns(Generic[T]):
    """Takes a walk from page to page, and knows where it stands between any two records."""

    def __init__(self, listing: Listing[T]) -> None:
        self._listing = listing
        begun = self._begin(listing.mark or StartMark())
        self._walk: Walk | None = begun
        self._taker = begun
        self._page: PageData[T] | None = None
        self._rows: Sequence[T] = ()
        self._left = listing.limit
        self._refused: str | None = None
        self._closed_at: str | None = None
        self._ahead = Ahead(listing.api, listing.record, listing.envelope, keeps=listing.prefetch > 0)
        if listing.prefetch:
            weakref.finalize(self, self._ahead.cancel).atexit = False

    def _begin(self, mark: Mark) -> Walk:
        listing = self._listing
        walk = resume(listing.query, mark, ahead=listing.prefetch)
        refused = listing.query.sources[mark.source] in listing.api.unsortable
        return (walk.fallback() or walk) if refused else walk

    def cursor(self, handed: int) -> str:
        """Give the place behind so many of the last rows."""
        if self._closed_at is not None:
            return self._closed_at
        mark = self._taker.mark(self._page, self._rows[:handed])
        return write_cursor(self._listing.belongs_to(), mark)

    async def aclose(self, handed: int) -> None:
        """Cancel what is under way and drop the last page; the cursor stays behind so many of its rows."""
        self._closed_at = self.cursor(handed)
        self._walk, self._page, self._rows = None, None, ()
        await self._ahead.aclose()

    def let_go(self) -> bool:
        """Keep of the last page where it ends, which the walk knows, if it goes on: the next may be long in coming."""
        if self._walk is not None:
            self._taker, self._page, self._rows = self._walk, None, ()
        return self._walk is not None

    def page(self, total: int | None) -> Page[T]:
        """Give the last rows as a page."""
        data = self._page
        following, body = (data.next, data.response.body) if data else (None, b"")
        return Page(tuple(self._rows), total, following, self.cursor(len(self._rows)), body)

    async def turn(self, *, empty: bool = False) -> tuple[Sequence[T], int | None]:
        """Give the rows of the next page that has any (or of the first one), and the total as it is known then.

        Raises:
            StopAsyncIteration: the walk is at its end.
        """
        try:
            # Frames below hold the URLs that were asked for, and what was read of an answer that does not fit.
            with HiddenLocals():
                while (walk := self._walk) is not None:
                    step = await self._step(walk)
                    if step.rows or (empty and self._is_ended()):
                        return self._rows, step.total
        except ClinikoError as error:
            error.cursor = error.cursor or self.cursor(len(self._rows))
            if isinstance(error, PaginationError):
                error.request = self._listing.request()
            # Whoever keeps the error keeps the walk, and may never come back to it.
            self._ahead.rest()
            raise
        raise StopAsyncIteration

    def _is_ended(self) -> bool:
        return self._walk is None

    async def _step(self, walk: Walk) -> Step:
        try:
            answer = await self._ahead.get(walk.ask())
            answer = msgspec.structs.replace(answer, page=unrepeated(answer.page))
        except BadRequestError:
            other = walk.fallback()
            if other is None:
                raise
            self._refused = self._listing.query.sources[walk.source]
            self._accept(walk, None, Step((), other))
            return Step((), other)
        if self._refused is not None:
            # The question without the sort was answered, so the sort it was.
            self._listing.api.unsortable.add(self._refused)
            self._refused = None
        step = self._checked(walk, answer)
        self._accept(walk, answer.page, step)
        return step

    def _checked(self, walk: Walk, answer: Answer) -> Step:
        page = answer.page
        try:
            step = walk.take(answer)
        except PaginationDriftError:
            raise
        except PaginationError:
            # A walk that cannot place a row which does not fit has that to say first.
            if page.faults:
                raise self._misfit(page, (), None) from None
            raise
        if page.faults and any(isinstance(row, InvalidRow) for row in step.rows):
            behind = write_cursor(self._listing.belongs_to(), (step.taker or walk).mark(page, step.rows))
            raise self._misfit(page, step.rows, behind)
        return step

    def _misfit(self, page: PageData[T], rows: Sequence[Any], cursor: str | None) -> DecodingError:
        error = DecodingError(page.faults, request=page.request, status=page.response.status)
        items = valid_records(rows)
        error.cursor = cursor
        error.page = Page(
            items, page.total_entries, page.next, cursor or self.cursor(len(self._rows)), page.response.body
        )
        return error

    def _accept(self, walk: Walk, page: PageData[T] | None, step: Step) -> None:
        if self._closed_at is not None:
            raise StopAsyncIteration  # It was closed while the answer was under way.
        following = step.walk or self._next_source(walk.source)
        if step.rows or following is None:
            self._taker, self._page, self._rows = step.taker or walk, page, step.rows[: self._left]
        else:
            self._taker, self._page, self._rows = following, None, ()
        if self._left is not None:
            self._left -= len(self._rows)
        self._walk = None if self._left == 0 else following
        self._ask_ahead()

    def _next_source(self, source: int) -> Walk | None:
        last = source + 1 == len(self._listing.query.sources)
        return None if last else self._begin(StartMark(source=source + 1))

    def _ask_ahead(self) -> None:
        most = self._listing.prefetch
        if not most:
            return
        if self._left is not None:
            most = min(most, -(-self._left // self._listing.query.per_page))
        try:
            self._ahead.ask(self._walk.ahead(most) if self._walk else ())
        except PaginationError:
            self._ahead.ask(())  # It is raised at its turn.


class PageIterator(Generic[T]):
    """A walk over a list by pages; after an error the next step asks for the same page again."""

    def __init__(self, listing: Listing[T]) -> None:
        """Take what is walked."""
        self._turns = _Turns(listing)
        self._lock = asyncio.Lock()
        self._begun = False
        self._handed = 0

    @property
    def cursor(self) -> str:
        """The place behind the last page handed out, to be given to `list(cursor=…)`."""
        return self._turns.cursor(self._handed)

    def __aiter__(self) -> Self:
        """Go on with this walk."""
        return self

    async def __anext__(self) -> Page[T]:
        """Give the next page."""
        async with self._lock:
            self._turns.let_go()
            rows, total = await self._turns.turn(empty=not self._begun)
            self._begun = True
            self._handed = len(rows)
            return self._turns.page(total)

    async def aclose(self) -> None:
        """Cancel the requests under way and end the iteration.

        The next step raises `StopAsyncIteration`; `cursor` stays after the last page returned. Closing twice is
        allowed. `contextlib.aclosing` calls this.
        """
        await self._turns.aclose(self._handed)


class RecordIterator(Generic[T]):
    """A walk over the records of a list; after an error the next step asks for the same page again."""

    def __init__(self, listing: Listing[T]) -> None:
        """Take what is walked."""
        self._turns = _Turns(listing)
        self._lock = asyncio.Lock()
        self._rows: Sequence[T] = ()
        self._items: Iterator[T] = iter(())

    @property
    def cursor(self) -> str:
        """The place behind the last record handed out, to be given to `list(cursor=…)`."""
        return self._turns.cursor(len(self._rows) - operator.length_hint(self._items))

    def __aiter__(self) -> Self:
        """Go on with this walk."""
        return self

    async def __anext__(self) -> T:
        """Give the next record."""
        for record in self._items:
            return record
        return await self._turn()

    async def _turn(self) -> T:
        async with self._lock:
            for record in self._items:
                return record  # Another consumer of this walk has turned the page meanwhile.
            if self._turns.let_go():
                self._rows, self._items = (), iter(())
            self._rows, _ = await self._turns.turn()
            self._items = iter(self._rows)
            return next(self._items)

    async def aclose(self) -> None:
        """Cancel the requests under way and end the iteration.

        The next step raises `StopAsyncIteration`; `cursor` stays after the last record returned. Closing twice is
        allowed. `contextlib.aclosing` calls this.
        """
        handed = len(self._rows) - operator.length_hint(self._items)
        self._rows, self._items = (), iter(())
        await self._turns.aclose(handed)
