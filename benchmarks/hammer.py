"""A process that sends requests without pause, one of several that share a window: `python -m benchmarks.hammer`.

It reads its jobs on one line, says that it is ready, reads the moment at which all begin, and prints how long the
interactive calls of each job waited.
"""

import asyncio
import contextlib
import itertools
import random
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal

import attrs
import msgspec

from cliniko_async import Cliniko, RateLimiter, SlidingWindowLimiter, SqliteLimiter
from cliniko_async.limits import Limits, Permit, Priority

_PATH = "/settings/public"

Kind = Literal["SlidingWindowLimiter", "SqliteLimiter", "RedisLimiter"]
Wait = tuple[float, float]
"""When an interactive call requested its permit, and how many seconds it waited."""


class Job(msgspec.Struct, frozen=True):
    """The load of one process on one server; times in seconds."""

    base_url: str
    api_key: str
    process: int
    kind: Kind
    where: str
    """The file, or the URL of the Redis."""
    name: str
    """The name of the window there."""
    limit: int
    period: float
    bulk: int
    """Callers with bulk priority, each sending one call after the other."""
    urgent: int
    """The same with interactive priority."""
    rate: float
    """Interactive calls a second, at random moments."""
    begins: float
    """Their times, in seconds from the common start."""
    lasts: float


@attrs.define
class Timed:
    """A limiter that records how long interactive callers wait, including those that end without a permit."""

    inner: RateLimiter
    waits: list[Wait] = attrs.field(factory=list[Wait])

    @property
    def period(self) -> float:
        """The length of the window in seconds."""
        return self.inner.period

    async def acquire(self, priority: Priority) -> Permit:
        """Wait for a permit."""
        asked = _now()
        try:
            return await self.inner.acquire(priority)
        finally:
            if priority == "interactive":
                self.waits.append((asked, _now() - asked))

    def pause(self, wait: float | None) -> float:
        """Pause the limiter."""
        return self.inner.pause(wait)

    async def limits(self) -> Limits:
        """Return the state of the window."""
        return await self.inner.limits()


async def load(job: Job, limiter: RateLimiter, start: float) -> list[Wait]:
    """Do a job with a limiter, and return the waits of its interactive calls."""
    timed = Timed(limiter)
    async with _client(job, timed, "bulk") as bulk, _client(job, timed, "interactive") as urgent:
        await asyncio.sleep(start + job.begins - _now())
        end = start + job.begins + job.lasts
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(end), asyncio.TaskGroup() as group:
                for cliniko, callers in ((bulk, job.bulk), (urgent, job.urgent)):
                    for _ in range(callers):
                        group.create_task(_without_pause(cliniko, end))
                if job.rate:
                    group.create_task(_at_random(urgent, job, group))
    return timed.waits


async def _without_pause(cliniko: Cliniko, end: float) -> None:
    # If a library swallows the cancellation at the end, this prolongs one call and not the run.
    while _now() < end:
        await cliniko.request("GET", _PATH)


async def _at_random(cliniko: Cliniko, job: Job, group: asyncio.TaskGroup) -> None:
    rng = random.Random(f"{job.name} {job.process}")
    while True:
        await asyncio.sleep(rng.expovariate(job.rate))
        group.create_task(cliniko.request("GET", _PATH))


@asynccontextmanager
async def _limiter(job: Job) -> AsyncGenerator[RateLimiter, None]:
    if job.kind == "SlidingWindowLimiter":
        yield SlidingWindowLimiter(job.limit, job.period)
    elif job.kind == "SqliteLimiter":
        async with SqliteLimiter(job.where, job.limit, job.period, name=job.name) as limiter:
            yield limiter
    else:
        from redis.asyncio import Redis  # noqa: PLC0415  (not every run needs it)

        from cliniko_async import RedisLimiter  # noqa: PLC0415

        async with (
            Redis.from_url(job.where) as redis,
            RedisLimiter(redis, job.limit, job.period, name=job.name) as limiter,
        ):
            yield limiter


def _client(job: Job, limiter: RateLimiter, priority: Priority) -> Cliniko:
    return Cliniko(
        job.api_key,
        app_name=f"{job.process} {priority}",
        contact_email="it@example.com",
        base_url=job.base_url,
        rate_limiter=limiter,
        priority=priority,
    )


def _now() -> float:
    """Return the time of the loop, which is that of the machine except in tests."""
    return asyncio.get_running_loop().time()


async def main() -> None:
    """Run all jobs at once."""
    jobs = msgspec.json.decode(sys.stdin.readline(), type=list[Job])
    async with contextlib.AsyncExitStack() as stack:
        limiters = [await stack.enter_async_context(_limiter(job)) for job in jobs]
        for limiter in limiters:
            await limiter.limits()  # So that no module is loaded and nothing is opened in the time that is measured.
        print("ready", flush=True)
        start = float(sys.stdin.readline())
        waits = await asyncio.gather(*map(load, jobs, limiters, itertools.repeat(start)))
        print(msgspec.json.encode(waits).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
