"""A store in memory: all that a store of your own needs. The docstring of `Store` says what it must guarantee."""

import asyncio
import threading

from cliniko_async.limits import StateChange, StepReply


class Shelf:
    """What all processes share: one value, which one at a time changes."""

    def __init__(self) -> None:
        self.value: bytes | None = None
        self.lock = threading.Lock()


class MemoryStore:
    """Keeps the window on a shelf, by the time of the running event loop."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def update(self, change: StateChange) -> StepReply:
        await asyncio.sleep(0)  # As any other store, it lets others run before.
        with self._shelf.lock:
            changed = change(self._shelf.value, asyncio.get_running_loop().time())
            self._shelf.value = changed.value
        return changed.reply

    async def close(self) -> None:
        """Nothing was opened."""
