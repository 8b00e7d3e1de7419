"""The permits of a window, and the limiter that grants them."""

import math
from collections.abc import Callable
from typing import Protocol

import msgspec

from .base import Limits, Permit, Priority, RateLimiter, check_priority
from .window import LeaseUpdate, Rules


class Window(Protocol):
    """The permits of one window, as this process sees them."""

    rules: Rules

    async def acquire(self, priority: Priority) -> "LeasedPermit":
        """Wait for a permit, behind earlier callers."""
        ...

    def pause(self, seconds: float | None) -> float:
        """Grant nothing for some seconds, guessed if None; return the seconds until the pause ends."""
        ...

    async def limits(self) -> Limits:
        """Return the state of the window now."""
        ...


class PermitOwner(Protocol):
    """Records which permits are settled, at any time and from any thread, even when the garbage collector calls it."""

    rules: Rules
    clock: Callable[[], float]

    def settle(self, update: LeaseUpdate) -> None:
        """Record when a permit is free again; never blocks."""


class LeasedPermit(msgspec.Struct, eq=False):
    """The permit of one request, with its lease. Dropping it counts as `abandon`."""

    owner: PermitOwner
    lease: str
    priority: Priority
    granted_at: float = 0.0
    mirror: "LeasedPermit | None" = None
    """The permit of another window that counts the same request."""
    _is_settled: bool = False

    def complete(self) -> None:
        if not self._is_settled:
            self.settle(self.owner.clock() + self.owner.rules.hold)

    def abandon(self) -> None:
        if not self._is_settled:
            self.settle(self.owner.clock() + self.owner.rules.long_hold)

    def cancel(self) -> None:
        if not self._is_settled:
            self.settle(-math.inf)

    def settle(self, free_at: float) -> None:
        self._is_settled = True
        self.owner.settle(LeaseUpdate(self.lease, self.priority, free_at))
        if self.mirror is not None:
            self.mirror.settle(free_at)

    __del__ = abandon


class WindowLimiter(RateLimiter):
    """A limiter that grants the permits of a window."""

    def __init__(self, window: Window) -> None:
        self._window = window

    @property
    def period(self) -> float:
        """The length of the window in seconds."""
        return self._window.rules.period

    async def acquire(self, priority: Priority) -> Permit:
        check_priority(priority)
        return await self._window.acquire(priority)

    def pause(self, seconds: float | None) -> float:
        return self._window.pause(seconds)

    async def limits(self) -> Limits:
        return await self._window.limits()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._window.rules.options})"
