"""Whatever is asked of the limiter, no server counts more than its limit."""

import asyncio
import itertools
from typing import Literal, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from cliniko_async.limits import Limits, Permit, Priority, SlidingWindowLimiter
from tests.support import virtual
from tests.support.limiting import (
    least_in_bucket,
    limiter_of,
    most_in_fixed_window,
    most_in_sliding_window,
    now,
    send,
)


class Demand(NamedTuple):
    """One request: when it is asked for, how it ends, and when within its flight the server counts it."""

    at: float
    priority: Priority
    latency: float
    counted: float
    ending: Literal["complete", "abandon", "cancel"]
    patience: float | None


PERIOD = 10.0
share = st.integers(0, 100).map(lambda number: number / 100)
demand = st.builds(
    Demand,
    at=st.integers(0, 400).map(lambda number: number / 10),
    priority=st.sampled_from(["interactive", "interactive", "bulk"]),
    latency=st.integers(0, 150).map(lambda number: number / 100 * PERIOD),
    counted=share,
    ending=st.sampled_from(["answered", "answered", "complete", "abandon", "cancel"]),
    patience=st.none() | st.integers(0, 300).map(lambda number: number / 10),
)


class History:
    """What a server counted and what the client saw, of a list of demands run against one limiter."""

    def __init__(self, limiter: SlidingWindowLimiter) -> None:
        self.limiter = limiter
        self.counted: list[float] = []
        self.granted: dict[Priority, list[tuple[float, int]]] = {"interactive": [], "bulk": []}
        self.turns = itertools.count()

    async def run(self, asked: Demand) -> None:
        await asyncio.sleep(asked.at)
        turn = next(self.turns)
        try:
            async with asyncio.timeout(asked.patience):
                permit = await self.limiter.acquire(asked.priority)
                self.granted[asked.priority].append((now(), turn))
                if asked.ending == "cancel":
                    permit.cancel()
                    return
                await self.fly(permit, asked)
        except TimeoutError:
            pass

    async def fly(self, permit: Permit, asked: Demand) -> None:
        """A request given up may be counted until the grace has passed."""
        sent = now()
        try:
            await asyncio.sleep(asked.latency)
        except asyncio.CancelledError:
            permit.abandon()
            self.counted.append(sent + asked.counted * (now() - sent + 0.05 * PERIOD))
            raise
        if asked.ending == "answered":
            permit.complete()
            self.counted.append(sent + asked.counted * (now() - sent))
        else:
            permit.abandon()
            self.counted.append(sent + asked.counted * (now() - sent + 0.05 * PERIOD))


@given(
    demands=st.lists(demand, max_size=40),
    limit=st.integers(1, 6),
    bulk_share=st.sampled_from([0.3, 0.8, 1.0]),
    phase=share,
    pause=st.none() | st.tuples(st.integers(0, 40), st.none() | st.integers(0, 20)),
)
def test_no_server_ever_counts_more_than_its_limit(demands, limit, bulk_share, phase, pause):
    """Whatever is asked, given up and cancelled: fixed window, sliding window and token bucket are kept."""

    async def main() -> tuple[History, Limits]:
        limiter = limiter_of(limit, PERIOD, bulk_share)
        history = History(limiter)
        async with asyncio.TaskGroup() as group:
            for asked in demands:
                group.create_task(history.run(asked))
            if pause is not None:
                await asyncio.sleep(pause[0])
                limiter.pause(pause[1])
        await asyncio.sleep(1.06 * PERIOD)
        return history, await limiter.limits()

    history, limits = virtual.run(main())
    assert most_in_sliding_window(history.counted, PERIOD) <= limit
    assert most_in_fixed_window(history.counted, PERIOD, virtual.START + phase * PERIOD) <= limit
    assert least_in_bucket(history.counted, PERIOD, limit) >= -1e-9
    bulk = [moment for moment, _ in history.granted["bulk"]]
    spacing = PERIOD / (bulk_share * limit)
    assert all(later - earlier >= spacing - 1e-9 for earlier, later in itertools.pairwise(bulk))
    for grants in history.granted.values():
        turns = [turn for _, turn in sorted(grants)]
        assert turns == sorted(turns)
    assert (limits.used, limits.waiting) == (0, {"interactive": 0, "bulk": 0})


@given(demands=st.lists(demand, min_size=1, max_size=30), limit=st.integers(1, 6))
def test_cancelled_waits_lower_no_capacity(demands, limit):
    """However many went away, after a period of rest the whole window is there at once."""

    async def main() -> list[float]:
        limiter = limiter_of(limit, PERIOD)
        history = History(limiter)
        await asyncio.gather(*map(history.run, demands))
        await asyncio.sleep(1.06 * PERIOD)
        began = now()
        return [await send(limiter) - began for _ in range(limit)]

    assert virtual.run(main()) == [0.0] * limit
