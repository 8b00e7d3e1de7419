"""A sandbox and a client on virtual time, whose changes are watched, and a store that a test can inspect."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs

from cliniko_async import Cliniko
from cliniko_async.sandbox import Sandbox
from cliniko_async.watch import WatchIterator

from .clients import ONCE, client_of
from .listed import TYPES
from .virtual import START

NOW = 1_900_000_000.0


@attrs.define
class MemoryCursors:
    """Stores cursors in memory, and fails on demand."""

    kept: dict[tuple[str, str], str] = attrs.field(factory=dict)
    calls: Counter[str] = attrs.field(factory=Counter)
    failing: int = 0

    async def load(self, account: str, stream: str) -> str | None:
        await self._take("load")
        return self.kept.get((account, stream))

    async def save(self, account: str, stream: str, cursor: str) -> None:
        await self._take("save")
        self.kept[account, stream] = cursor

    async def _take(self, name: str) -> None:
        self.calls[name] += 1
        await asyncio.sleep(0)
        if self.failing:
            self.failing -= 1
            raise OSError("the disk is full")


@attrs.define
class Clinic:
    """A sandbox on the clock of the running loop, and its client."""

    sandbox: Sandbox
    cliniko: Cliniko
    store: MemoryCursors = attrs.field(factory=MemoryCursors)

    def put(self, name: str, **fields: Any) -> str:
        """Add a record now."""
        return self.sandbox.add(TYPES, name=name, updated_at=wall(), **fields)

    def touch(self, key: str, name: str) -> None:
        self.sandbox.update(TYPES, key, name=name, updated_at=wall())

    def watch(self, *filters: Any, **options: Any) -> WatchIterator[Any]:
        """Start to watch with the store, like a program that was just started."""
        return aiter(self.cliniko.appointment_types.watch(*filters, **{"store": self.store, **options}))


def wall() -> float:
    return NOW + asyncio.get_running_loop().time() - START


@asynccontextmanager
async def clinic(*, client: dict[str, Any] | None = None, **options: Any) -> AsyncIterator[Clinic]:
    clock = asyncio.get_running_loop().time
    async with (
        Sandbox(appointment_types=0, clock=clock, wall=wall, **options) as sandbox,
        client_of(sandbox, **{"retry": ONCE, **(client or {})}) as cliniko,
    ):
        yield Clinic(sandbox, cliniko)


async def names_of(stream: Any, count: int) -> str:
    """Return the names of the next `count` changes, which must arrive within a day."""
    async with asyncio.timeout(86_400):
        return "".join([(await anext(stream)).record.name for _ in range(count)])


async def nothing_comes(stream: Any, seconds: float) -> bool:
    """Return whether no change arrives for a while; the consumer stops waiting and may continue later."""
    try:
        async with asyncio.timeout(seconds):
            await anext(stream)
    except TimeoutError:
        return True
    return False
