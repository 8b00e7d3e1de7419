"""Timeouts of one length: each bounds its own wait, and all of them share one timer."""

import asyncio

import pytest

from cliniko_async._timeouts import Timeouts
from tests.support import virtual


def timers() -> int:
    return len(asyncio.get_running_loop()._scheduled)


def test_each_wait_ends_after_its_own_timeout():
    async def main() -> list[float]:
        timeouts, ended = Timeouts(10.0), []

        async def one(start: float) -> None:
            await asyncio.sleep(start)
            with pytest.raises(TimeoutError):
                await timeouts.bound(asyncio.sleep(3600))
            ended.append(asyncio.get_running_loop().time() - virtual.START)

        await asyncio.gather(*map(one, (0, 3, 3, 25)))
        return ended

    assert virtual.run(main()) == pytest.approx([10, 13, 13, 35])


def test_awaitables_that_finish_in_time_return_and_share_one_timer():
    async def main() -> None:
        timeouts = Timeouts(10.0)
        for number in range(1000):
            assert await timeouts.bound(asyncio.sleep(0, number)) == number
            assert timers() == 1
        await asyncio.sleep(11)
        assert timers() == 0

    virtual.run(main())


def test_the_timer_restarts_after_it_was_idle():
    async def main() -> float:
        timeouts = Timeouts(10.0)
        await timeouts.bound(asyncio.sleep(1))
        await asyncio.sleep(100)
        with pytest.raises(TimeoutError):
            await timeouts.bound(asyncio.sleep(3600))
        return asyncio.get_running_loop().time() - virtual.START

    assert virtual.run(main()) == pytest.approx(111)


def test_a_cancellation_from_outside_stays_one():
    async def main() -> None:
        timeouts = Timeouts(10.0)
        task = asyncio.create_task(timeouts.bound(asyncio.sleep(3600)))
        await asyncio.sleep(5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(20)

    virtual.run(main())


def test_an_error_of_what_is_awaited_passes_through():
    async def fail() -> None:
        raise ZeroDivisionError

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await Timeouts(10.0).bound(fail())

    virtual.run(main())


def test_waits_of_a_closed_loop_do_not_affect_another():
    timeouts = Timeouts(10.0)

    async def end() -> float:
        with pytest.raises(TimeoutError):
            await timeouts.bound(asyncio.sleep(3600))
        return asyncio.get_running_loop().time() - virtual.START

    first = virtual.VirtualLoop()
    left = first.create_task(timeouts.bound(asyncio.sleep(3600)))
    left._log_destroy_pending = False
    first.run_until_complete(asyncio.sleep(1))
    first.close()
    assert virtual.run(end()) == pytest.approx(10)
