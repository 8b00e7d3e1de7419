"""The cost of a permit of a shared window: through Redis against a PING, through a file against a bare transaction."""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from redis.asyncio import Redis

from cliniko_async import RateLimiter, RedisLimiter, SqliteLimiter
from tests.support.redis_server import RedisServer

from .measure import AsyncSide, Measurement, side_by_side_async

_LIMIT = 10_000
"""A window so large that no caller waits."""
_REDIS_PERIOD, _SQLITE_PERIOD = 0.1, 0.03
"""A period in seconds, so short that about as many permits are held as at the real limit under full load."""
_IN_A_ROW = 100
_AT_ONCE = 50


async def measure_stores() -> Sequence[Measurement]:
    """Measure free permits, taken one after another and many at once."""
    return [*await _measure_redis(), *await _measure_sqlite()]


async def _measure_redis() -> Sequence[Measurement]:
    with RedisServer() as server:
        async with (
            Redis.from_url(server.url) as redis,
            RedisLimiter(redis, _LIMIT, _REDIS_PERIOD, name="benchmarks") as limiter,
        ):
            wall: dict[str, list[float]] = {"ping": [], "permit": []}
            sides = {
                "ping": AsyncSide(_timed(wall["ping"], _repeated(redis.ping)), _IN_A_ROW),
                "permit": AsyncSide(_timed(wall["permit"], _repeated(lambda: _take(limiter))), _IN_A_ROW),
                "at once": AsyncSide(lambda: _take_at_once(limiter), _AT_ONCE),
            }
            taken = await side_by_side_async(sides, rounds=100)
    ping = taken["ping"]
    return [
        Measurement(what="a permit of Redis", against="PING", ours=taken["permit"], theirs=ping, unit="µs"),
        Measurement(
            what="a permit of Redis, wall time",
            against="PING",
            ours=wall["permit"],
            theirs=wall["ping"],
            unit="µs",
            budget=3.5,
        ),
        Measurement(
            what=f"a permit of Redis, {_AT_ONCE} at once", against="PING", ours=taken["at once"], theirs=ping, unit="µs"
        ),
    ]


async def _measure_sqlite() -> Sequence[Measurement]:
    with tempfile.TemporaryDirectory() as folder, _file(Path(folder) / "bare.sqlite") as write:
        async with SqliteLimiter(Path(folder) / "window.sqlite", _LIMIT, _SQLITE_PERIOD) as limiter:
            sides = {
                "bare": AsyncSide(_repeated(write), _IN_A_ROW),
                "permit": AsyncSide(_repeated(lambda: _take(limiter)), _IN_A_ROW),
            }
            taken = await side_by_side_async(sides, rounds=30)
    against = "one row written, in a thread"
    ours, theirs = taken["permit"], taken["bare"]
    return [Measurement(what="a permit of SQLite", against=against, ours=ours, theirs=theirs, unit="µs", budget=4)]


async def _take(limiter: RateLimiter) -> None:
    (await limiter.acquire("interactive")).complete()


async def _take_at_once(limiter: RateLimiter) -> None:
    await asyncio.gather(*(_take(limiter) for _ in range(_AT_ONCE)))


def _repeated(one: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    async def run() -> None:
        for _ in range(_IN_A_ROW):
            await one()

    return run


def _timed(seconds: list[float], run: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    async def timed() -> None:
        begun = time.perf_counter()
        await run()
        seconds.append((time.perf_counter() - begun) / _IN_A_ROW)

    return timed


@contextmanager
def _file(path: Path) -> Iterator[Callable[[], Awaitable[object]]]:
    """Return a function that writes one row in a transaction, off the event loop."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE held (id INTEGER PRIMARY KEY, free_at REAL NOT NULL)")

    def write() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT OR REPLACE INTO held VALUES (1, ?)", (time.time(),))
        connection.execute("COMMIT")

    with ThreadPoolExecutor(1) as thread:
        yield lambda: asyncio.get_running_loop().run_in_executor(thread, write)
    connection.close()
