"""The timer of an event loop in which callers wait for permits."""

import asyncio
import math
from collections.abc import Callable

from .._loops import runs_here


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
        """The number of callers that wait for it, if somebody counts them."""

    def set(self, moment: float) -> None:
        """Ring at that moment or before; may be called from any thread.

        Raises:
            RuntimeError: The event loop is closed.
        """
        if moment >= self._moment:
            return
        if runs_here(self.loop):
            self._start(moment)
        else:
            self.loop.call_soon_threadsafe(self._start, moment)

    def stop(self) -> None:
        """Forget the moments that were set."""
        self._moment = math.inf
        if self._timer is not None:
            self._timer.cancel()

    def _start(self, moment: float) -> None:
        if moment < self._moment:
            self.stop()
            self._moment = moment
            # A timer rather than a sleeping task, because a pending timer is harmless when the event loop ends.
            self._timer = self.loop.call_later(max(0.0, moment - self._clock()), self._fire)

    def _fire(self) -> None:
        # What another thread did before this line, without setting the alarm, is seen by the function that is called.
        self._moment = math.inf
        self._ring()
