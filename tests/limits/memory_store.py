"""A store in memory: the whole of what somebody has to write who keeps the window in another place.

For PostgreSQL, `update` would be one transaction: insert the row if it is missing (`on conflict do nothing`), as the
first two processes could not lock a row that does not exist; select the value `for update`; after that, select
`clock_timestamp()`, call `change`, and write the new value. A store with compare-and-set, as Redis, would call `change`
again after each conflict.
"""

import asyncio

from cliniko_async.limits.store import Change, StepReply


class Shelf:
    """What all processes share: one value."""

    value: bytes | None = None


class MemoryStore:
    """Keeps the window on a shelf, by the time of the running event loop."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def update(self, change: Change) -> StepReply:
        await asyncio.sleep(0)  # As any other store, it lets others run before.
        changed = change(self._shelf.value, asyncio.get_running_loop().time())
        self._shelf.value = changed.value
        return changed.reply

    async def close(self) -> None:
        """Nothing was opened."""
