"""One window, and all who wait before it: tasks of any number of event loops in any number of threads."""

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from ._interface import Limits
from ._window import Lane, Window


class Place:
    """The permit of one request: a place in a queue until a lane holds it. One that is dropped counts as given up."""

    __slots__ = ("_desk", "held_in")

    def __init__(self, desk: "Desk", held_in: "PlaceLane | None" = None) -> None:
        self._desk: Desk | None = desk
        self.held_in = held_in

    def answered(self) -> None:
        """Free it one period from now."""
        if (desk := self._desk) is not None:
            self._desk = None
            desk.settle(self, desk.clock() + desk.hold)

    def given_up(self) -> None:
        """Free it one period and a grace from now."""
        if (desk := self._desk) is not None:
            self._desk = None
            desk.settle(self, desk.clock() + desk.long_hold)

    def unsent(self) -> None:
        """Free it at once, or leave the queue."""
        if (desk := self._desk) is not None:
            self._desk = None
            desk.settle(self, -math.inf)

    __del__ = given_up


PlaceLane: TypeAlias = Lane[Place]


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

    A place may be settled by the garbage collector, while the very thread it interrupts holds the lock. So settling
    never waits for the lock: it leaves a note in the inbox, and whoever holds the lock looks there after releasing it.
    """

    def __init__(self, window: Window[Place], clock: Callable[[], float]) -> None:
        self.window = window
        self.lanes = window.lanes
        self.clock = clock
        self.hold = window.hold
        self.long_hold = window.long_hold
        self._lock = threading.Lock()
        self._inbox: deque[tuple[Place, float]] = deque()
        self._alarms: dict[asyncio.AbstractEventLoop, Alarm] = {}

    def take(self, lane: PlaceLane) -> Place | None:
        """Give a place at once, unless there is none or somebody else goes first."""
        with self._lock:
            now = self.clock()
            taken = self.window.take(lane, now)
            if not taken:
                # The window is brought up to date when that decides something: most calls do not need it.
                self._catch_up(now)
                taken = self.window.take(lane, now)
                self._serve(now)
        if self._alarms:
            self._read_inbox()
        return Place(self, lane) if taken else None

    def enter(self, lane: PlaceLane) -> Place:
        """Count a request that somebody else has permitted."""
        with self._lock:
            lane.take(self.clock())
        self._read_inbox()
        return Place(self, lane)

    async def wait(self, lane: PlaceLane) -> Place:
        """Give a place when those before have theirs."""
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        place = Place(self)
        alarm = self._alarms.setdefault(loop, Alarm(loop, self.clock, self.serve))
        alarm.waiters += 1
        try:
            with self._lock:
                lane.waiting[place] = lambda: loop.call_soon_threadsafe(_wake, woken)
            self.serve()
            await woken
        except BaseException:
            place.unsent()
            raise
        finally:
            self._leave(alarm)
        return place

    def settle(self, place: Place, free_at: float) -> None:
        """Note when a place is free again; never blocks."""
        self._inbox.append((place, free_at))
        # Who waits has an alarm, and whoever gets one after this look has yet to read the inbox.
        if self._alarms:
            self._read_inbox()

    def serve(self) -> None:
        """Give what is free to those who wait."""
        with self._lock:
            self._update(self.clock())
        self._read_inbox()

    def pause(self, wait: float | None) -> float:
        """Give nothing for so many seconds, or for a guess, and return how long the pause is still."""
        with self._lock:
            seconds = self.window.pause(self.clock(), wait)
        self.serve()
        return seconds

    def limits(self) -> Limits:
        """Tell how the window stands now."""
        self.serve()
        with self._lock:
            window, now = self.window, self.clock()
            opening = window.opening(window.urgent)
            paused = max(0.0, window.paused_until - now)
            limits = Limits(
                limit=window.limit,
                used=window.held,
                remaining=window.limit - window.held,
                waiting={priority: len(lane.waiting) for priority, lane in window.lanes.items()},
                next_free=max(0.0, opening - now) if opening < math.inf else max(paused, window.hold),
                paused=paused,
            )
        self._read_inbox()
        return limits

    def fresh(self) -> bool:
        """Whether it is as good as a new one."""
        self.serve()
        with self._lock:
            fresh = self.window.fresh(self.clock())
        self._read_inbox()
        return fresh

    def _leave(self, alarm: Alarm) -> None:
        alarm.waiters -= 1
        if not alarm.waiters:
            alarm.stop()
            self._alarms.pop(alarm.loop, None)

    def _read_inbox(self) -> None:
        # Who does not get the lock may go: its holder comes by here after letting go of it.
        while self._inbox and self._lock.acquire(blocking=False):
            try:
                self._update(self.clock())
            finally:
                self._lock.release()

    def _update(self, now: float) -> None:
        """Bring the window to this moment and serve those who wait; needs the lock."""
        self._catch_up(now)
        self._serve(now)

    def _catch_up(self, now: float) -> None:
        inbox = self._inbox
        while inbox:
            place, free_at = inbox.popleft()
            if (lane := place.held_in) is None:
                self.window.leave(place)
            else:
                place.held_in = None
                lane.cool(free_at)
        self.window.trim(now)

    def _serve(self, now: float) -> None:
        while (lane := self.window.first()) is not None:
            opening = self.window.opening(lane)
            if opening > now:
                self._set_alarms(opening)
                return
            self._give_to_next(lane, now)

    def _give_to_next(self, lane: PlaceLane, now: float) -> None:
        place, wake = lane.waiting.popitem(last=False)
        try:
            wake()
        except RuntimeError:  # its loop is closed
            return
        place.held_in = lane
        lane.take(now)

    def _set_alarms(self, moment: float) -> None:
        for alarm in list(self._alarms.values()):
            try:
                alarm.set(moment)
            except RuntimeError:  # its loop is closed
                self._alarms.pop(alarm.loop, None)


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
