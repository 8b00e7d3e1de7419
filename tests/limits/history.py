"""Random demands on limiters, and what a server counts meanwhile."""

import asyncio
import itertools
from typing import Literal, NamedTuple

from hypothesis import strategies as st

from cliniko_async.limits import Permit, Priority, RateLimiter
from tests.support.limiting import now


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
    ending=st.sampled_from(["complete", "complete", "complete", "abandon", "cancel"]),
    patience=st.none() | st.integers(0, 300).map(lambda number: number / 10),
)


class History:
    """What a server counted and what the client saw, of a list of demands run against one limiter."""

    def __init__(self, limiter: RateLimiter) -> None:
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
        if asked.ending == "complete":
            permit.complete()
            self.counted.append(sent + asked.counted * (now() - sent))
        else:
            permit.abandon()
            self.counted.append(sent + asked.counted * (now() - sent + 0.05 * PERIOD))
