"""Limiters of one file for the tests, each in place of a process."""

import asyncio
import contextlib
from pathlib import Path

from cliniko_async.limits import Priority, SqliteLimiter
from tests.support.limiting import (
    send,
)


def limiter_at(path: Path, limit: int = 200, period: float = 60.0, bulk_share: float = 0.8, **options) -> SqliteLimiter:
    """Return a limiter on the clock of the running loop; each is in place of a process."""
    options = {"clock": asyncio.get_running_loop().time, **options}
    return SqliteLimiter(path, limit, period, bulk_share, **options)


@contextlib.asynccontextmanager
async def processes(path: Path, count: int, *args, **options):
    """Open `count` limiters of one file, and close them at the end."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(limiter_at(path, *args, **options)) for _ in range(count)]


async def since(began: float, limiter: SqliteLimiter, priority: Priority = "interactive") -> float:
    return await send(limiter, priority) - began
