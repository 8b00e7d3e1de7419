"""The interface that the client needs from a limiter, and the checks that all limiters share."""

import os
import sys
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple, Protocol

import attrs

from ..errors import ConfigurationError, InvalidRequestError, UsageError

Priority = Literal["interactive", "bulk"]
PRIORITIES: tuple[Priority, Priority] = ("interactive", "bulk")
PRIORITY_RULE = "priority must be 'interactive' or 'bulk'"
WhenLost = Literal["wait", "fail", "share"]

LIMIT = 200
PERIOD = 60.0
BULK_SHARE = 0.8


class Permit(Protocol):
    """The permission to send one request. Call exactly one of its methods; later calls do nothing."""

    def complete(self) -> None:
        """Report that the response arrived: the permit is free again one period from now."""

    def abandon(self) -> None:
        """Report that the request was sent but not answered: the permit is free a period and a grace from now."""

    def cancel(self) -> None:
        """Report that the request was never sent: the permit is free at once."""


class Wait(NamedTuple):
    """The shortest possible wait for a permit of one priority, in seconds."""

    first: float
    """For the next caller in the queue."""
    last: float
    """For a caller that arrives now, after all waiting callers."""


@attrs.frozen
class Limits:
    """The state of a limiter at one moment.

    Attributes:
        limit: Requests in a period.
        used: Permits held: in flight, or answered less than a period ago.
        remaining: Permits that are free.
        waiting: The number of waiting callers at each priority.
        next_free: Seconds until the next interactive permit, at the earliest; it may take longer while all permits are
            in flight.
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
    """The rate limit of one Cliniko user, shared by everything that sends requests with that user's key."""

    @property
    def period(self) -> float:
        """The length of the window in seconds."""
        ...

    async def acquire(self, priority: Priority) -> Permit:
        """Wait for a permit. A cancelled wait takes none.

        Args:
            priority: `"interactive"` goes first; `"bulk"` gets a share of the window, evenly spaced, and may starve.

        Returns:
            The permit. It counts against the window until its request has ended, and for a period after; see `Permit`.

        Raises:
            InvalidRequestError: `priority` is not a priority.
            LimiterUnavailableError: The store of the window cannot be used, and the limiter does not wait for it.
            UsageError: The limiter is closed, or belongs to another process or event loop.
        """
        ...

    def pause(self, seconds: float | None) -> float:
        """Grant no permits for a while, after a 429.

        With a store, the pause is reported at once, and the store grants nothing from then on. Other processes learn of
        it at their next step; they may still send requests for which they already have a permit.

        Args:
            seconds: The length of the pause. None if the server did not send one: a quarter of the period, doubled each
                time the previous pause was too short, up to a period. A pause under way is never shortened.

        Returns:
            The seconds until the pause ends.
        """
        ...

    async def limits(self) -> Limits:
        """Return the state of the window now.

        Returns:
            The state of the window; `waiting` counts the callers of this process.

        Raises:
            LimiterUnavailableError: The store of the window cannot be used.
            UsageError: The limiter is closed, or belongs to another process or event loop.
        """
        ...


class OwnProcess:
    """The process that a limiter belongs to: the one in which it was first used."""

    forks: ClassVar[int] = 0
    """The number of forks that led to this process; cheaper to read than its id."""

    def __init__(self) -> None:
        self._forks: int | None = None

    @property
    def is_another(self) -> bool:
        """Whether this process was forked from it."""
        return self._forks not in (None, OwnProcess.forks)

    def enter(self) -> None:
        """Record that the limiter is used.

        Raises:
            UsageError: The limiter belongs to another process.
        """
        forks = self._forks  # Read once, as several threads may use the limiter for the first time.
        if forks is None:
            self._forks = OwnProcess.forks
        elif forks != OwnProcess.forks:
            raise UsageError("the limiter was used before this process was forked: create one in each process")


def _count_fork() -> None:
    OwnProcess.forks += 1


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_count_fork)


def check(fits: object, message: str) -> None:
    """Raise a ConfigurationError unless an option is valid."""
    if not fits:
        raise ConfigurationError(message)


def check_priority(priority: str) -> None:
    """Raise an InvalidRequestError unless the priority is valid."""
    if priority not in PRIORITIES:
        raise InvalidRequestError(PRIORITY_RULE, argument="priority")
