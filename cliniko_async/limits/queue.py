"""The callers of one event loop that wait for permits of a store, and the steps that serve them."""

import asyncio
import contextlib
import itertools
import math
import secrets
from bisect import insort
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from .._loops import runs_here
from ..errors import UsageError
from .base import PRIORITIES, Limits, Priority
from .permit import LeasedPermit
from .store import StepReply, StoreLostError, WatchedStore, change_by
from .window import LeaseUpdate, StepRequest, lease_id, limits_of

if TYPE_CHECKING:
    from .shared import LeaseLedger

Waiter: TypeAlias = tuple[int, asyncio.Future[LeasedPermit]]
_STALE = 1.0


class StoreQueue:
    """The waiting callers of one event loop. The store sees them as one entry per priority, with their number.

    One step at a time is under way, for all waiting callers. Reports are sent with it, or shortly afterwards. A step
    whose reply was lost is sent again with the same number. While there is nothing to do, there is no task or timer.
    """

    def __init__(self, ledger: "LeaseLedger", *, wait: bool) -> None:
        self.waiting: dict[Priority, list[Waiter]] = {priority: [] for priority in PRIORITIES}
        self.rules = ledger.rules
        self.clock = ledger.clock
        self._loop = asyncio.get_running_loop()
        self._ledger = ledger
        self._store = WatchedStore(ledger.store, self._fail_limits_requests, wait=wait)
        self._arrivals = itertools.count()
        self._request = StepRequest(secrets.token_hex(6), number=0, first_lease=1, interactive=0, bulk=0)
        self._is_open = False
        """Whether the outcome of the last request is unknown."""
        self._queued: set[Priority] = set()
        """The priorities at which the store knows of waiting callers."""
        self._limits_requests: list[asyncio.Future[Limits]] = []
        self._due_at = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    async def acquire(self, priority: Priority) -> LeasedPermit:
        """Wait for a permit that is valid now, behind earlier callers.

        Raises:
            StoreLostError: The store cannot be used, and the limiter does not wait for it.
        """
        arrival = next(self._arrivals)
        while True:
            permit = await self._wait(priority, arrival)
            # A permit that was not picked up in time is returned: a pause may have begun after it was granted.
            now = self.clock()
            is_paused = self._ledger.backoff.paused_until > now + self.rules.courtesy
            if now - permit.granted_at <= _STALE and not is_paused:
                return permit
            permit.cancel()

    async def limits(self) -> Limits:
        """Return the state of the window.

        Raises:
            StoreLostError: The store cannot be used.
        """
        requested: asyncio.Future[Limits] = self._loop.create_future()
        self._limits_requests.append(requested)
        self._schedule(0.0)
        return await requested

    def record_external(self, priority: Priority) -> LeasedPermit:
        """Return a permit for a request that another limiter has granted, and report it."""
        permit = LeasedPermit(self, f"{self._request.process}+{secrets.token_hex(6)}", priority, self.clock())
        self.settle(LeaseUpdate(permit.lease, priority, permit.granted_at + self.rules.lease, in_flight=True))
        return permit

    def settle(self, update: LeaseUpdate) -> None:
        """Record when a permit is free again, and report it; never blocks; may be called from any thread."""
        if not self._ledger.is_inherited:
            self._ledger.updates.append(update)
            self.report()

    def report(self) -> None:
        """Schedule a report of the updates in the ledger to the store; may be called from any thread."""
        # Waking a loop is expensive, and one that runs here is awake.
        call_soon = self._loop.call_soon if runs_here(self._loop) else self._loop.call_soon_threadsafe
        with contextlib.suppress(RuntimeError):  # Its loop is closed: another queue reports, or the lease ends.
            call_soon(lambda: self._schedule(self._ledger.report_within))

    def fail_all(self) -> None:
        """End every wait with a UsageError, because the limiter is closed."""
        self._fail_waiters(_closed)
        _fail(self._limits_requests, _closed)
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """End every wait, and report to the store what has not been reported yet."""
        self.fail_all()
        if self._task is not None:
            await asyncio.wait([self._task])
        self._store = WatchedStore(self._ledger.store, self._fail_limits_requests, wait=False)
        with contextlib.suppress(Exception):  # The waiting callers have their error already.
            while self._queued or self._is_open or self._ledger.report_within < math.inf:
                await self._step()

    async def _wait(self, priority: Priority, arrival: int) -> LeasedPermit:
        woken: asyncio.Future[LeasedPermit] = self._loop.create_future()
        waiting = self.waiting[priority]
        insort(waiting, (arrival, woken))
        if priority not in self._queued:
            self._schedule(0.0)
        elif priority == "interactive":
            # Bulk callers of other processes yield only to the interactive callers that the store knows of.
            self._schedule(self.rules.courtesy)
        try:
            return await woken
        except BaseException:
            if woken.done() and not woken.cancelled() and woken.exception() is None:
                woken.result().cancel()
            raise
        finally:
            if (arrival, woken) in waiting:
                waiting.remove((arrival, woken))
            if priority in self._queued and not waiting:
                self._schedule(self.rules.courtesy)

    def _schedule(self, delay: float) -> None:
        """Do a step within some seconds."""
        due_at = self.clock() + delay
        if due_at < self._due_at:
            self._due_at = due_at
            self._wake()

    def _wake(self) -> None:
        """Start the task if a step is due; otherwise set the timer for the next step."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is None and self._due_at < math.inf and not self._ledger.closed:
            delay = self._due_at - self.clock()
            if delay <= 0:
                self._task = self._loop.create_task(self._run())
            else:
                # A timer rather than a sleeping task, because a pending timer is harmless when the event loop ends.
                self._timer = self._loop.call_later(delay, self._wake)

    async def _run(self) -> None:
        """Do the steps that are due."""
        try:
            while self._due_at <= self.clock():
                await self._step()
        except Exception as error:  # noqa: BLE001  (no error of a store may make callers wait forever)
            self._due_at = math.inf
            self._queued.clear()
            self._fail_waiters(partial(_lost, error))
            self._fail_limits_requests(error)
        finally:
            self._task = None
        self._wake()

    async def _step(self) -> None:
        """Do a step and deliver the permits that it granted."""
        self._due_at = math.inf
        limits_requests: list[asyncio.Future[Limits]] = []
        if not self._is_open:
            limits_requests, self._is_open = self._limits_requests.copy(), True
            self._request = self._next_request()
        reply = await self._store.update(change_by(self.rules, self._request, self.clock))
        self._is_open = False
        self._deliver(reply)
        for requested in limits_requests:
            if not requested.done():
                requested.set_result(limits_of(reply.state, self.rules))
        self._limits_requests = [requested for requested in self._limits_requests if not requested.done()]
        if self._limits_requests:
            self._due_at = -math.inf

    def _next_request(self) -> StepRequest:
        updates, backoff = self._ledger.take()
        interactive, bulk = (len(waiting) for waiting in self.waiting.values())
        last = self._request
        return StepRequest(last.process, last.number + 1, last.first_lease, interactive, bulk, updates, backoff)

    def _deliver(self, reply: StepReply) -> None:
        """Give the granted permits to waiting callers, and schedule the step that asks for the rest."""
        self._ledger.backoff.merge(reply.backoff, 0.0)
        now = self.clock()
        self._queued = {priority for priority, grant in reply.grants.items() if grant.delay < math.inf}
        for priority, grant in reply.grants.items():
            for _ in range(grant.count):
                lease = lease_id(self._request.process, self._request.first_lease)
                self._request.first_lease += 1
                _give(LeasedPermit(self, lease, priority, now), self.waiting[priority])
        for priority, waiting in self.waiting.items():
            if priority in self._queued:
                # If there are no more waiting callers, the store must be told.
                delay = reply.grants[priority].delay if waiting else self.rules.courtesy
                self._due_at = min(self._due_at, now + delay)
            elif waiting:
                self._due_at = -math.inf

    def _fail_waiters(self, make_error: Callable[[], Exception]) -> None:
        for waiting in self.waiting.values():
            _fail((woken for _, woken in waiting), make_error)
            waiting.clear()

    def _fail_limits_requests(self, error: Exception) -> None:
        _fail(self._limits_requests, partial(_lost, error))


def _give(permit: LeasedPermit, waiting: list[Waiter]) -> None:
    """Give a permit to the first waiting caller, or cancel it if there is none."""
    while waiting:
        _, woken = waiting.pop(0)
        if not woken.done():
            woken.set_result(permit)
            return
    permit.cancel()


def _fail(futures: Iterable[asyncio.Future[Any]], make_error: Callable[[], Exception]) -> None:
    """End every wait with an error of its own."""
    for future in futures:
        if not future.done():
            future.set_exception(make_error())


def _closed() -> Exception:
    return UsageError("the limiter is closed")


def _lost(error: Exception) -> Exception:
    if isinstance(error, StoreLostError):
        return StoreLostError(*error.args, lasting=error.lasting)
    fault = StoreLostError(f"{type(error).__name__}: {error}", lasting=True)
    fault.__cause__ = error
    return fault
