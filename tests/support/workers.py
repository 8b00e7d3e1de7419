"""Processes that share one window, and the requests that a server counted."""

import asyncio
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeAlias

from cliniko_async.limits import Priority, RedisLimiter, SqliteLimiter
from tests.support.limiting import least_in_bucket, most_in_fixed_window, most_in_sliding_window

SharedLimiter: TypeAlias = SqliteLimiter | RedisLimiter

LIMIT = 40
PERIOD = 1.0
LEASE = 2.0


class Job(NamedTuple):
    """The work of one process; `where` is a path, or the URL of a Redis."""

    where: str
    requests: int
    priority: Priority = "interactive"
    limit: int = LIMIT
    period: float = PERIOD


@asynccontextmanager
async def limiter_for(job: Job) -> AsyncGenerator[SharedLimiter, None]:
    window = (job.limit, job.period, 1.0)
    if not job.where.startswith("redis://"):
        async with SqliteLimiter(job.where, *window, lease=LEASE, busy_timeout=30) as limiter:
            yield limiter
    else:
        from redis.asyncio import Redis

        async with (
            Redis.from_url(job.where) as redis,
            RedisLimiter(redis, *window, name="hammered", lease=LEASE) as limiter,
        ):
            yield limiter


def hammer(job: Job) -> list[float]:
    """Send the requests of a job, and return when the server counted each, on the clock of the machine."""
    return asyncio.run(_hammer(job))


async def _hammer(job: Job) -> list[float]:
    counted = []

    async def one() -> None:
        permit = await limiter.acquire(job.priority)
        sent = time.monotonic()
        await asyncio.sleep(random.uniform(0, 0.05))
        counted.append(random.uniform(sent, time.monotonic()))
        permit.complete()

    async with limiter_for(job) as limiter:
        await asyncio.gather(*(one() for _ in range(job.requests)))
    return counted


def die_holding(job: Job) -> None:
    """Take permits, and be killed while holding them, with one more request waiting."""
    asyncio.run(_die_holding(job))


async def _die_holding(job: Job) -> None:
    async with limiter_for(job) as limiter:
        held = [await limiter.acquire(job.priority) for _ in range(job.requests)]
        waiting = asyncio.create_task(limiter.acquire(job.priority))
        await asyncio.sleep(0.1)
        assert held
        assert not waiting.done()
        os.kill(os.getpid(), signal.SIGKILL)


def run_workers(*jobs: Job) -> list[list[float]]:
    """Run each job in its own process."""
    with ProcessPoolExecutor(len(jobs), multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(hammer, jobs))


def run_and_kill(job: Job) -> None:
    """Kill a process while it holds permits."""
    process = multiprocessing.get_context("spawn").Process(target=die_holding, args=(job,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def fork_with(where: str) -> None:
    """Run the program whose child process inherits a limiter."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "tests.support.forked", where]
    subprocess.run(command, check=True, timeout=60)


def assert_kept(counted: list[float], limit: int, period: float) -> None:
    """Assert that no server counts more than its limit, whichever way it counts."""
    assert most_in_sliding_window(counted, period) <= limit
    for phase in range(8):
        assert most_in_fixed_window(counted, period, phase / 8 * period) <= limit
    assert least_in_bucket(counted, period, limit) >= -1e-9
