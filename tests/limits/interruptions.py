"""What a limiter over a store must do whenever a task is cancelled, a report fails, or the limiter is closed."""

import asyncio

import pytest

from cliniko_async.errors import UsageError
from cliniko_async.limits import SharedLimiter, StoreLostError
from tests.limits.simulation import StoreTests
from tests.support import virtual
from tests.support.for_each import for_each
from tests.support.forking import in_child
from tests.support.limiting import HOLD, LONG_HOLD, most_in_sliding_window, now, send, timers, waiting

SOON = 5.0
"""By then, in virtual seconds, everything that can happen without a store or a free permit has happened."""


def cancel_all(*spared: asyncio.Task) -> None:
    """Cancel every other task of the event loop, as somebody does who ends a program: those of the limiter, too."""
    for task in asyncio.all_tasks() - {asyncio.current_task(), *spared}:
        task.cancel()


async def turns_of_the_loop(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Interruptions(StoreTests):
    """The rules of a limiter that is interrupted."""

    # Tasks that are cancelled.

    @for_each("turns", range(8))
    def test_if_every_task_is_cancelled_at_any_turn_the_next_caller_is_served(self, turns):
        """At the first turns, neither the caller nor the task that serves it has begun."""

        async def main() -> tuple[float, int]:
            async with self.processes(1, 1) as (limiter,):
                caller = asyncio.create_task(limiter.acquire("interactive"))
                await turns_of_the_loop(turns)
                cancel_all()
                await asyncio.wait([caller])
                if not caller.cancelled():
                    caller.result().cancel()
                async with asyncio.timeout(SOON):
                    (await limiter.acquire("interactive")).cancel()
                served = now() - virtual.START
                await asyncio.sleep(1)
                return served, (await limiter.limits()).used

        served, used = virtual.run(main())
        assert served < 0.2
        assert used == 0

    @for_each("turns", range(8))
    def test_if_every_task_is_cancelled_at_any_turn_closing_ends(self, turns):
        async def main() -> int:
            async with self.processes(1, 1) as (limiter,):
                caller = asyncio.create_task(limiter.acquire("interactive"))
                await turns_of_the_loop(turns)
                cancel_all()
                async with asyncio.timeout(SOON):
                    await limiter.aclose()
                await asyncio.wait([caller])
                return limiter.store.times_closed

        assert virtual.run(main()) == 1

    @for_each("turns", range(8))
    @for_each("is_away", [False, True], ids=["", "while the store is away"])
    def test_waiting_callers_are_served_although_tasks_of_the_limiter_are_cancelled_at_any_turn(self, turns, is_away):
        async def main() -> float:
            async with self.processes(1, 1) as (limiter,):
                if is_away:
                    limiter.store.away = StoreLostError("gone")
                caller = asyncio.create_task(limiter.acquire("interactive"))
                await turns_of_the_loop(turns)
                cancel_all(caller)
                await asyncio.sleep(0.2)
                cancel_all(caller)
                limiter.store.away = None
                async with asyncio.timeout(SOON):
                    (await caller).cancel()
                return now() - virtual.START

        assert virtual.run(main()) < 0.5

    @for_each("turns", range(12))
    def test_the_store_is_used_again_though_the_tasks_of_a_limiter_with_a_share_are_cancelled_at_any_turn(self, turns):
        async def main() -> int:
            async with self.processes(1, 2, when_lost="share", workers=2) as (limiter,):
                limiter.store.away = StoreLostError("gone")
                callers = [asyncio.create_task(limiter.acquire("interactive")) for _ in range(2)]
                await turns_of_the_loop(turns)
                cancel_all(*callers)
                await asyncio.sleep(1)
                limiter.store.away = None
                async with asyncio.timeout(SOON):  # One of them is more than the share.
                    permits = await asyncio.gather(*callers)
                await asyncio.sleep(0.1)
                used = (await limiter.limits()).used
                for permit in permits:
                    permit.cancel()
                return used

        assert virtual.run(main()) == 2

    # Callers who go away.

    @for_each("turns", [*range(8), None])
    @for_each("priority", ["interactive", "bulk"])
    @for_each("is_away", [False, True], ids=["", "while the store is away"])
    def test_callers_cancelled_at_any_turn_leave_nothing_in_the_queue(self, turns, priority, is_away):
        """Neither one process nor the other waits for them, not even for a while."""

        async def main() -> tuple[list[float], dict, bool]:
            async with self.processes(2, 2, 60.0, 1.0) as (limiter, other):
                (await other.acquire("interactive")).complete()
                (await other.acquire("interactive")).complete()
                await asyncio.sleep(HOLD - 10)
                if is_away:
                    limiter.store.away = StoreLostError("gone")
                async with waiting(limiter, *[priority] * 3) as gone:
                    await (asyncio.sleep(3) if turns is None else turns_of_the_loop(turns))
                    for task in gone:
                        task.cancel()
                    await asyncio.sleep(1)
                    limiter.store.away = None
                    await asyncio.sleep(2)
                    waits = (await other.limits()).waits
                    sent = await asyncio.gather(send(other), send(limiter))
                waiting_here = (await limiter.limits()).waiting
                nobody_is_ahead = all(wait.first == wait.last for wait in waits.values())
                return [moment - virtual.START for moment in sent], waiting_here, nobody_is_ahead

        sent, left, nobody_is_ahead = virtual.run(main())
        assert sent == pytest.approx([HOLD, HOLD], abs=0.2)
        assert left == {"interactive": 0, "bulk": 0}
        assert nobody_is_ahead

    @pytest.mark.parametrize("ending", ["gives up", "is killed"])
    def test_a_caller_does_not_wait_for_the_turns_of_callers_that_were_cancelled(self, ending):
        """When it asked, its turn was two windows later."""

        async def main() -> float:
            async with self.processes(2, 1) as (gone, other):
                await send(other)
                async with waiting(gone, "interactive", "interactive") as tasks:
                    await asyncio.sleep(1)
                    async with waiting(other, "interactive") as (task,):
                        await asyncio.sleep(HOLD - 10)
                        gone.store.killed = ending == "is killed"
                        for each in tasks:
                            each.cancel()
                        await task
                        return now() - virtual.START

        assert HOLD - 0.01 <= virtual.run(main()) <= HOLD + 10

    # Reports that fail.

    @for_each("when_lost", ["wait", "fail", "share"])
    @for_each("lost", ["the request", "the reply"])
    @for_each("settled", ["before the step fails", "after it failed"])
    def test_what_was_settled_is_reported_when_the_store_is_back_without_another_call(self, when_lost, lost, settled):
        async def main() -> tuple[list[int], float]:
            async with self.processes(2, 4, lease=600, when_lost=when_lost, workers=1) as (limiter, other):
                permits = [await limiter.acquire("interactive") for _ in range(4)]
                await asyncio.sleep(1)
                if lost == "the reply":
                    limiter.store.lost_replies = 2
                else:
                    limiter.store.away = StoreLostError("gone")
                permits[3].cancel()
                if settled == "after it failed":
                    await asyncio.sleep(0.065)
                permits[0].complete()
                permits[1].abandon()
                permits[2].cancel()
                limiter.pause(3)
                await asyncio.sleep(1)
                limiter.store.away = None
                await asyncio.sleep(1.5)
                limits = await other.limits()
                used = [limits.used]
                for moment in (HOLD, LONG_HOLD):
                    await asyncio.sleep(moment + 1.1 - (now() - virtual.START))
                    used.append((await other.limits()).used)
                return used, limits.paused

        used, paused = virtual.run(main())
        assert used == [2, 1, 0]
        assert paused > 0

    def test_what_the_shares_granted_counts_though_the_reports_fail_in_turn(self):
        """Two processes without their store send their shares; then it comes back, and fails again and again."""

        async def main() -> tuple[list[float], list[float]]:
            first_moments: list[float] = []
            last_moments: list[float] = []

            async def one(limiter: SharedLimiter) -> None:
                permit = await limiter.acquire("interactive")
                first_moments.append(now())
                await asyncio.sleep(7)
                permit.complete()
                last_moments.append(now())

            async with self.processes(2, 4, 60.0, 1.0, when_lost="share", workers=2) as limiters:
                for limiter in limiters:
                    limiter.store.away = StoreLostError("gone")
                tasks = [asyncio.create_task(one(limiter)) for limiter in limiters for _ in range(6)]
                for away, lost_replies, seconds in [(1, 0, 1.5), (0, 3, 0.4), (1, 0, 3.0), (0, 2, 0.3), (1, 0, 2.0)]:
                    for limiter in limiters:
                        limiter.store.away = StoreLostError("gone") if away else None
                        limiter.store.lost_replies = lost_replies
                    await asyncio.sleep(seconds)
                for limiter in limiters:
                    limiter.store.away = None
                await asyncio.wait(tasks)
            return first_moments, last_moments

        # The server may count each request at any moment while it is in flight.
        first_moments, last_moments = virtual.run(main())
        assert len(first_moments) == len(last_moments) == 12
        assert most_in_sliding_window(first_moments, 60.0) <= 4
        assert most_in_sliding_window(last_moments, 60.0) <= 4

    # Closing.

    @for_each("when_lost", ["wait", "fail", "share"])
    @for_each("turns", range(14))
    def test_closing_at_any_turn_after_the_store_was_lost_ends_every_wait(self, when_lost, turns):
        async def main() -> tuple[set[type], int, int]:
            async with self.processes(1, 1, 60.0, 1.0, when_lost=when_lost, workers=1) as (limiter,):
                permit = await limiter.acquire("interactive")
                limiter.store.away = StoreLostError("gone")
                permit.complete()
                async with waiting(limiter) as none, asyncio.timeout(SOON):
                    tasks = [*none, *(asyncio.create_task(limiter.acquire("interactive")) for _ in range(2))]
                    await turns_of_the_loop(turns)
                    await limiter.aclose()
                    ended = await asyncio.gather(*tasks, return_exceptions=True)
                await asyncio.sleep(1.1)
                return {type(error) for error in ended}, limiter.store.times_closed, timers()

        ended, times_closed, left = virtual.run(main())
        assert ended <= ({UsageError, StoreLostError} if when_lost == "fail" else {UsageError})
        assert (times_closed, left) == (1, 0)

    @for_each("turns", range(16))
    @for_each("is_under_way", [False, True], ids=["", "while a step is under way"])
    def test_a_closing_that_is_cancelled_at_any_turn_is_finished_by_the_next(self, turns, is_under_way):
        async def main() -> tuple[set[type], int, int, int]:
            async with self.processes(2, 2) as (limiter, other):
                permits = [await limiter.acquire("interactive") for _ in range(2)]
                async with waiting(limiter, "interactive", "bulk") as tasks:
                    await asyncio.sleep(1)
                    permits[0].cancel()
                    if is_under_way:
                        limiter.store.held = asyncio.Event()
                        asyncio.get_running_loop().call_later(3, limiter.store.held.set)
                        await asyncio.sleep(0.1)
                    permits[1].cancel()
                    closing = asyncio.create_task(limiter.aclose())
                    await turns_of_the_loop(turns)
                    closing.cancel()
                    await asyncio.wait([closing])
                    async with asyncio.timeout(SOON):
                        await limiter.aclose()
                    closed = limiter.store.times_closed
                    ended = await asyncio.gather(*tasks, return_exceptions=True)
                used = (await other.limits()).used
                await asyncio.sleep(0.1)
                return {type(error) for error in ended}, closed, used, timers()

        assert virtual.run(main()) == ({UsageError}, 1, 0, 0)

    @for_each("is_under_way", [False, True], ids=["", "while a step is under way"])
    def test_every_concurrent_close_returns_when_all_is_reported_and_closed(self, is_under_way):
        async def main() -> list[tuple[int, int]]:
            async with self.processes(2, 1) as (limiter, other):
                permit = await limiter.acquire("interactive")
                permit.cancel()
                if is_under_way:
                    limiter.store.held = asyncio.Event()
                    asyncio.get_running_loop().call_later(3, limiter.store.held.set)
                    await asyncio.sleep(0.1)

                async def close() -> tuple[int, int]:
                    await limiter.aclose()
                    return limiter.store.times_closed, (await other.limits()).used

                async with asyncio.timeout(SOON):
                    closed = await asyncio.gather(*(close() for _ in range(3)))
                return [*closed, await close()]

        assert virtual.run(main()) == [(1, 0)] * 4

    def test_a_store_that_cannot_be_closed_is_closed_by_the_next_attempt(self):
        async def main() -> int:
            async with self.processes(1, 1) as (limiter,):
                await send(limiter)
                limiter.store.closing = OSError("not now")
                with pytest.raises(OSError, match="not now"):
                    await limiter.aclose()
                limiter.store.closing = None
                await limiter.aclose()
                return limiter.store.times_closed

        assert virtual.run(main()) == 1

    def test_closing_while_a_step_is_under_way_gives_back_what_it_is_granted(self):
        async def main() -> tuple[float, int]:
            async with self.processes(2, 1) as (limiter, other):
                limiter.store.held = asyncio.Event()
                async with waiting(limiter, "interactive", "bulk") as tasks:
                    await asyncio.sleep(1)
                    asyncio.get_running_loop().call_later(1, limiter.store.held.set)
                    await limiter.aclose()
                    took = now() - virtual.START
                    assert {type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)} == {
                        UsageError
                    }
                return took, (await other.limits()).used

        took, used = virtual.run(main())
        assert took == pytest.approx(2, abs=0.01)
        assert used == 0

    # A fork.

    def test_a_process_forked_while_callers_wait_is_refused_and_does_its_parent_no_harm(self):
        async def use(limiter: SharedLimiter) -> None:
            for call in (limiter.acquire("interactive"), limiter.limits()):
                with pytest.raises(UsageError, match="forked"):
                    await call
            assert limiter.pause(30) == pytest.approx(30)
            await limiter.aclose()

        async def main() -> tuple[list[float], float]:
            async with self.processes(1, 2) as (limiter,):
                permits = [await limiter.acquire("interactive") for _ in range(2)]
                async with waiting(limiter, "interactive", "bulk") as tasks:
                    await asyncio.sleep(1)
                    await in_child(lambda: use(limiter))
                    for permit in permits:
                        permit.cancel()
                    async with asyncio.timeout(SOON):
                        for task in tasks:
                            (await task).cancel()
                    return (await limiter.limits()).paused, now() - virtual.START

        paused, served = virtual.run(main())
        assert paused == 0
        assert served == pytest.approx(1, abs=0.2)
