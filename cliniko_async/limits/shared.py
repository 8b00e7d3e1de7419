"""The limiter whose window is kept in a store, for several processes or machines."""

import contextlib
import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

import attrs

from .._checks import count_option, seconds_option
from ..errors import ConfigurationError
from .base import (
    BULK_SHARE,
    LIMIT,
    PERIOD,
    PRIORITIES,
    Limits,
    OwnProcess,
    Priority,
    WhenLost,
    check,
)
from .fallback import LocalFallback
from .local import LocalQueue
from .loop_queues import LoopQueues
from .permit import LeasedPermit, WindowLimiter
from .queue import StoreQueue
from .store import Store, WindowStore
from .window import Backoff, LeaseUpdate, Rules

LEASE = 60.0


class LeaseLedger:
    """What this process knows of a window in a store: its queues, one for each event loop, and updates to report."""

    def __init__(self, store: Store, rules: Rules, clock: Callable[[], float], *, waits: bool, one_loop: bool) -> None:
        self.store = WindowStore(store, rules, clock, waits=waits)
        self.rules = rules
        self.clock = clock
        self.backoff = Backoff()
        self._process = OwnProcess()
        self._lock = threading.Lock()
        """Guards what event loops share, except the updates, as the garbage collector may settle a permit anywhere."""
        self._queues = LoopQueues(one_loop=one_loop)
        self._updates: deque[LeaseUpdate] = deque()
        self._has_paused = False

    @property
    def closed(self) -> bool:
        """Whether the limiter is closed."""
        return self._queues.closed

    @property
    def is_inherited(self) -> bool:
        """Whether it belongs to the process from which this one was forked."""
        return self._process.is_another

    @property
    def report_within(self) -> float:
        """The seconds within which to report to the store; infinite if there is nothing to report."""
        if self._has_paused or self._queues.closed_loops:
            return 0.0
        # Wait briefly, so that several updates are reported together.
        return self.rules.step_delay if self._updates else math.inf

    def take(self) -> tuple[list[LeaseUpdate], Backoff | None]:
        """Return, and remove, everything that is to be reported to the store."""
        with self._lock:
            updates = [self._updates.popleft() for _ in range(len(self._updates))]
            backoff = self.backoff if self._has_paused else None
            self._has_paused = False
        return updates, backoff

    async def finish_closed_loops(self) -> None:
        """Withdraw the callers of event loops that are closed, and report what these had not reported.

        Raises:
            StoreLostError: The store cannot be used.
        """
        for loop, queue in self._queues.closed_loops:
            await queue.finish()
            self._queues.forget(loop)

    def learn(self, backoff: Backoff) -> None:
        """Adopt the pause of the store."""
        with self._lock:
            self.backoff.merge(backoff, 0.0)

    async def acquire(self, priority: Priority) -> LeasedPermit:
        """Wait for a permit."""
        return await self._queue().acquire(priority)

    def record_external(self, priority: Priority) -> LeasedPermit:
        """Return a permit for a request that another window has granted, and report it."""
        permit = LeasedPermit(self, secrets.token_hex(8), priority, self.clock())
        self.settle(LeaseUpdate(permit.lease, priority, permit.granted_at + self.rules.lease_hold, in_flight=True))
        return permit

    def settle(self, update: LeaseUpdate) -> None:
        """Record when a permit is free again, and report it; never blocks; may be called from any thread."""
        if not self.is_inherited:
            self._updates.append(update)
            self._step_all(self.report_within)

    def pause(self, seconds: float | None) -> float:
        """Grant nothing for some seconds, guessed if None; return the seconds until the pause ends."""
        if self.is_inherited:  # A thread of that process may hold the lock.
            return Backoff().pause(seconds, self.rules.period, self.clock())
        with self._lock:
            seconds = self.backoff.pause(seconds, self.rules.period, self.clock())
            self._has_paused = True
        with contextlib.suppress(RuntimeError):  # Not in an event loop, or closed: the next step reports it.
            self._queue()
        self._step_all(self.report_within)
        return seconds

    async def limits(self) -> Limits:
        """Return the state of the window now."""
        limits = await self._queue().limits()
        queues = self._queues.all()
        waiting: dict[Priority, int] = {each: sum(len(queue.waiting[each]) for queue in queues) for each in PRIORITIES}
        return attrs.evolve(limits, waiting=waiting)

    async def aclose(self) -> None:
        """End every wait, report outstanding updates, and close the store, as far as that was not done yet."""
        if self.is_inherited or self.store.is_closed:
            return
        queue = self._queues.close(self)
        for each in self._queues.all():
            each.fail_soon()
        await (self.store if queue is None else queue).close()
        self._queues.forget_all()

    def _step_all(self, within: float) -> None:
        for queue in self._queues.all():
            queue.step_within(within)

    def _queue(self) -> StoreQueue:
        """Return the queue of the running event loop.

        Raises:
            UsageError: The limiter is closed, or belongs to another process or event loop.
        """
        self._process.enter()
        return self._queues.enter(self)


class SharedLimiter(WindowLimiter):
    """At most `limit` requests in any `period`, for all limiters over the same store.

    Write a `Store` to keep the window elsewhere than in an SQLite file or Redis. Use the limiter in an `async with`
    block, or call `aclose()` at the end.
    """

    def __init__(
        self,
        store: Store,
        limit: int = LIMIT,
        period: float = PERIOD,
        bulk_share: float = BULK_SHARE,
        *,
        lease: float = LEASE,
        when_lost: WhenLost = "wait",
        workers: int | None = None,
        one_loop: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create with a store, which is first used by the first request.

        Args:
            store: The store that keeps the window.
            limit: The largest number of requests in a period.
            period: The length of the window in seconds.
            bulk_share: The largest share of the window for bulk requests, above 0 and at most 1.
            lease: The longest, in seconds, that a request is in flight. A permit that is never settled is free again a
                lease and a period after it was granted, so the lease must exceed the client's `timeout`.
            when_lost: What to do while the store cannot be used: `"wait"` until it can, `"fail"` with a
                `LimiterUnavailableError`, or grant this process's `"share"` of the window, `limit // workers`.
            workers: The number of processes that share the window; needed for `"share"`, at most `limit`.
            one_loop: Whether the store can be used in one event loop only.
            clock: Returns the time of this process in seconds.

        Raises:
            ConfigurationError: An option is not valid.
        """
        workers = None if workers is None else count_option("workers", workers)
        check(when_lost in ("wait", "fail", "share"), 'when_lost must be "wait", "fail" or "share"')
        rules = Rules(limit, period, bulk_share, seconds_option("lease", lease))
        window: LeaseLedger | LocalFallback
        window = ledger = LeaseLedger(store, rules, clock, waits=when_lost == "wait", one_loop=one_loop)
        if when_lost == "share":
            share = _share(rules.limit, workers)
            window = LocalFallback(ledger, LocalQueue(Rules(share, period, bulk_share), clock))
        super().__init__(window)
        self._close = window.aclose

    async def aclose(self) -> None:
        """End every wait with a `UsageError`, report outstanding updates, and close the store.

        A permit that is settled later counts as held until its lease ends. In a process that was forked after the first
        use, nothing is reported or closed: event loops, threads and connections belong to the parent.
        """
        await self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _share(limit: int, workers: int | None) -> int:
    """Return the number of requests in a period that each of the workers may send while the store is lost."""
    if workers is None:
        raise ConfigurationError('when_lost="share" needs workers, the number of processes that share')
    share = limit // workers
    check(share, 'when_lost="share" needs a limit of at least one request for each of the workers')
    return share
