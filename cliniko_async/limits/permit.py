"""The permit of a limiter that has a window."""

import math
from collections.abc import Callable
from typing import Protocol

import msgspec

from .base import Priority
from .window import LeaseUpdate, Rules


class PermitOwner(Protocol):
    """Records which permits are settled, at any time and from any thread, even when the garbage collector calls it."""

    rules: Rules
    clock: Callable[[], float]

    def settle(self, update: LeaseUpdate) -> None:
        """Record when a permit is free again; never blocks."""


class LeasedPermit(msgspec.Struct, eq=False):
    """The permit of one request, with its lease. Dropping it counts as `abandon`."""

    ledger: PermitOwner
    lease: str
    priority: Priority
    granted_at: float = 0.0
    mirror: "LeasedPermit | None" = None
    """The permit of another limiter that counts the same request."""
    _is_settled: bool = False

    def complete(self) -> None:
        if not self._is_settled:
            self.settle(self.ledger.clock() + self.ledger.rules.hold)

    def abandon(self) -> None:
        if not self._is_settled:
            self.settle(self.ledger.clock() + self.ledger.rules.long_hold)

    def cancel(self) -> None:
        if not self._is_settled:
            self.settle(-math.inf)

    def settle(self, free_at: float) -> None:
        self._is_settled = True
        self.ledger.settle(LeaseUpdate(self.lease, self.priority, free_at))
        if self.mirror is not None:
            self.mirror.settle(free_at)

    __del__ = abandon
