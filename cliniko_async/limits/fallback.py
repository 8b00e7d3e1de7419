"""The limiter that grants a process its own share of the window while the store is unavailable."""

import asyncio
import contextlib
from typing import TYPE_CHECKING

from .base import Limits, Priority
from .local import LocalQueue
from .permit import LeasedPermit
from .store import LONGEST_RETRY, StoreLostError, store_retries

if TYPE_CHECKING:
    from .shared import LeaseLedger


class LocalFallback:
    """A limiter over a store, and a window of this process alone that is used while the store is unavailable.

    The local window counts every request of the process, so that what is left of its share is known when the store is
    lost. The permits that it grants are reported when the store is back.
    """

    def __init__(self, shared: "LeaseLedger", local: LocalQueue) -> None:
        self.rules = shared.rules
        self._shared = shared
        self._local = local
        self._probe: asyncio.Task[None] | None = None
        self._waits: set[asyncio.Timeout] = set()

    async def acquire(self, priority: Priority) -> LeasedPermit:
        """Wait for a permit of the store, or of the local share while the store is unavailable.

        Raises:
            StoreLostError: The store cannot be used, and waiting cannot help.
        """
        while True:
            try:
                if self._probe is not None:
                    permit = await self._acquire_local(priority)
                    permit.mirror = self._shared.record_external(priority)
                else:
                    permit = await self._shared.acquire(priority)
                    permit.mirror = self._local.record_external(priority)
                return permit
            except TimeoutError:  # the store is back
                continue
            except StoreLostError as error:
                if error.lasting:
                    raise
                self._probe = self._probe or asyncio.create_task(self._return_to_store())

    def pause(self, seconds: float | None) -> float:
        """Pause both windows; return the seconds until the pause ends."""
        return self._local.pause(self._shared.pause(seconds))

    async def limits(self) -> Limits:
        """Return the state of the window that is in use now."""
        return await (self._local if self._probe is not None else self._shared).limits()

    async def aclose(self) -> None:
        """Close the limiter over the store."""
        if self._probe is not None and not self._shared.is_inherited:
            self._probe.cancel()
        await self._shared.aclose()

    async def _acquire_local(self, priority: Priority) -> LeasedPermit:
        async with asyncio.timeout(None) as wait:
            self._waits.add(wait)
            try:
                return await self._local.acquire(priority)
            finally:
                self._waits.discard(wait)

    async def _return_to_store(self) -> None:
        """Wait until the store can be used again, and send the waiting callers back to it."""
        try:
            delays = store_retries()
            while True:
                await asyncio.sleep(next(delays))
                with contextlib.suppress(StoreLostError):
                    await self._shared.limits()
                    break
            # Other processes return within the longest delay between two retries, and report what they sent meanwhile.
            await asyncio.sleep(2 * LONGEST_RETRY)
        finally:
            self._probe = None
            for wait in self._waits:
                wait.reschedule(asyncio.get_running_loop().time())
