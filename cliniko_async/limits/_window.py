"""The rules of the window, without a clock, a lock or a loop: time goes in, the moment of the next permit comes out."""

import math
from bisect import bisect_right, insort
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Generic, TypeVar

from ._interface import Wait
from ._pauses import Pauses

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ._interface import Priority

W = TypeVar("W")

LIMIT = 200
PERIOD = 60.0
BULK_SHARE = 0.8
PAD = 0.002
"""What every hold is longer than it need be, as a share of the period: no two clocks run at one rate."""
GRACE = 0.05
"""How much later than it was given up a request may yet be counted, as a share of the period."""


class Lane(Generic[W]):
    """One priority: what it holds, what it may hold, and who waits in it, each with the call that wakes it."""

    __slots__ = ("cap", "cooling", "held", "interval", "opens", "settled", "spare", "waiting")

    def __init__(self, cap: int, interval: float) -> None:
        self.cap = cap
        self.interval = interval
        self.opens = -math.inf
        self.held = 0
        self.spare = 0
        """So many more can be held without a look at the rules, whatever the time."""
        self.cooling: list[float] = []
        self.settled: deque[float] = deque()
        """When those settled since the last trim are free; any thread may append to it, at any moment."""
        self.waiting: OrderedDict[W, Callable[[], object]] = OrderedDict()

    def cool(self, free_at: float) -> None:
        """Hold one of those held only until then."""
        cooling = self.cooling
        if cooling and free_at < cooling[-1]:
            insort(cooling, free_at)
        else:
            cooling.append(free_at)

    def trim(self, now: float) -> None:
        """Take in what was settled, and let go of what is free by now."""
        settled = self.settled
        while settled:
            self.cool(settled.popleft())
        free = bisect_right(self.cooling, now)
        del self.cooling[:free]
        self.held -= free

    def release(self) -> float:
        """The moment at which the first of those held is free; infinite while all are in flight."""
        return self.cooling[0] if self.cooling else math.inf

    def opening(self) -> float:
        """The moment at which its own rules allow one more."""
        return self.opens if self.held < self.cap else max(self.opens, self.release())


class Window(Pauses, Generic[W]):
    """All that is held, in its two lanes, and the pause after a 429."""

    def __init__(self, limit: int = LIMIT, period: float = PERIOD, bulk_share: float = BULK_SHARE) -> None:
        super().__init__(period)
        self.limit = limit
        self.bulk_share = bulk_share
        self.hold = period * (1 + PAD)
        self.long_hold = period * (1 + GRACE + PAD)
        self.urgent = Lane[W](limit, 0.0)
        # Evenly spaced bulk leaves the permits that come free in between to whoever is interactive.
        bulk_cap = max(1, int(bulk_share * limit + 1e-9))
        self.bulk = Lane[W](bulk_cap, period / (bulk_share * limit))
        self.lanes: dict[Priority, Lane[W]] = {"interactive": self.urgent, "bulk": self.bulk}

    @property
    def held(self) -> int:
        """The permits in flight, and those answered that are not free yet."""
        return self.urgent.held + self.bulk.held

    @property
    def unsettled(self) -> bool:
        """Whether anything was settled that the next trim takes in."""
        return bool(self.urgent.settled or self.bulk.settled)

    def first(self) -> Lane[W] | None:
        """The lane whose turn it is, if anybody waits; the other never opens before it."""
        return self.urgent if self.urgent.waiting else self.bulk if self.bulk.waiting else None

    def take(self, lane: Lane[W], now: float) -> bool:
        """Hold one more for somebody who comes now, if there is one as of the last trim and nobody goes first."""
        free = not self.urgent.waiting and not lane.waiting and self.opening(lane) <= now
        if free:
            self.hold_one(lane, now)
            # Bulk is spaced; who is interactive needs no look at the rules before something else happens.
            self.urgent.spare = self.limit - self.held if lane is self.urgent else 0
        return free

    def hold_one(self, lane: Lane[W], now: float) -> None:
        """Hold one more from now on."""
        lane.held += 1
        lane.opens = now + lane.interval
        self.urgent.spare = 0

    def trim(self, now: float) -> None:
        """Let go of what is free by now."""
        self.urgent.spare = 0
        self.urgent.trim(now)
        self.bulk.trim(now)

    def opening(self, lane: Lane[W]) -> float:
        """The moment at which the lane gets its next permit, past if at once, infinite if an answer must come first."""
        opening = max(self.paused_until, lane.opening())
        if self.held < self.limit:
            return opening
        return max(opening, min(self.urgent.release(), self.bulk.release()))

    def waits(self, now: float) -> "dict[Priority, Wait]":
        """Return the shortest possible wait at each priority, as of the last trim."""
        urgent, bulk = (len(lane.waiting) for lane in self.lanes.values())
        return {
            "interactive": Wait(self._wait(0, None, now), self._wait(urgent, None, now)),
            "bulk": Wait(self._wait(urgent, 0, now), self._wait(urgent + bulk, bulk, now)),
        }

    def _wait(self, ahead: int, bulk_ahead: int | None, now: float) -> float:
        wait = max(self.paused_until - now, self._release(self.limit, (self.urgent, self.bulk), ahead, now))
        if bulk_ahead is not None:
            spaced = self.bulk.opens + bulk_ahead * self.bulk.interval
            wait = max(wait, spaced - now, self._release(self.bulk.cap, (self.bulk,), bulk_ahead, now))
        return wait

    def _release(self, size: int, lanes: "Sequence[Lane[W]]", ahead: int, now: float) -> float:
        """Return the seconds until the lanes have a permit for a caller with so many ahead of it, at the earliest."""
        rounds, place = divmod(ahead, size)
        index = place - (size - sum(lane.held for lane in lanes))
        wait = 0.0
        if index >= 0:
            cooling = sorted(moment for lane in lanes for moment in lane.cooling)
            # A permit in flight is held until a period after its answer, which cannot have come before now.
            wait = min(self.hold, cooling[index] - now) if index < len(cooling) else self.hold
        return wait + rounds * self.hold

    def fresh(self, now: float) -> bool:
        """Whether it is as good as a new one."""
        self.trim(now)
        remembers_until = max(self.paused_until, self.bulk.opens, self.guess_until + self.period)
        return not self.held and not self.first() and remembers_until <= now
