"""What a bulk create adds to each attempt: an entry in the journal before it is sent, and the server's clock."""

import asyncio
from collections.abc import Awaitable, Callable

from .._http.attempt import Attempt, Outcome, Transport
from .._messages import Request, Response, date_of


class ServerClock:
    """The server's time, by the `Date` of its last response. Never ahead of the server's own clock."""

    def __init__(self) -> None:
        self.is_set = False
        self.request: Request | None = None
        """The last request."""
        self._offset = 0.0

    def set(self, request: Request, outcome: Outcome) -> None:
        """Set the clock by a response, if the outcome is one that has a `Date`."""
        self.request = request
        date = date_of(outcome.headers) if isinstance(outcome, Response) else None
        if date is not None:
            self.is_set = True
            self._offset = date - asyncio.get_running_loop().time()

    def now(self) -> float:
        """Return the time in seconds since 1970; the clock must be set."""
        return self._offset + asyncio.get_running_loop().time()


class ClockSetting:
    """A transport that sets a clock by each response."""

    def __init__(self, inner: Transport, clock: ServerClock) -> None:
        self._inner = inner
        self._clock = clock

    async def send(self, attempt: Attempt) -> Outcome:
        """Send an attempt."""
        outcome = await self._inner.send(attempt)
        self._clock.set(attempt.request, outcome)
        return outcome


class Journaling:
    """A transport that awaits a function once, before the first attempt is sent."""

    def __init__(self, inner: Transport, before: Callable[[], Awaitable[None]]) -> None:
        self._inner = inner
        self._before: Callable[[], Awaitable[None]] | None = before

    async def send(self, attempt: Attempt) -> Outcome:
        """Send an attempt, which has its permit."""
        if self._before is not None:
            await self._before()
            self._before = None
        return await self._inner.send(attempt)
