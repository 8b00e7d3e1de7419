"""The callers of a process that wait for permits of a window, their permits, and what the process has to report."""

import asyncio
import contextlib
import itertools
import math
import os
import threading
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable
from functools import partial

import msgspec

from .._loops import call_in
from .base import PRIORITIES, Limits, Permit, Priority, RateLimiter, check_priority
from .window import Backoff, Grant, LeaseUpdate, Rules, StepRequest

_STALE = 1.0
"""After so many seconds, a permit that its caller has not picked up is returned: a pause may have begun meanwhile."""

_arrivals = itertools.count(1)


class Alarm:
    """Calls a function in the running event loop, at the earliest of the moments that were set since its last call."""

    def __init__(self, clock: Callable[[], float], ring: Callable[[], object]) -> None:
        self.users = 0
        """The number of callers that wait for it."""
        self._loop = asyncio.get_running_loop()
        self._process = os.getpid()
        self._clock = clock
        self._ring = ring
        self._moment = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def set(self, moment: float) -> None:
        """Ring at that moment or before; may be called from any thread, and by the garbage collector.

        Raises:
            RuntimeError: The event loop is closed.
        """
        # In a process that was forked, the event loop is the parent's.
        if moment < self._moment and self._process == os.getpid():
            call_in(self._loop, self._start, moment)

    def stop(self) -> None:
        """Forget the moments that were set."""
        self._moment = math.inf
        if self._timer is not None:
            self._timer.cancel()

    def _start(self, moment: float) -> None:
        if moment < self._moment:
            self.stop()
            self._moment = moment
            # A timer rather than a sleeping task, because a pending timer is harmless when the event loop ends.
            self._timer = self._loop.call_later(max(0.0, moment - self._clock()), self._fire)

    def _fire(self) -> None:
        # If another thread sets the alarm between these two lines, what rings sees the reason for it.
        self._moment = math.inf
        self._ring()


class LeasedPermit(msgspec.Struct, eq=False):
    """The permit of one request, with its lease. Dropping it counts as `abandon`."""

    queue: "Queue"
    lease: str
    priority: Priority

    def complete(self) -> None:
        if self.lease:
            self._settle(self.queue.rules.hold)

    def abandon(self) -> None:
        if self.lease:
            self._settle(self.queue.rules.long_hold)

    def cancel(self) -> None:
        if self.lease:
            self._settle(-math.inf)

    def _settle(self, hold: float) -> None:
        lease, self.lease = self.lease, ""
        self.queue.settle(LeaseUpdate(lease, self.priority, self.queue.clock() + hold))

    __del__ = abandon


class Caller(msgspec.Struct, order=True):
    """A caller that waits in an event loop, for a permit or for the limits, and what it gets."""

    arrival: int = 0
    """The lowest is the first."""
    priority: Priority = "interactive"
    wake: Callable[[], object] | None = None
    lease: str = ""
    granted_at: float = 0.0
    limits: Limits | None = None
    error: Exception | None = None

    def answer(self) -> bool:
        """Wake the caller, which has got something; return False if its event loop is closed."""
        try:
            if self.wake is not None:
                self.wake()
            return True
        except RuntimeError:
            return False


class Queue:
    """All callers of a process that wait for permits of a window, in any event loop and any thread, and its reports.

    To take a step with the window, hold the lock, call `request`, and afterwards `deliver` what was granted. `serve`,
    a function, takes a step soon; it is called in an event loop that has waiting callers.

    The garbage collector may settle a permit or end a wait while the thread that it interrupts holds the lock. So
    neither acquires the lock: each appends to a deque, which the next step reads.
    """

    def __init__(self, rules: Rules, clock: Callable[[], float], serve: Callable[[], object]) -> None:
        self.rules = rules
        self.clock = clock
        self.lock = threading.Lock()
        self.backoff = Backoff()
        self.alarms: dict[asyncio.AbstractEventLoop, Alarm] = {}
        """Each event loop wakes its own tasks, so that none depends on another that is closed, stopped or busy."""
        self._serve = serve
        self._waiting: dict[Priority, list[Caller]] = {priority: [] for priority in PRIORITIES}
        self._updates: deque[LeaseUpdate] = deque()
        self._departed: deque[Caller] = deque()
        self._has_paused = False

    @property
    def waiting(self) -> dict[Priority, int]:
        """The number of waiting callers at each priority."""
        return {priority: len(callers) for priority, callers in self._waiting.items()}

    @property
    def has_news(self) -> bool:
        """Whether there is anything to ask or to report."""
        return bool(self._updates or self._departed or self._has_paused or any(self._waiting.values()))

    async def acquire(self, priority: Priority) -> LeasedPermit:
        """Wait for a permit that is valid now, behind earlier callers."""
        arrival = next(_arrivals)
        while True:
            caller = Caller(arrival, priority)
            with self.lock:
                insort(self._waiting[priority], caller)
            self._serve()
            if caller.lease:
                return LeasedPermit(self, caller.lease, priority)
            await self.wait(caller)
            permit, now = LeasedPermit(self, caller.lease, priority), self.clock()
            if now - caller.granted_at <= _STALE and self.backoff.paused_until <= now + self.rules.courtesy:
                return permit
            permit.cancel()

    async def wait(self, caller: Caller) -> None:
        """Wait until the caller is answered."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        alarm = self.watch(loop)
        caller.wake = partial(call_in, loop, woken.set)
        try:
            self._serve()
            if not (caller.lease or caller.limits or caller.error):
                await woken.wait()
        except BaseException:
            self._departed.append(caller)
            self.wake(self.rules.courtesy)
            raise
        finally:
            alarm.users -= 1
            if not alarm.users:
                alarm.stop()
                self.alarms.pop(loop, None)
        if caller.error is not None:
            raise caller.error

    def watch(self, loop: asyncio.AbstractEventLoop) -> Alarm:
        """Return the alarm of the running event loop, with one more user."""
        if loop not in self.alarms:
            self.alarms[loop] = Alarm(self.clock, self._serve)
        self.alarms[loop].users += 1
        return self.alarms[loop]

    def settle(self, update: LeaseUpdate) -> None:
        """Record when a permit is free again; never blocks, in any thread, even if the garbage collector calls it."""
        self._updates.append(update)
        # A caller that gets its alarm after this check takes a step itself.
        if self.alarms:
            self.wake(self.rules.courtesy)

    def pause(self, seconds: float | None) -> float:
        """Grant nothing for some seconds, guessed if None; return the seconds until the pause ends."""
        with self.lock:
            seconds = self.backoff.pause(seconds, self.rules.period, self.clock())
            self._has_paused = True
        self.wake(0.0)
        return seconds

    def wake(self, delay: float) -> None:
        """Take a step within some seconds, in any event loop that can; never blocks."""
        moment = self.clock() + delay
        for loop, alarm in list(self.alarms.items()):
            try:
                alarm.set(moment)
            except RuntimeError:  # The loop is closed.
                self.alarms.pop(loop, None)

    def request(self, process: str, number: int) -> StepRequest:
        """Return everything that is to be reported and asked for; the caller must hold the lock."""
        while self._departed:
            caller = self._departed.popleft()
            waiting = self._waiting[caller.priority]
            index = bisect_left(waiting, caller)
            if waiting[index : index + 1] == [caller]:
                del waiting[index]
            elif caller.lease:
                self._updates.append(LeaseUpdate(caller.lease, caller.priority, -math.inf))
        updates: list[LeaseUpdate] = []
        while self._updates:
            updates.append(self._updates.popleft())
        interactive, bulk = self._waiting.values()
        request = StepRequest(process, number, len(interactive), len(bulk), updates)
        if self._has_paused:
            request.backoff, self._has_paused = self.backoff, False
        return request

    def deliver(self, grants: dict[Priority, Grant], now: float) -> None:
        """Give granted leases to waiting callers, and set the alarms for the rest; the caller must hold the lock."""
        for priority, grant in grants.items():
            for lease in grant.leases:
                self._give(lease, priority, now)
            if grant.delay < math.inf:
                # If there are no more waiting callers, the window must be told.
                self.wake(grant.delay if self._waiting[priority] else self.rules.courtesy)

    def fail(self, make_error: Callable[[], Exception]) -> None:
        """End every wait with an error of its own; the caller must hold the lock."""
        for waiting in self._waiting.values():
            for caller in waiting:
                caller.error = make_error()
                caller.answer()
            waiting.clear()

    def _give(self, lease: str, priority: Priority, now: float) -> None:
        """Give a lease to the first waiting caller, or return it if there is none."""
        while waiting := self._waiting[priority]:
            caller = waiting.pop(0)
            caller.lease, caller.granted_at = lease, now
            if caller.answer():
                return
            caller.lease = ""
        self.settle(LeaseUpdate(lease, priority, -math.inf))


class QueueLimiter(RateLimiter):
    """A limiter whose callers wait in a queue."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    @property
    def period(self) -> float:
        """The length of the window in seconds."""
        return self._queue.rules.period

    async def acquire(self, priority: Priority) -> Permit:
        check_priority(priority)
        self._enter()
        return await self._queue.acquire(priority)

    def pause(self, seconds: float | None) -> float:
        with contextlib.suppress(RuntimeError):  # Not in an event loop, or closed: the next step reports it.
            self._enter()
        return self._queue.pause(seconds)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._queue.rules.options})"

    def _enter(self) -> None:
        """Raise a UsageError if the limiter cannot be used here."""
