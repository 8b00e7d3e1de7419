"""Limiters of one file for the tests, each standing for a process."""

import asyncio
import contextlib
from pathlib import Path

from cliniko_async.limits import Priority, SqliteLimiter
from tests.support.limiting import (
    send,
)

TELL = 0.061
"""What is told of a permit goes along with the next step, or a thousandth of the period later."""


def limiter_at(path: Path, limit: int = 200, period: float = 60.0, bulk_share: float = 0.8, **options) -> SqliteLimiter:
    """A limiter on the time of the running loop; each stands for a process."""
    options = {"clock": asyncio.get_running_loop().time, **options}
    return SqliteLimiter(path, limit, period, bulk_share, **options)


@contextlib.asynccontextmanager
async def processes(path: Path, count: int, *args, **options):
    """So many limiters of one file, closed at the end."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(limiter_at(path, *args, **options)) for _ in range(count)]


async def since(began: float, limiter: SqliteLimiter, priority: Priority = "interactive") -> float:
    return await send(limiter, priority) - began


def killed(limiter: SqliteLimiter) -> None:
    """As if its process had ended: it settles nothing any more, and nobody comes back."""
    limiter._book._process = -1
    limiter._book.closed = True
    for line in limiter._lines.values():
        line._stop_timer()
