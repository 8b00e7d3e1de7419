"""The overhead of the library for a call with a tiny body, a permit, and a step of `async for`."""

import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

import aiohttp

from cliniko_async import SlidingWindowLimiter

from .measure import AsyncSide, Measurement, side_by_side_async
from .serving import client, serving

T = TypeVar("T")

_CALLS = 50
_PERMITS = 5_000
_RECORDS = 10_000


async def measure_calls() -> Sequence[Measurement]:
    """Measure a call with a tiny response, with limiter and retries, against aiohttp alone."""
    headers = {"Authorization": "Basic invented", "Accept": "application/json", "User-Agent": "Benchmarks"}
    with serving() as base_url:
        async with client(base_url) as ours, aiohttp.ClientSession(headers=headers) as session:

            async def by_aiohttp() -> None:
                for _ in range(_CALLS):
                    async with session.get(f"{base_url}/taxes/1") as answer:
                        await answer.read()

            async def by_request() -> None:
                for _ in range(_CALLS):
                    await ours.request("GET", "/taxes/1")

            async def by_get() -> None:
                for _ in range(_CALLS):
                    await ours.taxes.get("1")

            sides = {"aiohttp": by_aiohttp, "request": by_request, "get": by_get}
            taken = await side_by_side_async({name: AsyncSide(run, _CALLS) for name, run in sides.items()}, rounds=150)
    theirs = taken["aiohttp"]
    bare = Measurement(
        what="a tiny call", against="aiohttp", ours=taken["request"], theirs=theirs, unit="µs", budget=1.40
    )
    typed = Measurement(what="a tiny call to a record", against="aiohttp", ours=taken["get"], theirs=theirs, unit="µs")
    return bare, typed


async def measure_steps() -> Sequence[Measurement]:
    """Measure a step of `async for` within a page, for any page size, against that of an async generator."""

    async def generate(records: Sequence[T]) -> AsyncIterator[T]:
        for record in records:
            yield record

    async def exhaust(records: AsyncIterator[object]) -> None:
        async for _ in records:
            pass

    with serving(pages=1, size=_RECORDS) as base_url:
        async with client(base_url) as ours:
            page = await ours.appointment_types.list()
            assert len(page.items) == _RECORDS
            taken: dict[str, list[float]] = {"ours": [], "generator": []}
            for _ in range(60):
                iterators = {"ours": aiter(ours.appointment_types.list()), "generator": generate(page.items)}
                for name, records in iterators.items():
                    await anext(records)
                    begun = time.process_time()
                    await exhaust(records)
                    taken[name].append((time.process_time() - begun) / _RECORDS)
    common = {"what": "a step of `async for`", "against": "an async generator", "unit": "ns"}
    return [Measurement(**common, ours=taken["ours"], theirs=taken["generator"], budget=1.5)]


async def measure_permits() -> Sequence[Measurement]:
    """Measure a permit that is free against a deque of times."""
    # The period is so short that neither is ever full: a full one refuses quickly.
    limiter, bare = SlidingWindowLimiter(limit=200, period=0.00002), Bare(limit=200, period=0.00002)

    async def by_limiter() -> None:
        for _ in range(_PERMITS):
            permit = await limiter.acquire("interactive")
            permit.complete()

    async def by_deque() -> None:
        for _ in range(_PERMITS):
            await bare.acquire()

    sides = {"ours": AsyncSide(by_limiter, _PERMITS), "deque": AsyncSide(by_deque, _PERMITS)}
    taken = await side_by_side_async(sides, rounds=100)
    common = {"what": "a permit", "against": "a bare deque", "unit": "µs"}
    return [Measurement(**common, ours=taken["ours"], theirs=taken["deque"], budget=20)]


class Bare:
    """A window as a deque of times, without waiting, threads, priorities or settling."""

    def __init__(self, limit: int, period: float) -> None:
        """Create a window of this size."""
        self._limit = limit
        self._period = period
        self._taken: deque[float] = deque()

    async def acquire(self) -> bool:
        """Use a free permit, if there is one."""
        now, taken = time.monotonic(), self._taken
        while taken and taken[0] <= now:
            taken.popleft()
        if len(taken) >= self._limit:
            return False
        taken.append(now + self._period)
        return True
