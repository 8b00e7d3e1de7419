"""Helpers of the limiter's tests: callers on virtual time, and servers that count requests."""

import asyncio
import contextlib
import math
from collections import Counter

import pytest

from cliniko_async.limits import Permit, Priority, RateLimiter, SlidingWindowLimiter

HOLD = 60 * 1.002
LONG_HOLD = 60 * 1.052


def now() -> float:
    return asyncio.get_running_loop().time()


def limiter_of(limit: int = 200, period: float = 60.0, bulk_share: float = 0.8) -> SlidingWindowLimiter:
    """Return a limiter on the clock of the running loop."""
    return SlidingWindowLimiter(limit, period, bulk_share, clock=asyncio.get_running_loop().time)


async def send(limiter: RateLimiter, priority: Priority = "interactive", latency: float = 0.0) -> float:
    """Send one request, and return the time at which it got its permit."""
    permit = await limiter.acquire(priority)
    sent = now()
    await asyncio.sleep(latency)
    permit.complete()
    return sent


async def drain(limiter: SlidingWindowLimiter, count: int) -> list[Permit]:
    """Acquire `count` permits at once."""
    return [await limiter.acquire("interactive") for _ in range(count)]


async def settle_down() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def waiting(limiter: RateLimiter, *priorities: Priority):
    """Start tasks that wait for a permit, one after the other, and cancel them at the end."""
    tasks = [asyncio.create_task(limiter.acquire(priority)) for priority in priorities]
    await settle_down()
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def close_at_once(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop that does not run, with its tasks pending, without the warnings of asyncio about them."""
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False
    loop.close()


def timers() -> int:
    """Return the number of timers of the running loop."""
    return sum(not timer.cancelled() for timer in asyncio.get_running_loop()._scheduled)


def step(coroutine) -> Permit:
    """Run a coroutine that must not yield to the loop."""
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    return ended.value.value


def most_in_sliding_window(moments: list[float], period: float) -> int:
    moments = sorted(moments)
    return max((sum(first <= moment < first + period for moment in moments) for first in moments), default=0)


def most_in_fixed_window(moments: list[float], period: float, phase: float) -> int:
    return max(Counter(math.floor((moment - phase) / period) for moment in moments).values(), default=0)


def least_in_bucket(moments: list[float], period: float, size: int) -> float:
    """Return the smallest number of tokens in the bucket, just after a request has taken one."""
    level = least = float(size)
    last = -math.inf
    for moment in sorted(moments):
        level = min(size, level + (moment - last) * size / period) - 1
        last, least = moment, min(least, level)
    return least
