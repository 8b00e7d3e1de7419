"""Deadlines and the budget: a call whose permit would come too late ends at once, and no other does."""

import asyncio
import contextlib
import pickle
import random
import time

import attrs
import pytest
from redis.asyncio import Redis

from cliniko_async import RetryPolicy
from cliniko_async.errors import DeadlineExceededError, OutcomeUnknownError, UsageError
from cliniko_async.limits import RateLimiter, RedisLimiter, SlidingWindowLimiter, SqliteLimiter, Wait
from tests.support.clients import KEY, ONCE, RecordingLimiter, client_of, virtually
from tests.support.for_each import for_each
from tests.support.limiting import HOLD, limiter_of, now, settle_down
from tests.support.many import ManyServer, pool_of
from tests.support.raw_server import RawServer, answer, close, silence
from tests.support.redis_server import RedisServer
from tests.support.sqlite_limits import limiter_at

PATH = "/things"
THROTTLED = answer(429, headers={"X-RateLimit-Reset": "0"})


class PlainLimiter(RecordingLimiter):
    """A limiter of a user's own: it knows no more than the next permit."""

    async def limits(self):
        return attrs.evolve(await super().limits(), waits=None)


class CountingLimiter(RecordingLimiter):
    """Counts how often its state is requested."""

    looks = 0

    async def limits(self):
        self.looks += 1
        return await super().limits()


@contextlib.asynccontextmanager
async def refused(after: float):
    """Expect a call to be refused at once, with the number of seconds to wait."""
    began = now()
    with pytest.raises(DeadlineExceededError, match=r"for the budget.*before the deadline") as raised:
        yield raised
    assert now() == began
    assert raised.value.retry_after == pytest.approx(after, abs=0.01)
    assert not raised.value.sent


# At once


@for_each("kind", [RecordingLimiter, PlainLimiter])
@for_each("method", ["GET", "POST"])
@virtually
async def test_a_call_whose_permit_would_come_too_late_ends_at_once_and_is_not_sent(kind, method):
    limiter = kind(limiter_of(2))
    async with RawServer() as server, client_of(server, deadline=50, rate_limiter=limiter) as client:
        await client.request("GET", PATH)
        await asyncio.sleep(20)
        await client.request("GET", PATH)
        await asyncio.sleep(5)
        async with refused(HOLD - 25):
            await client.with_options(deadline=HOLD - 25.1).request(method, PATH)
        assert (await client.request(method, PATH)).status == 200
        assert len(server.requests) == 3
        assert (await limiter.limits()).waiting == {"interactive": 0, "bulk": 0}


@virtually
async def test_a_permit_in_flight_counts_as_taken():
    async with RawServer(silence(), answer()) as server, client_of(server, rate_limiter=limiter_of(1)) as client:
        first = asyncio.create_task(client.request("GET", PATH))
        await server.read(1)
        async with refused(HOLD):
            await client.with_options(deadline=30).request("GET", PATH)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


@virtually
async def test_a_bulk_call_is_judged_by_the_wait_of_its_own_priority():
    limiter = limiter_of(10, bulk_share=0.2)
    async with RawServer() as server, client_of(server, deadline=29, rate_limiter=limiter) as client:
        bulk = client.with_options(priority="bulk")
        await bulk.request("GET", PATH)
        async with refused(30):
            await bulk.request("GET", PATH)
        assert (await client.request("GET", PATH)).status == 200
        await asyncio.sleep(2)
        assert (await bulk.request("GET", PATH)).status == 200
        async with refused(HOLD - 30):  # Bulk holds its share of the window by now.
            await bulk.with_options(deadline=30.1).request("GET", PATH)


@pytest.mark.parametrize("priority", ["interactive", "bulk"])
@virtually
async def test_calls_already_waiting_are_counted(priority):
    limiter = limiter_of(2)
    async with RawServer() as server, client_of(server, rate_limiter=limiter) as client:
        await asyncio.gather(*(client.request("GET", PATH) for _ in range(2)))
        before = [asyncio.create_task(client.request("GET", PATH)) for _ in range(2)]
        await settle_down()
        view = client.with_options(priority=priority)
        async with refused(2 * HOLD):
            await view.with_options(deadline=2 * HOLD - 0.1).request("GET", PATH)
        await view.with_options(deadline=2 * HOLD + 1).request("GET", PATH)
        assert all(task.done() for task in before)


@virtually
async def test_a_pause_ends_waiting_calls_whose_deadline_it_exceeds():
    limiter = limiter_of(1, period=4)
    async with RawServer() as server, client_of(server, deadline=5, rate_limiter=limiter) as client:
        await client.request("GET", PATH)
        calls = [client.with_options(deadline=d).request("GET", PATH) for d in (5, 50)]
        hurried, patient = (asyncio.create_task(call) for call in calls)
        await asyncio.sleep(1)
        limiter.pause(30)
        with pytest.raises(DeadlineExceededError) as raised:
            await hurried
        assert now() == pytest.approx(1001, abs=0.3)
        assert raised.value.retry_after == pytest.approx(1031 - now())
        assert (await patient).status == 200


@virtually
async def test_interactive_calls_that_leave_make_room_for_bulk():
    """By the limiter's estimate both would wait too long, but bulk only while the interactive call waits."""
    limiter = limiter_of(2, period=4)
    async with RawServer() as server, client_of(server, rate_limiter=limiter) as client:
        await asyncio.gather(*(client.request("GET", PATH) for _ in range(2)))
        urgent = [asyncio.create_task(client.with_options(deadline=6).request("GET", PATH)) for _ in range(2)]
        bulk = client.with_options(priority="bulk", deadline=9)
        late = asyncio.create_task(bulk.request("GET", PATH))
        await asyncio.sleep(1)
        limiter.pause(8)
        for task in urgent:
            with pytest.raises(DeadlineExceededError):
                await task
        assert not late.done()
        with contextlib.suppress(DeadlineExceededError):
            await late
        assert now() >= 1008


# Later


@virtually
async def test_a_call_ends_as_soon_as_a_request_in_flight_leaves_it_no_time():
    """Whenever it ends, its permit is held for one more period."""
    async with RawServer(silence()) as server, client_of(server, rate_limiter=limiter_of(1, period=2)) as client:
        first = asyncio.create_task(client.request("GET", PATH))
        await server.read(1)
        began = now()
        with pytest.raises(DeadlineExceededError, match="for the budget") as raised:
            await client.with_options(deadline=5).request("GET", PATH)
        assert 2.99 < now() - began < 3.3
        assert 1.7 < raised.value.retry_after <= 2.004
        assert pickle.loads(pickle.dumps(raised.value)).retry_after == raised.value.retry_after
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


@pytest.mark.parametrize("turn", [silence(), close()])
@virtually
async def test_timeouts_for_other_reasons_do_not_mention_the_budget(turn):
    retry = RetryPolicy(attempts=99, wait_initial=9)
    async with RawServer(turn) as server, client_of(server, deadline=3, retry=retry) as client:
        with pytest.raises(DeadlineExceededError) as raised:
            await client.request("GET", PATH)
        assert raised.value.retry_after is None


@virtually
async def test_a_create_that_was_sent_before_is_not_taken_for_refused():
    """The deadline ends in flight, with the budget spent."""
    async with RawServer(silence()) as server, client_of(server, deadline=3, rate_limiter=limiter_of(1)) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.request("POST", PATH)


@virtually
async def test_closing_the_client_ends_the_calls_that_wait_for_a_permit():
    async with RawServer() as server, client_of(server, deadline=99, rate_limiter=limiter_of(1)) as client:
        await client.request("GET", PATH)
        waiting = asyncio.create_task(client.request("GET", PATH))
        await asyncio.sleep(0.3)
        await client.aclose()
        with pytest.raises(UsageError):
            await waiting


@virtually
async def test_without_a_deadline_the_limiter_is_not_asked_for_its_state():
    limiter = CountingLimiter(limiter_of(1, period=4))
    async with RawServer() as server, client_of(server, rate_limiter=limiter) as client:
        await asyncio.gather(*(client.request("GET", PATH) for _ in range(3)))
        assert limiter.looks == 0
        await asyncio.gather(*(client.with_options(deadline=20).request("GET", PATH) for _ in range(3)))
        # Once for each call, and for all of them four times a second.
        assert 3 + 40 < limiter.looks < 3 + 60


class BrokenLimiter(RecordingLimiter):
    """A limiter that cannot report its state."""

    async def limits(self):
        raise ZeroDivisionError


class StuckLimiter(RecordingLimiter):
    """A limiter whose state never arrives, except for the first time."""

    asked = False

    async def limits(self):
        if self.asked:
            await asyncio.get_running_loop().create_future()
        self.asked = True
        return await super().limits()


@pytest.mark.parametrize("kind", [BrokenLimiter, StuckLimiter])
@virtually
async def test_calls_wait_for_a_limiter_that_cannot_report_its_waits(kind):
    limiter = kind(limiter_of(1, period=4))
    async with RawServer() as server, client_of(server, rate_limiter=limiter) as client:
        await client.request("GET", PATH)
        assert (await client.with_options(deadline=5).request("GET", PATH)).status == 200


@for_each("number", range(5))
@for_each("first", range(0, 40, 5))
def test_no_call_is_refused_that_would_have_been_served(first, number):
    """The same history twice: first one call waits without a deadline, then with one."""
    seed = first + number

    async def wait_of_one(deadline: float | None) -> float | None:
        rng = random.Random(seed)
        limiter = limiter_of(rng.randint(1, 5), 10.0, rng.choice((0.4, 1.0)))
        async with RawServer() as server, client_of(server, rate_limiter=limiter) as client:

            async def call(priority) -> None:
                permit = await limiter.acquire(priority)
                await asyncio.sleep(rng_latency.random() * 3)
                (permit.abandon if rng_latency.random() < 0.2 else permit.complete)()

            rng_latency = random.Random(seed)
            others = []
            for _ in range(rng.randint(3, 12)):
                others.append(asyncio.create_task(call(rng.choice(("interactive", "bulk")))))
                await asyncio.sleep(rng.choice((0, 0, 0.5, 4)))
            if rng.random() < 0.3:
                limiter.pause(rng.random() * 20)
            began = now()
            view = client.with_options(priority=rng.choice(("interactive", "bulk")), deadline=deadline, retry=ONCE)
            try:
                await view.request("GET", PATH)
                waited = now() - began
            except DeadlineExceededError:
                waited = None
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            return waited

    @virtually
    async def served():
        outcome["wait"] = await wait_of_one(None)

    @virtually
    async def bounded():
        outcome["bounded"] = await wait_of_one(outcome["wait"] + 0.01)

    outcome: dict[str, float] = {}
    served()
    bounded()
    assert outcome["bounded"] == pytest.approx(outcome["wait"], abs=0.01)


@virtually
async def test_a_permit_granted_during_a_check_is_not_lost():
    """The next permit is then far away, which must not affect the caller that has this one."""
    limiter = limiter_of(1, period=4)
    async with RawServer() as server, client_of(server, deadline=2, rate_limiter=limiter) as client:
        for early in (0, 1e-9, 1e-6):
            limiter.pause(0.25 - early)
            assert (await client.request("GET", PATH)).status == 200
            await asyncio.sleep(HOLD)


@for_each("late", [-1e-10, 0, 1e-10, 1e-9])
@virtually
async def test_a_deadline_that_passes_during_a_check_ends_the_call_once(late):
    limiter = limiter_of(1, period=0.2)
    async with RawServer() as server, client_of(server, deadline=0.26 + late, rate_limiter=limiter) as client:
        await client.request("GET", PATH)
        waiting = asyncio.create_task(client.request("GET", PATH))
        await settle_down()
        limiter.pause(30)
        with pytest.raises(DeadlineExceededError) as raised:
            await waiting
        assert raised.value.retry_after == pytest.approx(29.74)


# Every limiter


@virtually
async def test_a_pooled_client_ends_calls_whose_permit_would_come_too_late():
    async with ManyServer() as server, pool_of(server, limiter=lambda _: limiter_of(2)) as pool:
        client = pool.client(KEY, deadline=9)
        for _ in range(2):
            await client.request("GET", PATH)
        await settle_down()
        async with refused(HOLD - 0.1):
            await client.request("GET", PATH)
        assert (await pool.client("other", deadline=9).request("GET", PATH)).status == 200


@pytest.mark.parametrize("limit", [2, 200])
@virtually
async def test_waiting_for_a_connection_is_not_counted_as_waiting_for_the_budget(limit):
    """Even if the caller has the last permit of all."""
    made = {"limiter": lambda _: limiter_of(limit), "per_account": 1}
    async with ManyServer(slow={KEY: 30}) as server, pool_of(server, **made) as pool:
        slow = asyncio.create_task(pool.client(KEY).request("GET", PATH))
        await server.read(1)
        with pytest.raises(DeadlineExceededError) as raised:
            await pool.client(KEY, deadline=5).request("GET", PATH)
        assert raised.value.retry_after is None
        await slow


async def spend_and_ask(limiter: RateLimiter, deadline: float) -> dict[str, float | None]:
    """Use up a budget of two, and call at both priorities."""
    async with RawServer() as server, client_of(server, deadline=deadline, rate_limiter=limiter) as client:
        for _ in range(2):
            await client.request("GET", PATH)
        after: dict[str, float | None] = {}
        for priority in ("interactive", "bulk"):
            with pytest.raises(DeadlineExceededError) as raised:
                await client.with_options(priority=priority).request("GET", PATH)
            after[priority] = raised.value.retry_after
        assert len(server.requests) == 2
        return after


@virtually
async def test_a_limiter_kept_in_a_file_reports_its_waits_too(tmp_path):
    async with limiter_at(tmp_path / "limits.db", 2) as limiter:
        began = now()
        after = await spend_and_ask(limiter, 30)
        assert now() - began < 1
        assert list(after.values()) == pytest.approx([HOLD] * 2, abs=1)


async def test_a_limiter_kept_in_redis_reports_its_waits_too():
    with RedisServer() as server:
        async with Redis.from_url(server.url) as redis, RedisLimiter(redis, 2, 3600, name="clinic") as limiter:
            began = time.monotonic()
            after = await spend_and_ask(limiter, 600)
            assert time.monotonic() - began < 300
            assert all(3000 < seconds < 3610 for seconds in after.values())


@pytest.fixture(params=["file", "redis"])
async def stored(request, tmp_path):
    """A limiter of ten an hour, of which bulk has one."""
    if request.param == "file":
        async with SqliteLimiter(tmp_path / "limits.db", 10, 3600, 0.1) as limiter:
            yield limiter
    else:
        with RedisServer() as server:
            async with Redis.from_url(server.url) as redis, RedisLimiter(redis, 10, 3600, 0.1, name="c") as limiter:
                yield limiter


async def test_a_shared_window_reports_the_shortest_wait_of_each_priority(stored):
    free = (await stored.limits()).waits
    assert free == {"interactive": Wait(0, 0), "bulk": Wait(0, 0)}
    (await stored.acquire("bulk")).complete()
    waits = (await stored.limits()).waits
    assert waits["interactive"] == Wait(0, 0)
    assert waits["bulk"] == pytest.approx((3600, 3600), abs=60)
    task = asyncio.create_task(stored.acquire("bulk"))
    await asyncio.sleep(0.1)
    waits = (await stored.limits()).waits
    assert waits["bulk"] == pytest.approx((3600, 7200), abs=60)
    permits = [await stored.acquire("interactive") for _ in range(9)]
    waits = (await stored.limits()).waits
    assert waits["interactive"] == pytest.approx((3600, 3600), abs=60)
    task.cancel()
    for permit in permits:
        permit.cancel()


def test_a_window_reports_the_wait_of_each_caller_in_the_queue():
    @virtually
    async def main():
        limiter = SlidingWindowLimiter(3, 60, clock=asyncio.get_running_loop().time)
        for _ in range(3):
            (await limiter.acquire("interactive")).complete()
            await asyncio.sleep(10)
        tasks = []
        for expected in (HOLD - 30, HOLD - 20, HOLD - 10, 2 * HOLD - 30):
            wait = (await limiter.limits()).waits["interactive"]
            assert wait == pytest.approx((HOLD - 30, expected))
            tasks.append(asyncio.create_task(limiter.acquire("interactive")))
            await settle_down()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    main()
