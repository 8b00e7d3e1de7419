"""Rate limiting: a permit for each attempt, and the pauses that the server requests."""

import asyncio
import random
import time
from collections.abc import Callable

from .._messages import Response, seconds_until
from ..limits import Permit, Priority, RateLimiter
from .attempt import Attempt, Outcome, Transport
from .reporter import Reporter

_RESET_SLACK = 1.0
"""Seconds: `Date` and `X-RateLimit-Reset` are whole seconds, so the reset may come up to one second later."""


class RateLimited:
    """Takes a permit for each attempt, and pauses the limiter after a 429."""

    def __init__(
        self,
        inner: Transport,
        limiter: RateLimiter,
        priority: Priority,
        reporter: Reporter,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Create the wrapper.

        Args:
            inner: Sends an attempt that has a permit.
            limiter: Grants the permits.
            priority: The priority of the permits.
            reporter: Reports permits, attempts and pauses.
            wall: Returns the Unix time; used if the response has no `Date`.
        """
        self._inner = inner
        self._limiter = limiter
        self._priority: Priority = priority
        self._reporter = reporter
        self._wall = wall

    async def send(self, attempt: Attempt) -> Outcome:
        """Wait for a permit, send the attempt, and settle the permit according to the outcome."""
        clock = asyncio.get_running_loop().time
        asked_at = clock()
        if attempt.deadline is None:
            permit = await self._limiter.acquire(self._priority)
        else:
            permit = await attempt.deadline.acquire(self._priority)
        attempt.began = clock()
        attempt.waited = attempt.began - asked_at
        self._reporter.permit_granted(attempt)
        try:
            outcome = await self._inner.send(attempt)
        except BaseException:
            self._end(attempt, permit, None)
            raise
        self._end(attempt, permit, outcome)
        if isinstance(outcome, Response) and outcome.status == 429:
            self._reporter.requests_paused(attempt, self._limiter.pause(self._until_reset(outcome)))
        return outcome

    def _end(self, attempt: Attempt, permit: Permit, outcome: Outcome | None) -> None:
        """Settle the permit and report how the attempt ended; without an outcome, it ends with an exception."""
        if isinstance(outcome, Response):
            permit.complete()
        elif attempt.sent:
            permit.abandon()
        else:
            permit.cancel()
        self._reporter.attempt_ended(attempt, outcome)

    def _until_reset(self, response: Response) -> float | None:
        """Return the seconds until the server's limit resets, with jitter, or None if the server does not say."""
        try:
            reset = float(int(response.headers["X-RateLimit-Reset"]))
        except (KeyError, ValueError, OverflowError):
            return None
        seconds = seconds_until(reset, response.headers, self._wall)
        return min(max(seconds, 1.0), 2 * self._limiter.period) + _RESET_SLACK + random.random()
