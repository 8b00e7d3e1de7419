"""One window, and all who wait before it: tasks of any number of event loops in any number of threads."""

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from ._interface import Limits
from ._window import Lane, Window


class Place(msgspec.Struct, eq=False):
    """The permit of one request, held in a lane. One that is dropped counts as given up."""

    _desk: "Desk | None"
    _lane: "PlaceLane"

    def complete(self) -> None:
        """Free it one period from now."""
        if (desk := self._desk) is not None:
            self._desk = None
            # As settle does; nearly all places end here, and the call would cost a tenth of one.
            self._lane.settled.append(desk.clock() + desk.hold)
            if desk.alarms:
                desk.read_news()

    def abandon(self) -> None:
        """Free it one period and a grace from now."""
        if (desk := self._desk) is not None:
            self._desk = None
            desk.settle(self._lane, desk.clock() + desk.long_hold)

    def cancel(self) -> None:
        """Free it at once."""
        if (desk := self._desk) is not None:
            self._desk = None
            desk.settle(self._lane, -math.inf)

    __del__ = abandon


class Waiter(msgspec.Struct, eq=False):
    """Who waits before a lane, and whether it was given a place."""

    lane: "PlaceLane"
    served: bool = False


PlaceLane: TypeAlias = Lane[Waiter]


class Alarm:
    """The one timer of an event loop in which somebody waits.

    Each loop wakes its own tasks, so that none is stranded by another that is closed, stopped or busy.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float], ring: Callable[[], None]) -> None:
        self.loop = loop
        self.waiters = 0
        self._clock = clock
        self._ring = ring
        self._moment = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def set(self, moment: float) -> None:
        """Ring at that moment or before, set by any thread. A closed loop raises a RuntimeError."""
        if moment < self._moment:
            self._moment = moment
            self.loop.call_soon_threadsafe(self._start)

    def stop(self) -> None:
        """Do not ring."""
        self._moment = math.inf
        if self._timer is not None:
            self._timer.cancel()

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        moment = self._moment
        if moment < math.inf:
            self._timer = self.loop.call_later(max(0.0, moment - self._clock()), self._fire)

    def _fire(self) -> None:
        # What another thread sets between these two is set again by the ring.
        self._moment = math.inf
        self._ring()


class Desk:
    """Gives out the places of a window.

    A place may be settled by the garbage collector, while the very thread it interrupts holds the lock. So neither
    settling nor going away waits for the lock: it leaves a note, and whoever holds the lock looks after releasing it.
    """

    def __init__(self, window: Window[Waiter], clock: Callable[[], float]) -> None:
        self.window = window
        self.lanes = window.lanes
        self.clock = clock
        self.hold = window.hold
        self.long_hold = window.long_hold
        self._lock = threading.Lock()
        self._gone: deque[Waiter] = deque()
        # Where nobody waits, there is nobody to serve with what is settled: it can wait for the next who asks.
        self.alarms: dict[asyncio.AbstractEventLoop, Alarm] = {}

    def take(self, lane: PlaceLane) -> Place | None:
        """Give a place at once, unless there is none or somebody else goes first."""
        with self._lock:
            if taken := lane.spare > 0:
                lane.spare -= 1
                lane.held += 1
            else:
                now = self.clock()
                self._catch_up(now)
                taken = self.window.take(lane, now)
                self._serve(now)
        if self.alarms:
            self.read_news()
        return Place(self, lane) if taken else None

    def enter(self, lane: PlaceLane) -> Place:
        """Count a request that somebody else has permitted."""
        with self._lock:
            self.window.hold_one(lane, self.clock())
        self.read_news()
        return Place(self, lane)

    async def wait(self, lane: PlaceLane) -> Place:
        """Give a place when those before have theirs."""
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        waiter = Waiter(lane)
        alarm = self.alarms.setdefault(loop, Alarm(loop, self.clock, self.serve))
        alarm.waiters += 1
        try:
            with self._lock:
                lane.waiting[waiter] = lambda: loop.call_soon_threadsafe(_wake, woken)
                self._update(self.clock())
            self.read_news()
            await woken
        except BaseException:
            self._gone.append(waiter)
            self.read_news()
            raise
        finally:
            self._leave(alarm)
        return Place(self, lane)

    def settle(self, lane: PlaceLane, free_at: float) -> None:
        """Note when a place of a lane is free again; never blocks."""
        lane.settled.append(free_at)
        # Who waits has an alarm, and whoever gets one after this look has yet to read what is noted.
        if self.alarms:
            self.read_news()

    def serve(self) -> None:
        """Give what is free to those who wait."""
        with self._lock:
            self._update(self.clock())
        self.read_news()

    def pause(self, wait: float | None) -> float:
        """Give nothing for so many seconds, or for a guess, and return how long the pause is still."""
        with self._lock:
            now = self.clock()
            seconds = self.window.pause(now, wait)
            self._update(now)
        self.read_news()
        return seconds

    def limits(self) -> Limits:
        """Tell how the window stands now."""
        self.serve()
        with self._lock:
            window, now = self.window, self.clock()
            waits = window.waits(now)
            paused = max(0.0, window.paused_until - now)
            limits = Limits(
                limit=window.limit,
                used=window.held,
                remaining=window.limit - window.held,
                waiting={priority: len(lane.waiting) for priority, lane in window.lanes.items()},
                next_free=waits["interactive"].first,
                paused=paused,
                waits=waits,
            )
        self.read_news()
        return limits

    def fresh(self) -> bool:
        """Whether it is as good as a new one."""
        self.serve()
        with self._lock:
            fresh = self.window.fresh(self.clock())
        self.read_news()
        return fresh

    def _leave(self, alarm: Alarm) -> None:
        alarm.waiters -= 1
        if not alarm.waiters:
            alarm.stop()
            self.alarms.pop(alarm.loop, None)

    def read_news(self) -> None:
        """Take in what is noted; never blocks."""
        # Who does not get the lock may go: its holder comes by here after letting go of it.
        while (self._gone or self.window.unsettled) and self._lock.acquire(blocking=False):
            try:
                self._update(self.clock())
            finally:
                self._lock.release()

    def _update(self, now: float) -> None:
        """Bring the window to this moment and serve those who wait; needs the lock."""
        self._catch_up(now)
        self._serve(now)

    def _catch_up(self, now: float) -> None:
        gone = self._gone
        while gone:
            waiter = gone.popleft()
            if waiter.served:
                waiter.lane.cool(-math.inf)
            else:
                waiter.lane.waiting.pop(waiter, None)
        self.window.trim(now)

    def _serve(self, now: float) -> None:
        while (lane := self.window.first()) is not None:
            opening = self.window.opening(lane)
            if opening > now:
                self._set_alarms(opening)
                return
            self._give_to_next(lane, now)

    def _give_to_next(self, lane: PlaceLane, now: float) -> None:
        waiter, wake = lane.waiting.popitem(last=False)
        try:
            wake()
        except RuntimeError:  # its loop is closed
            return
        waiter.served = True
        self.window.hold_one(lane, now)

    def _set_alarms(self, moment: float) -> None:
        for alarm in list(self.alarms.values()):
            try:
                alarm.set(moment)
            except RuntimeError:  # its loop is closed
                self.alarms.pop(alarm.loop, None)


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
