"""Fails calls early when the rate limit cannot meet their deadline, and reports when to try again."""

import asyncio
import math

from ..limits import Permit, Priority, RateLimiter, Wait
from ..limits.base import PRIORITIES

_CHECK_INTERVAL = 0.25
"""Seconds between checks of the limiter while calls with a deadline wait; another caller may pause it meanwhile."""
_GRACE = 0.01
"""Seconds for a call to receive a permit that was granted just before the check."""


class UnmeetableDeadlineError(Exception):
    """No permit will be free before the deadline of a call."""


class CallDeadline:
    """When a call has to end, and the earliest time at which the rate limit allows it."""

    def __init__(self, scope: asyncio.Timeout, monitor: "DeadlineMonitor") -> None:
        """Create the deadline of a call from its scope, which must have a timeout."""
        self._scope = scope
        self._monitor = monitor
        self.priority: Priority = "interactive"
        self.opens_at: float | None = None

    async def acquire(self, priority: Priority) -> Permit:
        """Wait for a permit.

        Raises:
            UnmeetableDeadlineError: No permit will be free in time.
        """
        self.priority = priority
        permit = await self._monitor.acquire(self)
        self.opens_at = None
        return permit

    def retry_after(self, now: float) -> float | None:
        """Return the seconds until the rate limit allows the call, or None if the call is not waiting for it."""
        return self.opens_at - now if self.opens_at is not None and self.opens_at > now else None

    def misses(self, wait: float, now: float) -> bool:
        """Record the shortest possible wait in seconds, and return whether it is longer than the time left."""
        self.opens_at = now + wait if wait < math.inf else None
        ends_at = self._scope.when()
        return ends_at is not None and self.opens_at is not None and ends_at < self.opens_at

    def end(self, now: float) -> None:
        """End the call now."""
        if not self._scope.expired():
            self._scope.reschedule(now)


class DeadlineMonitor:
    """Checks the limiter of a client for calls that have a deadline; other calls incur no cost."""

    def __init__(self, limiter: RateLimiter) -> None:
        """Create the monitor of a limiter."""
        self._limiter = limiter
        self._waiting: set[CallDeadline] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._check: asyncio.Task[None] | None = None

    async def acquire(self, deadline: CallDeadline) -> Permit:
        """Wait for a permit.

        Raises:
            UnmeetableDeadlineError: The callers already waiting leave no permit before the deadline.
        """
        wait = await self._wait(deadline.priority)
        if wait is not None and deadline.misses(wait.last, asyncio.get_running_loop().time()):
            raise UnmeetableDeadlineError
        self._waiting.add(deadline)
        try:
            self._schedule_check()
            return await self._limiter.acquire(deadline.priority)
        finally:
            self._waiting.discard(deadline)
            if self._check is not None and not self._waiting:
                self._check.cancel()

    def _schedule_check(self) -> None:
        if self._timer is None and self._check is None:
            self._timer = asyncio.get_running_loop().call_later(_CHECK_INTERVAL, self._start_check)

    def _start_check(self) -> None:
        self._timer = None
        if self._waiting:
            self._check = asyncio.get_running_loop().create_task(self._end_unmeetable())
            self._check.add_done_callback(self._finish_check)

    def _finish_check(self, _: asyncio.Task[None]) -> None:
        self._check = None
        if self._waiting:
            self._schedule_check()

    async def _end_unmeetable(self) -> None:
        """End the calls that would not get a permit in time even if they were next in line."""
        loop = asyncio.get_running_loop()
        for priority in PRIORITIES:
            mine = [deadline for deadline in self._waiting if deadline.priority == priority]
            wait = await self._wait(priority) if mine else None
            unmeetable = [one for one in mine if wait is not None and one.misses(wait.first, loop.time())]
            if unmeetable:
                await asyncio.sleep(_GRACE)
                for deadline in self._waiting.intersection(unmeetable):
                    deadline.end(loop.time())
                return  # Once these are gone, the wait of the other priority may be shorter.

    async def _wait(self, priority: Priority) -> Wait | None:
        """Return the shortest possible wait, or None if the limiter does not know."""
        try:
            limits = await self._limiter.limits()
            # A custom limiter may know only the next permit; bulk permits come no earlier than that.
            return limits.waits[priority] if limits.waits else Wait(limits.next_free, limits.next_free)
        except Exception:  # noqa: BLE001  (if it matters, `acquire` raises it too)
            return None
