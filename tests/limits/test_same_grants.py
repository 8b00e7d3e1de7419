"""Every limiter grants the same permits to the same callers at the same moments, wherever its window is kept."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from cliniko_async.limits import RateLimiter, SlidingWindowLimiter, StateChange, StepReply, Store
from cliniko_async.limits.redis import RedisStore
from cliniko_async.limits.sqlite import SqliteStore
from tests.limits.history import PERIOD, History, demand
from tests.limits.memory_store import MemoryStore, Shelf
from tests.limits.simulation import FaultyStore, Process
from tests.support import virtual
from tests.support.redis_server import RedisServer

Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[Store]]
NO_CHECKS = list(HealthCheck)
TURNS = 20
"""Of the event loop, in which callers take their permits and settle those they do not want."""


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def stores(folder: Path, server: RedisServer) -> dict[str, Connect]:
    """What opens a store of one new window, by its kind."""
    name, shelf = secrets.token_hex(8), Shelf()

    @contextlib.asynccontextmanager
    async def memory() -> AsyncIterator[Store]:
        yield MemoryStore(shelf)

    @contextlib.asynccontextmanager
    async def sqlite() -> AsyncIterator[Store]:
        yield SqliteStore(folder / "limits.sqlite", name, 5.0, asyncio.get_running_loop().time)

    @contextlib.asynccontextmanager
    async def redis() -> AsyncIterator[Store]:
        async with Redis.from_url(server.url) as redis:
            yield RedisStore(redis, name, 5.0)

    return {"memory": memory, "SQLite": sqlite, "Redis": redis}


async def grants(limiters: list[RateLimiter], demands: list) -> list[list[tuple[float, int]]]:
    histories = [History(limiter) for limiter in limiters]
    async with asyncio.TaskGroup() as group:
        for number, asked in enumerate(demands):
            # No two at one moment, and nobody gives up just as a permit comes: which goes first is the event loop's.
            patience = None if asked.patience is None else asked.patience + 0.05
            asked = asked._replace(at=asked.at + number / 1000, patience=patience)  # noqa: PLW2901
            group.create_task(histories[number % len(histories)].run(asked))
    return [granted for history in histories for granted in history.granted.values()]


class InOrder:
    """A store that takes the steps of one moment in the order of the calls, each when what follows the last is done.

    Otherwise the time that a thread or a server needs would decide which of two processes goes first.
    """

    def __init__(self, store: Store, turn: asyncio.Lock) -> None:
        self.store = store
        self.turn = turn

    async def update(self, change: StateChange) -> StepReply:
        async with self.turn:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            return await self.store.update(change)

    async def close(self) -> None:
        await self.store.close()


def over_a_store(connect: Connect, count: int, window: tuple, demands: list) -> list[list[tuple[float, int]]]:
    async def main() -> list[list[tuple[float, int]]]:
        async with contextlib.AsyncExitStack() as stack:
            opened = [await stack.enter_async_context(connect()) for _ in range(count)]
            turn = asyncio.Lock()
            processes = [Process(FaultyStore(InOrder(store, turn)), *window) for store in opened]
            granted = await grants(processes, demands)
            for process in processes:
                await process.aclose()
            return granted

    return virtual.run(main())


windows = st.tuples(st.integers(1, 5), st.just(PERIOD), st.sampled_from([0.3, 0.8, 1.0]))


@settings(max_examples=40, suppress_health_check=NO_CHECKS)
@given(demands=st.lists(demand, max_size=25), window=windows, count=st.integers(1, 3))
def test_every_store_grants_the_same(tmp_path, server, demands, window, count):
    kinds = stores(tmp_path, server)
    granted = {kind: over_a_store(connect, count, window, demands) for kind, connect in kinds.items()}
    assert granted["SQLite"] == granted["memory"]
    assert granted["Redis"] == granted["memory"]


@settings(max_examples=100, suppress_health_check=NO_CHECKS)
@given(demands=st.lists(demand, max_size=25), window=windows)
def test_one_process_is_granted_the_same_with_its_window_in_memory_or_in_a_store(tmp_path, server, demands, window):
    """A process reports what became free a thousandth of the period later, and the next permit may wait for that."""

    async def main() -> list[list[tuple[float, int]]]:
        limiter = SlidingWindowLimiter(*window, clock=asyncio.get_running_loop().time)
        return await grants([limiter], demands)

    in_memory = virtual.run(main())
    in_a_store = over_a_store(stores(tmp_path, server)["memory"], 1, window, demands)
    for one, other in zip(in_memory, in_a_store, strict=True):
        assert [turn for _, turn in one] == [turn for _, turn in other]
        for number, ((moment, _), (in_store, _)) in enumerate(zip(one, other, strict=True)):
            assert moment == pytest.approx(in_store, abs=0.05 + number * PERIOD / 1000)
