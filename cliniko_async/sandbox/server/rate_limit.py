"""The request budget of a key, counted in one of the three ways a server may count."""

from collections import deque
from collections.abc import Callable
from typing import Literal

Window = Literal["fixed", "sliding", "bucket"]


class Budget:
    """So many requests a period; says of each arrival whether it was one too many."""

    def __init__(self, limit: int, period: float, window: Window, clock: Callable[[], float]) -> None:
        self.limit = limit
        self.period = period
        self.window: Window = window
        self.most = 0
        """The most requests that arrived within any one period, whatever the kind of window."""
        self.refused = 0
        """How many requests were answered 429 because there were too many."""
        self._clock = clock
        self._arrivals: deque[float] = deque()
        self._admit = {"fixed": self._fixed, "sliding": self._sliding, "bucket": self._bucket}[window]
        self._accepted: deque[float] = deque()
        self._window_number = -1.0
        self._count = 0
        self._tokens = float(limit)
        self._filled_at = clock()

    def arrive(self) -> float | None:
        """Count a request that arrived now; give the seconds until the limit resets if it is one too many."""
        now = self._clock()
        self._note(now)
        wait = self._admit(now)
        self.refused += wait is not None
        return wait

    def _note(self, now: float) -> None:
        self._arrivals.append(now)
        _forget(self._arrivals, now - self.period)
        self.most = max(self.most, len(self._arrivals))

    def _fixed(self, now: float) -> float | None:
        number = now // self.period
        if number != self._window_number:
            self._window_number, self._count = number, 0
        self._count += 1
        return None if self._count <= self.limit else (number + 1) * self.period - now

    def _sliding(self, now: float) -> float | None:
        _forget(self._accepted, now - self.period)
        if len(self._accepted) >= self.limit:
            return self._accepted[0] + self.period - now
        self._accepted.append(now)
        return None

    def _bucket(self, now: float) -> float | None:
        rate = self.limit / self.period
        self._tokens = min(float(self.limit), self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens < 1:
            return (1 - self._tokens) / rate
        self._tokens -= 1
        return None


def _forget(times: deque[float], until: float) -> None:
    while times and times[0] <= until:
        times.popleft()
