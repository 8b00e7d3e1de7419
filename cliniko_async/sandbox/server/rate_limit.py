"""Counts the requests of an API key against a limit, in one of the three ways a server may count."""

from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

WindowType: TypeAlias = Literal["fixed", "sliding", "bucket"]


class _Policy(Protocol):
    def admit(self, now: float) -> float | None:
        """Return the seconds until the limit resets if a request now exceeds it, otherwise None."""
        ...


class RateLimit:
    """Counts requests, and checks whether each exceeds the limit.

    Args:
        limit: Requests allowed in a period.
        period: The length of the period, in seconds.
        window: How the requests are counted.
        clock: The current time in seconds, from any origin.
    """

    def __init__(self, limit: int, period: float, window: WindowType, clock: Callable[[], float]) -> None:
        self.limit = limit
        self.period = period
        self.window: WindowType = window
        self.most = 0
        """The largest number of requests that arrived within any one period, whatever the window."""
        self.refused = 0
        """How many requests were answered 429 because they exceeded the limit."""
        self._clock = clock
        self._arrivals: deque[float] = deque()
        self._policy = _POLICIES[window](limit, period, clock())

    def count(self) -> float | None:
        """Count a request that arrives now.

        Returns:
            The seconds until the limit resets if the request exceeds it, otherwise None.
        """
        now = self._clock()
        self._arrivals.append(now)
        _drop_until(self._arrivals, now - self.period)
        self.most = max(self.most, len(self._arrivals))
        reset_in = self._policy.admit(now)
        self.refused += reset_in is not None
        return reset_in


class _FixedWindow:
    """Counts every request of a period; periods begin at multiples of their length."""

    def __init__(self, limit: int, period: float, _: float) -> None:
        self._limit, self._period = limit, period
        self._window_number = -1.0
        self._count = 0

    def admit(self, now: float) -> float | None:
        number = now // self._period
        if number != self._window_number:
            self._window_number, self._count = number, 0
        self._count += 1
        return None if self._count <= self._limit else (number + 1) * self._period - now


class _SlidingWindow:
    """Counts the accepted requests of the last period."""

    def __init__(self, limit: int, period: float, _: float) -> None:
        self._limit, self._period = limit, period
        self._accepted: deque[float] = deque()

    def admit(self, now: float) -> float | None:
        _drop_until(self._accepted, now - self._period)
        if len(self._accepted) >= self._limit:
            return self._accepted[0] + self._period - now
        self._accepted.append(now)
        return None


class _TokenBucket:
    """Spends one token on each request; tokens return evenly, `limit` of them in a period."""

    def __init__(self, limit: int, period: float, now: float) -> None:
        self._capacity, self._rate = float(limit), limit / period
        self._tokens, self._filled_at = self._capacity, now

    def admit(self, now: float) -> float | None:
        self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            return (1 - self._tokens) / self._rate
        self._tokens -= 1
        return None


def _drop_until(times: deque[float], until: float) -> None:
    while times and times[0] <= until:
        times.popleft()


_POLICIES: dict[WindowType, Callable[[int, float, float], _Policy]] = {
    "fixed": _FixedWindow,
    "sliding": _SlidingWindow,
    "bucket": _TokenBucket,
}
