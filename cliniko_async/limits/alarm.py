"""The timer of an event loop in which callers wait for permits."""

import asyncio
import math
from collections.abc import Callable
from functools import partial

from .._loops import call_from_anywhere


class Alarm:
    """Calls a function in an event loop, at the earliest of the moments that were set since its last call."""

    def __init__(self, clock: Callable[[], float], ring: Callable[[], object]) -> None:
        """Create for the running event loop; `clock` returns the time of the moments in seconds."""
        self.loop = asyncio.get_running_loop()
        self._clock = clock
        self._ring = ring
        self._moment = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self.users = 0
        """The number of callers that wait for it, counted by the local limiter."""

    def set(self, moment: float) -> bool:
        """Ring at that moment or before; may be called from any thread. Return False if the event loop is closed."""
        return moment >= self._moment or call_from_anywhere(self.loop, partial(self._start, moment))

    def stop(self) -> None:
        """Forget the moments that were set."""
        self._moment = math.inf
        if self._timer is not None:
            self._timer.cancel()

    def _start(self, moment: float) -> None:
        if moment < self._moment:
            # First: the garbage collector may call this for an earlier moment between any two of the next lines.
            self._moment = moment
            if self._timer is not None:
                self._timer.cancel()
            # A timer rather than a sleeping task, because a pending timer is harmless when the event loop ends.
            self._timer = self.loop.call_later(max(0.0, moment - self._clock()), self._fire)

    def _fire(self) -> None:
        # What another thread did before this line, without setting the alarm, is seen by the function that is called.
        self._moment = math.inf
        self._ring()
