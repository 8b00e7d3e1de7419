"""What a watch is made of: run after run over the changes, waits between requests, and a cursor that is saved."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ._backoff import retry_delays
from ._paging.pager import ListSpec
from .changes import Change, ChangeIterator, change_of
from .cursors import CursorStore
from .errors import (
    ClinikoError,
    DecodingError,
    LimiterUnavailableError,
    PaginationError,
    ResponseError,
    TransportError,
)
from .observers import WatchInterrupted

T = TypeVar("T")

logger = logging.getLogger("cliniko_async")

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 300.0
"""Seconds from an error to the next request: at most the first wait, doubled with each further error."""
_TRANSIENT = (TransportError, LimiterUnavailableError, DecodingError, PaginationError)


def is_transient(error: ClinikoError) -> bool:
    """Return whether a request may succeed later, although neither the program nor the key changes."""
    if isinstance(error, ResponseError):
        return error.status in (408, 429) or not 400 <= error.status < 500
    return isinstance(error, _TRANSIENT)


def report(spec: ListSpec[Any], error: ClinikoError, wait: float) -> None:
    """Tell the log and the observers of an error after which the watch of a list sends the next request."""
    # The text of an error contains neither a query nor a value of a record.
    logger.warning("the watch of %s continues in %.1f s after an error: %s", spec.name, wait, error)
    _tell(spec, error, (), wait)


def report_invalid(spec: ListSpec[Any], error: DecodingError) -> None:
    """Tell the log and the observers of invalid records that the watch of a list leaves out."""
    # All of the faults, because the text of the error shows only some. They have ids and fields, but no values.
    logger.warning("the watch of %s left out invalid records: %s", spec.name, "; ".join(error.faults))
    _tell(spec, error, error.faults, 0.0)


def _tell(spec: ListSpec[Any], error: ClinikoError, faults: tuple[str, ...], wait: float) -> None:
    name = type(error).__name__
    spec.api.emit(WatchInterrupted(resource=spec.name, error=name, faults=faults, seconds=wait))


class Pace:
    """When the next request is due: at the next poll, or some time after an error."""

    def __init__(self, every: float) -> None:
        """Create the pace of a watch; the first request is due at once.

        Args:
            every: Seconds from the beginning of a run over the changes to that of the next one.
        """
        self._every = every
        self._clock = asyncio.get_running_loop().time
        self._due = self._clock()
        self._poll_began = self._due
        self.succeed()

    def wait(self) -> float:
        """Return the seconds until the next request is due; 0 or less if it is."""
        return self._due - self._clock()

    def end_run(self) -> None:
        """Make the next poll due, `every` seconds after the last one was."""
        self.succeed()
        self._due = self._poll_began = max(self._poll_began + self._every, self._clock())

    def succeed(self) -> None:
        """Begin with a short wait again after the next error."""
        self._delays = retry_delays(_FIRST_WAIT, _LONGEST_WAIT)

    def fail(self) -> float:
        """Make the next request due after a wait, which is longer with each error in a row; return the wait."""
        wait = next(self._delays)
        self._due = self._clock() + wait
        return wait


class EndlessRuns(Generic[T]):
    """Run after run over the changes of a list; a transient error is reported, and the same page requested again.

    The valid records of a page that also has invalid ones are yielded, and the next page follows. Until the last of
    them was yielded, the cursor stays before that page.
    """

    def __init__(
        self, spec: ListSpec[T], begin: Callable[[str | None], ChangeIterator[T]], cursor: str | None, pace: Pace
    ) -> None:
        """Create the runs.

        Args:
            spec: The list.
            begin: Begins a run at a cursor, or, given None, at the first change to be yielded.
            cursor: Where to begin, or None.
            pace: Decides when the next request is due.

        Raises:
            InvalidRequestError: `cursor` is not a cursor of these changes.
        """
        self._spec = spec
        self._begin = begin
        self._run = begin(cursor)
        self._run_after_page = self._run
        self._valid: deque[T] = deque()
        self._pace = pace

    @property
    def cursor(self) -> str:
        """The position after the last change that was returned."""
        return self._run.cursor

    def wait(self) -> float:
        """Return the seconds until another request is due; 0 or less if there is a change already, or it is due."""
        return 0.0 if self._valid else self._pace.wait()

    async def next(self) -> Change[T] | None:
        """Return the next change, or None after the end of a run or an error: another request is due later."""
        if not self._valid:
            return await self._request()
        record = self._valid.popleft()
        if not self._valid:
            self._run = self._run_after_page
        return change_of(record)

    async def _request(self) -> Change[T] | None:
        try:
            change = await anext(self._run)
        except StopAsyncIteration:
            self._run = self._begin(self._run.cursor)
            self._pace.end_run()
            return None
        except ClinikoError as error:
            if not is_transient(error):
                raise
            self._survive(error)
            return None
        self._pace.succeed()
        return change

    def _survive(self, error: ClinikoError) -> None:
        if isinstance(error, DecodingError) and error.page is not None:
            self._pace.succeed()
            report_invalid(self._spec, error)
            self._run_after_page = self._begin(error.cursor)
            self._valid.extend(error.page.items)
            if not self._valid:
                self._run = self._run_after_page
        else:
            # A new run, because the state of the old one may be what caused the error.
            self._run = self._begin(self._run.cursor)
            report(self._spec, error, self._pace.fail())

    async def aclose(self) -> None:
        """End the current run; `cursor` stays after the last change that was returned."""
        await self._run.aclose()


class SavedCursor:
    """The cursor of a watch in its store, which is written only if it has changed."""

    def __init__(self, store: CursorStore | None, account: str, name: str) -> None:
        """Create for an account and the name of a stream; without a store, nothing is saved."""
        self._store = store
        self._account = account
        self._name = name
        self._saved: str | None = None

    async def load(self) -> str | None:
        """Load the cursor; return None if there is none, or no store."""
        if self._store is not None:
            self._saved = await self._store.load(self._account, self._name)
        return self._saved

    async def save(self, runs: EndlessRuns[Any]) -> None:
        """Save the cursor of the runs, which is not even computed if there is no store."""
        if self._store is not None and (cursor := runs.cursor) != self._saved:
            await self._store.save(self._account, self._name, cursor)
            self._saved = cursor
