"""What a store of a window does: one step at a time, for whoever shares the window, with values that go in and out."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from ..errors import ConfigurationError
from ._interface import Priority, Wait
from ._window import GRACE, Window

PRIORITIES: tuple[Priority, Priority] = ("interactive", "bulk")
_SLACK = 0.25


class StoreLostError(Exception):
    """A step could not be done, or may have been: its text says why, without a key or an address."""

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        """Take the reason, and whether waiting cannot help."""
        super().__init__(reason)
        self.lasting = lasting


class Rules(NamedTuple):
    """The numbers of a window; times in seconds."""

    limit: int
    cap: int
    """What bulk holds at the most."""
    interval: float
    """Between two permits of bulk, at the least."""
    hold: float
    longest: float
    """How long a permit is held of which nothing is heard."""
    patience: float
    """How late a waiter may come back without losing its turn."""
    courtesy: float
    """How long who had its turn leaves what is free to the others who wait."""

    @classmethod
    def of(cls, window: Window[object], lease: float) -> "Rules":
        """Give the rules of a window whose requests are in flight for the length of a lease at the most."""
        bulk = window.bulk
        return cls(
            limit=window.limit,
            cap=bulk.cap,
            interval=bulk.interval,
            hold=window.hold,
            longest=lease + window.long_hold,
            patience=GRACE * window.period + _SLACK,
            courtesy=window.period / 1000,
        )


class Note(NamedTuple):
    """That a permit is held for so many seconds from now, whether the store knows it or not; or no longer at all."""

    id: str
    priority: Priority
    seconds: float


class Pause(NamedTuple):
    """How long nobody may send, and the last guess of a process; in seconds, from now."""

    seconds: float
    guess: float
    guess_seconds: float


class Step(NamedTuple):
    """What one line of waiters has to tell and wants; its permits are numbered from `first` on."""

    line: str
    first: int
    doubtful: int
    """So many from `first` may have been given by a step whose answer was lost: they are taken back."""
    wants: Mapping[Priority, int]
    notes: Sequence[Note]
    pause: Pause | None


class Turn(NamedTuple):
    """What a priority of a line got, and in how many seconds it is to ask for the rest."""

    granted: int
    wait: float


class Answer(NamedTuple):
    """What the store gave, and how the window stands."""

    turns: Mapping[Priority, Turn]
    used: int
    waits: Mapping[Priority, Wait]
    pause: Pause


class Store(Protocol):
    """Keeps one window for all who share it."""

    async def step(self, step: Step) -> Answer:
        """Take what is told and give what is free.

        Raises:
            StoreLostError: it could not be done, or it is not known whether it was.
        """
        ...

    async def close(self) -> None:
        """Let go of what was opened; the next step opens it again."""
        ...


def digest(name: str) -> str:
    """Give what stands for the name of a window, which may be a key, wherever it is stored."""
    return hashlib.blake2b(name.encode(), digest_size=12).hexdigest()


def check_seconds(name: str, seconds: float) -> None:
    """Refuse what is no length of time."""
    if isinstance(seconds, bool) or not 0 < seconds < float("inf"):
        raise ConfigurationError(f"{name} is a number of seconds above 0")
