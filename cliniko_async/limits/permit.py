"""The permits of a window, and the limiter that grants them."""

import math
from typing import TYPE_CHECKING

import msgspec

from .base import Limits, Permit, Priority, RateLimiter, check_priority
from .window import LeaseUpdate

if TYPE_CHECKING:
    from .fallback import LocalFallback
    from .local import LocalQueue
    from .shared import LeaseLedger


class LeasedPermit(msgspec.Struct, eq=False):
    """The permit of one request, with its lease. Dropping it counts as `abandon`."""

    owner: "LocalQueue | LeaseLedger"
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

    def __init__(self, window: "LocalQueue | LeaseLedger | LocalFallback") -> None:
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
