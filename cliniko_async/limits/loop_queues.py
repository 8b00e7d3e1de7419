"""The event loops of one process that use a shared limiter."""

import asyncio
import threading
from typing import TYPE_CHECKING

from ..errors import UsageError
from .queue import StoreQueue

if TYPE_CHECKING:
    from .shared import LeaseLedger


class LoopQueues:
    """The queue of each event loop. A queue whose loop was closed is kept until another loop has finished it.

    Reading the queues needs no lock, as the garbage collector may settle a permit anywhere.
    """

    def __init__(self, *, one_loop: bool) -> None:
        self.closed = False
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

    @property
    def closed_loops(self) -> list[tuple[asyncio.AbstractEventLoop, StoreQueue]]:
        """The event loops that are closed, with their queues."""
        return [(loop, queue) for loop, queue in list(self._queues.items()) if loop.is_closed()]

    def forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """Forget an event loop."""
        self._queues.pop(loop, None)

    def forget_all(self) -> None:
        """Forget every event loop."""
        self._queues.clear()

    def _is_foreign(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Return whether the store cannot be used in a loop."""
        return self._one_loop and bool(self._queues) and loop not in self._queues

    def _queue(self, loop: asyncio.AbstractEventLoop, ledger: "LeaseLedger") -> StoreQueue:
        if loop not in self._queues:
            self._queues[loop] = StoreQueue(ledger)
        return self._queues[loop]
