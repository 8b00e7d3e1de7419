"""Deadlines that the budget cannot meet: such a call ends at once, and says when to come back."""

import asyncio
import math

from ..limits import Permit, Priority, RateLimiter, Wait

_LOOK_EVERY = 0.25
"""Seconds between two looks at the limiter while calls with a deadline wait: others may bring it to a pause."""


_SETTLE = 0.01
"""Seconds for a caller to take what it was given just before a look, which finds the next permit to be far away."""
_PRIORITIES: tuple[Priority, Priority] = ("interactive", "bulk")


class UnmeetableDeadlineError(Exception):
    """No permit will be free before the deadline of a call."""


class Deadline:
    """When a call ends, and when the budget allows it at the earliest, as far as is known."""

    __slots__ = ("_scope", "_watch", "opens_at", "priority")

    def __init__(self, scope: asyncio.Timeout, watch: "BudgetWatch") -> None:
        """Take the scope of the call, which has a deadline."""
        self._scope = scope
        self._watch = watch
        self.priority: Priority = "interactive"
        self.opens_at: float | None = None

    async def acquire(self, priority: Priority) -> Permit:
        """Wait for a permit.

        Raises:
            UnmeetableDeadlineError: none will be free in time.
        """
        self.priority = priority
        permit = await self._watch.acquire(self)
        self.opens_at = None
        return permit

    def retry_after(self, now: float) -> float | None:
        """Return the seconds until the budget allows the call; None if that is not what it waits for."""
        return self.opens_at - now if self.opens_at is not None and self.opens_at > now else None

    def misses(self, wait: float, now: float) -> bool:
        """Note the shortest possible wait in seconds; return whether it is longer than the time left."""
        self.opens_at = now + wait if wait < math.inf else None
        ends_at = self._scope.when()
        return ends_at is not None and self.opens_at is not None and ends_at < self.opens_at

    def end(self, now: float) -> None:
        """Let the call end now."""
        if not self._scope.expired():
            self._scope.reschedule(now)


class BudgetWatch:
    """Looks at the limiter of a client for the calls that have a deadline; the others cost nothing."""

    def __init__(self, limiter: RateLimiter) -> None:
        """Take the limiter."""
        self._limiter = limiter
        self._waiting: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._look: asyncio.Task[None] | None = None

    async def acquire(self, deadline: Deadline) -> Permit:
        """Wait for a permit, unless all who wait already leave none in time."""
        wait = await self._wait(deadline.priority)
        if wait is not None and deadline.misses(wait.last, asyncio.get_running_loop().time()):
            raise UnmeetableDeadlineError
        self._waiting.add(deadline)
        try:
            self._look_later()
            return await self._limiter.acquire(deadline.priority)
        finally:
            self._waiting.discard(deadline)
            if self._look is not None and not self._waiting:
                self._look.cancel()

    def _look_later(self) -> None:
        if self._timer is None and self._look is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_EVERY, self._begin_look)

    def _begin_look(self) -> None:
        self._timer = None
        if self._waiting:
            self._look = asyncio.get_running_loop().create_task(self._end_hopeless())
            self._look.add_done_callback(self._end_look)

    def _end_look(self, _: asyncio.Task[None]) -> None:
        self._look = None
        if self._waiting:
            self._look_later()

    async def _end_hopeless(self) -> None:
        """End the calls that wait in vain, whichever of them is next."""
        loop = asyncio.get_running_loop()
        for priority in _PRIORITIES:
            mine = [deadline for deadline in self._waiting if deadline.priority == priority]
            wait = await self._wait(priority) if mine else None
            hopeless = [one for one in mine if wait is not None and one.misses(wait.first, loop.time())]
            if hopeless:
                await asyncio.sleep(_SETTLE)
                for deadline in self._waiting.intersection(hopeless):
                    deadline.end(loop.time())
                return  # The other priority may hope for more once these have left.

    async def _wait(self, priority: Priority) -> Wait | None:
        """Return the shortest possible wait; None if the limiter cannot tell."""
        try:
            limits = await self._limiter.limits()
            # A limiter of the user's own may know no more than the next permit, and those of bulk come after it.
            return limits.waits[priority] if limits.waits else Wait(limits.next_free, limits.next_free)
        except Exception:  # noqa: BLE001  (if it matters, `acquire` raises it, too)
            return None
