"""Rate limiting: a permit for each attempt, and the pauses that the server requests."""

import logging
import random
import time
from collections.abc import Callable

from .._messages import Response, date_of
from ..limits import Priority, RateLimiter
from .attempt import Attempt, Outcome, Transport

logger = logging.getLogger("cliniko_async")

_RESET_SLACK = 1.0
"""Seconds: `Date` and `X-RateLimit-Reset` are whole seconds, so the reset may come up to one second later."""


class RateLimited:
    """Takes a permit for each attempt, and pauses the limiter after a 429."""

    def __init__(
        self, inner: Transport, limiter: RateLimiter, priority: Priority, *, wall: Callable[[], float] = time.time
    ) -> None:
        """Create the wrapper.

        Args:
            inner: sends an attempt that has a permit.
            limiter: grants the permits.
            priority: the priority of the permits.
            wall: returns the Unix time; used if the response has no `Date`.
        """
        self._inner = inner
        self._limiter = limiter
        self._priority: Priority = priority
        self._wall = wall

    async def send(self, attempt: Attempt) -> Outcome:
        """Wait for a permit, send the attempt, and settle the permit according to the outcome."""
        permit = await (attempt.deadline or self._limiter).acquire(self._priority)
        answered = False
        try:
            outcome = await self._inner.send(attempt)
            answered = isinstance(outcome, Response)
        finally:
            if answered:
                permit.complete()
            elif attempt.sent:
                permit.abandon()
            else:
                permit.cancel()
        if isinstance(outcome, Response) and outcome.status == 429:
            paused = self._limiter.pause(self._until_reset(outcome))
            logger.info("%r answered 429: every request waits for %.1f s", attempt.request, paused)
        return outcome

    def _until_reset(self, response: Response) -> float | None:
        """Return the seconds until the server's limit resets, with jitter, or None if the server does not say."""
        try:
            reset = float(int(response.headers["X-RateLimit-Reset"]))
        except (KeyError, ValueError, OverflowError):
            return None
        seconds = _until(reset, response, self._wall)
        return min(max(seconds, 1.0), 2 * self._limiter.period) + _RESET_SLACK + random.random()


def retry_after(response: Response, wall: Callable[[], float] = time.time) -> float:
    """Return the seconds to wait according to `Retry-After`: 0 without the header, negative for a past date.

    Args:
        response: the response.
        wall: returns the Unix time; used if the response has no `Date`.
    """
    text = response.headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return float(text)
    date = date_of(response, "Retry-After")
    return 0.0 if date is None else _until(date, response, wall)


def _until(moment: float, response: Response, wall: Callable[[], float]) -> float:
    """Return the seconds until a Unix time, by the server's clock if the response has a `Date`."""
    now = date_of(response)
    return moment - (wall() if now is None else now)
