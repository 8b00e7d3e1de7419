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
        self._left_over: deque[StepRequest] = deque()
        self._sender: asyncio.AbstractEventLoop | None = None
        """The loop that sends the first of them; if it is closed before it has an answer, another one does."""
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

    @property
    def has_left_over(self) -> bool:
        """Whether there are last requests, and no other event loop is sending them."""
        sender = self._sender  # Read once, as another thread may change it.
        return bool(self._left_over) and (sender is None or sender.is_closed())

    def next_left_over(self) -> StepRequest | None:
        """Forget the event loops that are closed, and return one of their last requests, to be sent by this loop."""
        with self._lock:
            for closed in [loop for loop in self._queues if loop.is_closed()]:
                left_over = self._queues.pop(closed).left_over
                self._left_over.extend(() if left_over is None else (left_over,))
            if not self.has_left_over:
                return None
            self._sender = asyncio.get_running_loop()
            return self._left_over[0]

    def end_left_over(self, following: StepRequest | None) -> None:
        """Replace the request that this loop has sent by the following one, if there is one."""
        with self._lock:
            self._left_over.popleft()
            self._left_over.extend(() if following is None else (following,))
            self._sender = None

    def release_left_over(self, sender: asyncio.AbstractEventLoop) -> None:
        """Leave the request that a loop could not send to any other; never blocks, even in a finalizer."""
        if not sender.is_closed():  # Otherwise another loop may be sending it by now.
            self._sender = None

    def _is_foreign(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Return whether the store cannot be used in a loop."""
        return self._one_loop and bool(self._queues) and loop not in self._queues

    def _queue(self, loop: asyncio.AbstractEventLoop, ledger: "LeaseLedger") -> StoreQueue:
        if loop not in self._queues:
            self._queues[loop] = StoreQueue(ledger)
        return self._queues[loop]
