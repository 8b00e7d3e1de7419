"""The event loops of one process that use a shared limiter."""

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING

from ..errors import UsageError
from .queue import StoreQueue
from .window import StepRequest

if TYPE_CHECKING:
    from .shared import LeaseLedger


class LoopQueues:
    """The queue of each event loop, and the last requests of the queues whose loop was closed.

    The lock is held for a few lines only. Settling a permit needs no lock, as the garbage collector may do it anywhere.
    """

    def __init__(self, *, one_loop: bool) -> None:
        self.closed = False
        self.left_over: deque[StepRequest] = deque()
        self._one_loop = one_loop
        self._lock = threading.Lock()
        self._queues: dict[asyncio.AbstractEventLoop, StoreQueue] = {}

    def all(self) -> list[StoreQueue]:
        """Return the queues."""
        return list(self._queues.values())

    def enter(self, ledger: "LeaseLedger") -> StoreQueue:
        """Return the queue of the running event loop.

        Raises:
            UsageError: The limiter is closed, or belongs to another event loop.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            if self.closed:
                raise UsageError("the limiter is closed")
            if self._is_foreign(loop):
                raise UsageError("the limiter belongs to another event loop, as its store does")
            return self._queue(loop, ledger)

    def close(self, ledger: "LeaseLedger") -> StoreQueue | None:
        """Refuse further callers, and return the queue of the running loop, or None if it cannot use the store."""
        loop = asyncio.get_running_loop()
        with self._lock:
            self.closed = True
            return None if self._is_foreign(loop) else self._queue(loop, ledger)

    def forget(self) -> None:
        """Forget every event loop."""
        self._queues.clear()

    def take_left_over(self) -> StepRequest | None:
        """Forget the event loops that are closed; return, and remove, one of their last requests."""
        with self._lock:
            for closed in [loop for loop in self._queues if loop.is_closed()]:
                left_over = self._queues.pop(closed).left_over
                self.left_over.extend(() if left_over is None else (left_over,))
            return self.left_over.popleft() if self.left_over else None

    def _is_foreign(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Return whether the store cannot be used in a loop."""
        return self._one_loop and bool(self._queues) and loop not in self._queues

    def _queue(self, loop: asyncio.AbstractEventLoop, ledger: "LeaseLedger") -> StoreQueue:
        if loop not in self._queues:
            self._queues[loop] = StoreQueue(ledger)
        return self._queues[loop]
