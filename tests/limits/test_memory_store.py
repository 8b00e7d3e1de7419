"""The store of a newcomer, which shows what somebody writes who keeps the window in another place."""

import contextlib
from collections.abc import AsyncIterator

from cliniko_async.limits import Store
from tests.limits.conformance import StoreConformance
from tests.limits.event_loops import EventLoopConformance
from tests.limits.memory_store import MemoryStore, Shelf


class TestMemoryStore(StoreConformance, EventLoopConformance):
    def setup_method(self) -> None:
        self.shelves: dict[str, Shelf] = {}

    @contextlib.asynccontextmanager
    async def connect(self, where: str) -> AsyncIterator[Store]:
        yield MemoryStore(self.shelves.setdefault(where, Shelf()))
