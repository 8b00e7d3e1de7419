"""The limiter whose window is kept in a store, for several processes or machines."""

import asyncio
import contextlib
import math
import operator
import os
import secrets
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

import attrs

from ..errors import UsageError
from .base import BULK_SHARE, LIMIT, PERIOD, PRIORITIES, Limits, Priority, WhenLost, check, check_count, check_seconds
from .fallback import LocalFallback
from .local import LocalQueue
from .permit import LeasedPermit, WindowLimiter
from .queue import StoreQueue
from .store import Store, WatchedStore
from .window import Backoff, LeaseUpdate, Rules

LEASE = 60.0


class LeaseLedger:
    """A window in a store: a queue for each event loop of this process, and the updates not reported yet."""

    def __init__(self, store: Store, rules: Rules, clock: Callable[[], float], *, waits: bool, one_loop: bool) -> None:
        self.store = WatchedStore(store, rules, clock, waits=waits)
        self.rules = rules
        self.clock = clock
        self.backoff = Backoff()
        self.closed = False
        self._one_loop = one_loop
        self._updates: deque[LeaseUpdate] = deque()
        self._has_paused = False
        self._queues: dict[asyncio.AbstractEventLoop, StoreQueue] = {}
        self._process: int | None = None

    @property
    def is_inherited(self) -> bool:
        """Whether it belongs to the process from which this one was forked."""
        return self._process not in (None, os.getpid())

    @property
    def report_within(self) -> float:
        """The seconds within which to report to the store; infinite if there is nothing to report."""
        if self._has_paused:
            return 0.0
        # Wait briefly, so that several updates are reported together.
        return self.rules.courtesy if self._updates else math.inf

    def take(self) -> tuple[list[LeaseUpdate], Backoff | None]:
        """Return, and remove, everything that is to be reported to the store."""
        updates = [self._updates.popleft() for _ in range(len(self._updates))]
        has_paused, self._has_paused = self._has_paused, False
        return updates, self.backoff if has_paused else None

    async def acquire(self, priority: Priority) -> LeasedPermit:
        """Wait for a permit."""
        return await self._queue().acquire(priority)

    def record_external(self, priority: Priority) -> LeasedPermit:
        """Return a permit for a request that another window has granted, and report it."""
        permit = LeasedPermit(self, secrets.token_hex(8), priority, self.clock())
        self.settle(LeaseUpdate(permit.lease, priority, permit.granted_at + self.rules.lease, in_flight=True))
        return permit

    def settle(self, update: LeaseUpdate) -> None:
        """Record when a permit is free again, and report it; never blocks; may be called from any thread."""
        if not self.is_inherited:
            self._updates.append(update)
            self._report()

    def pause(self, seconds: float | None) -> float:
        """Grant nothing for some seconds, guessed if None; return the seconds until the pause ends."""
        seconds = self.backoff.pause(seconds, self.rules.period, self.clock())
        self._has_paused = True
        with contextlib.suppress(RuntimeError):  # Not in an event loop, or closed: the next step reports it.
            self._queue()
        if not self.is_inherited:
            self._report()
        return seconds

    async def limits(self) -> Limits:
        """Return the state of the window now."""
        limits = await self._queue().limits()
        queues = list(self._queues.values())
        waiting: dict[Priority, int] = {each: sum(len(queue.waiting[each]) for queue in queues) for each in PRIORITIES}
        return attrs.evolve(limits, waiting=waiting)

    async def aclose(self) -> None:
        """End every wait, report outstanding updates, and close the store."""
        was_closed, self.closed = self.closed, True
        if was_closed or self.is_inherited:
            return
        own = self._queues.pop(asyncio.get_running_loop(), None)
        for loop, queue in self._queues.items():
            with contextlib.suppress(RuntimeError):  # It is closed.
                loop.call_soon_threadsafe(queue.fail_all)
        if own is not None:
            await own.close()
        await self.store.close()

    def _report(self) -> None:
        for queue in list(self._queues.values()):
            queue.report()

    def _queue(self) -> StoreQueue:
        """Return the queue of the running event loop.

        Raises:
            UsageError: The limiter is closed, or belongs to another process or event loop.
        """
        if self._process is None:
            self._process = os.getpid()
        if self.is_inherited:
            raise UsageError("the limiter was used before this process was forked: create one in each process")
        if self.closed:
            raise UsageError("the limiter is closed")
        loop = asyncio.get_running_loop()
        if loop not in self._queues:
            if self._one_loop and self._queues:
                raise UsageError("the limiter belongs to another event loop, as its store does")
            for old in [each for each in self._queues if each.is_closed()]:
                self._queues.pop(old, None)
            self._queues[loop] = StoreQueue(self)
        return self._queues[loop]


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
        check_seconds("lease", lease)
        check_count("workers", 1 if workers is None else workers)
        check(when_lost in ("wait", "fail", "share"), 'when_lost must be "wait", "fail" or "share"')
        rules = Rules(limit, period, bulk_share, lease)
        window: LeaseLedger | LocalFallback
        window = ledger = LeaseLedger(store, rules, clock, waits=when_lost == "wait", one_loop=one_loop)
        if when_lost == "share":
            check(workers, 'when_lost="share" needs workers, the number of processes that share')
            own = rules.limit // operator.index(workers or 1)
            check(own, 'when_lost="share" needs a limit of at least one request for each of the workers')
            share = Rules(own, period, bulk_share)
            window = LocalFallback(ledger, LocalQueue(share, clock))
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
