"""The budget of one event loop: nobody waits longer than need be, nor sends earlier than allowed."""

import asyncio
import gc
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from cliniko_async.errors import ConfigurationError, InvalidRequestError
from cliniko_async.limits import Limits, Priority, SlidingWindowLimiter
from tests.support import virtual
from tests.support.for_each import for_each
from tests.support.limiting import HOLD, LONG_HOLD, drain, limiter_of, now, send, settle_down, step, timers, waiting

# What a permit holds, and for how long.


def test_an_uncontended_permit_needs_no_turn_of_the_loop():
    limiter = SlidingWindowLimiter()
    step(limiter.acquire("interactive")).complete()
    step(limiter.acquire("bulk")).complete()


@pytest.mark.parametrize(("ending", "hold"), [("complete", HOLD), ("abandon", LONG_HOLD), ("cancel", 0.0)])
def test_a_permit_is_free_again_as_its_ending_says(ending, hold):
    async def main() -> float:
        limiter = limiter_of(1)
        permit = await limiter.acquire("interactive")
        await asyncio.sleep(7)
        getattr(permit, ending)()
        ended = now()
        return await send(limiter) - ended

    assert virtual.run(main()) == pytest.approx(hold)


def test_only_the_first_ending_counts():
    async def main() -> int:
        limiter = limiter_of(2)
        permit = await limiter.acquire("interactive")
        for ending in (permit.complete, permit.cancel, permit.abandon, permit.complete):
            ending()
        return (await limiter.limits()).used

    assert virtual.run(main()) == 1


def test_a_permit_that_is_dropped_counts_as_given_up():
    async def main() -> float:
        limiter = limiter_of(1)
        await limiter.acquire("interactive")
        gc.collect()
        began = now()
        return await send(limiter) - began

    assert virtual.run(main()) == pytest.approx(LONG_HOLD)


def test_a_permit_is_held_while_its_request_is_in_flight():
    async def main() -> Limits:
        limiter = limiter_of(2)
        permits = await drain(limiter, 2)
        await asyncio.sleep(1000)
        limits = await limiter.limits()
        for permit in permits:
            permit.complete()
        return limits

    limits = virtual.run(main())
    assert (limits.limit, limits.used, limits.remaining, limits.paused) == (2, 2, 0, 0.0)
    assert limits.next_free == pytest.approx(HOLD)


def test_limits_tell_the_truth_at_each_moment():
    async def main() -> list[tuple[int, int, float]]:
        limiter = limiter_of(2)
        told = []

        async def tell() -> None:
            limits = await limiter.limits()
            told.append((limits.used, limits.remaining, round(limits.next_free, 6)))

        await tell()
        first = await limiter.acquire("interactive")
        await tell()
        second = await limiter.acquire("interactive")
        await tell()
        first.complete()
        await tell()
        await asyncio.sleep(10)
        second.complete()
        await tell()
        await asyncio.sleep(HOLD - 10)
        await tell()
        await asyncio.sleep(10)
        await tell()
        return told

    in_flight = round(HOLD, 6)
    assert virtual.run(main()) == [
        (0, 2, 0.0),
        (1, 1, 0.0),
        (2, 0, in_flight),
        (2, 0, in_flight),
        (2, 0, round(HOLD - 10, 6)),
        (1, 1, 0.0),
        (0, 2, 0.0),
    ]


def test_limits_count_the_waiting_callers():
    async def main() -> Limits:
        limiter = limiter_of(1)
        permit = await limiter.acquire("interactive")
        async with waiting(limiter, "bulk", "interactive", "bulk"):
            limits = await limiter.limits()
        permit.complete()
        return limits

    limits = virtual.run(main())
    assert limits.waiting == {"interactive": 1, "bulk": 2}
    # One who comes now waits at least until those before have had theirs.
    assert limits.waits["interactive"] == pytest.approx((HOLD, 2 * HOLD))
    assert limits.waits["bulk"] == pytest.approx((2 * HOLD, 4 * HOLD))


# How fast it goes.


@pytest.mark.parametrize("latency", [0.0, 0.2, 2.0])
def test_three_hundred_requests_at_once_take_one_window_and_two_responses(latency):
    async def main() -> float:
        limiter = limiter_of()
        began = now()
        await asyncio.gather(*(send(limiter, latency=latency) for _ in range(300)))
        return now() - began

    assert virtual.run(main()) == pytest.approx(HOLD + 2 * latency, abs=0.01)


def test_a_thousand_take_hardly_longer_than_the_ideal():
    async def main() -> float:
        limiter = limiter_of()
        began = now()
        await asyncio.gather(*(send(limiter, latency=0.2) for _ in range(1000)))
        return now() - began

    assert virtual.run(main()) <= 1.03 * 4 * 60


def test_ten_thousand_waiters_are_served_in_order_although_half_of_them_leave():
    async def main() -> tuple[list[int], float]:
        limiter = limiter_of()
        served: list[int] = []

        async def one(number: int) -> None:
            await send(limiter)
            served.append(number)

        began = now()
        tasks = [asyncio.create_task(one(number)) for number in range(10_200)]
        await asyncio.sleep(1)
        for task in tasks[201::2]:
            task.cancel()
        await asyncio.wait(tasks)
        return served, now() - began

    served, took = virtual.run(main())
    assert served == [*range(200), *range(200, 10_200, 2)]
    assert took == pytest.approx(25 * HOLD, abs=0.1)


def test_a_waiter_costs_the_same_however_many_wait():
    """The clock is asked a few times for each permit, not once for each waiter."""

    async def main(count: int) -> float:
        asked = itertools.count()
        loop = asyncio.get_running_loop()
        limiter = SlidingWindowLimiter(100, clock=lambda: (next(asked), loop.time())[1])
        await asyncio.gather(*(send(limiter) for _ in range(count)))
        return next(asked) / count

    assert virtual.run(main(4000)) < 1.5 * virtual.run(main(400)) + 5


# Who goes first.


def test_interactive_goes_before_bulk_that_came_earlier():
    async def main() -> list[str]:
        limiter = limiter_of(2, bulk_share=1)
        order: list[str] = []

        async def one(priority: Priority) -> None:
            await send(limiter, priority)
            order.append(priority)

        permits = await drain(limiter, 2)
        async with asyncio.TaskGroup() as group:
            for priority in ("bulk", "bulk", "interactive", "interactive"):
                group.create_task(one(priority))
            await settle_down()
            for permit in permits:
                permit.cancel()
        return order

    assert virtual.run(main()) == ["interactive", "interactive", "bulk", "bulk"]


def test_bulk_that_waits_for_its_turn_does_not_hold_up_interactive():
    async def main() -> float:
        limiter = limiter_of(10)
        await send(limiter, "bulk")
        async with waiting(limiter, "bulk"):
            return await send(limiter) - virtual.START

    assert virtual.run(main()) == 0


def test_bulk_comes_evenly_spaced_and_holds_its_share_at_most():
    async def main() -> tuple[list[float], int]:
        limiter = limiter_of(10, period=10, bulk_share=0.5)
        most = 0

        async def one() -> float:
            nonlocal most
            sent = await send(limiter, "bulk", latency=3)
            most = max(most, (await limiter.limits()).used)
            return sent

        return await asyncio.gather(*(one() for _ in range(30))), most

    sent, most = virtual.run(main())
    assert min(later - earlier for earlier, later in itertools.pairwise(sent)) >= 2
    assert most == 5
    # Five in each period and latency, as each is held so long.
    assert sent[-1] - sent[0] == pytest.approx(5 * (10.02 + 3) + 4 * 2, abs=0.1)


def test_bulk_that_never_queues_holds_its_share_at_most():
    async def main() -> float:
        limiter = limiter_of(10, period=10, bulk_share=0.5)
        permits = []
        for _ in range(5):
            permits.append(await limiter.acquire("bulk"))
            await asyncio.sleep(100)
        permits[0].complete()
        began = now()
        permits.append(await limiter.acquire("bulk"))
        waited = now() - began
        for permit in permits:
            permit.complete()
        return waited

    assert virtual.run(main()) == pytest.approx(10.02)


@pytest.mark.parametrize(
    ("first", "second"), [("interactive", "interactive"), ("interactive", "bulk"), ("bulk", "bulk")]
)
def test_a_caller_that_comes_when_a_permit_becomes_free_does_not_overtake_the_queue(first, second):
    async def main() -> bool:
        moment = 0.0
        limiter = SlidingWindowLimiter(1, clock=lambda: moment)
        (await limiter.acquire("interactive")).complete()
        async with waiting(limiter, first) as (earlier,):
            moment = 3600.0
            async with waiting(limiter, second) as (later,):
                return earlier.done() and not later.done()

    assert virtual.run(main())


def test_bulk_has_a_permit_however_small_its_share():
    async def main() -> list[float]:
        limiter = limiter_of(1, period=10, bulk_share=0.5)
        return [await send(limiter, "bulk") - virtual.START for _ in range(3)]

    assert virtual.run(main()) == [0, pytest.approx(20), pytest.approx(40)]


def test_beside_endless_bulk_an_interactive_request_waits_less_than_a_second():
    """Thirty a minute find a permit that came free between two bulk ones."""

    async def main() -> float:
        limiter = limiter_of()

        async def ask(latency: float) -> float:
            began = now()
            return await send(limiter, latency=latency) - began

        bulk = [asyncio.create_task(send(limiter, "bulk", 0.2)) for _ in range(1000)]
        waits = []
        for _ in range(120):
            await asyncio.sleep(2)
            waits.append(await ask(0.2))
        for task in bulk:
            task.cancel()
        await asyncio.wait(bulk)
        return max(waits)

    assert virtual.run(main()) < 1


def test_bulk_may_starve():
    async def main() -> int:
        limiter = limiter_of(2, period=10)

        async def endless() -> None:
            while True:
                await send(limiter)

        asking = [asyncio.create_task(endless()) for _ in range(3)]
        await asyncio.sleep(0)
        async with waiting(limiter, "bulk") as tasks:
            await asyncio.sleep(1000)
            served = sum(task.done() for task in tasks)
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)
        return served

    assert virtual.run(main()) == 0


# Who goes away.


@pytest.mark.parametrize("turns", [0, 1], ids=["before it is woken", "after it is woken"])
def test_a_task_cancelled_between_its_grant_and_its_turn_gives_the_permit_back(turns):
    async def main() -> tuple[bool, int]:
        limiter = limiter_of(1)
        permit = await limiter.acquire("interactive")
        async with waiting(limiter, "interactive", "interactive") as (first, second):
            permit.cancel()
            for _ in range(turns):
                asyncio.get_running_loop().call_soon(first.cancel)
                await asyncio.sleep(0)
            first.cancel()
            await settle_down()
            (await second).complete()
            return first.cancelled(), (await limiter.limits()).used

    assert virtual.run(main()) == (True, 1)


def test_a_task_that_stops_waiting_leaves_no_permit_taken_and_no_timer():
    async def main() -> tuple[Limits, int]:
        limiter = limiter_of(1)
        (await limiter.acquire("interactive")).complete()
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(limiter.acquire("interactive"), 5)
        return await limiter.limits(), timers()

    limits, left = virtual.run(main())
    assert (limits.used, limits.waiting) == (1, {"interactive": 0, "bulk": 0})
    assert limits.next_free == pytest.approx(HOLD - 25)
    assert left == 0


def test_however_many_wait_there_is_one_timer_and_no_task():
    async def main() -> tuple[int, int]:
        limiter = limiter_of(1)
        (await limiter.acquire("interactive")).complete()
        before = len(asyncio.all_tasks())
        async with waiting(limiter, "bulk", "interactive", "bulk", "interactive"):
            return timers(), len(asyncio.all_tasks()) - before - 4

    assert virtual.run(main()) == (1, 0)


def test_a_coroutine_that_is_closed_leaves_the_queue_and_no_timer():
    async def main() -> tuple[int, int]:
        limiter = limiter_of(1)
        (await limiter.acquire("interactive")).complete()
        coroutine = limiter.acquire("interactive")
        coroutine.send(None)
        coroutine.close()
        await settle_down()
        return (await limiter.limits()).waiting["interactive"], timers()

    assert virtual.run(main()) == (0, 0)


def interrupted_limiter() -> tuple[SlidingWindowLimiter, list[Callable[[], object]]]:
    """A limiter of one permit, and what its next look at the clock calls.

    The garbage collector may end a request in this way, while the very same thread is inside the limiter.
    """
    loop = asyncio.get_running_loop()
    interruptions: list[Callable[[], object]] = []

    def clock() -> float:
        while interruptions:
            interruptions.pop()()
        return loop.time()

    return SlidingWindowLimiter(1, clock=clock), interruptions


def test_a_permit_settled_in_the_midst_of_another_call_is_not_lost():
    async def main() -> float:
        limiter, interruptions = interrupted_limiter()
        permit = await limiter.acquire("interactive")
        async with waiting(limiter, "bulk"):
            interruptions.append(permit.cancel)
            return await send(limiter) - virtual.START

    assert virtual.run(main()) == 0


def test_a_permit_settled_during_another_call_goes_to_the_first_waiter():
    async def main() -> float:
        limiter, interruptions = interrupted_limiter()
        permit = await limiter.acquire("interactive")
        async with waiting(limiter, "bulk") as (bulk,):
            interruptions.append(permit.cancel)
            limiter.pause(0)
            (await bulk).cancel()
            return now() - virtual.START

    assert virtual.run(main()) == 0


def test_a_permit_settled_during_a_call_goes_to_that_caller_if_no_other_waits():
    async def main() -> float:
        limiter, interruptions = interrupted_limiter()
        permit = await limiter.acquire("interactive")
        interruptions.append(permit.cancel)
        return await send(limiter) - virtual.START

    assert virtual.run(main()) == 0


# What cannot work.


@for_each(
    "options",
    [
        {"limit": 0},
        {"limit": 1.5},
        {"limit": 1.0},
        {"limit": "1"},
        {"limit": True},
        {"period": 0},
        {"period": -1},
        {"period": math.inf},
        {"period": 10**400},
        {"period": "60"},
        {"period": math.nan},
        {"bulk_share": 0},
        {"bulk_share": 1.01},
        {"bulk_share": math.nan},
        {"bulk_share": True},
    ],
    ids=str,
)
def test_options_that_cannot_work_are_refused(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        SlidingWindowLimiter(**options)


def test_the_numbers_of_numpy_are_numbers():
    limiter = SlidingWindowLimiter(np.int64(2), np.float32(0.5), np.float64(1.0))
    assert [step(limiter.acquire("interactive")).complete() for _ in range(2)] == [None] * 2
    assert repr(limiter) == "SlidingWindowLimiter(limit=2, period=0.5, bulk_share=1)"


def test_an_unknown_priority_is_refused():
    with pytest.raises(InvalidRequestError, match="priority"):
        asyncio.run(SlidingWindowLimiter().acquire("urgent"))


def test_a_limiter_shows_its_options():
    limiter = SlidingWindowLimiter(20, 6)
    assert repr(limiter) == "SlidingWindowLimiter(limit=20, period=6, bulk_share=0.8)"
    assert limiter.period == 6
