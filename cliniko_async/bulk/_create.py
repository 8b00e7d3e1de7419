"""`bulk_create`, and what it returns."""

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, Self, TypeVar

import attrs

from .._checks import count_argument, seconds_argument
from .._frames import HiddenLocals, hides_locals
from .._loops import call_from_anywhere, in_thread, stop
from .._messages import RedactedRepr
from ..errors import InvalidRequestError, JournalError
from ..resources._base import Resource
from ._journal import JournalEntry, Owner, RowJournal
from ._outcome import BulkOutcome, BulkPlan, plan_of
from ._rows import PreparedRow, prepare_rows
from ._worker import BulkOptions, BulkWorker

T = TypeVar("T")

_SETTLE = 300.0


@hides_locals
def bulk_create(
    resource: Resource[T],
    rows: Iterable[Mapping[str, Any]],
    *,
    journal: str | os.PathLike[str],
    concurrency: int = 4,
    settle: float = _SETTLE,
    numbers: Sequence[int] | None = None,
    new_rows: Literal["refuse", "create"] = "refuse",
    retry_refused: bool = False,
) -> "BulkCreate[T]":
    """Create many records, so that a run that ends anywhere can be repeated without a lost or duplicated record.

    Iterate over the result to run it: `async for outcome in bulk_create(...)`. Each row comes once, also those that an
    earlier run with the same journal created. All rows are checked before anything is sent. Requests have bulk
    priority and no deadline.

    A row whose outcome is unknown, because its response was lost or the process was killed, is looked up among the
    records that were created since. If there is exactly one record for it, it is adopted. If there is none `settle`
    seconds after its last request can have been sent, it is sent again. Otherwise it is "ambiguous": a person must
    decide, with `decide`.

    Args:
        resource: A resource with `create`, such as `cliniko.patients`.
        rows: For each record the keyword arguments of `create`. Identical rows are created as often as they come.
        journal: A file that keeps what became of each row. It is created if it is missing, belongs to one account and
            resource, and is locked during the run. It has digests and ids, and what the API said about refused fields.
        concurrency: How many rows may be in flight at once; 4 by default.
        settle: Seconds after which a request that was given up can no longer have an effect; 300 by default. At the
            end, a run waits this long if a row has an unknown outcome and no record.
        numbers: A different number for each row, such as its line in a file. None, the default, counts from 1.
        new_rows: What to do if the journal has created rows that are missing now while other rows are new, so that a
            created row may have been changed: "refuse", the default, or "create" the new rows.
        retry_refused: Whether to send unchanged rows again that the API refused; False by default.

    Returns:
        The bulk create. Nothing is sent, and no file is opened, before it is iterated.

    Raises:
        InvalidRequestError: An option is invalid.
    """
    if not isinstance(resource, Resource) or "create" not in resource.operations:
        raise InvalidRequestError("resource must be one with create, such as cliniko.patients", argument="resource")
    if new_rows not in ("refuse", "create"):
        raise InvalidRequestError('new_rows must be "refuse" or "create"', argument="new_rows")
    options = BulkOptions(
        concurrency=count_argument("concurrency", concurrency),
        settle=seconds_argument("settle", settle, zero=True),
        retry_refused=bool(retry_refused),
        allow_new=new_rows == "create",
    )
    return BulkCreate(_BulkInput(resource, rows, numbers, Path(journal), options))


@attrs.frozen(repr=False)
class _BulkInput(RedactedRepr, Generic[T]):
    """What is to be created."""

    resource: Resource[T]
    rows: Iterable[Mapping[str, Any]]
    numbers: Sequence[int] | None
    path: Path
    options: BulkOptions

    @property
    def owner(self) -> Owner:
        return Owner(self.resource.account_digest, self.resource.name)

    async def prepare(self) -> list[PreparedRow]:
        return await prepare_rows(self.resource.sent_fields("create"), self.rows, self.numbers)

    def entries(self) -> list[JournalEntry]:
        """Return what the journal knows, without creating it."""
        if not self.path.exists():
            return []
        with RowJournal(self.path, self.owner) as journal:
            return journal.entries()


class BulkCreate(RedactedRepr, Generic[T]):
    """Many records to create, as `bulk_create` returns it."""

    def __init__(self, given: _BulkInput[T]) -> None:
        """Create from what is to be created.

        Args:
            given: The resource, the rows, the journal and the options.
        """
        self._given = given

    def __aiter__(self) -> "BulkRun[T]":
        """Return a run, which starts with its first step."""
        return BulkRun(self._given)

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise TypeError("iterate over a bulk create with `async for`, not with `for`")

    async def plan(self) -> BulkPlan:
        """Check all rows, and compare them with the journal, without sending anything or changing the journal.

        Returns:
            What a run would do with each row.

        Raises:
            InvalidRequestError: `numbers` does not fit the rows.
            InvalidRowsError: Rows are invalid; its `faults` has all of them.
            JournalError: The journal is in use, belongs to another account or resource, or cannot be read.
        """
        with HiddenLocals():
            rows = await self._given.prepare()
            entries = await in_thread(self._given.entries)
            return plan_of(rows, entries, allow_new=self._given.options.allow_new)


class BulkRun(RedactedRepr, Generic[T]):
    """A run of a bulk create: an iterator over the outcome of each row, as soon as it is known.

    A task does the work, and starts with the first step. If the `async for` ends early, it stops. The next run looks up
    the rows in flight.
    """

    def __init__(self, given: _BulkInput[T]) -> None:
        """Create a run.

        Args:
            given: The resource, the rows, the journal and the options.
        """
        self._given = given
        self._outcomes = _Outcomes[T](2 * given.options.concurrency)
        self._task: asyncio.Task[None] | None = None

    def __aiter__(self) -> Self:
        """Continue this run."""
        return self

    async def __anext__(self) -> BulkOutcome[T]:
        """Return the outcome of the next row.

        Raises:
            InvalidRequestError: `numbers` does not fit the rows.
            InvalidRowsError: Rows are invalid; nothing was sent.
            JournalError: The journal cannot be used, or does not fit the rows.
            ClinikoError: The run cannot go on, as the key is refused or the server cannot be used. Repeat it later.
        """
        with HiddenLocals():
            if self._task is None:
                # The worker has no reference to this iterator, which is collected when the loop is left.
                self._task = asyncio.create_task(_work(self._given, self._outcomes))
                self._task.add_done_callback(self._outcomes.end)
            try:
                return await self._outcomes.next()
            except asyncio.CancelledError:
                await self.aclose()
                raise

    async def aclose(self) -> None:
        """Stop the run, and wait for its end. The next step raises `StopAsyncIteration`. Closing twice is allowed."""
        self._outcomes.discard()
        if self._task is not None:
            await stop(self._task, self._task.cancel)

    def __del__(self) -> None:
        """Stop the run."""
        task = self._task
        if task is not None and not task.done():
            call_from_anywhere(task.get_loop(), task.cancel)


class _Outcomes(Generic[T]):
    """The outcomes that are not consumed yet, up to a limit, and then the error that ended the run."""

    def __init__(self, limit: int) -> None:
        self._queue: asyncio.Queue[BulkOutcome[T] | None] = asyncio.Queue()
        self._slots = asyncio.Semaphore(limit)
        self._error: BaseException | None = None

    async def deliver(self, outcome: BulkOutcome[T]) -> None:
        await self._slots.acquire()
        self._queue.put_nowait(outcome)

    def end(self, task: asyncio.Task[None]) -> None:
        self._error = None if task.cancelled() else task.exception()
        self._queue.put_nowait(None)

    def discard(self) -> None:
        self._error = None
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def next(self) -> BulkOutcome[T]:
        outcome = await self._queue.get()
        if outcome is not None:
            self._slots.release()
            return outcome
        self._queue.put_nowait(None)  # For the next call.
        error, self._error = self._error, None
        raise error or StopAsyncIteration


async def _work(given: _BulkInput[T], outcomes: _Outcomes[T]) -> None:
    rows = await given.prepare()
    with ExitStack() as stack:
        journal, entries = await in_thread(lambda: _open(stack, given, rows))
        await BulkWorker(given.resource, journal, given.options, outcomes.deliver).run(rows, entries)


def _open(stack: ExitStack, given: _BulkInput[Any], rows: list[PreparedRow]) -> tuple[RowJournal, list[JournalEntry]]:
    journal = stack.enter_context(RowJournal(given.path, given.owner, create=True))
    plan = plan_of(rows, journal.entries(), allow_new=given.options.allow_new)
    if plan.problem:
        raise JournalError(f'{plan.problem} (new_rows="create")' if plan.can_allow_new else plan.problem)
    journal.enter(rows)
    return journal, journal.entries()
