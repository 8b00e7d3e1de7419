"""The timer of an event loop in which callers wait for permits."""

import asyncio
import math
from collections.abc import Callable
from functools import partial

from .._loops import call_from_anywhere


class LoopTimer:
    """Calls a function in an event loop, at the earliest of the moments that were set since its last call."""

    def __init__(self, clock: Callable[[], float], function: Callable[[], object]) -> None:
        """Create for the running event loop; `clock` returns the time of the moments in seconds."""
        self.loop = asyncio.get_running_loop()
        self._clock = clock
        self._function = function
        self._moment = math.inf
        self._handle: asyncio.TimerHandle | None = None
        self.users = 0
        """The number of callers that wait for it, counted by the local limiter."""

    def set(self, moment: float) -> bool:
        """Call the function at that moment or before. Return False if the event loop is closed.

        May be called from any thread.
        """
        return moment >= self._moment or call_from_anywhere(self.loop, partial(self._start, moment))

    def stop(self) -> None:
        """Forget the moments that were set."""
        self._moment = math.inf
        if self._handle is not None:
            self._handle.cancel()

    def _start(self, moment: float) -> None:
        if moment < self._moment:
            # First: the garbage collector may call this for an earlier moment between any two of the next lines.
            self._moment = moment
            if self._handle is not None:
                self._handle.cancel()
            # A timer rather than a sleeping task, because a pending timer is harmless when the event loop ends.
            self._handle = self.loop.call_later(max(0.0, moment - self._clock()), self._fire)

    def _fire(self) -> None:
        # What another thread did before this line, without setting the timer, is seen by the function that is called.
        self._moment = math.inf
        self._function()
