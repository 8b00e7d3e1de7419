"""What a limiter over a store must do among threads and event loops, in real time but at any speed of the machine."""

import asyncio
import gc
import queue
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import pytest

from cliniko_async.errors import UsageError
from cliniko_async.limits import Limits, Permit, SharedLimiter, StateChange, StepReply, Store, StoreLostError
from tests.limits.simulation import PATIENCE, StoreTests, threads
from tests.support.limiting import close_at_once


def in_loop(work: Coroutine[Any, Any, object]) -> object:
    """Run a coroutine in a new event loop; fail if it does not end."""
    return asyncio.run(asyncio.wait_for(work, PATIENCE))


async def send_and_cancel(limiter: SharedLimiter, count: int) -> None:
    for _ in range(count):
        permit = await limiter.acquire("interactive")
        await asyncio.sleep(0)
        permit.cancel()


class ThreadConformance(StoreTests):
    """The rules of a limiter whose permits are settled in other threads than that of its callers."""

    def test_permits_that_other_threads_settle_go_to_waiting_callers(self):
        given: queue.SimpleQueue[Permit | None] = queue.SimpleQueue()

        overs = [threading.Event(), threading.Event()]

        def settle(over: threading.Event) -> None:
            while (permit := given.get()) is not None:
                permit.cancel()
            over.set()

        async def caller(limiter: SharedLimiter, number: int) -> None:
            for _ in range(4 if number == 0 else 40):
                given.put(await limiter.acquire("bulk" if number == 0 else "interactive"))

        async def main(limiter: SharedLimiter) -> int:
            await asyncio.wait_for(asyncio.gather(*(caller(limiter, number) for number in range(6))), PATIENCE)
            for _ in overs:
                given.put(None)
            await asyncio.gather(*(asyncio.to_thread(over.wait, PATIENCE) for over in overs))
            return (await limiter.limits()).used

        with self.in_real_time(3, 0.5, 1.0) as (home, limiter), threads(*(partial(settle, over) for over in overs)):
            assert home.run(main(limiter)) == 0

    def test_a_pause_of_any_thread_is_reported(self):
        """Each is longer than those before, by more than the test may take, while the loop reports the last."""
        pauses, longer = 40, 1000.0

        async def main(limiter: SharedLimiter, over: threading.Event) -> Limits:
            while not over.is_set():
                await limiter.limits()
            return await limiter.limits()

        def pause(limiter: SharedLimiter, over: threading.Event) -> None:
            for number in range(pauses):
                limiter.pause(longer * (number + 1))
            over.set()

        over = threading.Event()
        with self.in_real_time(3, 60.0) as (home, limiter), threads(lambda: pause(limiter, over)):
            paused = home.run(asyncio.wait_for(main(limiter, over), PATIENCE)).paused
        assert paused > longer * (pauses - 1)


class Interrupted:
    """A store whose next step is never answered, before or after it was done, if so asked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.hangs = ""
        self.is_lost = False
        self.times_closed = 0

    async def update(self, change: StateChange) -> StepReply:
        hangs, self.hangs = self.hangs, ""
        if self.is_lost:
            raise StoreLostError("gone")
        if hangs == "before":
            await asyncio.sleep(PATIENCE)
        reply = await self._store.update(change)
        if hangs == "after":
            await asyncio.sleep(PATIENCE)
        return reply

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.times_closed += 1
        await self._store.close()


Wrapper = TypeVar("Wrapper", bound=Interrupted)


def wrapping(kind: Callable[[Store], Wrapper]) -> tuple[list[Wrapper], Callable[[Store], Wrapper]]:
    """Return a function that wraps a store, and the list in which the wrapper will be."""
    stores: list[Wrapper] = []

    def wrap(store: Store) -> Wrapper:
        stores.append(kind(store))
        return stores[0]

    return stores, wrap


class SlowToClose(Interrupted):
    """A store that is closed when a test lets it."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.begun = threading.Event()
        self.may_end = threading.Event()

    async def close(self) -> None:
        self.begun.set()
        assert await asyncio.to_thread(self.may_end.wait, PATIENCE)
        await super().close()


def leave_a_caller(limiter: SharedLimiter, store: Interrupted, hangs: str) -> asyncio.Task[Permit]:
    """Use a permit in a loop of its own, and close the loop while the store is asked for another one."""

    async def main() -> asyncio.Task[Permit]:
        (await limiter.acquire("interactive")).complete()
        store.hangs = hangs
        caller = asyncio.create_task(limiter.acquire("interactive"))
        while store.hangs:  # noqa: ASYNC110  (the store takes it)
            await asyncio.sleep(0.001)
        return caller

    loop = asyncio.new_event_loop()
    caller = loop.run_until_complete(main())
    close_at_once(loop)
    return caller


class Meeting(Interrupted):
    """A store in which some steps wait until as many others have come, in pairs."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.meetings = 0
        self._pair = threading.Barrier(2, action=self._met)

    async def update(self, change: StateChange) -> StepReply:
        if self.meetings:
            await asyncio.to_thread(self._pair.wait, PATIENCE)
        return await super().update(change)

    def _met(self) -> None:
        self.meetings -= 1


class EventLoopConformance(ThreadConformance):
    """The rules of a limiter over a store that several event loops can use."""

    def test_event_loops_in_threads_wake_each_other_up(self):
        async def main(limiter: SharedLimiter) -> None:
            await asyncio.gather(*(send_and_cancel(limiter, 6) for _ in range(8)))

        with self.in_real_time(6, 60.0) as (home, limiter):
            with threads(*[lambda: in_loop(main(limiter))] * 2):
                home.run(asyncio.wait_for(main(limiter), PATIENCE))
            assert home.run(limiter.limits()).used == 0

    def test_event_loops_closed_while_callers_wait_delay_no_other_and_are_forgotten(self, monkeypatch):
        # A step may begin as a loop closes: pytest would keep the warning, and with it the loop.
        monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
        loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

        async def hold(limiter: SharedLimiter) -> None:
            permit = await limiter.acquire("interactive")
            try:
                await asyncio.sleep(2 * PATIENCE)
            finally:
                permit.cancel()

        async def main(limiter: SharedLimiter) -> None:
            loops.append(weakref.ref(asyncio.get_running_loop()))
            limiter.pause(0.001)
            await send_and_cancel(limiter, 1)
            callers = [asyncio.create_task(hold(limiter)) for _ in range(4)]
            await asyncio.sleep(0.01)
            del callers

        def many(limiter: SharedLimiter) -> None:
            for _ in range(6):
                in_loop(main(limiter))

        with self.in_real_time(3, 60.0) as (home, limiter):
            with threads(*[lambda: many(limiter)] * 3):
                home.run(asyncio.wait_for(send_and_cancel(limiter, 10), PATIENCE))
            home.run(limiter.limits())
            assert home.run(limiter.limits()).used == 0
            for _ in range(3):  # What has a finalizer takes more than one.
                gc.collect()
            assert len(loops) == 18
            assert not [loop for loop in loops if loop() is not None]

    @pytest.mark.parametrize("hangs", ["before", "after"])
    def test_what_a_loop_was_reporting_when_it_was_closed_is_reported_by_the_next(self, hangs):
        stores, wrap = wrapping(Interrupted)

        async def main(limiter: SharedLimiter) -> None:
            """Close the loop soon after the store was asked."""
            permits = [await limiter.acquire("interactive") for _ in range(3)]
            stores[0].hangs = hangs
            limiter.pause(60)
            for permit in permits:
                permit.cancel()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(limiter.limits(), 0.2)

        with self.in_real_time(3, 60.0, wrap=wrap) as (home, limiter):
            in_loop(main(limiter))
            limits = home.run(limiter.limits())
        assert limits.used == 0
        assert limits.paused > 0

    @pytest.mark.parametrize("hangs", ["before", "after"])
    def test_what_a_loop_left_is_reported_once_although_two_loops_report_it_at_once(self, hangs):
        stores, wrap = wrapping(Meeting)

        with self.in_real_time(3, 600.0, wrap=wrap) as (home, limiter):
            caller = leave_a_caller(limiter, stores[0], hangs)
            stores[0].meetings = 2
            with threads(lambda: in_loop(limiter.limits())):
                home.run(asyncio.wait_for(limiter.limits(), PATIENCE))
            assert stores[0].meetings == 0
            assert home.run(asyncio.wait_for(limiter.limits(), PATIENCE)).used == 1
            assert not caller.done()

    @pytest.mark.parametrize("hangs", ["before", "after"])
    def test_what_a_loop_left_is_reported_when_another_closes_the_limiter(self, hangs):
        stores, wrap = wrapping(Interrupted)

        with self.in_real_time(3, 600.0, wrap=wrap, where="left") as (home, limiter):
            caller = leave_a_caller(limiter, stores[0], hangs)
            home.run(asyncio.wait_for(limiter.aclose(), PATIENCE))
            assert not caller.done()
        with self.in_real_time(3, 600.0, where="left") as (home, other):
            assert home.run(other.limits()).used == 1

    @pytest.mark.parametrize("hangs", ["before", "after"])
    def test_what_a_loop_left_is_reported_although_the_next_one_is_closed_while_it_reports_that(self, hangs):
        stores, wrap = wrapping(Interrupted)

        async def begin_step(limiter: SharedLimiter, permits: list[Permit]) -> asyncio.Task[Limits]:
            permits += [await limiter.acquire("interactive") for _ in range(3 - len(permits))]
            stores[0].hangs = hangs
            for permit in permits:
                permit.cancel()
            step = asyncio.create_task(limiter.limits())
            while stores[0].hangs:  # noqa: ASYNC110  (the store takes it)
                await asyncio.sleep(0.001)
            return step

        permits: list[Permit] = []
        with self.in_real_time(3, 60.0, wrap=wrap) as (home, limiter):
            loops = [asyncio.new_event_loop(), asyncio.new_event_loop()]
            steps = []
            for loop in loops:
                steps.append(loop.run_until_complete(begin_step(limiter, permits)))
                close_at_once(loop)
            assert home.run(asyncio.wait_for(limiter.limits(), PATIENCE)).used == 0
            assert not any(step.done() for step in steps)

    def test_a_caller_that_comes_while_another_thread_closes_is_served_or_gets_an_error(self):
        ended: list[str] = []

        async def main(limiter: SharedLimiter) -> None:
            try:
                await asyncio.gather(*(send_and_cancel(limiter, 3) for _ in range(2)))
                ended.append("served")
            except UsageError:
                ended.append("sent away")

        for number in range(20):
            with self.in_real_time(6, 60.0) as (home, limiter), threads(*[lambda: in_loop(main(limiter))] * 3):
                home.run(asyncio.sleep(number / 5000))
                home.run(limiter.aclose())
        assert len(ended) == 60

    def test_event_loops_that_close_a_limiter_at_once_close_its_store_once(self):
        together = threading.Barrier(3)

        async def close(limiter: SharedLimiter) -> None:
            await send_and_cancel(limiter, 1)
            together.wait(PATIENCE)
            await limiter.aclose()

        for _ in range(20):
            stores, wrap = wrapping(Interrupted)

            with self.in_real_time(6, 60.0, wrap=wrap) as (_home, limiter):
                with threads(*[lambda limiter=limiter: in_loop(close(limiter))] * 3):
                    pass
                assert stores[0].times_closed == 1

    def test_a_loop_that_closes_the_limiter_while_another_closes_the_store_leaves_that_to_it(self):
        stores, wrap = wrapping(SlowToClose)

        with self.in_real_time(6, 60.0, wrap=wrap) as (home, limiter):
            with threads(lambda: in_loop(limiter.aclose())):
                assert stores[0].begun.wait(PATIENCE)
                home.run(asyncio.wait_for(limiter.aclose(), PATIENCE))
                stores[0].may_end.set()
            assert stores[0].times_closed == 1

    def test_a_loop_that_closes_the_limiter_reports_what_others_left(self):
        async def main(limiter: SharedLimiter) -> None:
            permit = await limiter.acquire("interactive")
            await limiter.limits()
            permit.cancel()

        with self.in_real_time(2, 60.0, where="left") as (home, limiter):
            in_loop(main(limiter))
            home.run(limiter.aclose())
        with self.in_real_time(2, 60.0, where="left") as (home, other):
            assert home.run(other.limits()).used == 0

    def test_loops_that_use_a_share_return_to_the_store_each_for_itself(self):
        """One of them is closed before the store is back, without any of its tasks."""
        stores, wrap = wrapping(Interrupted)

        async def main(limiter: SharedLimiter) -> None:
            (await limiter.acquire("interactive")).cancel()

        with self.in_real_time(3, 60.0, 1.0, when_lost="share", workers=3, wrap=wrap) as (home, limiter):
            stores[0].is_lost = True
            closed = asyncio.new_event_loop()
            permits = [closed.run_until_complete(limiter.acquire("interactive"))]
            close_at_once(closed)
            with threads(*[lambda: in_loop(main(limiter))] * 2):
                waiting = home.get_loop().create_task(limiter.acquire("interactive"))
                home.run(asyncio.sleep(0.1))
                stores[0].is_lost = False
                permits.append(home.run(asyncio.wait_for(waiting, PATIENCE)))
            assert home.run(limiter.limits()).used == 2
            for permit in permits:
                permit.cancel()
