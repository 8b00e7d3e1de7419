"""Which of many accounts gets one of a few connections."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeAlias

from ..limits import Priority

_SHORTEST = 0.5
_LONGEST = 2.0
_TIMES = 4
"""A request is overdue after so many times the usual seconds to an answer, within the two bounds before."""
_WEIGHT = 1 / 8
_TICK = 0.05
"""Seconds between two looks at what is overdue."""
_PROBES = 2
"""Connections of an account that hangs: one is overdue, perhaps rightly, and one tells whether others are answered."""
_TRIES = 3
"""Accounts that are tried beyond the limit for each overdue request: 100 hang, so 300 more are tried."""


class Seat:
    """One account, and its connections."""

    __slots__ = ("answered_at", "hangs", "held")

    def __init__(self) -> None:
        self.held = 0
        self.answered_at = -math.inf
        self.hangs = False
        """Whether a request is or was overdue, and nothing has been answered since it was sent."""

    @property
    def is_untried(self) -> bool:
        """Whether it has no connection, and never had an answer."""
        return not self.held and self.answered_at == -math.inf


class Place:
    """One connection of an account, from the moment at which its request may be sent."""

    __slots__ = ("counts", "seat", "since")

    def __init__(self, seat: Seat, since: float) -> None:
        self.seat = seat
        self.since = since
        self.counts = not seat.hangs
        """Whether it is one of those that the gate has to give."""


class _Clock:
    """The time of a gate, while it is called back. It stands still while the event loop is too busy to hear answers."""

    def __init__(self, call: Callable[[], bool]) -> None:
        """Take what is called, and says whether it is to be called again."""
        self.now = 0.0
        self._call = call
        self._runs = False

    def start(self) -> None:
        """Let it run, if it does not."""
        if not self._runs:
            self._runs = True
            self._set(asyncio.get_running_loop())

    def _set(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(_TICK, self._tick, loop, loop.time())

    def _tick(self, loop: asyncio.AbstractEventLoop, before: float) -> None:
        self.now += min(2 * _TICK, loop.time() - before)
        self._runs = self._call()
        if self._runs:
            self._set(loop)


_Queue: TypeAlias = OrderedDict[Seat, asyncio.Future[Place]]


class Gate:
    """Gives out a number of places, a share of them at most to each account.

    Interactive callers go first, then the account that has the fewest. A request that is overdue keeps its connection,
    but no longer counts: its place goes to somebody else, so accounts that hang hold the others up for a moment only.
    The next requests of such an account do not count from the start, and are few. While many are overdue, accounts
    that never had an answer are tried beyond the limit: else a crowd that hangs would be found out one limit at a time.
    All of it happens in one event loop.
    """

    def __init__(self, places: int, share: int) -> None:
        """Take how many places there are, and how many of them one account may have."""
        self.free = places
        self._places = places
        self._share = share
        # By priority, and by how many places they have, those who wait, in the order in which they came.
        self._waiting: dict[Priority, list[_Queue]] = {
            "interactive": [OrderedDict() for _ in range(share + 1)],
            "bulk": [OrderedDict() for _ in range(share + 1)],
        }
        self._counted: dict[Place, None] = {}
        """By age."""
        self._uncounted = 0
        self._usual = 0.0
        self._clock = _Clock(self._find_overdue)

    async def enter(self, seat: Seat, priority: Priority) -> Place:
        """Wait for a place; of each account one caller at each priority. A cancelled wait leaves nothing behind."""
        if self._admits(seat):
            # Nobody is passed over: with a place free, only those wait who have their share.
            return self._take(seat)
        woken: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self._waiting[priority][self._rank(seat)][seat] = woken
        try:
            return await woken
        except BaseException:
            if woken.done() and not woken.cancelled():
                self.leave(woken.result())
            else:
                self._waiting[priority][self._rank(seat)].pop(seat, None)
            raise

    def leave(self, place: Place, *, answered: bool = False) -> None:
        """Give a place back, to whoever is next, and say whether a whole answer came."""
        now, seat = self._clock.now, place.seat
        if place.counts:
            del self._counted[place]
            self.free += 1
        else:
            self._uncounted -= 1
        if answered:
            seat.answered_at = now
            self._usual += (now - place.since - self._usual) * _WEIGHT
        self._change(seat, -1, hangs=seat.hangs and not answered)
        self._probe(seat)
        self._serve()

    def _find_overdue(self) -> bool:
        """Count what is overdue no longer, and give its places to others; return whether to look again."""
        due, found = self._clock.now - self._patience + _TICK / 2, False
        while (place := next(iter(self._counted), None)) is not None and place.since <= due:
            found = True
            del self._counted[place]
            place.counts = False
            self.free += 1
            self._uncounted += 1
            self._change(place.seat, 0, hangs=place.seat.answered_at <= place.since)
            self._probe(place.seat)
        if found:
            self._serve()
        else:
            self._try_more()
        return bool(self._counted)

    def _try_more(self) -> None:
        """Try accounts that never had an answer beyond the limit, no more at once than a server takes with ease."""
        room = min(self._places, self.free + _TRIES * self._uncounted)
        for queues in self._waiting.values():
            for seat, woken in [item for item in queues[0].items() if item[0].is_untried and not item[1].done()]:
                if room > 0:
                    room -= 1
                    del queues[0][seat]
                    woken.set_result(self._take(seat))

    @property
    def _patience(self) -> float:
        return min(_LONGEST, max(_SHORTEST, _TIMES * self._usual))

    def _admits(self, seat: Seat) -> bool:
        if seat.hangs:
            return seat.held < min(_PROBES, self._share)
        return self.free > 0 and seat.held < self._share

    def _take(self, seat: Seat) -> Place:
        place = Place(seat, self._clock.now)
        if place.counts:
            self._counted[place] = None
            self.free -= 1
            self._clock.start()
        else:
            self._uncounted += 1
        self._change(seat, 1, hangs=seat.hangs)
        return place

    def _rank(self, seat: Seat) -> int:
        """Return the place of an account among those who wait; the last is for those who get no more for now."""
        return self._share if seat.hangs else seat.held

    def _change(self, seat: Seat, by: int, *, hangs: bool) -> None:
        """Change what is known of an account, and let it wait among its like."""
        before = self._rank(seat)
        seat.held += by
        seat.hangs = hangs
        for queues in self._waiting.values():
            woken = queues[before].pop(seat, None)
            if woken is not None:
                queues[self._rank(seat)][seat] = woken

    def _probe(self, seat: Seat) -> None:
        """Give an account that hangs the few places that do not count."""
        for queues in self._waiting.values():
            woken = queues[self._share].get(seat)
            if woken is not None and not woken.done() and seat.hangs and self._admits(seat):
                del queues[self._share][seat]
                woken.set_result(self._take(seat))

    def _serve(self) -> None:
        while self.free > 0 and (found := self._next()) is not None:
            seat, woken = found
            woken.set_result(self._take(seat))

    def _next(self) -> tuple[Seat, asyncio.Future[Place]] | None:
        for queues in self._waiting.values():
            for queue in queues[: self._share]:
                while queue:
                    seat, woken = queue.popitem(last=False)
                    if not woken.done():  # Who was cancelled has yet to leave.
                        return seat, woken
        return None
