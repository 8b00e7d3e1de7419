"""Timeouts of one length, which share one timer of the event loop."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Timeouts:
    """Bounds what is awaited to so many seconds; as all have the same, the first to begin is the first to end.

    A timer for each, set and cancelled, costs a tenth of a small request. The one timer stays until it rings, and
    rings once more only while anything is under way.
    """

    def __init__(self, seconds: float) -> None:
        """Take the seconds."""
        self.seconds = seconds
        self._ends: dict[asyncio.Timeout, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def bound(self, work: Awaitable[T]) -> T:
        """Await it.

        Raises:
            TimeoutError: it took longer, and was cancelled.
        """
        scope = asyncio.timeout(None)
        async with scope:
            self._begin(scope)
            try:
                return await work
            finally:
                self._ends.pop(scope, None)
                del scope  # It refers to the task, whose error may have a traceback with this frame.

    def _begin(self, scope: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self.seconds
        if self._loop is not loop:
            # What an earlier loop left behind, none can end any more.
            self._ends.clear()
            self._loop = loop
            loop.call_at(end, self._ring, loop)
        self._ends[scope] = end

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for scope, end in list(self._ends.items()):
            if end > now:
                loop.call_at(end, self._ring, loop)
                return
            del self._ends[scope]
            scope.reschedule(now)
        self._loop = None
