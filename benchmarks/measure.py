"""Sides are measured in turn, many times, so that a busy moment of the machine affects all of them."""

import gc
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Literal

import attrs

Verdict = Literal["holds", "over", ""]
CLEARLY = 1.15
"""How far over its budget a median has to be to exceed the noise of a shared machine."""


@attrs.frozen(kw_only=True)
class Measurement:
    """One line of the table: the times of both sides in each round, and the budget of their ratio."""

    what: str
    against: str
    ours: Sequence[float]
    theirs: Sequence[float]
    unit: str
    budget: float | None = None

    @property
    def ratio(self) -> float:
        """Ours to theirs: the median of the ratios of each round, because a machine's speed drifts between rounds."""
        return statistics.median(ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True))

    @property
    def verdict(self) -> Verdict:
        """Whether the ratio is within the budget, if there is one."""
        if self.budget is None:
            return ""
        return "holds" if self.ratio <= self.budget else "over"

    @property
    def failed(self) -> bool:
        """Whether the ratio is so far over the budget that the run fails."""
        return self.budget is not None and self.ratio > self.budget * CLEARLY


@attrs.frozen
class Side:
    """One side: what is run, and how many units of work a run has."""

    run: Callable[[], object]
    units: int = 1


@attrs.frozen
class AsyncSide:
    """The same for a coroutine function."""

    run: Callable[[], Awaitable[object]]
    units: int = 1


def side_by_side(sides: Mapping[str, Side], rounds: int) -> dict[str, Sequence[float]]:
    """Return the CPU seconds per unit of each side in each round, after one that warms up."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for name in _in_turn(sides, rounds + 1):
        side = sides[name]
        begun = time.process_time()
        side.run()
        taken[name].append((time.process_time() - begun) / side.units)
    return {name: seconds[1:] for name, seconds in taken.items()}


async def side_by_side_async(sides: Mapping[str, AsyncSide], rounds: int) -> dict[str, Sequence[float]]:
    """Return the same for sides that are coroutine functions."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for name in _in_turn(sides, rounds + 1):
        side = sides[name]
        begun = time.process_time()
        await side.run()
        taken[name].append((time.process_time() - begun) / side.units)
    return {name: seconds[1:] for name, seconds in taken.items()}


def _in_turn(sides: Mapping[str, object], rounds: int) -> Iterator[str]:
    """Return the names in random order, because the side that is measured first finds cold caches."""
    order, rng = list(sides), random.Random(1)
    for _ in range(rounds):
        gc.collect()
        rng.shuffle(order)
        yield from order
