"""The limiter for the tasks, event loops and threads of one process, and the one that all clients of a key share."""

import itertools
import time
from collections.abc import Callable

import attrs

from .._registry import Registry
from .base import BULK_SHARE, LIMIT, PERIOD, Limits
from .queue import Queue, QueueLimiter
from .window import Rules, WindowState, is_idle, limits_of, step


class LocalQueue(Queue):
    """A queue with its window in memory, which any thread serves at once."""

    def __init__(self, rules: Rules, clock: Callable[[], float]) -> None:
        super().__init__(rules, clock, self.serve)
        rules.courtesy = 0.0  # No other process waits, and a step costs nothing.
        self._state = WindowState()
        self._numbers = itertools.count(1)

    def serve(self) -> None:
        """Grant free permits to waiting callers."""
        with self.lock:
            request, now = self.request("", next(self._numbers)), self.clock()
            self.deliver(step(self._state, self.rules, request, now), now)

    def limits(self) -> Limits:
        """Return the state of the window now."""
        self.serve()
        with self.lock:
            return attrs.evolve(limits_of(self._state, self.rules), waiting=self.waiting)

    def is_idle(self) -> bool:
        """Return whether the queue is equivalent to a new one."""
        self.serve()
        return is_idle(self._state, self.rules)


class SlidingWindowLimiter(QueueLimiter):
    """At most `limit` requests in any `period`, for all tasks, event loops and threads of one process.

    Interactive callers go first. Bulk callers hold at most `bulk_share` of the window, get their permits evenly spaced,
    and may starve. Within a priority, permits go in order of arrival.
    """

    _queue: LocalQueue

    def __init__(
        self,
        limit: int = LIMIT,
        period: float = PERIOD,
        bulk_share: float = BULK_SHARE,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create an empty window.

        Args:
            limit: The largest number of requests in a period.
            period: The length of the window in seconds.
            bulk_share: The largest share of the window for bulk requests, above 0 and at most 1.
            clock: Returns the time in seconds.

        Raises:
            ConfigurationError: An option is not valid.
        """
        super().__init__(LocalQueue(Rules(limit, period, bulk_share), clock))

    async def limits(self) -> Limits:
        return self._queue.limits()


def _limiter_over(queue: LocalQueue) -> SlidingWindowLimiter:
    """Return a limiter over a queue that outlives it."""
    limiter = SlidingWindowLimiter.__new__(SlidingWindowLimiter)
    QueueLimiter.__init__(limiter, queue)
    return limiter


def limiter_registry(clock: Callable[[], float] = time.monotonic) -> Registry[SlidingWindowLimiter, LocalQueue]:
    """Return an empty registry of limiters, each with the limit of Cliniko."""
    return Registry(lambda _base_url, _api_key: LocalQueue(Rules(), clock), _limiter_over, LocalQueue.is_idle)


_limiters = limiter_registry()


def shared_limiter(base_url: str, api_key: str) -> SlidingWindowLimiter:
    """Return the one limiter of this process for a server and a key, the same for every client, event loop and thread.

    Args:
        base_url: The address of the API.
        api_key: The key, of which only a digest is kept.

    Returns:
        A limiter with the limit of Cliniko: 200 requests in 60 seconds.
    """
    return _limiters.get(base_url, api_key)
