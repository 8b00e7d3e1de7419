"""What a limiter must do over any store. To try a new store, subclass `StoreConformance` and let `connect` return one.

If several event loops can use one store, subclass `EventLoopConformance` of `tests/limits/event_loops.py` too.

Everything here runs on virtual time, which stands still while a store is at work: a minute costs milliseconds, and
nothing depends on the speed of the machine.
"""

import asyncio
import contextlib
import gc
import itertools
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cliniko_async.errors import InvalidRequestError, LimiterUnavailableError, UsageError
from cliniko_async.limits import Limits, Priority, StoreLostError
from tests.limits.event_loops import ThreadConformance
from tests.limits.history import PERIOD, History, demand, share
from tests.limits.interruptions import Interruptions
from tests.limits.simulation import Process
from tests.support import virtual
from tests.support.for_each import for_each
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


class StoreConformance(Interruptions, ThreadConformance):
    """The rules of a limiter over a store; `connect` of `StoreTests` opens one."""

    # What a permit holds, and for how long.

    @for_each("ending, hold", [("complete", HOLD), ("abandon", LONG_HOLD), ("cancel", 0.0)])
    @for_each("own", [True, False], ids=["here", "elsewhere"])
    def test_a_permit_is_free_again_as_its_ending_says(self, ending, hold, own):
        async def main() -> float:
            async with self.processes(2, 1) as (one, other):
                permit = await one.acquire("interactive")
                await asyncio.sleep(7)
                getattr(permit, ending)()
                ended = now()
                await asyncio.sleep(1)
                return await send(one if own else other) - ended

        assert virtual.run(main()) == pytest.approx(max(1.0, hold), abs=0.01)

    def test_a_report_of_a_process_that_is_busy_during_its_step_frees_no_permit_too_early(self):
        """It may be busy between the moment at which the store reads its time and the step that uses it."""

        async def main() -> float:
            async with self.processes(2, 1) as (busy, other):
                permit = await busy.acquire("interactive")
                await asyncio.sleep(7)
                permit.complete()
                ended = now()
                busy.store.stall = 5.0
                await asyncio.sleep(1)
                return await send(other) - ended

        assert HOLD - 0.01 <= virtual.run(main()) <= HOLD + 5.1

    def test_a_pause_reported_by_a_process_that_is_busy_during_its_step_is_not_shortened(self):
        async def main() -> float:
            async with self.processes(2, 10) as (busy, other):
                busy.store.stall = 5.0
                busy.pause(20)
                await asyncio.sleep(0.001)
                return await send(other) - virtual.START

        assert 20 <= virtual.run(main()) <= 25.1

    def test_only_the_first_ending_counts(self):
        async def main() -> int:
            async with self.processes(1, 2) as (limiter,):
                permit = await limiter.acquire("interactive")
                for ending in (permit.complete, permit.cancel, permit.abandon, permit.complete):
                    ending()
                return (await limiter.limits()).used

        assert virtual.run(main()) == 1

    def test_a_permit_that_is_dropped_counts_as_given_up(self):
        async def main() -> float:
            async with self.processes(1, 1) as (limiter,):
                await limiter.acquire("interactive")
                gc.collect()
                return await send(limiter) - virtual.START

        assert virtual.run(main()) == pytest.approx(LONG_HOLD, abs=0.1)

    def test_limits_tell_what_all_processes_hold_and_how_long_a_caller_waits_at_least(self):
        async def main() -> tuple[Limits, Limits]:
            async with self.processes(2, 2) as (one, other):
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
        assert other.waits["interactive"] == pytest.approx((HOLD - 11, HOLD - 11), abs=0.1)
        assert other.waits["bulk"] == pytest.approx((HOLD - 11, 2 * HOLD), abs=0.1)

    def test_an_unknown_priority_is_refused(self):
        async def main() -> None:
            async with self.processes(1) as (limiter,):
                with pytest.raises(InvalidRequestError, match="priority"):
                    await limiter.acquire("urgent")

        virtual.run(main())

    # Who goes first.

    def test_within_a_process_permits_go_in_order_of_arrival(self):
        async def main() -> list[int]:
            order = []

            async def one(number: int) -> None:
                await send(limiter)
                order.append(number)

            async with self.processes(1, 3) as (limiter,):
                await asyncio.gather(*map(one, range(10)))
            return order

        assert virtual.run(main()) == list(range(10))

    def test_processes_take_turns(self):
        async def main() -> list[int]:
            order = []

            async def one(number: int, limiter: Process) -> None:
                await send(limiter)
                order.append(number)

            async with self.processes(3, 1) as limiters:
                await send(limiters[0])
                calls = (one(number, limiter) for number, limiter in enumerate(limiters) for _ in range(4))
                await asyncio.gather(*calls)
            return order

        order = virtual.run(main())
        assert [sorted(order[turn : turn + 3]) for turn in range(0, 12, 3)] == [[0, 1, 2]] * 4

    def test_interactive_goes_before_the_bulk_of_every_process(self):
        async def main() -> list[str]:
            order = []

            async def one(limiter: Process, priority: Priority) -> None:
                await send(limiter, priority)
                order.append(priority)

            async with self.processes(2, 1) as (one_process, other):
                await send(other)
                bulk = [one(one_process, "bulk") for _ in range(3)]
                interactive = [one(other, "interactive") for _ in range(3)]
                await asyncio.gather(*bulk, *interactive)
            return order

        assert virtual.run(main()) == ["interactive"] * 3 + ["bulk"] * 3

    def test_bulk_is_evenly_spaced_over_all_processes_and_holds_its_share_at_most(self):
        async def main() -> list[float]:
            async with self.processes(2, 10, 10.0, 0.5) as limiters:
                sent = await asyncio.gather(*(send(limiters[turn % 2], "bulk") for turn in range(8)))
                return sorted(moment - virtual.START for moment in sent)

        moments = virtual.run(main())
        assert moments[:5] == pytest.approx([0, 2, 4, 6, 8], abs=0.1)
        assert moments[5:] == pytest.approx([10.02, 12.02, 14.02], abs=0.1)

    def test_a_burst_is_shared_among_the_processes_that_wait(self):
        async def main() -> list[int]:
            async with self.processes(2, 40) as limiters:
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

    def test_a_modest_process_is_served_although_others_ask_without_pause(self):
        """Seven processes want more than there is; the eighth has one caller."""

        async def main() -> list[float]:
            async with self.processes(8, 20, 10.0) as (*greedy, modest):

                async def endless(limiter: Process) -> None:
                    while True:
                        await send(limiter, latency=0.5)

                tasks = [asyncio.create_task(endless(limiter)) for limiter in greedy for _ in range(8)]
                await asyncio.sleep(25)
                waits = []
                for _ in range(5):
                    began = now()
                    waits.append(await send(modest, latency=0.5) - began)
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                return waits

        # Of the processes each has a turn in every window.
        assert max(virtual.run(main())) < 2 * 10.52

    # A 429.

    def test_a_pause_reaches_the_store_at_once_and_is_seen_by_all(self):
        async def main() -> tuple[float, float, float]:
            async with self.processes(2, 10) as (one, other):
                assert one.pause(20) == 20
                assert other.pause(5) == 5
                await asyncio.sleep(0.001)
                paused = (await other.limits()).paused
                return paused, *(moment - virtual.START for moment in (await send(other), await send(one, "bulk")))

        paused, other, bulk = virtual.run(main())
        assert paused == pytest.approx(20, abs=0.01)
        assert (other, bulk) == pytest.approx((20, 20), abs=0.1)

    def test_a_guessed_pause_that_was_too_short_is_doubled_by_any_process(self):
        async def main() -> list[float]:
            async with self.processes(2, 10) as (one, other):
                pauses = [one.pause(None)]
                await asyncio.sleep(1)
                for limiter in (other, one, other):
                    await send(limiter)
                    pauses.append(limiter.pause(None))
                    await asyncio.sleep(1)
                return pauses

        assert virtual.run(main()) == pytest.approx([15, 30, 60, 60], abs=0.1)

    def test_a_permit_granted_before_the_pause_was_known_is_given_back(self):
        async def main() -> float:
            async with self.processes(1, 10) as (limiter,):
                task = asyncio.create_task(send(limiter))
                await asyncio.sleep(0)
                limiter.pause(30)
                return await task - virtual.START

        assert virtual.run(main()) == pytest.approx(30, abs=0.1)

    def test_a_permit_that_was_not_picked_up_in_time_is_requested_again(self):
        """Its task slept on, and another process may have told of a pause meanwhile."""

        async def main() -> tuple[int, int]:
            async with self.processes(1, 1) as (limiter,):
                limiter.store.then = lambda: asyncio.get_running_loop().advance(2.0)
                permit = await limiter.acquire("interactive")
                used = (await limiter.limits()).used
                permit.cancel()
                return used, limiter.store.updates

        used, updates = virtual.run(main())
        assert used == 1
        assert updates >= 3

    # Who goes away.

    def test_a_cancelled_wait_gives_its_place_back(self):
        async def main() -> tuple[float, Limits]:
            async with self.processes(2, 1) as (one, other):
                (await one.acquire("interactive")).complete()
                for _ in range(3):
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(one.acquire("interactive"), 5)
                await asyncio.sleep(1)
                sent = await send(other)
                await asyncio.sleep(HOLD + 1)
                return sent - virtual.START, await other.limits()

        waited, limits = virtual.run(main())
        assert waited == pytest.approx(HOLD, abs=0.1)
        assert (limits.used, limits.waiting) == (0, {"interactive": 0, "bulk": 0})

    @for_each("turns", range(8))
    def test_a_task_cancelled_at_any_turn_of_its_grant_gives_the_permit_back(self, turns):
        async def main() -> int:
            async with self.processes(1, 1) as (limiter,):
                task = asyncio.create_task(limiter.acquire("interactive"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    (await task).cancel()
                await asyncio.sleep(0.5)
                return (await limiter.limits()).used

        assert virtual.run(main()) == 0

    def test_a_wait_cancelled_just_as_its_permit_comes_gives_it_back(self):
        async def main() -> int:
            async with self.processes(1, 1) as (limiter,):
                first = await limiter.acquire("interactive")
                async with waiting(limiter, "interactive") as (task,):
                    await asyncio.sleep(1)
                    limiter.store.then = task.cancel
                    first.cancel()
                    await asyncio.sleep(1)
                    assert task.cancelled()
                await asyncio.sleep(1)
                return (await limiter.limits()).used

        assert virtual.run(main()) == 0

    def test_what_a_killed_process_held_is_free_after_its_lease(self):
        async def main() -> list[float]:
            async with self.processes(2, 2, lease=30) as (dead, other):
                permits = [await dead.acquire("interactive") for _ in range(2)]
                dead.store.killed = True
                permits[0].complete()
                return [await send(other) - virtual.START for _ in permits]

        assert virtual.run(main()) == pytest.approx([30 + LONG_HOLD] * 2, abs=0.1)

    @pytest.mark.parametrize("priority", ["interactive", "bulk"])
    def test_a_killed_waiter_does_not_block_the_queue(self, priority):
        async def main() -> float:
            async with self.processes(2, 1) as (dead, other):
                await send(other)
                async with waiting(dead, priority):
                    await asyncio.sleep(1)
                    dead.store.killed = True
                    return await send(other, priority) - virtual.START

        assert virtual.run(main()) <= 2 * HOLD + 0.1

    def test_an_idle_limiter_has_neither_task_nor_timer(self):
        async def main() -> tuple[int, int]:
            async with self.processes(1, 2) as (limiter,):
                before = len(asyncio.all_tasks())
                await asyncio.gather(send(limiter), send(limiter, "bulk"))
                await asyncio.sleep(1)
                return timers(), len(asyncio.all_tasks()) - before

        assert virtual.run(main()) == (0, 0)

    def test_closing_ends_every_wait_and_reports_what_is_held(self):
        async def main() -> tuple[int, int]:
            async with self.processes(2, 2) as (limiter, other):
                (await limiter.acquire("interactive")).complete()
                await limiter.acquire("interactive")
                async with waiting(limiter, "interactive", "bulk") as tasks:
                    await asyncio.sleep(0.02)
                    await limiter.aclose()
                    ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert [type(error) for error in ended] == [UsageError, UsageError]
                for use in (limiter.acquire("interactive"), limiter.limits()):
                    with pytest.raises(UsageError, match="closed"):
                        await use
                assert limiter.pause(1) == 1
                await asyncio.sleep(HOLD)
                used = (await other.limits()).used
                await asyncio.sleep(0.1)
                return used, timers()

        assert virtual.run(main()) == (1, 0)

    def test_a_cancelled_call_of_limits_does_no_harm(self):
        async def main() -> int:
            async with self.processes(1, 2) as (limiter,):
                task = asyncio.create_task(limiter.limits())
                await asyncio.sleep(0)
                task.cancel()
                return (await limiter.limits()).used

        assert virtual.run(main()) == 0

    @for_each("turns", range(6))
    def test_a_call_of_limits_cancelled_at_any_turn_delays_no_caller(self, turns):
        """Its step may be the one that serves those who wait."""

        async def main() -> float:
            async with self.processes(1, 1) as (limiter,):
                await send(limiter)
                async with waiting(limiter, "interactive") as (task,):
                    await asyncio.sleep(1)
                    asking = asyncio.create_task(limiter.limits())
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    asking.cancel()
                    (await task).cancel()
                    return now() - virtual.START

        assert virtual.run(main()) == pytest.approx(HOLD, abs=0.1)

    def test_limits_that_fail_delay_no_waiting_caller(self):
        async def main() -> float:
            async with self.processes(1, 1) as (limiter,):
                await send(limiter)
                async with waiting(limiter, "interactive") as (task,):
                    await asyncio.sleep(1)
                    limiter.store.away = StoreLostError("gone")
                    with pytest.raises(LimiterUnavailableError):
                        await limiter.limits()
                    limiter.store.away = None
                    (await task).cancel()
                    return now() - virtual.START

        assert virtual.run(main()) == pytest.approx(HOLD, abs=0.1)

    def test_a_wait_that_is_cancelled_just_before_closing_ends_as_cancelled(self):
        async def main() -> bool:
            async with self.processes(1, 1) as (limiter,):
                await send(limiter)
                async with waiting(limiter, "interactive") as (task,):
                    task.cancel()
                    await limiter.aclose()
                    return task.cancelled()

        assert virtual.run(main())

    def test_closing_waits_for_limits_under_way(self):
        async def main() -> int:
            async with self.processes(1, 1) as (limiter,):
                await send(limiter)
                asking = asyncio.create_task(limiter.limits())
                await asyncio.sleep(0)
                await limiter.aclose()
                return (await asking).used

        assert virtual.run(main()) == 1

    # The store.

    @pytest.mark.parametrize("lost", [1, 2, 5])
    def test_a_step_whose_reply_was_lost_is_done_once(self, lost):
        async def main() -> list[int]:
            async with self.processes(1, 4) as (limiter,):
                limiter.store.lost_replies = lost
                permits = await asyncio.gather(*(limiter.acquire("interactive") for _ in range(4)))
                used = [(await limiter.limits()).used]
                permits[0].complete()
                permits[1].cancel()
                limiter.store.lost_replies = lost
                await asyncio.sleep(10)
                used.append((await limiter.limits()).used)
                for permit in permits:
                    permit.cancel()
                await asyncio.sleep(1)
                return [*used, (await limiter.limits()).used]

        assert virtual.run(main()) == [4, 3, 1]

    def test_windows_of_other_names_are_apart(self):
        async def main() -> list[int]:
            async with self.processes(1, 5, where="one") as (one,), self.processes(1, 5, where="other") as (other,):
                await send(one)
                return [(await limiter.limits()).used for limiter in (one, other)]

        assert virtual.run(main()) == [1, 0]

    def test_a_value_that_cannot_be_read_counts_as_none(self):
        async def main() -> int:
            async with self.connect("spoilt") as store, self.processes(1, 5, where="spoilt") as (limiter,):
                await send(limiter)
                await asyncio.sleep(1)

                def spoil(value: bytes | None, moment: float):
                    class Spoilt:
                        value = b"\xc1 a letter to somebody"
                        useful_for = 60.0
                        reply = None

                    return Spoilt

                with asyncio.get_running_loop().standstill():
                    await store.update(spoil)
                    await store.close()
                await send(limiter)
                return (await limiter.limits()).used

        assert virtual.run(main()) == 1

    def test_a_store_clock_that_is_set_back_blocks_no_caller(self):
        """As far as it tells, no time has passed: everything is held as long as it would have been."""

        async def main() -> list[float]:
            async with self.processes(2, 1, lease=30) as (dead, other):
                dead.store.ahead = 3600.0
                permit = await dead.acquire("bulk")
                dead.pause(10)
                async with waiting(dead, "interactive"):
                    await asyncio.sleep(1)
                    dead.store.killed = True
                    sent = [await send(other) - virtual.START, await send(other, "bulk") - virtual.START]
                permit.cancel()
                return sent

        first, second = virtual.run(main())
        assert first <= 30 + LONG_HOLD + HOLD
        assert second <= first + 2 * HOLD

    def test_waiting_callers_are_served_and_permits_reported_when_the_store_is_back(self, caplog):
        async def main() -> tuple[bool, float, int]:
            async with self.processes(2, 3) as (limiter, other):
                permits = [await limiter.acquire("interactive") for _ in range(3)]
                limiter.store.away = StoreLostError("somebody pulled the plug")
                permits[0].complete()
                permits[1].cancel()
                task = asyncio.create_task(send(limiter))
                await asyncio.sleep(20)
                waits = not task.done()
                with pytest.raises(LimiterUnavailableError, match="cannot be used: somebody pulled the plug"):
                    await limiter.limits()
                limiter.store.away = None
                sent = await task
                await asyncio.sleep(1)
                permits[2].cancel()
                await asyncio.sleep(1)
                return waits, sent - virtual.START, (await other.limits()).used

        with caplog.at_level(logging.INFO, "cliniko_async"):
            waits, sent, used = virtual.run(main())
        assert waits
        assert 20 <= sent <= 22.5
        assert used == 2
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]

    def test_with_fail_callers_fail_until_the_store_is_back_and_no_permit_is_lost(self):
        async def main() -> int:
            async with self.processes(1, 3, when_lost="fail") as (limiter,):
                permit = await limiter.acquire("interactive")
                await send(limiter)
                limiter.store.away = StoreLostError("gone")
                permit.cancel()
                limiter.pause(0.5)
                for priority in ("interactive", "bulk"):
                    with pytest.raises(LimiterUnavailableError, match="the limiter cannot be used: gone"):
                        await limiter.acquire(priority)
                with pytest.raises(LimiterUnavailableError):
                    await limiter.limits()
                await asyncio.sleep(5)
                limiter.store.away = None
                (await limiter.acquire("interactive")).cancel()
                return (await limiter.limits()).used

        assert virtual.run(main()) == 1

    @for_each("when_lost", ["wait", "fail", "share"])
    @for_each("error", [StoreLostError("refused", lasting=True), ZeroDivisionError("refused")], ids=repr)
    def test_a_lasting_error_reaches_the_waiting_callers(self, when_lost, error):
        async def main() -> None:
            async with self.processes(1, 3, when_lost=when_lost, workers=1) as (limiter,):
                limiter.store.away = error
                with pytest.raises(LimiterUnavailableError, match="refused") as caught:
                    await limiter.acquire("interactive")
                limiter.store.away = None
                assert caught.value is not error
                assert caught.value.__cause__ is (error if isinstance(error, ZeroDivisionError) else None)

        virtual.run(main())

    def test_a_process_sends_no_more_than_its_share_while_the_store_is_unavailable(self):
        async def main() -> tuple[int, int, int, float, int]:
            async with self.processes(1, 10, 3600.0, 1.0, when_lost="share", workers=2) as (limiter,):
                for _ in range(2):
                    await send(limiter)
                limiter.store.away = StoreLostError("gone")
                async with waiting(limiter, *["interactive"] * 8) as tasks:
                    done, left = await asyncio.wait(tasks, timeout=100)
                    used = (await limiter.limits()).used
                    for task in done:
                        task.result().complete()
                    limiter.store.away = None
                    back = now()
                    await asyncio.wait(tasks)
                    took = now() - back
                    for task in left:
                        task.result().cancel()
                return len(done), len(left), used, took, (await limiter.limits()).used

        # Five are its share, and two of them were sent before; what was sent meanwhile is reported.
        done, left, used, took, known = virtual.run(main())
        assert (done, left, used, known) == (3, 5, 5, 5)
        assert took < 4

    def test_what_is_in_flight_by_the_share_is_known_when_the_store_is_back(self):
        async def main() -> list[int]:
            async with self.processes(2, 3, 60.0, 1.0, when_lost="share", workers=1) as (limiter, other):
                limiter.store.away = StoreLostError("gone")
                limiter.pause(0.1)
                permits = [await limiter.acquire("interactive") for _ in range(3)]
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(limiter.acquire("interactive"), 0.05)
                limiter.store.away = None
                await asyncio.sleep(2)
                used = [(await other.limits()).used]
                permits[0].abandon()
                permits[1].cancel()
                permits[2].complete()
                await asyncio.sleep(1)
                return [*used, (await other.limits()).used]

        assert virtual.run(main()) == [3, 2]

    @for_each("when_lost", ["wait", "share"])
    @for_each("is_back", [False, True])
    def test_a_limiter_may_be_closed_while_its_store_is_away_or_just_came_back(self, when_lost, is_back):
        async def main() -> tuple[set[type], int]:
            async with self.processes(1, 1, 60.0, 1.0, when_lost=when_lost, workers=1) as (limiter,):
                permit = await limiter.acquire("interactive")
                limiter.store.away = StoreLostError("gone")
                async with waiting(limiter, "interactive", "bulk") as tasks:
                    await asyncio.sleep(2)
                    if is_back:
                        limiter.store.away = None
                        await asyncio.sleep(1.2)
                    await limiter.aclose()
                    ended = await asyncio.gather(*tasks, return_exceptions=True)
                permit.cancel()
                await asyncio.sleep(0.1)
                return {type(error) for error in ended}, timers()

        ended, left = virtual.run(main())
        assert ended == {UsageError}
        assert left == 0

    # The server.

    @settings(max_examples=30, suppress_health_check=list(HealthCheck))
    @given(
        demands=st.lists(demand, max_size=25),
        window=st.tuples(st.integers(1, 5), st.just(PERIOD), st.sampled_from([0.3, 0.8, 1.0])),
        phase=share,
        pause=st.none() | st.tuples(st.integers(0, 40), st.none() | st.integers(0, 20)),
        lost_replies=st.integers(0, 3),
    )
    def test_no_server_ever_counts_more_than_its_limit(self, demands, window, phase, pause, lost_replies):
        """Whatever two processes ask, give up and cancel: fixed window, sliding window and token bucket are kept."""
        limit = window[0]

        async def main() -> tuple[list[float], Limits]:
            async with self.processes(2, *window, lease=PERIOD * 2) as limiters:
                limiters[0].store.lost_replies = lost_replies
                histories = [History(limiter) for limiter in limiters]
                async with asyncio.TaskGroup() as group:
                    for number, asked in enumerate(demands):
                        group.create_task(histories[number % 2].run(asked))
                    if pause is not None:
                        await asyncio.sleep(pause[0])
                        limiters[0].pause(pause[1])
                await asyncio.sleep(1.06 * PERIOD)
                limiters[0].store.lost_replies = 0
                return histories[0].counted + histories[1].counted, await limiters[0].limits()

        counted, limits = virtual.run(main())
        assert most_in_sliding_window(counted, PERIOD) <= limit
        assert most_in_fixed_window(counted, PERIOD, virtual.START + phase * PERIOD) <= limit
        assert least_in_bucket(counted, PERIOD, limit) >= -1e-9
        assert limits.used == 0

    @pytest.mark.parametrize("count", [1, 4, 8])
    def test_callers_without_pause_use_all_but_three_percent_of_the_limit(self, count):
        async def main() -> list[float]:
            sent: list[float] = []

            async def endless(limiter: Process, priority: Priority) -> None:
                for turn in itertools.count():
                    permit = await limiter.acquire(priority)
                    sent.append(now())
                    await asyncio.sleep(0.1 + turn % 5 / 10)
                    permit.complete()

            async with self.processes(count, 40) as limiters:
                callers = [(limiters[turn % count], "bulk" if turn % 5 == 0 else "interactive") for turn in range(40)]
                tasks = [asyncio.create_task(endless(*caller)) for caller in callers]
                await asyncio.sleep(5.5 * 60)
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
            return sent

        sent = [moment - virtual.START for moment in virtual.run(main())]
        assert most_in_sliding_window(sent, 60.0) <= 40
        assert len([moment for moment in sent if moment >= 30]) >= 0.97 * 5 * 40

    def test_calls_beside_the_bulk_of_four_processes_wait_less_than_half_a_second(self):
        async def main() -> tuple[float, int]:
            async with self.processes(4) as limiters:

                async def endless(limiter: Process) -> None:
                    while True:
                        await send(limiter, "bulk", latency=0.2)

                tasks = [asyncio.create_task(endless(limiter)) for limiter in limiters for _ in range(2)]
                await asyncio.sleep(65)
                longest = 0.0
                for turn in range(60):
                    await asyncio.sleep(1.7)
                    began = now()
                    longest = max(longest, await send(limiters[turn % 4], latency=0.2) - began)
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                return longest, (await limiters[0].limits()).used

        longest, used = virtual.run(main())
        assert longest < 0.5
        assert used > 150
