"""Changes since an earlier run, with a cursor after each of them."""

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Generic, Literal, NoReturn, Self, TypeVar

import attrs

from ._dates import is_datetime, plain_datetime
from ._paging.by_updated_at import ByUpdatedAt, RunOptions, version_digest
from ._paging.cursor import UpdatedAtPosition, changes_positions, fingerprint, read_cursor
from ._paging.page_rows import is_calendar, second_of
from ._paging.pager import ListSpec, Pager
from ._records.converter import version_content
from ._records.page import InvalidRow
from ._records.record import Holder
from .errors import InvalidRequestError
from .pagination import RecordIterator

T = TypeVar("T")

ChangeKind = Literal["upsert", "archive", "cancel", "delete"]

_KINDS: tuple[tuple[str, ChangeKind], ...] = (
    ("deleted_at", "delete"),
    ("archived_at", "archive"),
    ("cancelled_at", "cancel"),
)


@attrs.frozen
class Change(Holder, Generic[T]):
    """A record in its current state.

    Attributes:
        record: The record.
        kind: `"archive"`, `"cancel"` or `"delete"` if the record is archived, cancelled or deleted, otherwise
            `"upsert"`.
    """

    record: T
    kind: ChangeKind


class Changes(Generic[T]):
    """The changes of a resource since a moment or a cursor. Each use starts over.

    `async for change in changes` yields them in the order of `updated_at`, up to the server's time of the first
    response.
    """

    def __init__(self, spec: ListSpec[T], since: dt.datetime | str | None, overlap: float) -> None:
        """Create a description of a run over changes.

        Args:
            spec: What to request, and how its pages are decoded.
            since: A moment, or the cursor of an earlier run. None starts at the first change.
            overlap: Seconds after its `updated_at` within which a version may become visible and still be found.

        Raises:
            InvalidRequestError: `since` is outside the years 1 to 9999, or is not a cursor of these changes.
        """
        self._spec = spec
        query = spec.query
        self._belongs_to = fingerprint("changes", spec.api.account_digest, query.sources, query.filters)
        self._begin = partial(ByUpdatedAt.resumed, query, RunOptions(overlap, _digest))
        self._position = UpdatedAtPosition(second=None)
        if isinstance(since, str):
            self._position = read_cursor(since, self._belongs_to, changes_positions, argument="since")
        elif since is not None:
            self._position = UpdatedAtPosition(second=_second_of(since))

    def __aiter__(self) -> "ChangeIterator[T]":
        """Return an iterator over the changes."""
        return ChangeIterator(Pager(self._spec, self._begin, self._position, self._belongs_to))

    def __repr__(self) -> str:
        """Return the resource and the number of filters."""
        return f"<Changes of {self._spec.describe()}>"

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise TypeError("iterate over changes with `async for`, not with `for`")


class ChangeIterator(Generic[T]):
    """A run over changes; after an error the next step requests the same page again."""

    def __init__(self, pager: Pager[T]) -> None:
        """Create an iterator over changes.

        Args:
            pager: Requests the pages and tracks the position.
        """
        self._records = RecordIterator(pager)

    @property
    def cursor(self) -> str:
        """The position after the last change yielded, for `changes(…)`; at the end, that of the next run."""
        return self._records.cursor

    def __aiter__(self) -> Self:
        """Continue this run."""
        return self

    async def __anext__(self) -> Change[T]:
        """Return the next change."""
        record = await anext(self._records)
        return change_of(record)

    async def aclose(self) -> None:
        """End the run.

        The next step raises `StopAsyncIteration`; `cursor` stays after the last change returned, for a later run to
        continue from. Closing twice is allowed. `contextlib.aclosing` calls this.
        """
        await self._records.aclose()


def change_of(record: T) -> Change[T]:
    """Return a record with what happened to it.

    Args:
        record: The record.

    Returns:
        The change.
    """
    return Change(record, _kind(record))


def _second_of(since: dt.datetime) -> int:
    """Return a moment in whole seconds since 1970, rounded down."""
    if not is_datetime(since) or since.utcoffset() is None:
        raise InvalidRequestError("since must be a datetime with a time zone, or a cursor", argument="since")
    second = second_of(plain_datetime(since))
    if not is_calendar(second):
        raise InvalidRequestError("since must be between the years 1 and 9999 in UTC", argument="since")
    return second


def _kind(record: object) -> ChangeKind:
    for field, kind in _KINDS:
        if getattr(record, field, None) is not None:
            return kind
    return "upsert"


def _digest(row: object) -> int:
    return version_digest(row, row.content if isinstance(row, InvalidRow) else version_content(row))
