"""The limiters of many accounts that share one connector: each request needs a permit, then a connection."""

import asyncio
import functools
import time
from collections import Counter
from collections.abc import Callable

import attrs

from .._loops import call_from_anywhere
from .._registry import Registry
from ..limits import Limits, Permit, Priority, RateLimiter, Wait, process_limiter
from ..limits.base import check_priority
from .connections import AccountConnections, ConnectionLimiter, ConnectionSlot

_LONGEST_UNUSED = 1.0
"""Maximum age of an unused permit, in seconds. An older one is returned, because another process may have announced a
pause since it was granted."""
_HOLD = 0.1
"""Seconds for which a connection is held while a new permit is requested."""
_PERIODS = 3
"""Periods for which an unused limiter is kept: then its window is empty, and a pause of two periods has ended."""


class TrackedLimiter:
    """The limiter of an account, and when it was last used."""

    def __init__(self, limiter: RateLimiter, clock: Callable[[], float]) -> None:
        self.limiter = limiter
        self._clock = clock
        self.use()

    def use(self) -> None:
        """Record that the limiter is used now."""
        self._used = self._clock()

    def may_be_forgotten(self) -> bool:
        """Return whether the state of the limiter no longer matters."""
        return self._clock() - self._used > _PERIODS * self.limiter.period


class AccountLimiter:
    """The limiter of all clients of one account in a pool; its permits come with a connection.

    The permit comes first, then the connection. The other order would need no check of the permit's age, but an account
    that has used up its budget would hold `per_account` connections for up to a period, so that a dozen such accounts
    would hold up all others; and such a connection would look overdue, although its server had been sent nothing.

    At most one waiter per priority asks the limiter at a time. Otherwise waiters would hold permits that they cannot
    use until a connection is free, and that neither a pause nor an interactive request could revoke.
    """

    def __init__(self, tracked: TrackedLimiter, connections: ConnectionLimiter) -> None:
        """Create the limiter of an account, in the event loop of the pool."""
        self._tracked = tracked
        self._limiter = tracked.limiter
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._account = AccountConnections()
        self._turns: dict[Priority, asyncio.Lock] = {"interactive": asyncio.Lock(), "bulk": asyncio.Lock()}
        self._waiting: dict[Priority, int] = {"interactive": 0, "bulk": 0}
        self._holding: Counter[Priority] = Counter()
        """The number of callers that have a permit and wait for a connection."""
        self._pauses = 0

    @property
    def period(self) -> float:
        """The length of the window in seconds."""
        return self._limiter.period

    async def acquire(self, priority: Priority) -> Permit:
        """Wait for a permit and a connection; a cancelled wait holds neither.

        Raises:
            InvalidRequestError: `priority` is not a priority.
        """
        check_priority(priority)
        self._waiting[priority] += 1
        try:
            async with self._turns[priority]:
                return PooledPermit(self, *await self._permit(priority))
        finally:
            self._waiting[priority] -= 1

    def pause(self, seconds: float | None) -> float:
        """Pause the limiter for `seconds`, or None if unknown; return the seconds until the pause ends."""
        self._pauses += 1
        self._tracked.use()
        return self._limiter.pause(seconds)

    async def limits(self) -> Limits:
        """Return the state of the limiter; requests that wait for a connection count as waiting."""
        found = await self._limiter.limits()
        waiting = {priority: count + found.waiting.get(priority, 0) for priority, count in self._waiting.items()}
        waits = found.waits or dict.fromkeys(self._waiting, Wait(found.next_free, found.next_free))
        return attrs.evolve(
            found, waiting=waiting, waits={each: self._wait(each, waits[each], found.limit) for each in waits}
        )

    def _wait(self, priority: Priority, wait: Wait, limit: int) -> Wait:
        """Return the shortest possible wait, given that of the limiter, which sees only one caller per priority."""
        ahead = self._waiting["interactive"] + (self._waiting["bulk"] if priority == "bulk" else 0)
        rounds = ahead // max(1, limit)
        # A caller that waits for a connection has its permit already.
        return Wait(0.0 if self._holding[priority] else wait.first, wait.last + rounds * self.period)

    @property
    def hangs(self) -> bool:
        """Whether its server hangs."""
        return self._account.hangs

    def release(self, slot: ConnectionSlot, *, answered: bool = False) -> None:
        """Release a connection; may be called from any thread at any time, even by the garbage collector."""
        self._tracked.use()
        # In a later turn of the loop: the garbage collector may have interrupted the connection limiter.
        release = functools.partial(self._connections.release, slot, answered=answered)
        call_from_anywhere(self._loop, functools.partial(self._loop.call_soon, release))

    async def _permit(self, priority: Priority) -> tuple[Permit, ConnectionSlot]:
        """Return a permit and a connection; the permit is still valid now that there is a connection."""
        permit = await self._ask(priority)
        while True:
            pauses, granted_at = self._pauses, self._loop.time()
            slot = await self._slot(permit, priority)
            if pauses == self._pauses and self._loop.time() - granted_at <= _LONGEST_UNUSED:
                return permit, slot
            permit.cancel()
            # The connection is held briefly: if a permit is available at once, the caller does not wait for both again.
            try:
                async with asyncio.timeout(_HOLD):
                    return await self._ask(priority), slot
            except TimeoutError:
                self.release(slot)
            except BaseException:
                self.release(slot)
                raise
            permit = await self._ask(priority)

    async def _slot(self, permit: Permit, priority: Priority) -> ConnectionSlot:
        """Wait for a connection; cancel the permit if the wait ends without one."""
        self._holding[priority] += 1
        try:
            return await self._connections.acquire(self._account, priority)
        except BaseException:
            permit.cancel()
            raise
        finally:
            self._holding[priority] -= 1

    async def _ask(self, priority: Priority) -> Permit:
        # The limiter itself counts the caller that asks it as waiting.
        self._waiting[priority] -= 1
        try:
            return await self._limiter.acquire(priority)
        finally:
            self._waiting[priority] += 1


class PooledPermit:
    """A permit with a connection, which is released when the permit is settled or dropped."""

    def __init__(self, limiter: AccountLimiter, permit: Permit, slot: ConnectionSlot) -> None:
        self._limiter: AccountLimiter | None = limiter
        self._permit = permit
        self._slot = slot

    def complete(self) -> None:
        """Record that the response arrived."""
        self._settle(self._permit.complete, answered=True)

    def abandon(self) -> None:
        """Record that the request was sent and no response came."""
        self._settle(self._permit.abandon)

    def cancel(self) -> None:
        """Record that the request was never sent."""
        self._settle(self._permit.cancel)

    def _settle(self, settle: Callable[[], None], *, answered: bool = False) -> None:
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            settle()
            limiter.release(self._slot, answered=answered)

    __del__ = abandon


class AccountRegistry(Registry[AccountLimiter, TrackedLimiter]):
    """The `AccountLimiter` of each server and key: one while it is in use, and its window for as long as it matters."""

    def __init__(
        self,
        connections: ConnectionLimiter,
        make: Callable[[str], RateLimiter] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create an empty registry.

        Args:
            connections: Limits the connections of all accounts.
            make: Returns the limiter for a key; without it, the limiter that the process shares is used.
            clock: Returns seconds.
        """

        def new_state(base_url: str, api_key: str) -> TrackedLimiter:
            return TrackedLimiter(process_limiter(base_url, api_key) if make is None else make(api_key), clock)

        def over(state: TrackedLimiter) -> AccountLimiter:
            return AccountLimiter(state, self._connections)

        self._connections = connections
        super().__init__(new_state, over, TrackedLimiter.may_be_forgotten)
