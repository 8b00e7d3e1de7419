"""Decides what became of rows whose outcome is unknown, while none of them is in flight."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

import attrs

from .._loops import in_thread
from .._messages import RedactedRepr
from ..resources._base import Resource
from ._candidates import MARGIN, records_since
from ._journal import RowJournal
from ._matching import Matches, OpenRow, match
from ._outcome import BulkOutcome
from ._rows import PreparedRow, RowKey, body_of

T = TypeVar("T")

logger = logging.getLogger("cliniko_async")


@attrs.define(eq=False, repr=False)
class RowWork(RedactedRepr):
    """A row of a run, and when it was sent."""

    row: PreparedRow
    sent_at: float | None = None
    """The server's time at which it was first about to be sent, in seconds since 1970; None if it never was."""
    learned_at: float = 0.0
    """When its last request ended without a known outcome, in the event loop's time. Nothing was sent after that."""
    sent_again: bool = False
    """Whether this run sent it again because it had no record."""


class Resolver(Generic[T]):
    """The rows whose outcome is unknown."""

    def __init__(
        self,
        resource: Resource[T],
        journal: RowJournal,
        settle: float,
        deliver: Callable[[BulkOutcome[T]], Awaitable[None]],
    ) -> None:
        """Create without rows.

        Args:
            resource: Reads the list, at bulk priority.
            journal: Keeps what is decided.
            settle: Seconds after which a request can no longer have an effect.
            deliver: Receives the outcome of each row that is decided.
        """
        self._resource = resource
        self._journal = journal
        self._settle = settle
        self._deliver = deliver
        self._rows: dict[RowKey, RowWork] = {}

    def add(self, work: RowWork) -> None:
        """Add a row, whose last request ended, or whose process died, before now."""
        work.learned_at = _now()
        self._rows[work.row.key] = work

    async def resolve(self) -> list[RowWork]:
        """Look the rows up, and again whenever another one is final, until each is decided.

        A row is final `settle` seconds after its last request ended: that request can no longer have an effect.

        Returns:
            The rows to send again, which certainly have no record. Call it again afterwards. Empty if all are decided.

        Raises:
            ClinikoError: The records cannot be read, or the journal cannot be used.
        """
        while self._rows:
            final = {key for key, work in self._rows.items() if work.learned_at + self._settle <= _now()}
            await self._apply(await self._look_up(), final)
            without_record = [work for key in final if (work := self._rows.pop(key, None))]
            again = [work for work in without_record if not work.sent_again]
            for work in without_record:
                if work.sent_again:
                    # It failed twice: the next run finds out whether it can be created at all.
                    await self._deliver(BulkOutcome(number=work.row.number, status="open"))
                work.sent_again = True
            if again:
                return again
            await self._wait()
        return []

    async def _apply(self, matches: Matches, final: set[RowKey]) -> None:
        """Record the matches. An ambiguous row may still become clear until it is final."""
        for key, record_id in matches.adopted.items():
            await in_thread(partial(self._journal.record, key, "adopted", id=record_id))
            number = self._rows.pop(key).row.number
            await self._deliver(BulkOutcome(number=number, status="adopted", id=record_id))
        for key, ids in matches.ambiguous.items():
            if key in final:
                await in_thread(partial(self._journal.record, key, "ambiguous", candidates=ids))
                number = self._rows.pop(key).row.number
                await self._deliver(BulkOutcome(number=number, status="ambiguous", candidates=ids))

    async def _look_up(self) -> Matches:
        # In the order in which their requests ended: if there are too few records, the later rows get none.
        works = sorted(self._rows.values(), key=lambda work: work.learned_at)
        fields_type = self._resource.sent_fields("create")
        rows = [
            OpenRow(work.row.key, body_of(fields_type, work.row.fields), (work.sent_at or 0.0) - MARGIN)
            for work in works
        ]
        records = await records_since(self._resource, min(row.since for row in rows))
        entries = await in_thread(self._journal.entries)
        claimed = {entry.id for entry in entries}
        return match(rows, {id: record for id, record in records.items() if id not in claimed})

    async def _wait(self) -> None:
        """Wait until another row is final, if any row is left."""
        if self._rows:
            seconds = max(min(work.learned_at for work in self._rows.values()) + self._settle - _now(), 0.0)
            logger.info(
                "%s: the outcome of %d rows is unknown; they are looked up again in %.0f s",
                self._resource.name,
                len(self._rows),
                seconds,
            )
            await asyncio.sleep(seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()
