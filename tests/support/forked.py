"""A program whose child inherits a limiter that the parent still uses: `python -m tests.support.forked WHERE`."""

import asyncio
import gc
import os
import sys

import pytest

from cliniko_async.errors import UsageError
from cliniko_async.limits import Permit, SqliteLimiter
from tests.support.workers import Job, SharedLimiter, limiter_for

PATIENCE = 30.0


async def main(where: str) -> None:
    async with limiter_for(Job(where, 1, limit=5, period=60.0)) as limiter:
        permit = await limiter.acquire("interactive")
        dropped = [SqliteLimiter(f"{where}.dropped")] if "://" not in where else []
        await asyncio.gather(*(each.limits() for each in dropped))
        await asyncio.sleep(0.1)  # The thread that used the file releases it.
        child = os.fork()
        if not child:
            dropped.clear()
            _be_the_child(limiter, permit)
        await asyncio.gather(*(each.aclose() for each in dropped))
        async with asyncio.timeout(PATIENCE):
            _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        await limiter.acquire("interactive")
        limits = await limiter.limits()
        assert (limits.used, limits.paused) == (2, 0.0)
        permit.cancel()
        assert (await limiter.limits()).used == 1


def _be_the_child(limiter: SharedLimiter, permit: Permit) -> None:
    status = 1
    try:
        asyncio.run(_use_what_was_inherited(limiter, permit))
        status = 0
    finally:
        os._exit(status)


async def _use_what_was_inherited(limiter: SharedLimiter, permit: Permit) -> None:
    for _ in range(2):
        for use in (limiter.acquire("interactive"), limiter.limits()):
            with pytest.raises(UsageError, match="forked"):
                await use
        permit.cancel()
        limiter.pause(30)
        async with asyncio.timeout(PATIENCE):
            await limiter.aclose()
    gc.collect()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
