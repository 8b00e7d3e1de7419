"""What changed since last time: a stream of versions, and a cursor that goes on behind any of them."""

import asyncio
import datetime as dt
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, Self, TypeVar

import attrs

from ._frames import HiddenLocals
from ._paging.by_updated_at import ChangedStep, ChangedWalk, Moment, Version, version_digest
from ._paging.cursor import ChangesMark, changes_marks, fingerprint, read_cursor, write_cursor
from ._paging.prefetch import Ahead
from ._paging.query import is_calendar
from ._records.converter import version_content
from ._records.page import InvalidRow, PageData, valid_records
from ._records.record import Holder
from .errors import BadRequestError, ClinikoError, DecodingError, InvalidRequestError, PaginationError
from .filters import epoch_of
from .pagination import Listing, Page

T = TypeVar("T")

ChangeKind = Literal["upsert", "archive", "cancel", "delete"]

_KINDS: tuple[tuple[str, ChangeKind], ...] = (
    ("deleted_at", "delete"),
    ("archived_at", "archive"),
    ("cancelled_at", "cancel"),
)


@attrs.frozen
class Change(Holder, Generic[T]):
    """A record as it is now, and what that means: it is there, or it is archived, cancelled or deleted."""

    record: T
    kind: ChangeKind


class Changes(Generic[T]):
    """The changes of a resource since a moment or a cursor; each use asks anew.

    `async for change in changes` gives them up to the server's time of the first answer, in the order of `updated_at`.
    """

    def __init__(self, listing: Listing[T], since: dt.datetime | str | None, overlap: float) -> None:
        """Take what is asked for, where to begin, and how many seconds late a version may become visible."""
        self._listing = listing
        self._overlap = overlap
        self._mark: ChangesMark | None = None
        if isinstance(since, str):
            self._mark = read_cursor(since, self._belongs_to(), changes_marks, argument="since")
        elif since is not None:
            second = epoch_of(since)
            if not is_calendar(second):
                raise InvalidRequestError("since must lie between the years 1 and 9999 in UTC", argument="since")
            self._mark = ChangesMark(second=second, low=None, water=None, digests=b"", steps=())

    def _belongs_to(self) -> bytes:
        query = self._listing.query
        return fingerprint("changes", self._listing.api.account, query.sources, query.filters)

    def __aiter__(self) -> "ChangeIterator[T]":
        """Run over the changes."""
        query = self._listing.query
        if self._mark is None:
            walk = ChangedWalk(query, self._overlap, _digest)
        else:
            walk = ChangedWalk.resumed(query, self._overlap, _digest, self._mark)
        return ChangeIterator(self._listing, walk, self._belongs_to())

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise TypeError("changes are walked with `async for`, not with `for`")


class ChangeIterator(Generic[T]):
    """A run over changes; after an error the next step asks for the same page again."""

    def __init__(self, listing: Listing[T], walk: ChangedWalk, belongs_to: bytes) -> None:
        """Take what is asked for, and where the run begins."""
        self._listing = listing
        self._belongs_to = belongs_to
        self._ahead = Ahead(listing.api, listing.record, listing.envelope)
        self._lock = asyncio.Lock()
        self._step = ChangedStep((), walk, walk)
        self._items: Iterator[Version] = iter(())
        self._handed = 0
        self._closed_at: str | None = None

    @property
    def cursor(self) -> str:
        """The place behind the last change handed out, to be given to `changes`; at the end, that of the next run."""
        if self._closed_at is not None:
            return self._closed_at
        step = self._step
        behind = self._handed == len(step.versions)
        return self._write(step.walk.mark() if behind else step.taker.mark(step.versions[: self._handed]))

    def __aiter__(self) -> Self:
        """Go on with this run."""
        return self

    async def __anext__(self) -> Change[T]:
        """Give the next change."""
        async with self._lock:
            while True:
                for version in self._items:
                    self._handed += 1
                    return Change(version.row, _kind(version.row))
                if self._step.ended or self._closed_at is not None:
                    raise StopAsyncIteration
                await self._turn()

    async def aclose(self) -> None:
        """End the run.

        The next step raises `StopAsyncIteration`; `cursor` stays after the last change returned, for a later run to
        continue from. Closing twice is allowed. `contextlib.aclosing` calls this.
        """
        self._closed_at = self.cursor
        self._step, self._items = ChangedStep((), self._step.walk, self._step.walk), iter(())

    async def _turn(self) -> None:
        try:
            with HiddenLocals():
                step = await self._ask(self._step.walk)
        except ClinikoError as error:
            error.cursor = error.cursor or self.cursor
            if isinstance(error, PaginationError):
                error.request = self._listing.request()
            raise
        if self._closed_at is None:
            self._step, self._items, self._handed = step, iter(step.versions), 0

    async def _ask(self, walk: ChangedWalk) -> ChangedStep:
        try:
            page = (await self._ahead.get(walk.ask())).page
        except BadRequestError:
            other = walk.fallback()
            if other is None:
                raise
            return ChangedStep((), walk, other)
        return self._checked(walk, page)

    def _checked(self, walk: ChangedWalk, page: PageData[T]) -> ChangedStep:
        try:
            step = walk.take(page, Moment.of(page))
        except PaginationError:
            # A run that cannot place a record which does not fit has that to say first.
            if page.faults:
                raise self._misfit(page, (), self.cursor) from None
            raise
        rows = [version.row for version in step.versions]
        if any(isinstance(row, InvalidRow) for row in rows):
            raise self._misfit(page, rows, self._write(step.walk.mark()))
        return step

    def _misfit(self, page: PageData[T], rows: Sequence[Any], cursor: str) -> DecodingError:
        error = DecodingError(page.faults, request=page.request, status=page.response.status)
        error.cursor = cursor
        items = valid_records(rows)
        error.page = Page(items, page.total_entries, page.next, cursor, page.response.body)
        return error

    def _write(self, mark: ChangesMark) -> str:
        return write_cursor(self._belongs_to, mark)


def _kind(record: object) -> ChangeKind:
    for field, kind in _KINDS:
        if getattr(record, field, None) is not None:
            return kind
    return "upsert"


def _digest(row: object) -> int:
    return version_digest(row, row.content if isinstance(row, InvalidRow) else version_content(row))
