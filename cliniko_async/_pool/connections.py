"""Decides which of many accounts gets one of a limited number of connections."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeAlias

from ..limits import Priority

_SHORTEST_PATIENCE = 0.5
_LONGEST_PATIENCE = 2.0
_PATIENCE = 4
"""A request is overdue after this many times the usual response time, within the two bounds above."""
_WEIGHT = 1 / 8
"""Weight of the latest response time in the moving average."""
_TICK = 0.05
"""Seconds between two checks for overdue requests."""
_PROBES = 2
"""Connections of an account that hangs: one is overdue, the other shows whether responses arrive again."""
_TRIES = 3
"""Untried accounts that get a connection beyond the limit for each overdue request: if 100 hang, 300 more are tried."""


class AccountConnections:
    """The connections of one account, and whether its server answers."""

    def __init__(self) -> None:
        self.held = 0
        self.answered_at = -math.inf
        self.hangs = False
        """Whether a request is or was overdue, and nothing has been answered since it was sent."""

    @property
    def is_untried(self) -> bool:
        """Whether it has no connection, and never had a response."""
        return not self.held and self.answered_at == -math.inf


class ConnectionSlot:
    """The right to one connection, from the moment at which its request may be sent until the request has ended."""

    def __init__(self, account: AccountConnections, since: float) -> None:
        self.account = account
        self.since = since
        self.counts = not account.hangs
        """Whether it counts against the limit."""


class _LoopClock:
    """The time of a limiter while it is in use. It slows down while the event loop is too busy to receive responses."""

    def __init__(self, call: Callable[[], bool]) -> None:
        """Create the clock; `call` is called at each tick, and returns whether the clock should continue."""
        self.now = 0.0
        self._call = call
        self._runs = False

    def start(self) -> None:
        """Start the clock if it is not running."""
        if not self._runs:
            self._runs = True
            self._schedule(asyncio.get_running_loop())

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(_TICK, self._tick, loop, loop.time())

    def _tick(self, loop: asyncio.AbstractEventLoop, before: float) -> None:
        self.now += min(2 * _TICK, loop.time() - before)
        self._runs = self._call()
        if self._runs:
            self._schedule(loop)


_Waiters: TypeAlias = OrderedDict[AccountConnections, asyncio.Future[ConnectionSlot]]


class ConnectionLimiter:
    """Limits the connections of a pool, and of each account in it.

    Interactive requests go first, then the account that uses the fewest connections. An overdue request keeps its
    connection but no longer counts, so that its slot goes to another account, and accounts that hang delay the others
    only briefly. Further requests of such an account never count, and are few. While many requests are overdue,
    accounts that never had a response are tried beyond the limit; otherwise, if many accounts hang, they would be
    detected only one limit at a time. A limiter belongs to one event loop.
    """

    def __init__(self, connections: int, per_account: int) -> None:
        """Create the limiter.

        Args:
            connections: The largest number of connections that count.
            per_account: The largest number of connections of one account.
        """
        self.free = connections
        self._connections = connections
        self._per_account = per_account
        # The waiters by priority, then by the number of connections that their account has, in the order of arrival.
        self._waiting: dict[Priority, list[_Waiters]] = {
            "interactive": [OrderedDict() for _ in range(per_account + 1)],
            "bulk": [OrderedDict() for _ in range(per_account + 1)],
        }
        self._counted: dict[ConnectionSlot, None] = {}
        """The slots that count, oldest first."""
        self._uncounted = 0
        self._usual = 0.0
        self._clock = _LoopClock(self._check_overdue)

    async def acquire(self, account: AccountConnections, priority: Priority) -> ConnectionSlot:
        """Wait for a slot. At most one caller per account and priority may wait. A cancelled wait takes no slot."""
        if self._admits(account):
            # No waiter is passed over: while a slot is free, only accounts at their own limit are waiting.
            return self._take(account)
        woken: asyncio.Future[ConnectionSlot] = asyncio.get_running_loop().create_future()
        self._waiting[priority][self._rank(account)][account] = woken
        try:
            return await woken
        except BaseException:
            if woken.done() and not woken.cancelled():
                self.release(woken.result())
            else:
                self._waiting[priority][self._rank(account)].pop(account, None)
            raise

    def release(self, slot: ConnectionSlot, *, answered: bool = False) -> None:
        """Release a slot to the next waiter, and record whether a complete response arrived."""
        now, account = self._clock.now, slot.account
        if slot.counts:
            del self._counted[slot]
            self.free += 1
        else:
            self._uncounted -= 1
        if answered:
            account.answered_at = now
            self._usual += (now - slot.since - self._usual) * _WEIGHT
        self._change(account, -1, hangs=account.hangs and not answered)
        self._probe(account)
        self._serve()

    def _check_overdue(self) -> bool:
        """Stop counting overdue requests, and give their slots to others; return whether to check again."""
        due, found = self._clock.now - self._patience + _TICK / 2, False
        while (slot := next(iter(self._counted), None)) is not None and slot.since <= due:
            found = True
            del self._counted[slot]
            slot.counts = False
            self.free += 1
            self._uncounted += 1
            self._change(slot.account, 0, hangs=slot.account.answered_at <= slot.since)
            self._probe(slot.account)
        if found:
            self._serve()
        else:
            self._try_more()
        return bool(self._counted)

    def _try_more(self) -> None:
        """Grant connections beyond the limit to accounts that never had a response, at most `connections` at once."""
        room = min(self._connections, self.free + _TRIES * self._uncounted)
        for queues in self._waiting.values():
            for account, woken in [item for item in queues[0].items() if item[0].is_untried and not item[1].done()]:
                if room > 0:
                    room -= 1
                    del queues[0][account]
                    woken.set_result(self._take(account))

    @property
    def _patience(self) -> float:
        return min(_LONGEST_PATIENCE, max(_SHORTEST_PATIENCE, _PATIENCE * self._usual))

    def _admits(self, account: AccountConnections) -> bool:
        if account.hangs:
            return account.held < min(_PROBES, self._per_account)
        return self.free > 0 and account.held < self._per_account

    def _take(self, account: AccountConnections) -> ConnectionSlot:
        slot = ConnectionSlot(account, self._clock.now)
        if slot.counts:
            self._counted[slot] = None
            self.free -= 1
            self._clock.start()
        else:
            self._uncounted += 1
        self._change(account, 1, hangs=account.hangs)
        return slot

    def _rank(self, account: AccountConnections) -> int:
        """Return the queue in which an account waits; the last is for those that get no more connections for now."""
        return self._per_account if account.hangs else account.held

    def _change(self, account: AccountConnections, by: int, *, hangs: bool) -> None:
        """Update the state of an account, and move its waiters to the right queue."""
        before = self._rank(account)
        account.held += by
        account.hangs = hangs
        for queues in self._waiting.values():
            woken = queues[before].pop(account, None)
            if woken is not None:
                queues[self._rank(account)][account] = woken

    def _probe(self, account: AccountConnections) -> None:
        """Give a waiting account that hangs a slot that does not count, if it may have one."""
        for queues in self._waiting.values():
            woken = queues[self._per_account].get(account)
            if woken is not None and not woken.done() and account.hangs and self._admits(account):
                del queues[self._per_account][account]
                woken.set_result(self._take(account))

    def _serve(self) -> None:
        while self.free > 0 and (found := self._next()) is not None:
            account, woken = found
            woken.set_result(self._take(account))

    def _next(self) -> tuple[AccountConnections, asyncio.Future[ConnectionSlot]] | None:
        for queues in self._waiting.values():
            for queue in queues[: self._per_account]:
                while queue:
                    account, woken = queue.popitem(last=False)
                    if not woken.done():  # A cancelled waiter has not removed itself yet.
                        return account, woken
        return None
