"""Creates the records of all rows, so that a run that ends anywhere is continued without a lost or duplicated record.

1. The rows are checked, and compared with the journal.
2. A row is sent at most once at a time. The journal records it before it is sent, and its outcome afterwards.
3. While nothing is in flight, the records of rows without an outcome are looked up. A row without a record is sent
   again once its last request can no longer have an effect, which is so after `settle` seconds.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

import attrs

from .._http.attempt import Transport
from .._loops import in_thread
from ..errors import ClinikoError, DecodingError, JournalError, OutcomeUnknownError, ResponseError, UnprocessableError
from ..resources._base import Resource
from ._journal import JournalEntry, RowJournal
from ._outcome import BulkOutcome, earlier_outcome
from ._resolving import Resolver, RowWork
from ._rows import PreparedRow
from ._sending import ClockSetting, Journaling, ServerClock

T = TypeVar("T")

_ROW_STATUSES = (400, 404, 409, 413, 422)
"""Statuses that refuse one row. Any other would refuse all of them, so it ends the run."""
_MOST_UNKNOWN = 10
"""After this many unknown outcomes in a row, the run stops: the server is failing."""


@attrs.frozen(kw_only=True)
class BulkOptions:
    """The options of a run, which are those of `bulk_create`."""

    concurrency: int
    settle: float
    retry_refused: bool
    allow_new: bool


class BulkWorker(Generic[T]):
    """Does the work of one run, over rows that were checked, with an open journal."""

    def __init__(
        self,
        resource: Resource[T],
        journal: RowJournal,
        options: BulkOptions,
        deliver: Callable[[BulkOutcome[T]], Awaitable[None]],
    ) -> None:
        """Create the worker of a run.

        Args:
            resource: The resource, with any priority.
            journal: Belongs to the account and the resource.
            options: The options of `bulk_create`.
            deliver: Receives the outcome of each row.
        """
        self._resource = resource
        self._journal = journal
        self._options = options
        self._deliver = deliver
        self._clock = ServerClock()
        self._resolver = Resolver(resource.bulk_through(self._set_clock), journal, options.settle, deliver)
        self._failure: Exception | None = None
        self._unknown_in_turn = 0

    async def run(self, rows: list[PreparedRow], entries: list[JournalEntry]) -> None:
        """Bring each row to its outcome.

        Args:
            rows: The rows.
            entries: The journal, with an entry for each row.

        Raises:
            ClinikoError: The run cannot go on. The journal has whatever was sent.
        """
        pending: list[RowWork] = []
        open_rows: list[RowWork] = []
        known = {entry.key: entry for entry in entries}
        for row in rows:
            entry = known[row.key]
            if entry.state == "pending" or (entry.state == "refused" and self._options.retry_refused):
                pending.append(RowWork(row, entry.sent_at))
            elif entry.state == "open":
                open_rows.append(RowWork(row, entry.sent_at))
            else:
                await self._deliver(earlier_outcome(entry, row.number))
        if pending or open_rows:
            await self._read_clock()
        for work in open_rows:
            self._resolver.add(work)
        await self._send(pending)
        while again := await self._resolver.resolve():
            await self._send(again)

    async def _read_clock(self) -> None:
        """Set the clock, by a request that also shows whether the key is valid.

        Raises:
            DecodingError: The response does not say the time.
        """
        resource: Any = self._resource.bulk_through(self._set_clock)
        await resource.list().count()
        if not self._clock.is_set:
            raise DecodingError(["the Date header is missing"], request=self._clock.request)

    def _set_clock(self, inner: Transport) -> Transport:
        return ClockSetting(inner, self._clock)

    def _journal_first(self, work: RowWork, inner: Transport) -> Transport:
        return Journaling(self._set_clock(inner), partial(self._mark, work))

    async def _send(self, works: list[RowWork]) -> None:
        """Send rows, several at once. After a failure no more are sent, and those in flight are waited for."""
        queue = deque(works)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._options.concurrency, len(queue))):
                group.create_task(self._send_from(queue))
        if self._failure is not None:
            raise self._failure

    async def _send_from(self, queue: deque[RowWork]) -> None:
        while queue and self._failure is None:
            try:
                outcome = await self._create(queue.popleft())
                if outcome is not None:
                    await self._deliver(outcome)
            except Exception as error:  # noqa: BLE001  (it is raised when nothing is in flight)
                self._failure = self._failure or error

    async def _create(self, work: RowWork) -> BulkOutcome[T] | None:
        """Send one row; return its outcome, or None if it is unknown."""
        resource: Any = self._resource.bulk_through(partial(self._journal_first, work))
        row = work.row
        try:
            record: Any = await resource.create(**row.fields)
        except (OutcomeUnknownError, DecodingError):
            self._resolver.add(work)
            self._unknown_in_turn += 1
            if self._unknown_in_turn >= _MOST_UNKNOWN:
                raise
            return None
        except ResponseError as error:
            if error.status not in _ROW_STATUSES:
                await self._take_back(row)
                raise
            self._unknown_in_turn = 0
            faults = error.errors if isinstance(error, UnprocessableError) else {}
            faults = faults or {"": f"the API answered {error.status}"}
            await in_thread(lambda: self._journal.record(row.key, "refused", faults=faults))
            return BulkOutcome(number=row.number, status="refused", faults=faults)
        except ClinikoError:
            await self._take_back(row)
            raise
        self._unknown_in_turn = 0
        await in_thread(lambda: self._journal.record(row.key, "created", id=record.id))
        return BulkOutcome(number=row.number, status="created", id=record.id, record=record)

    async def _mark(self, work: RowWork) -> None:
        """Record that a row is about to be sent."""
        now = self._clock.now()
        await in_thread(lambda: self._journal.mark_sent(work.row.key, now))
        work.sent_at = work.sent_at or now

    async def _take_back(self, row: PreparedRow) -> None:
        """Record that a row was not created, although the journal may say that it was about to be sent."""
        # If the journal cannot be used, the next run looks the row up.
        with suppress(JournalError):
            await in_thread(lambda: self._journal.record(row.key, "pending"))
