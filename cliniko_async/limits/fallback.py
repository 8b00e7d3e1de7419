"""The limiter that grants a process its own share of the window while the store is unavailable."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from .._loops import call_from_anywhere
from ..errors import UsageError
from .base import Limits, Priority
from .local import LocalQueue
from .permit import LeasedPermit
from .store import LONGEST_RETRY, StoreLostError, store_retries

if TYPE_CHECKING:
    from .shared import LeaseLedger


class _StoreIsBackError(Exception):
    """The outage is over."""


class StoreOutage:
    """The callers of one event loop that wait for permits of the share, until a task ends that waits for the store."""

    def __init__(self, recovery: Coroutine[Any, Any, None]) -> None:
        self._waits: set[asyncio.Timeout] = set()
        self._task = asyncio.create_task(recovery)
        # Not at the end of its coroutine: a task that is cancelled before its first turn never begins it.
        self._task.add_done_callback(self._send_back)

    @property
    def is_over(self) -> bool:
        """Whether the task has ended."""
        return self._task.done()

    def end(self) -> None:
        """Do not wait for the store any longer."""
        self._task.cancel()

    async def wait(self, work: Coroutine[Any, Any, LeasedPermit]) -> LeasedPermit:
        """Wait for a permit.

        Raises:
            _StoreIsBackError: The outage is over.
        """
        try:
            async with asyncio.timeout(None) as wait:
                self._waits.add(wait)
                try:
                    return await work
                finally:
                    self._waits.discard(wait)
        except TimeoutError:
            raise _StoreIsBackError from None

    def _send_back(self, task: asyncio.Task[None]) -> None:
        for wait in self._waits:
            wait.reschedule(task.get_loop().time())


class LocalFallback:
    """A limiter over a store, and a window of this process alone that is used while the store is unavailable.

    The local window counts every request of the process, so that what is left of its share is known when the store is
    lost. The permits that it grants are reported when the store is back. Each event loop finds out for itself that the
    store is lost, and that it is back, so that none depends on another loop that is closed, stopped or busy.
    """

    def __init__(self, shared: "LeaseLedger", local: LocalQueue) -> None:
        self.rules = shared.rules
        self._shared = shared
        self._local = local
        self._outages: dict[asyncio.AbstractEventLoop, StoreOutage] = {}

    async def acquire(self, priority: Priority) -> LeasedPermit:
        """Wait for a permit of the store, or of the local share while the store is unavailable.

        Raises:
            StoreLostError: The store cannot be used, and waiting cannot help.
        """
        while True:
            try:
                if (outage := self._outage()) is not None:
                    permit = await outage.wait(self._local.acquire(priority))
                    permit.mirror = self._shared.record_external(priority)
                else:
                    permit = await self._shared.acquire(priority)
                    permit.mirror = self._local.record_external(priority)
                return permit
            except _StoreIsBackError:
                continue
            except StoreLostError as error:
                if error.lasting:
                    raise
                self._begin_outage()

    def pause(self, seconds: float | None) -> float:
        """Pause both windows; return the seconds until the pause ends."""
        return self._local.pause(self._shared.pause(seconds))

    async def limits(self) -> Limits:
        """Return the state of the window that is in use now."""
        return await (self._shared if self._outage() is None else self._local).limits()

    async def aclose(self) -> None:
        """Close the limiter over the store."""
        # After a fork, the loops belong to the parent.
        outages = [] if self._shared.is_inherited else list(self._outages.items())
        for loop, outage in outages:
            call_from_anywhere(loop, outage.end)
        await self._shared.aclose()

    def _outage(self) -> StoreOutage | None:
        """Return the outage of the running event loop."""
        outage = self._outages.get(asyncio.get_running_loop())
        return None if outage is None or outage.is_over else outage

    def _begin_outage(self) -> None:
        if self._outage() is None:
            for loop in [each for each in list(self._outages) if each.is_closed()]:
                self._outages.pop(loop, None)
            self._outages[asyncio.get_running_loop()] = StoreOutage(self._wait_for_store())

    async def _wait_for_store(self) -> None:
        """Wait until the store can be used again."""
        delays = store_retries()
        while True:
            await asyncio.sleep(next(delays))
            try:
                await self._shared.limits()
            except StoreLostError:
                continue
            except UsageError:  # the limiter is closed
                return
            break
        # Other processes return within the longest delay between two retries, and report what they sent meanwhile.
        await asyncio.sleep(2 * LONGEST_RETRY)
