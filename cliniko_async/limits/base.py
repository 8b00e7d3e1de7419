"""What the client asks of a limiter, whatever it is made of."""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

import attrs

from ..errors import ConfigurationError, InvalidRequestError

Priority = Literal["interactive", "bulk"]
PRIORITIES: tuple[Priority, Priority] = ("interactive", "bulk")
WhenLost = Literal["wait", "fail", "share"]

LIMIT = 200
PERIOD = 60.0
BULK_SHARE = 0.8


class Permit(Protocol):
    """The permission to send one request. Call exactly one of its methods; later calls do nothing."""

    def complete(self) -> None:
        """Report that the response arrived: the permit is free again one period from now."""

    def abandon(self) -> None:
        """Report that it was sent and no response came: the permit is free again one period and a grace from now."""

    def cancel(self) -> None:
        """Report that the request was never given to a connection: the permit is free at once."""


class Wait(NamedTuple):
    """The shortest possible wait for a permit of one priority, in seconds."""

    first: float
    """For the caller who is next."""
    last: float
    """For a caller who comes now, after all who wait already."""


@attrs.frozen
class Limits:
    """The state of a limiter at one moment.

    Attributes:
        limit: Requests in a period.
        used: Permits held: in flight, or answered less than a period ago.
        remaining: Permits that are free.
        waiting: The callers that wait at each priority.
        next_free: Seconds until the next interactive permit, as far as is known: while all are in flight, the least it
            can take.
        paused: Seconds until the pause after a 429 ends.
        waits: The shortest possible wait at each priority; None if the limiter knows no more than `next_free`.
    """

    limit: int
    used: int
    remaining: int
    waiting: Mapping[Priority, int]
    next_free: float
    paused: float
    waits: Mapping[Priority, Wait] | None = None


class RateLimiter(Protocol):
    """The budget of one user of Cliniko, shared by all who send in that name."""

    @property
    def period(self) -> float:
        """The length of the window in seconds."""
        ...

    async def acquire(self, priority: Priority) -> Permit:
        """Wait for a permit. A cancelled wait takes none.

        Args:
            priority: `"interactive"` goes first; `"bulk"` gets a share of the window, evenly spaced, and may starve.

        Returns:
            The permit. It counts against the window until one of its methods was called, and a period after.

        Raises:
            InvalidRequestError: There is no such priority.
            LimiterUnavailableError: The window is kept in a store that cannot be used, and is not to be waited for.
            UsageError: The limiter is closed, or belongs to another process or event loop.
        """
        ...

    def pause(self, seconds: float | None) -> float:
        """Grant nothing for a while, after a 429.

        A store hears of it at once and grants nothing from then on. Other processes hear of it with their next step,
        and may still send what they hold a permit for.

        Args:
            seconds: How long. None if the server did not say: a quarter of the period, and twice as long whenever the
                pause before was not enough, up to a period. A pause under way is never shortened.

        Returns:
            The seconds until the pause ends.
        """
        ...

    async def limits(self) -> Limits:
        """Return the state of the window now.

        Returns:
            The numbers of the window; `waiting` counts the callers of this process.

        Raises:
            LimiterUnavailableError: The window is kept in a store that cannot be used.
            UsageError: The limiter is closed, or belongs to another process or event loop.
        """
        ...


def check(fits: object, message: str) -> None:
    """Raise a ConfigurationError unless an option fits."""
    if not fits:
        raise ConfigurationError(message)


def check_count(name: str, count: int) -> None:
    """Raise a ConfigurationError for what is not a whole number from 1."""
    check(not isinstance(count, bool) and count >= 1 and count % 1 == 0, f"{name} must be a whole number, at least 1")


def check_seconds(name: str, seconds: float) -> None:
    """Raise a ConfigurationError for what is not a length of time."""
    check(not isinstance(seconds, bool) and 0 < seconds < math.inf, f"{name} must be a number of seconds above 0")


def check_priority(priority: str) -> None:
    """Raise an InvalidRequestError for what is not a priority."""
    if priority not in PRIORITIES:
        raise InvalidRequestError("priority must be 'interactive' or 'bulk'", argument="priority")
