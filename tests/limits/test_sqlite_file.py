"""The file that the processes of one machine share: deleted, locked, spoilt, forked, and a clock set back."""

import asyncio
import contextlib
import gc
import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest

import cliniko_async.limits
from cliniko_async.errors import ConfigurationError, LimiterUnavailableError, UsageError
from cliniko_async.limits import Permit, SqliteLimiter
from tests.support import virtual, workers
from tests.support.for_each import for_each
from tests.support.limiting import (
    HOLD,
    close_at_once,
    now,
    send,
    timers,
)
from tests.support.sqlite_limits import limiter_at, processes, since


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "limits.sqlite"


# The file.


def test_after_the_machine_was_restarted_what_was_held_is_held_no_longer_than_before(path):
    """Its time begins anew then, long before what the file holds."""

    async def main() -> tuple[int, float]:
        time_of_loop = asyncio.get_running_loop().time
        async with limiter_at(path, 1, clock=lambda: time_of_loop() + 3600) as before:
            await send(before)
        async with limiter_at(path, 1) as after:
            began = now()
            return (await after.limits()).used, await since(began, after)

    used, waited = virtual.run(main())
    assert used == 1
    assert waited == pytest.approx(HOLD, abs=0.1)


def test_setting_the_wall_clock_changes_nothing(path, monkeypatch):
    async def main() -> list[float]:
        async with limiter_at(path, 1) as limiter:
            began = now()
            waits = [await since(began, limiter)]
            for hours in (24, -24):
                monkeypatch.setattr(time, "time", lambda ahead=hours * 3600: 1e9 + ahead)
                waits.append(await since(began, limiter))
            return waits

    assert virtual.run(main()) == pytest.approx([0, HOLD, 2 * HOLD], abs=0.1)


def test_a_file_that_is_deleted_is_made_anew_by_all(path):
    async def main() -> set[int]:
        async with processes(path, 2, 10) as (one, other):
            await send(one)
            await send(other)
            await asyncio.sleep(1)
            path.unlink()
            await send(one)
            await send(other)
            return {(await limiter.limits()).used for limiter in (one, other)}

    assert virtual.run(main()) == {2}


def test_a_file_that_was_truncated_is_filled_anew(path):
    async def main() -> int:
        async with limiter_at(path, 10) as limiter:
            await send(limiter)
            await asyncio.sleep(1)
            os.truncate(path, 0)
            await send(limiter)
            return (await limiter.limits()).used

    assert virtual.run(main()) == 1


def test_between_two_steps_there_is_no_second_file_that_could_be_lost(path):
    async def main() -> list[str]:
        async with processes(path, 2, 10) as (one, other):
            await send(one)
            await send(other)
            await asyncio.sleep(1)
            return [file.name for file in path.parent.iterdir()]

    assert virtual.run(main()) == [path.name]


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
                permit.cancel()
                limiter.pause(1)
                with pytest.raises(LimiterUnavailableError, match=r"limits\.sqlite: database is locked"):
                    await limiter.acquire("interactive")
                with pytest.raises(LimiterUnavailableError):
                    await limiter.limits()
                await asyncio.sleep(5)
            (await limiter.acquire("interactive")).cancel()
            return (await limiter.limits()).used, timers()

    assert virtual.run(main())[0] == 1


def test_a_new_file_that_is_locked_is_waited_for_only_so_long(path):
    async def main() -> None:
        async with limiter_at(path, 3, busy_timeout=0.05) as limiter:
            with locked(path), pytest.raises(LimiterUnavailableError, match="locked"):
                await limiter.acquire("interactive")
            await send(limiter)

    virtual.run(main())


def test_a_new_file_that_is_being_read_is_waited_for_up_to_the_busy_timeout(path):
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


def test_an_error_that_is_not_of_the_file_reaches_the_waiting_callers(path):
    this = threading.current_thread()

    def clock() -> float:
        return virtual.START if threading.current_thread() is this else 1 / 0

    async def main() -> None:
        async with limiter_at(path, clock=clock) as limiter:
            with pytest.raises(LimiterUnavailableError) as caught:
                await limiter.acquire("interactive")
            assert isinstance(caught.value.__cause__, ZeroDivisionError)

    virtual.run(main())


def test_windows_of_one_file_are_separate_and_their_names_are_not_stored(path):
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
        permit.complete()

    async def many() -> None:
        await asyncio.gather(*map(one, range(15)))
        # All is told then, and nothing left to be begun while the loop is closed.
        for _ in range(2):
            await limiter.limits()

    threads = [threading.Thread(target=asyncio.run, args=(many(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    asyncio.run(limiter.aclose())
    assert len(counted) == 45
    workers.assert_kept(counted, 20, 0.2)


def test_a_permit_settled_after_its_loop_was_closed_is_reported_by_the_next_loop(path):
    limiter = SqliteLimiter(path, 2)
    permit = asyncio.run(_take(limiter))
    permit.cancel()

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
    loop.call_soon(lambda: loop.call_soon(loop.stop))
    loop.run_forever()
    close_at_once(loop)
    del task
    gc.collect()
    asyncio.run(_take(limiter)).cancel()
    asyncio.run(limiter.aclose())


def test_closing_in_one_loop_ends_the_waits_in_another(path):
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
        permit.cancel()

    thread = threading.Thread(target=asyncio.run, args=(wait(),))
    thread.start()
    assert waits.wait(30)
    asyncio.run(limiter.aclose())
    thread.join(30)
    assert len(ended) == 1


def test_a_forked_process_is_refused_closes_at_once_and_does_its_parent_no_harm(path):
    workers.fork_with(str(path))


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="MemcachedLimiter"):
        cliniko_async.limits.MemcachedLimiter  # noqa: B018


# What cannot work.


@for_each(
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


def test_a_limiter_shows_its_options(path):
    limiter = SqliteLimiter(path, 20, 6)
    assert repr(limiter) == "SqliteLimiter(limit=20, period=6, bulk_share=0.8)"
    assert limiter.period == 6
