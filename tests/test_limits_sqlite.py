"""The limiter of one machine: processes that share a file keep one window, whoever of them dies."""

import asyncio
import contextlib
import gc
import os
import sqlite3
import threading
import time
import unittest.mock
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cliniko_async.limits
from cliniko_async.errors import ConfigurationError, LimiterUnavailableError, UsageError
from cliniko_async.limits import Limits, Permit, Priority, SqliteLimiter
from cliniko_async.limits._waiters import Waiters
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
from tests.test_limits_servers import PERIOD, History, demand, share

TELL = 0.061
"""What is told of a permit goes along with the next step, or a thousandth of the period later."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "limits.sqlite"


def limiter_at(path: Path, limit: int = 200, period: float = 60.0, bulk_share: float = 0.8, **options) -> SqliteLimiter:
    """A limiter on the time of the running loop; each stands for a process."""
    clock = asyncio.get_running_loop().time
    options = {"wall": lambda: clock() + 1_700_000_000, **options}
    return SqliteLimiter(path, limit, period, bulk_share, clock=clock, **options)


@contextlib.asynccontextmanager
async def processes(path: Path, count: int, *args, **options):
    """So many limiters of one file, closed at the end."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(limiter_at(path, *args, **options)) for _ in range(count)]


async def since(began: float, limiter: SqliteLimiter, priority: Priority = "interactive") -> float:
    return await send(limiter, priority) - began


def killed(limiter: SqliteLimiter) -> None:
    """As if its process had ended: it settles nothing any more, and nobody comes back."""
    limiter._book._process = -1
    limiter._book.closed = True
    for line in limiter._lines.values():
        line._stop_timer()


# What a permit holds, and for how long.


@pytest.mark.parametrize(("ending", "hold"), [("answered", HOLD), ("given_up", LONG_HOLD), ("unsent", 0.0)])
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
            for ending in (permit.answered, permit.unsent, permit.given_up, permit.answered):
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
            (await one.acquire("interactive")).answered()
            (await other.acquire("interactive")).answered()
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
                permit.unsent()

            tasks = [asyncio.create_task(one(index)) for index in (0, 1) for _ in range(100)]
            await asyncio.sleep(1)
            for permit in permits:
                permit.answered()
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
            assert one.throttled(20) == 20
            assert other.throttled(5) == 5
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
            pauses = [one.throttled(None)]
            await asyncio.sleep(1)
            for limiter in (other, one, other):
                await send(limiter)
                pauses.append(limiter.throttled(None))
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
            limiter.throttled(30)
            return await task

    assert virtual.run(main()) == pytest.approx(30, abs=0.1)


def test_a_permit_that_lay_about_is_asked_for_anew(path):
    async def main() -> int:
        moment = 0.0
        async with SqliteLimiter(path, 1, clock=lambda: moment) as limiter:
            (await limiter.acquire("interactive")).unsent()
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
            (await one.acquire("interactive")).answered()
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
                (await task).unsent()
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
                first.unsent()
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
        (await limiter.acquire("interactive")).answered()
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
                    limiters[0].throttled(pause[1])
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


# The file.


def test_a_clock_set_back_locks_nobody_out_for_longer_than_the_longest_lease(path):
    async def main() -> list[float]:
        ahead = 3600.0
        clock = asyncio.get_running_loop().time

        def wall() -> float:
            return clock() + 1e9 + ahead

        async with processes(path, 2, 1, lease=30, wall=wall) as (one, other):
            permit = await one.acquire("bulk")
            one.throttled(10)
            async with waiting(one, "interactive"):
                await asyncio.sleep(1)
                killed(one)
                ahead = 0.0
                began = now()
                waits = [await since(began, other), await since(began, other, "bulk")]
        permit.unsent()
        return waits

    first, second = virtual.run(main())
    assert first <= 30 + LONG_HOLD + HOLD
    assert second <= first + 2 * HOLD


@pytest.mark.parametrize("files", ["limits.sqlite", "limits.sqlite*"])
def test_a_file_that_is_deleted_is_made_anew_by_all(path, files):
    async def main() -> set[int]:
        async with processes(path, 2, 10) as (one, other):
            await send(one)
            await send(other)
            await asyncio.sleep(1)
            for file in path.parent.glob(files):
                file.unlink()
            await send(one)
            await send(other)
            return {(await limiter.limits()).used for limiter in (one, other)}

    (used,) = virtual.run(main())
    assert used == 2 or files == "limits.sqlite"  # What the journal still holds is taken over.


@contextlib.contextmanager
def locked(path: Path):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def test_a_file_that_stays_locked_is_a_clear_error_and_no_permit_is_lost(path):
    async def main() -> tuple[int, int]:
        async with limiter_at(path, 3, busy_timeout=0.01) as limiter:
            permit = await limiter.acquire("interactive")
            await send(limiter)
            with locked(path):
                permit.unsent()
                limiter.throttled(1)
                with pytest.raises(LimiterUnavailableError, match=r"limits\.sqlite: database is locked"):
                    await limiter.acquire("interactive")
                with pytest.raises(LimiterUnavailableError):
                    await limiter.limits()
                await asyncio.sleep(5)
            (await limiter.acquire("interactive")).unsent()
            return (await limiter.limits()).used, timers()

    assert virtual.run(main())[0] == 1


def test_a_new_file_that_is_locked_is_waited_for_only_so_long(path):
    async def main() -> None:
        async with limiter_at(path, 3, busy_timeout=0.05) as limiter:
            with locked(path), pytest.raises(LimiterUnavailableError, match="locked"):
                await limiter.acquire("interactive")
            await send(limiter)

    virtual.run(main())


def test_a_new_file_that_somebody_reads_is_waited_for_only_so_long(path):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("CREATE TABLE other (id)")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM other").fetchall()

        async def main() -> None:
            async with limiter_at(path, busy_timeout=0.05) as limiter:
                with pytest.raises(LimiterUnavailableError, match="locked"):
                    await limiter.acquire("interactive")

        virtual.run(main())


@pytest.mark.parametrize("damage", ["no folder", "no database"])
def test_a_file_that_cannot_be_used_is_a_clear_error(path, damage):
    if damage == "no database":
        path.write_bytes(b"a letter to somebody " * 200)
    else:
        path = path / "limits.sqlite"

    async def main() -> None:
        async with limiter_at(path) as limiter:
            with pytest.raises(LimiterUnavailableError, match=r"limits\.sqlite"):
                await limiter.acquire("interactive")

    virtual.run(main())


def test_what_is_no_fault_of_the_file_reaches_who_waits(path):
    async def main() -> None:
        async with limiter_at(path, wall=lambda: 1 / 0) as limiter:
            with pytest.raises(LimiterUnavailableError) as caught:
                await limiter.acquire("interactive")
            assert isinstance(caught.value.__cause__, ZeroDivisionError)

    virtual.run(main())


def test_windows_of_one_file_are_apart_and_their_names_are_not_in_it(path):
    async def main() -> list[int]:
        async with limiter_at(path, 5, name="MS0xLWtlcHQ-au1") as one, limiter_at(path, 5, name="other") as other:
            await send(one)
            return [(await limiter.limits()).used for limiter in (one, other)]

    assert virtual.run(main()) == [1, 0]
    assert not [file for file in path.parent.iterdir() if b"MS0xLWtlcHQ" in file.read_bytes()]


# Event loops, threads and processes.


def test_event_loops_in_threads_share_a_limiter(path):
    limiter = SqliteLimiter(path, 20, 0.2, 1.0)
    counted: list[float] = []

    async def one(number: int) -> None:
        permit = await limiter.acquire("bulk" if number % 4 == 0 else "interactive")
        counted.append(time.monotonic())
        await asyncio.sleep(0)
        permit.answered()

    async def many() -> None:
        await asyncio.gather(*map(one, range(15)))

    threads = [threading.Thread(target=asyncio.run, args=(many(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    asyncio.run(limiter.aclose())
    assert len(counted) == 45
    workers.assert_kept(counted, 20, 0.2)


def test_a_permit_settled_after_its_loop_has_closed_is_told_by_the_next(path):
    limiter = SqliteLimiter(path, 2)
    permit = asyncio.run(_take(limiter))
    permit.unsent()

    async def main() -> int:
        async with limiter:
            return (await limiter.limits()).used

    assert asyncio.run(main()) == 0


async def _take(limiter: SqliteLimiter) -> Permit:
    return await limiter.acquire("interactive")


def test_a_wait_that_ends_after_its_loop_has_closed_does_no_harm(path):
    limiter = SqliteLimiter(path, 2)
    loop = asyncio.new_event_loop()
    task = loop.create_task(limiter.acquire("interactive"))
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    task._log_destroy_pending = False
    del task
    gc.collect()
    asyncio.run(_take(limiter)).unsent()
    asyncio.run(limiter.aclose())


def test_closing_in_one_loop_sends_away_who_waits_in_another(path):
    limiter = SqliteLimiter(path, 1)
    ended: list[BaseException] = []
    waits = threading.Event()

    async def wait() -> None:
        permit = await limiter.acquire("interactive")
        asyncio.get_running_loop().call_later(0.05, waits.set)
        try:
            await limiter.acquire("interactive")
        except UsageError as error:
            ended.append(error)
        permit.unsent()

    thread = threading.Thread(target=asyncio.run, args=(wait(),))
    thread.start()
    assert waits.wait(30)
    asyncio.run(limiter.aclose())
    thread.join(30)
    assert len(ended) == 1


def test_a_limiter_that_was_used_does_not_go_on_in_a_forked_process(path):
    async def main() -> None:
        async with limiter_at(path, 1) as limiter:
            permit = await limiter.acquire("interactive")
            process, limiter._book._process = limiter._book._process, -1
            with pytest.raises(UsageError, match="forked"):
                await limiter.acquire("interactive")
            permit.unsent()
            limiter._book._process = process
            assert (await limiter.limits()).used == 1

    virtual.run(main())


# The queue.


async def test_who_is_gone_is_passed_over_and_a_permit_for_nobody_goes_back():
    given, failed = asyncio.Future(), asyncio.Future()
    gone = asyncio.Future()
    gone.cancel()
    held = unittest.mock.Mock()
    waiters = Waiters()
    waiters.join(2, given)
    waiters.join(1, gone)
    waiters.give(held)
    assert given.result() is held
    waiters.give(held)
    held.unsent.assert_called_once_with()
    for wake in (waiters.release, lambda: waiters.fail(RuntimeError)):
        waiters.join(3, gone)
        wake()
    waiters.join(4, failed)
    waiters.fail(RuntimeError)
    assert isinstance(failed.exception(), RuntimeError)
    assert not waiters


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="MemcachedLimiter"):
        cliniko_async.limits.MemcachedLimiter  # noqa: B018


# What cannot work.


@pytest.mark.parametrize(
    "options",
    [
        {"limit": 0},
        {"period": -1},
        {"bulk_share": 2},
        {"lease": 0},
        {"lease": True},
        {"busy_timeout": float("inf")},
        {"path": ""},
        {"path": ":memory:"},
    ],
    ids=str,
)
def test_options_that_cannot_work_are_refused(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        SqliteLimiter(**{"path": "limits.sqlite", **options})


def test_an_unknown_priority_is_refused(path):
    with pytest.raises(ConfigurationError, match="priority"):
        asyncio.run(SqliteLimiter(path).acquire("urgent"))


def test_a_limiter_shows_its_options(path):
    limiter = SqliteLimiter(path, 20, 6)
    assert repr(limiter) == "SqliteLimiter(limit=20, period=6, bulk_share=0.8)"
    assert limiter.period == 6
