"""The limiter of one machine: processes that share a file keep one window, whoever of them dies."""

import asyncio
import contextlib
import gc
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cliniko_async.errors import UsageError
from cliniko_async.limits import Limits, Priority, SqliteLimiter
from tests.support import virtual, workers
from tests.support.limiting import (
    HOLD,
    LONG_HOLD,
    least_in_bucket,
    most_in_fixed_window,
    most_in_sliding_window,
    now,
    send,
    timers,
    waiting,
)
from tests.support.sqlite_limits import killed, limiter_at, processes, since
from tests.test_limits_servers import PERIOD, History, demand, share


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "limits.sqlite"


# What a permit holds, and for how long.


@pytest.mark.parametrize(("ending", "hold"), [("complete", HOLD), ("abandon", LONG_HOLD), ("cancel", 0.0)])
@pytest.mark.parametrize("own", [True, False], ids=["here", "elsewhere"])
def test_a_place_is_free_again_as_its_ending_says(path, ending, hold, own):
    async def main() -> float:
        async with processes(path, 2, 1) as (one, other):
            permit = await one.acquire("interactive")
            await asyncio.sleep(7)
            getattr(permit, ending)()
            ended = now()
            await asyncio.sleep(1)
            return await since(ended, one if own else other)

    assert virtual.run(main()) == pytest.approx(max(1.0, hold), abs=0.01)


def test_only_the_first_ending_counts(path):
    async def main() -> int:
        async with limiter_at(path, 2) as limiter:
            permit = await limiter.acquire("interactive")
            for ending in (permit.complete, permit.cancel, permit.abandon, permit.complete):
                ending()
            return (await limiter.limits()).used

    assert virtual.run(main()) == 1


def test_a_permit_that_is_dropped_counts_as_given_up(path):
    async def main() -> float:
        async with limiter_at(path, 1) as limiter:
            await limiter.acquire("interactive")
            gc.collect()
            return await since(now(), limiter)

    assert virtual.run(main()) == pytest.approx(LONG_HOLD, abs=0.1)


def test_limits_tell_what_all_processes_hold(path):
    async def main() -> tuple[Limits, Limits]:
        async with processes(path, 2, 2) as (one, other):
            (await one.acquire("interactive")).complete()
            (await other.acquire("interactive")).complete()
            await asyncio.sleep(10)
            async with waiting(one, "bulk", "interactive", "bulk"):
                await asyncio.sleep(1)
                return await one.limits(), await other.limits()

    one, other = virtual.run(main())
    assert (one.used, one.remaining, one.paused) == (2, 0, 0.0)
    assert one.next_free == pytest.approx(HOLD - 11, abs=0.1)
    assert one.waiting == {"interactive": 1, "bulk": 2}
    assert (other.used, other.waiting) == (2, {"interactive": 0, "bulk": 0})


# Who goes first.


def test_within_a_process_who_comes_first_is_served_first(path):
    async def main() -> list[int]:
        order = []

        async def one(number: int) -> None:
            await send(limiter)
            order.append(number)

        async with limiter_at(path, 3) as limiter:
            await asyncio.gather(*map(one, range(10)))
        return order

    assert virtual.run(main()) == list(range(10))


def test_processes_take_turns(path):
    async def main() -> list[int]:
        order = []

        async def one(number: int, limiter: SqliteLimiter) -> None:
            await send(limiter)
            order.append(number)

        async with processes(path, 3, 1) as limiters:
            await send(limiters[0])
            await asyncio.gather(*(one(number, limiter) for number, limiter in enumerate(limiters) for _ in range(4)))
        return order

    order = virtual.run(main())
    assert [sorted(order[turn : turn + 3]) for turn in range(0, 12, 3)] == [[0, 1, 2]] * 4


def test_interactive_goes_before_the_bulk_of_every_process(path):
    async def main() -> list[str]:
        order = []

        async def one(limiter: SqliteLimiter, priority: Priority) -> None:
            await send(limiter, priority)
            order.append(priority)

        async with processes(path, 2, 1) as (one_process, other):
            await send(other)
            bulk = [one(one_process, "bulk") for _ in range(3)]
            urgent = [one(other, "interactive") for _ in range(3)]
            await asyncio.gather(*bulk, *urgent)
        return order

    assert virtual.run(main()) == ["interactive"] * 3 + ["bulk"] * 3


def test_bulk_is_evenly_spaced_over_all_processes(path):
    async def main() -> list[float]:
        async with processes(path, 2, 10, 10.0, 0.5) as limiters:
            began = now()
            return await asyncio.gather(*(since(began, limiters[turn % 2], "bulk") for turn in range(8)))

    moments = sorted(virtual.run(main()))
    assert moments[:5] == pytest.approx([0, 2, 4, 6, 8], abs=0.1)
    assert moments[5:] == pytest.approx([10.02, 12.02, 14.02], abs=0.1)


def test_a_burst_is_shared_among_those_who_wait(path):
    async def main() -> list[int]:
        async with processes(path, 2, 40) as limiters:
            permits = [await limiters[0].acquire("interactive") for _ in range(40)]
            served = [0, 0]

            async def one(index: int) -> None:
                permit = await limiters[index].acquire("interactive")
                served[index] += 1
                await asyncio.sleep(100)
                permit.cancel()

            tasks = [asyncio.create_task(one(index)) for index in (0, 1) for _ in range(100)]
            await asyncio.sleep(1)
            for permit in permits:
                permit.complete()
            await asyncio.sleep(HOLD + 1)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        return served

    served = virtual.run(main())
    assert sum(served) == 40
    assert min(served) >= 10


# A 429.


def test_a_pause_is_seen_by_all(path):
    async def main() -> tuple[float, float, float]:
        async with processes(path, 2, 10) as (one, other):
            began = now()
            assert one.pause(20) == 20
            assert other.pause(5) == 5
            await one.limits()
            await asyncio.sleep(1)
            paused = (await other.limits()).paused
            return paused, await since(began, other), await since(began, one, "bulk")

    paused, other, bulk = virtual.run(main())
    assert paused == pytest.approx(19, abs=0.1)
    assert other == pytest.approx(20, abs=0.1)
    assert bulk == pytest.approx(20, abs=0.1)


def test_a_guess_that_was_too_short_is_doubled_by_whoever_meets_the_next(path):
    async def main() -> list[float]:
        async with processes(path, 2, 10) as (one, other):
            pauses = [one.pause(None)]
            await asyncio.sleep(1)
            for limiter in (other, one, other):
                await send(limiter)
                pauses.append(limiter.pause(None))
                await asyncio.sleep(1)
            return pauses

    assert virtual.run(main()) == pytest.approx([15, 30, 60, 60], abs=0.1)


def test_a_permit_given_before_the_pause_was_known_is_given_back(path):
    """The grant is on its way while the 429 arrives."""

    async def main() -> float:
        async with limiter_at(path, 10) as limiter:
            began = now()
            task = asyncio.create_task(since(began, limiter))
            await asyncio.sleep(0)
            limiter.pause(30)
            return await task

    assert virtual.run(main()) == pytest.approx(30, abs=0.1)


def test_a_permit_that_lay_about_is_asked_for_anew(path):
    async def main() -> int:
        moment = 0.0
        async with SqliteLimiter(path, 1, clock=lambda: moment) as limiter:
            (await limiter.acquire("interactive")).cancel()
            queue = next(iter(limiter._lines.values())).waiting["interactive"]
            give = queue.give

            def give_slowly(held) -> None:
                nonlocal moment
                give(held)
                del queue.give
                moment += 2.0  # The task sleeps on while the permit is there.

            queue.give = give_slowly
            permit = await limiter.acquire("interactive")
            assert permit.given_at == 2.0
            return (await limiter.limits()).used

    assert asyncio.run(main()) == 1


# Who goes away.


def test_a_cancelled_wait_gives_its_place_back(path):
    async def main() -> tuple[list[float], Limits]:
        async with processes(path, 2, 1) as (one, other):
            began = now()
            (await one.acquire("interactive")).complete()
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(one.acquire("interactive"), 5)
            await asyncio.sleep(1)
            waited = [await since(began, other)]
            await asyncio.sleep(HOLD + 1)
            return waited, await other.limits()

    waited, limits = virtual.run(main())
    assert waited == pytest.approx([HOLD], abs=0.1)
    assert (limits.used, limits.waiting) == (0, {"interactive": 0, "bulk": 0})


@pytest.mark.parametrize("turns", range(6))
def test_a_task_cancelled_at_any_turn_of_its_grant_gives_the_place_back(path, turns):
    async def main() -> int:
        async with limiter_at(path, 1) as limiter:
            task = asyncio.create_task(limiter.acquire("interactive"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                (await task).cancel()
            await asyncio.sleep(0.5)
            return (await limiter.limits()).used

    assert virtual.run(main()) == 0


def test_a_permit_given_to_a_task_that_was_cancelled_meanwhile_comes_back(path):
    async def main() -> int:
        async with limiter_at(path, 1) as limiter:
            first = await limiter.acquire("interactive")
            async with waiting(limiter, "interactive") as (task,):
                await asyncio.sleep(1)
                queue = next(iter(limiter._lines.values())).waiting["interactive"]
                give = queue.give

                def give_too_late(held) -> None:
                    give(held)
                    task.cancel()

                queue.give = give_too_late
                first.cancel()
                await asyncio.sleep(1)
                del queue.give
            await asyncio.sleep(1)
            return (await limiter.limits()).used

    assert virtual.run(main()) == 0


def test_what_a_killed_process_held_is_free_after_its_lease(path):
    async def main() -> list[float]:
        async with limiter_at(path, 2, lease=30) as other:
            dead = limiter_at(path, 2, lease=30)
            began = now()
            permits = [await dead.acquire("interactive") for _ in range(2)]
            killed(dead)
            del permits
            return [await since(began, other), await since(began, other)]

    assert virtual.run(main()) == pytest.approx([30 + LONG_HOLD] * 2, abs=0.1)


def test_behind_a_killed_waiter_the_queue_goes_on(path):
    async def main() -> float:
        async with limiter_at(path, 1) as other:
            began = now()
            await send(other)
            dead = limiter_at(path, 1)
            async with waiting(dead, "interactive"):
                await asyncio.sleep(1)
                killed(dead)
                return await since(began, other)

    assert virtual.run(main()) <= 2 * HOLD + 0.1


def test_without_anything_to_do_there_is_neither_task_nor_timer(path):
    async def main() -> tuple[int, int]:
        async with limiter_at(path, 2) as limiter:
            await asyncio.gather(send(limiter), send(limiter, "bulk"))
            await asyncio.sleep(1)
            return timers(), len(asyncio.all_tasks())

    assert virtual.run(main()) == (0, 1)


def test_closing_sends_away_who_waits_and_tells_what_is_held(path):
    async def main() -> tuple[int, int]:
        limiter = limiter_at(path, 2)
        (await limiter.acquire("interactive")).complete()
        await limiter.acquire("interactive")
        async with waiting(limiter, "interactive", "bulk") as tasks:
            await asyncio.sleep(0.02)
            await limiter.aclose()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in ended] == [UsageError, UsageError]
        with pytest.raises(UsageError, match="closed"):
            await limiter.acquire("interactive")
        await asyncio.sleep(HOLD)
        async with limiter_at(path, 2) as other:
            return (await other.limits()).used, timers()

    assert virtual.run(main()) == (1, 0)


def test_who_asks_for_the_limits_and_goes_away_does_no_harm(path):
    async def main() -> int:
        async with limiter_at(path, 2) as limiter:
            task = asyncio.create_task(limiter.limits())
            await asyncio.sleep(0)
            task.cancel()
            return (await limiter.limits()).used

    assert virtual.run(main()) == 0


def test_closing_what_was_never_used_opens_nothing(path):
    async def main() -> None:
        await limiter_at(path).aclose()

    virtual.run(main())
    assert not path.exists()


def test_closing_again_does_nothing(path):
    async def main() -> int:
        async with limiter_at(path, 2) as limiter:
            (await limiter.acquire("interactive")).complete()
            await asyncio.gather(limiter.aclose(), limiter.aclose())
        async with limiter_at(path, 2) as other:
            return (await other.limits()).used

    assert virtual.run(main()) == 1


# The server.


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    demands=st.lists(demand, max_size=25),
    window=st.tuples(st.integers(1, 5), st.just(PERIOD), st.sampled_from([0.3, 0.8, 1.0])),
    phase=share,
    pause=st.none() | st.tuples(st.integers(0, 40), st.none() | st.integers(0, 20)),
)
def test_no_server_ever_counts_more_than_its_limit(tmp_path, demands, window, phase, pause):
    """Whatever two processes ask, give up and cancel: fixed window, sliding window and token bucket are kept."""
    path = tmp_path / os.urandom(8).hex()
    limit = window[0]

    async def main() -> tuple[list[float], Limits]:
        async with processes(path, 2, *window, lease=PERIOD * 2) as limiters:
            histories = [History(limiter) for limiter in limiters]
            async with asyncio.TaskGroup() as group:
                for number, asked in enumerate(demands):
                    group.create_task(histories[number % 2].run(asked))
                if pause is not None:
                    await asyncio.sleep(pause[0])
                    limiters[0].pause(pause[1])
            await asyncio.sleep(1.06 * PERIOD)
            return histories[0].counted + histories[1].counted, await limiters[0].limits()

    counted, limits = virtual.run(main())
    assert most_in_sliding_window(counted, PERIOD) <= limit
    assert most_in_fixed_window(counted, PERIOD, virtual.START + phase * PERIOD) <= limit
    assert least_in_bucket(counted, PERIOD, limit) >= -1e-9
    assert limits.used == 0


def test_processes_that_hammer_one_file_keep_the_window(path):
    jobs = [workers.Job(str(path), 50), workers.Job(str(path), 50, "bulk"), workers.Job(str(path), 20)]
    served = workers.run_workers(*jobs)
    assert [len(counted) for counted in served] == [50, 50, 20]
    workers.assert_kept([moment for counted in served for moment in counted], workers.LIMIT, workers.PERIOD)


def test_a_process_killed_with_all_permits_costs_no_more_than_its_lease(path):
    job = workers.Job(str(path), 3, limit=3, period=0.2)
    workers.run_and_kill(job)
    counted = workers.hammer(job._replace(requests=5))
    assert len(counted) == 5
