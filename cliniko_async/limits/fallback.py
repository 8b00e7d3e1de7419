"""The share of a window that a process grants itself while the store of the window is unavailable."""

import asyncio
import contextlib
import math
import secrets
from collections.abc import Callable

from msgspec.structs import replace

from .base import Priority
from .store import LONGEST_RETRY, StepReply, StoreLostError, WatchedStore, store_retries
from .window import Grant, LeaseUpdate, Rules, StepRequest, WindowState, step


class LocalFallback:
    """The steps over a store, and while it is unavailable, over a share of the window that this process has alone.

    The share counts every request of the process, so that its rest is known when the store is lost. What happened
    meanwhile is reported when the store is back.
    """

    def __init__(
        self, store: WatchedStore, share: Rules, clock: Callable[[], float], when_back: Callable[[], object]
    ) -> None:
        """Create with a store; `when_back` is called when it will do the next step again."""
        self._store = store
        self._share = share
        self._clock = clock
        self._when_back = when_back
        self._state = WindowState()
        self._unreported: list[LeaseUpdate] = []
        self._return: asyncio.Task[None] | None = None

    async def step(self, request: StepRequest) -> StepReply:
        """Do a step on the stored value, or on the share.

        Raises:
            StoreLostError: The store cannot be used, and waiting cannot help.
        """
        if self._is_alone:
            self._unreported += request.updates
            return self._step_alone(request)
        whole = replace(request, updates=[*self._unreported, *request.updates])
        try:
            reply = await self._store.step(whole)
        except StoreLostError as error:
            if error.lasting:
                raise
            self._unreported.clear()
            self._return = asyncio.create_task(self._return_to_store(whole))
            self._return.add_done_callback(lambda _: self._when_back())
            return self._step_alone(request)
        self._unreported.clear()
        now = self._clock()
        updates = [*request.updates, *_updates(reply.grants, now + self._share.lease, in_flight=True)]
        step(self._state, self._share, StepRequest("", 0, updates=updates, backoff=reply.backoff), now)
        return reply

    async def close(self) -> None:
        """Report once more what may not have been reported, and close the store."""
        if self._return is not None and self._return.cancel():
            with contextlib.suppress(StoreLostError):
                await self._store.step(self._report())
        await self._store.close()

    @property
    def _is_alone(self) -> bool:
        return self._return is not None and not self._return.done()

    def _step_alone(self, request: StepRequest) -> StepReply:
        now = self._clock()
        # The lost step may have been granted leases, so these need other names.
        grants = step(self._state, self._share, replace(request, process=f"{request.process}:share"), now)
        self._unreported += _updates(grants, now + self._share.lease, in_flight=True)
        return StepReply(grants, self._state, self._share, self._state.backoff)

    async def _return_to_store(self, lost: StepRequest) -> None:
        """Send the lost step until the store is back, and report; then wait until all processes have done so."""
        reply = await self._send(lost)
        # The callers of that step have permits of the share.
        self._unreported += _updates(reply.grants, -math.inf)
        await self._send(self._report())
        await asyncio.sleep(2 * LONGEST_RETRY)
        await self._send(self._report())

    def _report(self) -> StepRequest:
        updates, self._unreported = self._unreported, []
        return StepRequest(secrets.token_hex(6), 1, updates=updates, backoff=self._state.backoff)

    async def _send(self, request: StepRequest) -> StepReply:
        retries = store_retries()
        while True:
            with contextlib.suppress(StoreLostError):
                return await self._store.step(request)
            await asyncio.sleep(next(retries))


def _updates(grants: dict[Priority, Grant], free_at: float, *, in_flight: bool = False) -> list[LeaseUpdate]:
    return [
        LeaseUpdate(lease, priority, free_at, in_flight) for priority, grant in grants.items() for lease in grant.leases
    ]
