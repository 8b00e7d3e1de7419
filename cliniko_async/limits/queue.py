"""The callers of one event loop that wait for permits of a store, and the steps that serve them."""

import asyncio
import contextlib
import itertools
import math
import secrets
from bisect import bisect_left, insort
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from .._loops import call_from_anywhere
from ..errors import UsageError
from .base import PRIORITIES, Limits, Priority
from .loop_timer import LoopTimer
from .permit import LeasedPermit
from .store import LONGEST_RETRY, StepReply, StoreLostError, lost_error, store_retries
from .window import Grant, LeaseUpdate, StepRequest, granted_leases, limits_of

if TYPE_CHECKING:
    from .shared import LeaseLedger

WaitingCall: TypeAlias = tuple[int, asyncio.Future[LeasedPermit]]
"""The number of an arrival, and what is set when the caller gets a permit."""
_STALE = 1.0
_arrivals = itertools.count()


class StoreQueue:
    """The waiting callers of one event loop. The store sees them as one entry per priority, with their number.

    One step at a time is under way, for all waiting callers. Reports are sent with it, or shortly afterwards. A step
    whose reply was lost is sent again with the same number. While there is nothing to do, there is no task or timer.
    """

    def __init__(self, ledger: "LeaseLedger") -> None:
        self.waiting: dict[Priority, list[WaitingCall]] = {priority: [] for priority in PRIORITIES}
        self._ledger = ledger
        self._turn = asyncio.Lock()
        self._request = StepRequest(secrets.token_hex(6), number=0, first_lease=1, interactive=0, bulk=0)
        self._is_unanswered = False
        """Whether the outcome of the last request is unknown."""
        self._queued: set[Priority] = set()
        """The priorities at which the store knows of waiting callers."""
        self._timer = LoopTimer(ledger.clock, self._step_soon)
        self._is_due = False
        self._task: asyncio.Task[None] | None = None

    async def acquire(self, priority: Priority) -> LeasedPermit:
        """Wait for a permit that is valid now, after earlier callers.

        Raises:
            StoreLostError: The store cannot be used, and the limiter does not wait for it.
        """
        arrival = next(_arrivals)
        while True:
            permit = await self._wait(priority, arrival)
            # A permit that was not picked up in time is returned: a pause may have begun after it was granted.
            now = self._ledger.clock()
            # By the clock of the store, the pause may have ended a little earlier than by that of this process.
            is_paused = self._ledger.backoff.paused_until > now + self._ledger.rules.step_delay
            if now - permit.granted_at <= _STALE and not is_paused:
                return permit
            permit.cancel()

    async def limits(self) -> Limits:
        """Return the state of the window.

        Raises:
            StoreLostError: The store cannot be used.
        """
        try:
            async with self._turn:
                if self._is_unanswered:
                    await self._step()
                reply = await self._step()
        except BaseException:
            self.step_within(0.0)  # The step is not finished.
            raise
        return limits_of(reply.state, self._ledger.rules)

    def step_within(self, seconds: float) -> None:
        """Do a step within some seconds, unless the loop is closed; may be called from any thread."""
        if not self._ledger.closed:
            self._timer.set(self._ledger.clock() + seconds)

    def fail_all(self) -> None:
        """End every wait with a UsageError, because the limiter is closed."""
        self._fail_waiters(_closed_error)
        self._timer.stop()
        if self._task is not None:
            self._task.cancel()

    def fail_soon(self) -> None:
        """End every wait, from any thread."""
        call_from_anywhere(self._timer.loop, self.fail_all)

    async def close(self) -> None:
        """End every wait, report to the store what has not been reported yet, and close it."""
        self.fail_all()
        if self._task is not None:
            await asyncio.wait([self._task])
        async with self._turn:
            with contextlib.suppress(StoreLostError):  # The waiting callers have their error already.
                while self._queued or self._is_unanswered or self._ledger.report_within < math.inf:
                    await self._step()
            await self._ledger.store.close()

    async def finish(self) -> None:
        """Finish the queue of a closed event loop in another loop: learn how its last step ended, and withdraw.

        Several loops may do it at once, and each of them may be closed meanwhile: the store does a step only once.

        Raises:
            StoreLostError: The store cannot be used.
        """
        last, grants = self._request, dict[Priority, Grant]()
        if self._is_unanswered:
            grants = (await self._ledger.store.step(last)).grants
        elif not self._queued:
            return
        leases = granted_leases(last, grants)  # Their callers no longer exist.
        updates = [LeaseUpdate(lease, priority, -math.inf) for priority, lease in leases]
        await self._ledger.store.step(StepRequest(last.process, last.number + 1, last.first_lease, 0, 0, updates))

    async def _wait(self, priority: Priority, arrival: int) -> LeasedPermit:
        woken: asyncio.Future[LeasedPermit] = self._timer.loop.create_future()
        waiting = self.waiting[priority]
        insort(waiting, (arrival, woken))
        if priority in self._queued:
            # Bulk callers of other processes yield only to the interactive callers that the store knows of.
            self.step_within(self._ledger.rules.step_delay)
        else:
            self._step_soon()
        try:
            return await woken
        except BaseException:
            if woken.done() and not woken.cancelled() and woken.exception() is None:
                woken.result().cancel()
            raise
        finally:
            index = bisect_left(waiting, (arrival,))
            if waiting[index : index + 1] == [(arrival, woken)]:
                del waiting[index]
                self.step_within(self._ledger.rules.step_delay)

    def _step_soon(self) -> None:
        """Do a step now, or after the one that is under way."""
        self._is_due = True
        if self._task is None and not self._ledger.closed:
            self._task = self._timer.loop.create_task(self._run())
            # Not at the end of its coroutine: a task that is cancelled before its first turn never begins it.
            self._task.add_done_callback(self._end_task)

    def _end_task(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled():
            # Its step is not finished. A timer, as all tasks of a loop are cancelled before it is closed.
            self.step_within(self._ledger.rules.step_delay)
        elif self._is_due:
            self._step_soon()

    async def _run(self) -> None:
        """Do the steps that are due; if the limiter waits for a store that is lost, try again until it is back."""
        retries = store_retries()
        try:
            while self._is_due:
                try:
                    async with self._turn:
                        await self._step()
                except StoreLostError as error:
                    if error.lasting or not self._ledger.store.waits:
                        raise
                    self._is_due = True
                    await asyncio.sleep(next(retries))
                else:
                    retries = store_retries()
        except Exception as error:  # noqa: BLE001  (no error of a store may make callers wait forever)
            self._is_due = False
            self._queued.clear()
            self._fail_waiters(_closed_error if self._ledger.closed else partial(lost_error, error))
            if not lost_error(error).lasting:
                self.step_within(LONGEST_RETRY)  # What the step reported still has to be reported.

    async def _step(self) -> StepReply:
        """Do a step and deliver the permits that it granted; the caller must hold the turn."""
        self._is_due = False
        self._timer.stop()
        if not self._is_unanswered:
            await self._ledger.finish_closed_loops()
            self._request, self._is_unanswered = self._next_request(), True
        reply = await self._ledger.store.step(self._request)
        self._is_unanswered = False
        self._deliver(reply)
        return reply

    def _next_request(self) -> StepRequest:
        updates, backoff = self._ledger.take()
        interactive, bulk = (len(waiting) for waiting in self.waiting.values())
        last = self._request
        return StepRequest(last.process, last.number + 1, last.first_lease, interactive, bulk, updates, backoff)

    def _deliver(self, reply: StepReply) -> None:
        """Give the granted permits to waiting callers, and schedule the step that asks for the rest."""
        ledger, now = self._ledger, self._ledger.clock()
        ledger.learn(reply.backoff)
        self._queued = {priority for priority, grant in reply.grants.items() if grant.delay < math.inf}
        for priority, lease in granted_leases(self._request, reply.grants):
            self._request.first_lease += 1
            _give(LeasedPermit(ledger, lease, priority, now), self.waiting[priority])
        for priority, waiting in self.waiting.items():
            if priority in self._queued:
                # Without waiting callers, the next step withdraws from the queue.
                delay = reply.grants[priority].delay if waiting else ledger.rules.step_delay
                # The time that the store names is too late if a process ahead withdraws, or is killed.
                self.step_within(min(delay, ledger.rules.place_timeout))
            elif waiting:
                self._step_soon()
        self.step_within(ledger.report_within)  # What was not part of this step.

    def _fail_waiters(self, make_error: Callable[[], Exception]) -> None:
        """End every wait with an error of its own."""
        for waiting in self.waiting.values():
            for _, woken in waiting:
                if not woken.done():
                    woken.set_exception(make_error())
            waiting.clear()


def _closed_error() -> UsageError:
    return UsageError("the limiter is closed")


def _give(permit: LeasedPermit, waiting: list[WaitingCall]) -> None:
    """Give a permit to the first waiting caller, or cancel it if there is none."""
    while waiting:
        _, woken = waiting.pop(0)
        if not woken.done():
            woken.set_result(permit)
            return
    permit.cancel()
