"""One limiter for several event loops and threads, and one for each server and key."""

import asyncio
import contextlib
import gc
import threading
import time
import types
import weakref

import pytest

from cliniko_async.errors import UsageError
from cliniko_async.limits import Permit, Priority, RateLimiter, SlidingWindowLimiter, process_limiter
from cliniko_async.limits.local import limiter_registry
from tests.limits import simulation
from tests.support import virtual
from tests.support.forking import in_child
from tests.support.limiting import HOLD, drain, most_in_sliding_window, send, settle_down, step, waiting

# Several event loops.


def test_threads_with_loops_of_their_own_share_one_window():
    limiter = SlidingWindowLimiter(20, 0.05, 1.0)
    counted: list[float] = []

    async def one(number: int) -> None:
        permit = await limiter.acquire("bulk" if number % 4 == 0 else "interactive")
        counted.append(time.monotonic())
        await asyncio.sleep(0)
        permit.complete()

    async def many() -> None:
        await asyncio.gather(*(one(number) for number in range(60)))

    threads = [threading.Thread(target=asyncio.run, args=(many(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(counted) == 240
    assert most_in_sliding_window(counted, 0.05) <= 20


def test_permits_returned_by_threads_reach_every_waiter():
    """Permits settled in one thread wake those who wait in another, a thousand times over."""
    limiter = SlidingWindowLimiter(2, 60.0)
    done = []

    async def many() -> None:
        for _ in range(500):
            permit = await limiter.acquire("interactive")
            await asyncio.sleep(0)
            permit.cancel()
        done.append(True)

    threads = [threading.Thread(target=asyncio.run, args=(many(),), daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert done == [True] * 4


@contextlib.contextmanager
def loops(count: int):
    made = [virtual.VirtualLoop() for _ in range(count)]
    yield made
    for loop in made:
        loop.close()


def wait_in(
    loop: asyncio.AbstractEventLoop, limiter: RateLimiter, priority: Priority = "interactive"
) -> asyncio.Task[Permit]:
    """A task of a loop that does not run, waiting for a permit."""
    task = loop.create_task(limiter.acquire(priority))
    loop.run_until_complete(settle_down())
    return task


def forget(task: asyncio.Task[Permit]) -> None:
    """Ignore the warnings about what a closed loop leaves behind."""
    task._log_destroy_pending = False


@pytest.mark.parametrize("in_flight", [True, False], ids=["while all are in flight", "while a timer runs"])
def test_a_loop_closed_with_waiters_blocks_no_other_loop(in_flight):
    with loops(2) as (first, second):
        limiter = SlidingWindowLimiter(1, clock=second.time)
        permit = second.run_until_complete(limiter.acquire("interactive"))
        if not in_flight:
            permit.complete()
        lost, heard = wait_in(first, limiter), wait_in(second, limiter)
        first.close()
        permit.complete()
        forget(lost)
        second.run_until_complete(heard).complete()
        assert second.time() - virtual.START == pytest.approx(HOLD)


def test_a_grant_that_a_closed_loop_never_took_comes_back():
    with loops(2) as (first, second):
        limiter = SlidingWindowLimiter(1, clock=second.time)
        permit = second.run_until_complete(limiter.acquire("interactive"))
        lost, heard = wait_in(first, limiter), wait_in(second, limiter)
        permit.cancel()
        first.close()
        forget(lost)
        del lost
        gc.collect()
        second.run_until_complete(heard).cancel()
        assert second.time() == virtual.START


def test_a_loop_closed_with_the_only_waiter_leaves_the_permit_to_the_next_caller():
    with loops(2) as (first, second):
        limiter = SlidingWindowLimiter(1, clock=second.time)
        permit = second.run_until_complete(limiter.acquire("interactive"))
        lost = wait_in(first, limiter)
        first.close()
        permit.cancel()
        forget(lost)
        second.run_until_complete(limiter.acquire("interactive")).cancel()
        assert second.time() == virtual.START


def test_a_closed_loop_that_waits_longer_than_another_does_it_no_harm():
    with loops(2) as (first, second):
        limiter = SlidingWindowLimiter(2, bulk_share=0.5, clock=second.time)
        second.run_until_complete(limiter.acquire("interactive")).complete()
        second.advance(10)
        bulk = second.run_until_complete(limiter.acquire("bulk"))
        lost = wait_in(first, limiter, "bulk")
        first.close()
        forget(lost)
        second.run_until_complete(limiter.acquire("interactive")).complete()
        assert second.time() - virtual.START == pytest.approx(HOLD)
        bulk.cancel()


def test_one_limiter_serves_one_loop_after_another_and_keeps_none_of_them():
    limiter = SlidingWindowLimiter(1, 0.01)
    seen: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def main() -> None:
        seen.append(weakref.ref(asyncio.get_running_loop()))
        await send(limiter)

    for _ in range(3):
        asyncio.run(main())
    gc.collect()
    assert [loop() for loop in seen] == [None] * 3


# Forked processes.


@pytest.mark.parametrize("is_default", [False, True], ids=["", "the default of the process"])
def test_a_process_forked_while_callers_wait_is_refused_and_does_its_parent_no_harm(is_default):
    where = ("https://api.au1.cliniko.com/v1", "forked-au1")

    async def use(limiter: RateLimiter) -> None:
        for call in (limiter.acquire("interactive"), limiter.limits()):
            with pytest.raises(UsageError, match="forked"):
                await call
        assert limiter.pause(30) == pytest.approx(30)
        # A client that is created here has a window of its own.
        own = process_limiter(*where)
        assert own is not limiter
        assert (await own.limits()).used == 0
        (await own.acquire("interactive")).complete()

    async def main() -> tuple[float, int]:
        limiter = process_limiter(*where) if is_default else SlidingWindowLimiter()
        permits = await drain(limiter, 200)
        async with waiting(limiter, "interactive", "bulk") as tasks:
            await in_child(lambda: use(limiter))
            for permit in permits:
                permit.cancel()
            async with asyncio.timeout(30):
                for task in tasks:
                    (await task).cancel()
        limits = await limiter.limits()
        return limits.paused, limits.used

    assert asyncio.run(main()) == (0, 0)


def test_threads_that_use_a_limiter_for_the_first_time_at_once_are_served():
    limiters = [SlidingWindowLimiter() for _ in range(100)]
    together = threading.Barrier(3)

    async def use() -> None:
        for limiter in limiters:
            together.wait(simulation.PATIENCE)
            await limiter.limits()

    with simulation.threads(*[lambda: asyncio.run(use())] * 3):
        pass


def test_a_process_forked_while_a_thread_is_inside_a_limiter_is_not_stuck():
    is_inside, may_leave = threading.Event(), threading.Event()

    def clock() -> float:
        if threading.current_thread() is not threading.main_thread():
            is_inside.set()
            assert may_leave.wait(30)
        return time.monotonic()

    async def use(limiter: RateLimiter) -> None:
        for call in (limiter.acquire("interactive"), limiter.limits()):
            with pytest.raises(UsageError, match="forked"):
                await call
        assert limiter.pause(30) == pytest.approx(30)

    async def main() -> int:
        limiter = SlidingWindowLimiter(2, clock=clock)
        permit = await limiter.acquire("interactive")
        thread = threading.Thread(target=limiter.pause, args=(0,))
        thread.start()
        assert is_inside.wait(30)
        await in_child(lambda: use(limiter))
        may_leave.set()
        thread.join()
        permit.cancel()
        return (await limiter.limits()).used

    assert asyncio.run(main()) == 0


# One for a server and a key.


def test_one_server_and_key_have_one_limiter():
    limiter = process_limiter("https://api.au1.cliniko.com/v1", "one-au1")
    assert process_limiter("https://api.au1.cliniko.com/v1/", "one-au1") is limiter
    assert isinstance(limiter, SlidingWindowLimiter)
    assert repr(limiter) == "SlidingWindowLimiter(limit=200, period=60, bulk_share=0.8)"


def test_another_server_or_another_key_has_another_limiter():
    mine = process_limiter("https://api.au1.cliniko.com/v1", "one-au1")
    assert process_limiter("http://127.0.0.1:8080/v1", "one-au1") is not mine
    assert process_limiter("https://api.au1.cliniko.com/v1", "two-au1") is not mine


def test_the_key_itself_is_kept_nowhere():
    registry = limiter_registry()
    limiter = registry.get("https://api.au1.cliniko.com/v1", "MS0xLWtlcHQ-au1")
    assert not [text for text in texts_within(registry, limiter) if "MS0xLWtlcHQ" in text]


def texts_within(*objects: object) -> list[str]:
    """All texts that can be reached from some objects, but for code."""
    code = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)
    seen: dict[int, object] = {}
    ahead = list(objects)
    while ahead:
        each = ahead.pop()
        if id(each) not in seen and not isinstance(each, code):
            seen[id(each)] = each
            ahead += gc.get_referents(each)
    return [str(each) for each in seen.values() if isinstance(each, str | bytes)]


def test_a_window_outlives_its_last_user():
    """A client that is made after another was closed knows what that one sent."""
    moment = 0.0
    registry = limiter_registry(lambda: moment)
    for _ in range(150):
        step(registry.get("https://one", "key").acquire("interactive")).complete()
    gc.collect()
    for other in range(10):
        registry.get("https://one", f"other {other}")
    moment = 30.0
    assert asyncio.run(registry.get("https://one", "key").limits()).used == 150


def test_a_window_that_is_empty_and_unused_is_forgotten():
    moment = 0.0
    registry = limiter_registry(lambda: moment)
    kept = registry.get("https://one", "kept")
    for number in range(100):
        step(registry.get("https://one", f"key {number}").acquire("interactive")).complete()
    gc.collect()
    assert len(registry) == 101
    moment = 61.0
    for _ in range(101):
        registry.get("https://one", "kept")
    assert len(registry) == 1
    assert registry.get("https://one", "kept") is kept


def test_a_pause_and_a_permit_in_flight_are_not_forgotten():
    moment = 0.0
    registry = limiter_registry(lambda: moment)
    registry.get("https://one", "paused").pause(100)
    permit = step(registry.get("https://one", "in flight").acquire("interactive"))
    gc.collect()
    moment = 99.0
    for number in range(10):
        registry.get("https://one", f"other {number}")
    assert asyncio.run(registry.get("https://one", "paused").limits()).paused == 1
    assert asyncio.run(registry.get("https://one", "in flight").limits()).used == 1
    permit.complete()
