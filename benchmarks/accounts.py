"""Many accounts over one connector: the cost of a page and of an account, and whether one delays the others."""

import asyncio
import gc
import time
import tracemalloc
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cliniko_async import AccountPool, Cliniko, RetryPolicy, SlidingWindowLimiter

from .data import PAGE_SIZE
from .measure import Measurement
from .memory import page_kept
from .serving import client, counted, roomy, serving

_ACCOUNTS = 1000
_PAGES = 8
_CONNECTIONS = 100
_ROUNDS = 2
_LIMIT, _PERIOD = 4, 3.0
"""Each account reads two windows, so its limiter has to delay it once, or the server answers 429."""
_FEW = 100
_PAGES_MEASURED = 2
_OTHERS, _SMALL_PAGES, _LATENCY, _SLOWNESS = 150, 8, 0.05, 3.0
_NARROW, _NARROW_ROUNDS = 50, 3
_CPU, _MEMORY = 1.5, 0.1
"""Budgets: the garbage collector checks a thousand iterations, which hold no page while waiting for the next."""
_WHAT = f"{_ACCOUNTS:,} accounts stream at once over {_CONNECTIONS} connections"


async def measure_accounts() -> Sequence[Measurement]:
    """Measure a thousand accounts that stream at once, and a few of which one is slow or fails."""
    return [*await _streaming(), *await _with_bad_neighbours()]


async def _streaming() -> Iterable[Measurement]:
    many, one, files = [], [], []
    with serving(pages=_PAGES, by_key=1, limit=_LIMIT, period=_PERIOD) as base_url, serving(pages=_ACCOUNTS) as other:
        await _one_account(other)
        for _ in range(_ROUNDS):
            one.append(await _one_account(other))
            seconds, most = await _many_accounts(base_url)
            many.append(seconds)
            files.append(most)
        refused = counted(base_url)["refused"]
        grown = await _grown(other)
    assert not refused, f"{refused} answers of 429"
    page, most_files = page_kept(), [_CONNECTIONS] * _ROUNDS
    return [
        Measurement(what=f"{_WHAT}, CPU a page", against="1 account", ours=many, theirs=one, unit="µs", budget=_CPU),
        Measurement(
            what=f"{_WHAT}, memory of each", against="a page", ours=[grown], theirs=[page], unit="kB", budget=_MEMORY
        ),
        Measurement(what=f"{_WHAT}, files", against="connections", ours=files, theirs=most_files, unit="", budget=1.05),
    ]


async def _one_account(base_url: str) -> float:
    async with client(base_url) as cliniko:
        gc.collect()
        begun, count = time.process_time(), 0
        async for _ in cliniko.appointment_types.list():
            count += 1
        seconds = time.process_time() - begun
    assert count == _ACCOUNTS * PAGE_SIZE
    return seconds / _ACCOUNTS


async def _many_accounts(base_url: str) -> tuple[float, int]:
    """Return the CPU seconds of a page, and the largest number of open files."""
    await asyncio.sleep(
        _PERIOD
    )  # The server still counts requests of the previous round, which these limiters do not know.
    most, before = 0, _open_files()
    async with _pool(base_url, limiter=lambda _: SlidingWindowLimiter(_LIMIT, _PERIOD)) as pool:
        gc.collect()
        begun = time.process_time()
        async for done in pool.run(_stream, _keys(_ACCOUNTS), concurrency=_ACCOUNTS):
            assert done.result == _PAGES * PAGE_SIZE, done.error
            most = max(most, _open_files() - before)
        seconds = time.process_time() - begun
    return seconds / _ACCOUNTS / _PAGES, most


async def _grown(base_url: str) -> float:
    """Return the kilobytes by which each streaming account raises the peak: that of many less that of few."""
    peaks = []
    for accounts in (_FEW, _FEW, _ACCOUNTS):  # the first one warms up
        async with _pool(base_url, limiter=lambda _: roomy()) as pool:
            gc.collect()
            tracemalloc.start()
            try:
                async for done in pool.run(_stream_a_few, _keys(accounts), concurrency=accounts):
                    assert done.error is None
                peaks.append(tracemalloc.get_traced_memory()[1] / 1000)
            finally:
                tracemalloc.stop()
    return (peaks[-1] - peaks[-2]) / (_ACCOUNTS - _FEW)


async def _with_bad_neighbours() -> Iterable[Measurement]:
    """Measure the time that accounts need, alone, with a slow one added, and with a failing one added."""
    lines = []
    options = {"pages": _SMALL_PAGES, "size": 1, "by_key": 1, "latency": _LATENCY, "slowness": _SLOWNESS}
    with serving(**options) as base_url:
        await _until_done(base_url)
        alone, slow, failing = [], [], []
        for _ in range(_NARROW_ROUNDS):
            alone.append(await _until_done(base_url))
            slow.append(await _until_done(base_url, "slow-au1"))
            failing.append(await _until_done(base_url, "failing-au1"))
    for which, taken in {"one more answers after 3 s": slow, "one more only fails": failing}.items():
        what = f"{_OTHERS} accounts, {_NARROW} connections: {which}"
        lines.append(Measurement(what=what, against="without it", ours=taken, theirs=alone, unit="s", budget=1.05))
    return lines


async def _until_done(base_url: str, *bad: str) -> float:
    others = _keys(_OTHERS)
    async with _pool(base_url, connections=_NARROW, limiter=lambda _: roomy(), retry=_STUBBORN) as pool:
        gc.collect()
        begun, left = time.monotonic(), len(others)
        async for done in pool.run(_ahead, {name: name for name in bad} | others, concurrency=_OTHERS + 1):
            if done.account in others:
                assert done.result == _SMALL_PAGES, done.error
                left -= 1
            if not left:
                break
        return time.monotonic() - begun


_STUBBORN = RetryPolicy(attempts=20, wait_initial=0.01, wait_max=0.1)


async def _stream(_: str, cliniko: Cliniko) -> int:
    count = 0
    async for _record in cliniko.appointment_types.list():
        count += 1
    return count


async def _stream_a_few(_: str, cliniko: Cliniko) -> None:
    async for _record in cliniko.appointment_types.list(limit=_PAGES_MEASURED * PAGE_SIZE):
        pass


async def _ahead(_: str, cliniko: Cliniko) -> int:
    return len(await cliniko.appointment_types.list(per_page=1, prefetch=8).collect())


def _keys(count: int) -> dict[str, str]:
    return {f"account {number}": f"MS0xLWl4{number}-au1" for number in range(count)}


def _pool(base_url: str, **options: Any) -> AccountPool:  # noqa: ANN401
    who = {"app_name": "Benchmarks", "contact_email": "it@example.com"}
    return AccountPool(**{"connections": _CONNECTIONS, "base_url": base_url, **who, **options})


def _open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())
