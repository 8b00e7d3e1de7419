"""Wall time where waiting is the cost: prefetched pages, and a budget that runs out."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence

from cliniko_async import Cliniko, SlidingWindowLimiter

from .measure import Measurement
from .serving import client, counted, serving

_PAGES = 100
_LATENCY = 0.2
_AHEAD = {1: (1, 1.04), 8: (3, 1.08), 32: (7, 1.08)}
"""Pages ahead: how many rounds, and the budget."""

_LIMIT = 200
_PAGES_LIMITED, _PERIOD_OF_PAGES = 1000, 5.0
_AT_ONCE, _PERIOD_AT_ONCE = 300, 6.0


async def measure_ahead() -> Sequence[Measurement]:
    """Measure 100 pages of 200 ms each beside the ideal, latency x (1 + ⌈99/n⌉)."""
    lines = []
    with serving(pages=_PAGES, latency=_LATENCY) as base_url:
        for ahead, (rounds, budget) in _AHEAD.items():
            taken = [await _seconds_to_read(base_url, ahead) for _ in range(rounds)]
            ideal = _LATENCY * (1 + math.ceil((_PAGES - 1) / ahead))
            what = f"100 pages of 200 ms, prefetch={ahead}"
            lines.append(_beside_ideal(what, taken, ideal, budget))
    return lines


async def measure_budget() -> Sequence[Measurement]:
    """Measure more requests than a window holds; the period is some seconds here, and the server's window slides."""
    windows = (_PAGES_LIMITED - 1) // _LIMIT
    return [
        await _within(_read_all, "1,000 pages, 200 in a window, no 429", windows, _PERIOD_OF_PAGES),
        await _within(_ask_at_once, "300 requests at once, 200 in a window, no 429", 1, _PERIOD_AT_ONCE),
    ]


async def _within(use: Callable[[Cliniko], Awaitable[None]], what: str, windows: int, period: float) -> Measurement:
    with serving(pages=_PAGES_LIMITED, size=1, limit=_LIMIT, period=period, kept=0) as base_url:
        async with client(base_url, SlidingWindowLimiter(_LIMIT, period)) as cliniko:
            begun = time.monotonic()
            await use(cliniko)
            taken = time.monotonic() - begun
        refused = counted(base_url)["refused"]
    assert not refused, f"{refused} answers of 429"
    return _beside_ideal(what, [taken], windows * period, budget=1.03)


def _beside_ideal(what: str, taken: Sequence[float], ideal: float, budget: float) -> Measurement:
    return Measurement(what=what, against="the ideal", ours=taken, theirs=[ideal] * len(taken), unit="s", budget=budget)


async def _seconds_to_read(base_url: str, ahead: int) -> float:
    async with client(base_url) as cliniko:
        begun, count = time.monotonic(), 0
        # Streamed, because records that are kept cost the garbage collector on both sides.
        async for _ in cliniko.appointment_types.list(prefetch=ahead):
            count += 1
        assert count == _PAGES * 100
        return time.monotonic() - begun


async def _read_all(cliniko: Cliniko) -> None:
    assert len(await cliniko.appointment_types.list(per_page=1).collect()) == _PAGES_LIMITED


async def _ask_at_once(cliniko: Cliniko) -> None:
    await asyncio.gather(*(cliniko.request("GET", "/taxes/1") for _ in range(_AT_ONCE)))
