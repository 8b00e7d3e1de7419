"""Clients for the tests, with a limiter that records how each permit was settled."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

import attrs

from cliniko_async import Cliniko, RetryPolicy
from cliniko_async.limits import Limits, Permit, Priority, RateLimiter, SlidingWindowLimiter

from .virtual import run

KEY = "MS0xLWl4SzYYc2VjcmV0-au2"
WHO = {"app_name": "Tests", "contact_email": "it@example.com"}
ONCE = RetryPolicy(attempts=1)
QUICK = RetryPolicy(attempts=3, wait_initial=0.01, wait_max=0.01)


@attrs.define
class RecordingPermit:
    """A permit that records the first of its methods that was called."""

    inner: Permit
    settled_by: str | None = None

    def complete(self) -> None:
        self.settled_by = self.settled_by or "complete"
        self.inner.complete()

    def abandon(self) -> None:
        self.settled_by = self.settled_by or "abandon"
        self.inner.abandon()

    def cancel(self) -> None:
        self.settled_by = self.settled_by or "cancel"
        self.inner.cancel()


class RecordingLimiter:
    """A limiter on the clock of the running loop that records its permits and pauses."""

    def __init__(self, inner: RateLimiter | None = None) -> None:
        clock = asyncio.get_running_loop().time
        self.inner = inner or SlidingWindowLimiter(clock=clock)
        self.permits: list[RecordingPermit] = []
        self.waits: list[float | None] = []
        self.before: Callable[[], Coroutine[Any, Any, None]] | None = None

    @property
    def period(self) -> float:
        return self.inner.period

    @property
    def settled_by(self) -> list[str | None]:
        return [permit.settled_by for permit in self.permits]

    async def acquire(self, priority: Priority) -> Permit:
        if self.before is not None:
            await self.before()
        permit = RecordingPermit(await self.inner.acquire(priority))
        self.permits.append(permit)
        return permit

    def pause(self, wait: float | None) -> float:
        self.waits.append(wait)
        return self.inner.pause(wait)

    async def limits(self) -> Limits:
        return await self.inner.limits()


def client_of(server: Any, **options: Any) -> Cliniko:
    """Return a client of a server, with its own limiter."""
    key = getattr(server, "api_key", KEY)
    limiter = options.pop("rate_limiter", None) or RecordingLimiter()
    return Cliniko(key, base_url=server.base_url, rate_limiter=limiter, **{**WHO, **options})


def virtually(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on virtual time."""

    @functools.wraps(test)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))

    return wrapped
