"""What the client asks of a limiter, whatever it is made of."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

import attrs

Priority = Literal["interactive", "bulk"]


class Permit(Protocol):
    """One request's place in the window: exactly one of the three is called, and later calls do nothing."""

    def complete(self) -> None:
        """Say that the answer arrived: the place is free again one period from now."""

    def abandon(self) -> None:
        """Say that it was sent and no answer came: the place is free again one period and a grace from now."""

    def cancel(self) -> None:
        """Say that it was never given to a connection: the place is free at once."""


class Wait(NamedTuple):
    """The shortest possible wait for a permit of one priority, in seconds."""

    first: float
    """For the caller who is next."""
    last: float
    """For a caller who comes now, after all who wait already."""


@attrs.frozen
class Limits:
    """How a limiter stands at one moment."""

    limit: int
    used: int
    """Permits held: in flight, or answered less than a period ago."""
    remaining: int
    waiting: Mapping[Priority, int]
    next_free: float
    """Seconds until the next interactive permit, as far as is known: while all are in flight, the least it can take."""
    paused: float
    """Seconds until the pause after a 429 ends."""
    waits: Mapping[Priority, Wait] | None = attrs.field(default=None, eq=False)
    """The shortest possible wait at each priority; None if the limiter knows no more than `next_free`."""


class RateLimiter(Protocol):
    """The budget of one user of Cliniko, shared by all who send in that name."""

    @property
    def period(self) -> float:
        """The length of the window in seconds."""
        ...

    async def acquire(self, priority: Priority) -> Permit:
        """Wait for a permit; a cancelled wait gives its place back."""
        ...

    def pause(self, seconds: float | None) -> float:
        """Give nobody a permit for so many seconds, as a 429 came, and return the seconds until the pause ends.

        None stands for a 429 that did not say how long: a quarter of the period, and twice as long whenever the pause
        before was not enough, up to a period. A pause under way is never shortened.
        """
        ...

    async def limits(self) -> Limits:
        """Tell how the limiter stands now."""
        ...
