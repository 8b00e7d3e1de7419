"""The limiter for the tasks, event loops and threads of one process, and the one that all clients of a key share."""

import asyncio
import math
import os
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

import attrs
import msgspec

from .._registry import Registry
from . import window
from .base import BULK_SHARE, LIMIT, PERIOD, PRIORITIES, Limits, OwnProcess, Priority
from .loop_timer import LoopTimer
from .permit import LeasedPermit, WindowLimiter
from .window import Backoff, LeaseUpdate, Rules, StepRequest, WindowState


class Waiter(msgspec.Struct, eq=False):
    """A waiting caller, the lease that it was granted, and the function that wakes it."""

    priority: Priority
    lease: str = ""
    wake: Callable[[], object] | None = None


class LocalQueue:
    """A window in memory, and all callers that wait for its permits, in any event loop and any thread.

    The garbage collector may settle a permit while the thread that it interrupts holds the lock. So neither settling a
    permit nor ending a wait blocks on the lock: each queues an update, which the thread that holds the lock processes
    after releasing it.
    """

    def __init__(self, rules: Rules, clock: Callable[[], float]) -> None:
        self.rules = rules
        self.clock = clock
        self._process = OwnProcess()
        self._state = WindowState()
        self._lock = threading.Lock()
        self._updates: deque[LeaseUpdate] = deque()
        self._departed: deque[Waiter] = deque()
        self._waiting: dict[Priority, OrderedDict[int, Waiter]] = {each: OrderedDict() for each in PRIORITIES}
        self._timers: dict[asyncio.AbstractEventLoop, LoopTimer] = {}
        """The timer of each event loop that has waiting callers.

        Each loop wakes its own tasks, so that none depends on another loop that is closed, stopped or busy.
        """
        self._next_lease = 1

    async def acquire(self, priority: Priority) -> LeasedPermit:
        """Wait for a permit, after earlier callers.

        Raises:
            UsageError: The queue belongs to another process.
        """
        self._process.enter()
        waiter = Waiter(priority)
        with self._lock:
            self._waiting[priority][id(waiter)] = waiter
            self._serve()
        if self._timers:
            self.process_releases()
        if not waiter.lease:
            await self._wait(waiter)
        return LeasedPermit(self, waiter.lease, priority)

    def record_external(self, priority: Priority) -> LeasedPermit:
        """Return a permit for a request that another window has granted."""
        with self._lock:
            lease = self._new_lease()
        self.settle(LeaseUpdate(lease, priority, math.inf, in_flight=True))
        return LeasedPermit(self, lease, priority)

    def settle(self, update: LeaseUpdate) -> None:
        """Record when a permit is free again; never blocks, in any thread, even if the garbage collector calls it."""
        self._updates.append(update)
        # Each waiting caller has a timer; one that gets its timer after this check has not read the updates yet.
        if self._timers:
            self.process_releases()

    def serve(self) -> None:
        """Grant free permits to waiting callers."""
        with self._lock:
            self._serve()
        self.process_releases()

    def pause(self, seconds: float | None) -> float:
        """Grant nothing for some seconds, guessed if None; return the seconds until the pause ends."""
        if self._process.is_another:  # A thread of that process may hold the lock.
            return Backoff().pause(seconds, self.rules.period, self.clock())
        self._process.enter()
        with self._lock:
            seconds = self._state.backoff.pause(seconds, self.rules.period, self.clock())
        self.serve()
        return seconds

    async def limits(self) -> Limits:
        """Return the state of the window now.

        Raises:
            UsageError: The queue belongs to another process.
        """
        self._process.enter()
        self.serve()
        with self._lock:
            waiting: dict[Priority, int] = {priority: len(waiters) for priority, waiters in self._waiting.items()}
            return attrs.evolve(window.limits_of(self._state, self.rules), waiting=waiting)

    def is_idle(self) -> bool:
        """Return whether the queue is equivalent to a new one."""
        self.serve()
        with self._lock:
            return window.is_idle(self._state, self.rules)

    def process_releases(self) -> None:
        """Process the queued updates; never blocks."""
        # A thread that does not get the lock may return: the one that holds it comes here after releasing it.
        while (self._departed or self._updates) and self._lock.acquire(blocking=False):
            try:
                self._serve()
            finally:
                self._lock.release()

    async def _wait(self, waiter: Waiter) -> None:
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        timer = self._timers.setdefault(loop, LoopTimer(self.clock, self.serve))
        timer.users += 1
        try:
            with self._lock:
                waiter.wake = lambda: loop.call_soon_threadsafe(woken.set)
            self.serve()
            if not waiter.lease:
                await woken.wait()
        except BaseException:
            self._departed.append(waiter)
            self.process_releases()
            raise
        finally:
            timer.users -= 1
            if not timer.users:
                timer.stop()
                self._timers.pop(loop, None)

    def _serve(self) -> None:
        """Advance the window to now and serve waiting callers; the caller must hold the lock."""
        while self._departed:
            waiter = self._departed.popleft()
            if self._waiting[waiter.priority].pop(id(waiter), None) is None:
                self._updates.append(LeaseUpdate(waiter.lease, waiter.priority, -math.inf))
        updates: list[LeaseUpdate] = []
        while self._updates:
            updates.append(self._updates.popleft())
        interactive, bulk = self._waiting.values()
        request, now = StepRequest("", 0, self._next_lease, len(interactive), len(bulk), updates), self.clock()
        for priority, grant in window.step(self._state, self.rules, request, now).items():
            for _ in range(grant.count):
                self._give(priority)
            if grant.delay < math.inf:
                self._set_timers(now + grant.delay)

    def _give(self, priority: Priority) -> None:
        """Give the next lease to the first waiting caller; return it if the event loops of all are closed."""
        lease = self._new_lease()
        while waiting := self._waiting[priority]:
            _, waiter = waiting.popitem(last=False)
            waiter.lease = lease
            if waiter.wake is None:
                return
            try:
                waiter.wake()
                return
            except RuntimeError:  # its loop is closed
                waiter.lease = ""
        self._updates.append(LeaseUpdate(lease, priority, -math.inf))

    def _new_lease(self) -> str:
        self._next_lease += 1
        return window.lease_id("", self._next_lease - 1)

    def _set_timers(self, moment: float) -> None:
        for loop, timer in list(self._timers.items()):
            if not timer.set(moment):  # its loop is closed
                self._timers.pop(loop, None)


class SlidingWindowLimiter(WindowLimiter):
    """At most `limit` requests in any `period`, for all tasks, event loops and threads of one process.

    Interactive callers go first. Bulk callers hold at most `bulk_share` of the window, get their permits evenly spaced,
    and may starve. Within a priority, permits go in order of arrival.
    """

    def __init__(
        self,
        limit: int = LIMIT,
        period: float = PERIOD,
        bulk_share: float = BULK_SHARE,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create an empty window.

        Args:
            limit: The largest number of requests in a period.
            period: The length of the window in seconds.
            bulk_share: The largest share of the window for bulk requests, above 0 and at most 1.
            clock: Returns the time in seconds.

        Raises:
            ConfigurationError: An option is not valid.
        """
        super().__init__(LocalQueue(Rules(limit, period, bulk_share), clock))


def _limiter_over(queue: LocalQueue) -> SlidingWindowLimiter:
    """Return a limiter over a window that outlives it."""
    limiter = SlidingWindowLimiter.__new__(SlidingWindowLimiter)
    WindowLimiter.__init__(limiter, queue)
    return limiter


def limiter_registry(clock: Callable[[], float] = time.monotonic) -> Registry[SlidingWindowLimiter, LocalQueue]:
    """Return an empty registry of limiters, each with the limit of Cliniko."""

    def make(_base_url: str, _api_key: str) -> LocalQueue:
        return LocalQueue(Rules(), clock)

    return Registry(make, _limiter_over, LocalQueue.is_idle)


_limiters = limiter_registry()
if sys.platform != "win32":
    # The windows belong to the parent, whose threads may hold the locks.
    os.register_at_fork(after_in_child=_limiters.forget)


def process_limiter(base_url: str, api_key: str) -> SlidingWindowLimiter:
    """Return the one limiter of this process for a server and a key, the same for every client, event loop and thread.

    Args:
        base_url: The address of the API.
        api_key: The key, of which only a digest is kept.

    Returns:
        A limiter with the limit of Cliniko: 200 requests in 60 seconds.
    """
    return _limiters.get(base_url, api_key)
