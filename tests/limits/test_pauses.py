"""After a 429 everybody waits, as long as the server says or a little longer each time it says nothing."""

import asyncio

import pytest

from cliniko_async.limits import Limits
from tests.support import virtual
from tests.support.limiting import limiter_of, send


def test_no_permit_is_granted_during_a_pause():
    async def main() -> tuple[list[float], Limits]:
        limiter = limiter_of(bulk_share=1)
        assert limiter.pause(20) == 20
        limits = await limiter.limits()
        sent = await asyncio.gather(send(limiter), send(limiter, "bulk"), send(limiter))
        return [moment - virtual.START for moment in sent], limits

    sent, limits = virtual.run(main())
    assert sent == [20, 20, 20]
    assert (limits.used, limits.remaining, limits.next_free, limits.paused) == (0, 200, 20, 20)


def test_callers_that_already_wait_also_wait_for_the_pause():
    async def main() -> float:
        limiter = limiter_of(1)
        (await limiter.acquire("interactive")).complete()
        task = asyncio.create_task(send(limiter))
        await asyncio.sleep(50)
        limiter.pause(50)
        return await task - virtual.START

    assert virtual.run(main()) == pytest.approx(100)


def test_while_all_are_in_flight_the_next_moment_is_not_before_the_pause_ends():
    async def main() -> float:
        limiter = limiter_of(1)
        permit = await limiter.acquire("interactive")
        limiter.pause(90)
        limits = await limiter.limits()
        permit.complete()
        return limits.next_free

    assert virtual.run(main()) == 90


def test_a_pause_never_shortens_one_under_way():
    async def main() -> list[float]:
        limiter = limiter_of()
        told = [limiter.pause(30)]
        await asyncio.sleep(10)
        told += [limiter.pause(5), limiter.pause(-1), limiter.pause(None), limiter.pause(25)]
        return [*told, await send(limiter) - virtual.START]

    assert virtual.run(main()) == [30, 20, 20, 20, 25, 35]


def test_a_guessed_pause_that_was_too_short_is_doubled_up_to_a_period():
    async def main() -> list[float]:
        limiter = limiter_of()
        pauses = []
        for _ in range(4):
            pauses.append(limiter.pause(None))
            await send(limiter)
        await asyncio.sleep(60)
        return [*pauses, limiter.pause(None)]

    assert virtual.run(main()) == [15, 30, 60, 60, 15]


def test_refusals_of_requests_sent_before_the_pause_do_not_double_it():
    async def main() -> list[float]:
        limiter = limiter_of()
        pauses = [limiter.pause(None)]
        await asyncio.sleep(1)
        return [*pauses, limiter.pause(None), limiter.pause(None)]

    assert virtual.run(main()) == [15, 15, 15]
