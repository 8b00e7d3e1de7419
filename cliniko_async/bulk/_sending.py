"""What a bulk create adds to each attempt: an entry in the journal before it is sent, and the server's clock."""

import asyncio
from collections.abc import Awaitable, Callable

from .._http.attempt import Attempt, Outcome, Transport
from .._messages import Response, date_of
from ..errors import DecodingError


class ServerClock:
    """The server's time, by the `Date` of its last response. It is never ahead of it."""

    def __init__(self) -> None:
        self._offset: float | None = None

    def read(self, outcome: Outcome) -> None:
        """Set the clock by a response, if there is one."""
        date = date_of(outcome.headers) if isinstance(outcome, Response) else None
        if date is not None:
            self._offset = date - asyncio.get_running_loop().time()

    def now(self) -> float:
        """Return the time in seconds since 1970.

        Raises:
            DecodingError: No response had a `Date`.
        """
        if self._offset is None:
            raise DecodingError(["the server's responses have no Date header"])
        return self._offset + asyncio.get_running_loop().time()


class Journaling:
    """A transport that awaits a function before the first attempt is sent, and reads the server's clock."""

    def __init__(self, inner: Transport, clock: ServerClock, before: Callable[[], Awaitable[None]] | None) -> None:
        self._inner = inner
        self._clock = clock
        self._before = before

    async def send(self, attempt: Attempt) -> Outcome:
        """Send an attempt, which has its permit."""
        if self._before is not None:
            await self._before()
            self._before = None
        outcome = await self._inner.send(attempt)
        self._clock.read(outcome)
        return outcome
