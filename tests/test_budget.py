"""Under full load, a server that enforces the limit never answers 429, and little of the limit is left unused.

`python -m benchmarks.budget` measures the same at the real limit, by 1, 4 and 8 processes.
"""

import asyncio
import contextlib

import pytest

from benchmarks.hammer import Job, load
from benchmarks.hammering import Case, Outcome, Scale, hammered
from benchmarks.sandboxes import counted
from cliniko_async.sandbox import Sandbox
from tests.support import virtual
from tests.support.limiting import limiter_of
from tests.support.sqlite_limits import processes

WINDOWS = ("fixed", "sliding", "bucket")
SCALE = Scale(periods=1)


def job(case: Case, sandbox: Sandbox, process: int) -> Job:
    full = case.load == "full load"
    return Job(
        base_url=sandbox.base_url,
        api_key=sandbox.api_key,
        process=process,
        kind=case.kind,
        where="",
        name="virtual",
        limit=SCALE.limit,
        period=SCALE.period,
        bulk=4,
        urgent=32 // case.processes if full else 0,
        rate=0.0 if full else 0.5 / case.processes,
        begins=0.0,
        lasts=SCALE.lasts(case.load),
    )


def measured(case: Case, path=None) -> Outcome:
    """Run a case on virtual time, so that nothing in it depends on the machine; each limiter represents a process."""

    async def main() -> Outcome:
        loop = asyncio.get_running_loop()
        options = {"latency": SCALE.latency, "jitter": SCALE.jitter, "clock": loop.time}
        async with contextlib.AsyncExitStack() as stack:
            sandbox = await stack.enter_async_context(Sandbox(window=case.window, **options))
            limiters = [limiter_of()]
            if case.kind == "SqliteLimiter":
                limiters = await stack.enter_async_context(processes(path, case.processes))
            start = loop.time()
            loads = (load(job(case, sandbox, number), each, start) for number, each in enumerate(limiters))
            waits = [wait for found in await asyncio.gather(*loads) for wait in found]
            return Outcome(case, SCALE, counted(sandbox), [wait for wait in waits if wait[0] > start + SCALE.period])

    return virtual.run(main())


@pytest.mark.parametrize("window", WINDOWS)
def test_constant_callers_use_97_percent_of_the_limit_without_a_429(window):
    outcome = measured(Case(1, "SlidingWindowLimiter", window, "full load"))
    assert (outcome.counted.refused, outcome.counted.most) == (0, 200)
    assert 0.97 < outcome.share <= 1


@pytest.mark.parametrize("window", WINDOWS)
def test_bulk_uses_its_share_and_thirty_calls_a_minute_wait_less_than_a_second_beside_it(window):
    outcome = measured(Case(1, "SlidingWindowLimiter", window, "mixed load"))
    assert outcome.counted.refused == 0
    assert 0.97 < outcome.share <= 1
    assert len(outcome.waits) > 15
    assert max(outcome.waits_in_a_minute()) < 1


def test_four_processes_with_a_file_use_97_percent_of_the_limit(tmp_path):
    outcome = measured(Case(4, "SqliteLimiter", "sliding", "full load"), tmp_path / "budget")
    assert (outcome.counted.refused, outcome.counted.most) == (0, 200)
    assert 0.97 < outcome.share <= 1


def test_interactive_calls_beside_four_bulk_processes_with_a_file_wait_less_than_a_second(tmp_path):
    outcome = measured(Case(4, "SqliteLimiter", "sliding", "mixed load"), tmp_path / "budget")
    assert outcome.counted.refused == 0
    assert 0.97 < outcome.share <= 1
    assert max(outcome.waits_in_a_minute()) < 1


@pytest.mark.parametrize("kind", ["SqliteLimiter", "RedisLimiter"])
def test_processes_at_full_speed_meet_no_429_with_any_kind_of_window(kind):
    """Clients, limiters, servers and the time are real."""
    cases = [Case(3, kind, window, "full load") for window in WINDOWS]
    for outcome in hammered(cases, Scale(limit=30, period=2.0, periods=1)):
        assert outcome.counted.refused == 0
        assert 0 < outcome.counted.most <= 30
