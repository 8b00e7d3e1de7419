"""The limiter of many machines, against a real Redis: one window, whoever dies, and whatever becomes of Redis."""

import asyncio
import contextlib
import logging
import socket
import ssl
import struct
import sys
import time
import traceback
from collections.abc import AsyncIterator, Iterator

import pytest
import trustme
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from cliniko_async.errors import ConfigurationError, LimiterUnavailableError, UsageError
from cliniko_async.limits import Priority, RedisLimiter
from tests.support import workers
from tests.support.limiting import timers, waiting
from tests.support.redis_server import RedisServer

HOUR = 3600.0


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    async with client_of(server) as redis:
        await redis.flushall()
        yield redis


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A server that the test may stop."""
    with RedisServer() as server:
        yield server


def client_of(server: RedisServer, **options) -> Redis:
    return Redis.from_url(server.url, retry=Retry(NoBackoff(), 0), **options)


def limiter_of(redis: Redis, limit: int = 10, period: float = HOUR, bulk_share: float = 1.0, **options) -> RedisLimiter:
    """A limiter whose window does not move during a test, unless it is given a shorter period."""
    return RedisLimiter(redis, limit, period, bulk_share, **{"name": "clinic", **options})


@contextlib.asynccontextmanager
async def limiters(redis: Redis, count: int, *args, **options):
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(limiter_of(redis, *args, **options)) for _ in range(count)]


async def send(limiter: RedisLimiter, priority: Priority = "interactive") -> float:
    permit = await limiter.acquire(priority)
    moment = time.monotonic()
    permit.complete()
    return moment


async def until_used(limiter: RedisLimiter, count: int) -> None:
    for _ in range(3000):
        if await used(limiter) == count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"never {count}")


async def used(limiter: RedisLimiter) -> int:
    return (await limiter.limits()).used


def killed(limiter: RedisLimiter) -> None:
    """As if its process had ended."""
    limiter._book._process = -1
    limiter._book.closed = True
    for line in limiter._lines.values():
        line._stop_timer()


# What a permit holds.


@pytest.mark.parametrize(("ending", "left"), [("complete", 1), ("abandon", 1), ("cancel", 0)])
async def test_a_place_is_held_as_its_ending_says(redis, ending, left):
    async with limiters(redis, 2) as (one, other):
        permit = await one.acquire("bulk")
        assert await used(other) == 1
        getattr(permit, ending)()
        permit.cancel()
        assert await used(one) == left
        assert await used(other) == left


async def test_a_place_is_free_one_period_after_the_answer(redis):
    async with limiters(redis, 2, 1, 0.2) as (one, other):
        permit = await one.acquire("interactive")
        await asyncio.sleep(0.1)
        answered = time.monotonic()
        permit.complete()
        assert await send(other) - answered >= 0.2


async def test_windows_of_other_names_are_apart_and_redis_sees_no_name(redis):
    async with limiter_of(redis, name="MS0xLWtlcHQ-au1") as one, limiter_of(redis, name="other") as other:
        await send(one)
        assert (await used(one), await used(other)) == (1, 0)
    assert not [key for key in await redis.keys() if b"MS0x" in key]


async def test_a_client_that_decodes_its_answers_does_as_well(server, redis):
    async with client_of(server, decode_responses=True) as decoding, limiter_of(decoding) as limiter:
        await send(limiter)
        assert await used(limiter) == 1


async def test_every_key_ends_by_itself(redis):
    async with limiters(redis, 2, 1) as (one, other):
        await send(one, "bulk")
        async with waiting(one, "interactive"), waiting(other, "bulk"):
            await asyncio.gather(one.limits(), other.limits())
            keys = await redis.keys()
            assert len(keys) == 6
            assert min([await redis.pttl(key) for key in keys]) > 0


@pytest.mark.parametrize("before", ["cancel", "a look"])
async def test_a_window_that_is_empty_again_ends_by_itself_too(redis, before):
    """What was set for a key that is gone does not hold for the one that is made anew."""
    async with limiter_of(redis) as limiter:
        if before == "cancel":
            (await limiter.acquire("interactive")).cancel()
        assert await used(limiter) == 0
        permit = await limiter.acquire("interactive")
        assert min([await redis.pttl(key) for key in await redis.keys()]) > 0
        permit.cancel()


async def test_what_was_free_is_free_still_when_the_clock_of_redis_is_set_back(redis):
    """It is not always cleared away at once, and lies ahead of the new time."""
    async with limiter_of(redis, 1000, 60.0) as limiter:
        (await limiter.acquire("interactive")).complete()
        assert await used(limiter) == 1
        keys = {key.rpartition(b":")[2]: key for key in await redis.keys()}
        numbers = list(struct.unpack(">8q", await redis.get(keys[b"state"])))
        an_hour_ahead = numbers[6] + 3600 * 10**6
        numbers[6:] = an_hour_ahead, an_hour_ahead + 600 * 10**6
        await redis.set(keys[b"state"], struct.pack(">8q", *numbers), px=60_000)
        await redis.zadd(keys[b"held"], {f"free:{age}": an_hour_ahead - age for age in range(30)})
        assert await used(limiter) == 0


async def test_a_clock_of_redis_that_is_set_back_holds_nothing_longer_than_a_lease_and_a_period(redis):
    async with limiter_of(redis, 1000, 60.0, lease=60.0) as limiter:
        (await limiter.acquire("bulk")).complete()
        assert await used(limiter) == 1
        keys = {key.rpartition(b":")[2]: key for key in await redis.keys()}
        hour = 3600 * 10**6
        numbers = list(struct.unpack(">8q", await redis.get(keys[b"state"])))
        await redis.set(keys[b"state"], struct.pack(">8q", *(each + hour for each in numbers)), px=60_000)
        for key in (keys[b"held"], keys[b"bulk"]):
            ((entry, free_at),) = await redis.zrange(key, 0, -1, withscores=True)
            await redis.zadd(key, {entry: free_at + hour})
        assert await used(limiter) == 1
        seconds, micros = await redis.time()
        for key in (keys[b"held"], keys[b"bulk"]):
            ((_, free_at),) = await redis.zrange(key, 0, -1, withscores=True)
            assert free_at <= seconds * 10**6 + micros + 1.06 * 120 * 10**6


async def test_what_is_free_is_cleared_away_in_time(redis):
    """Steps pass over it; once in a while one of them clears it away, so that a busy window does not grow."""
    async with limiter_of(redis, 1000, 0.01, lease=0.01) as limiter:
        await send(limiter)
        (held,) = [key for key in await redis.keys() if key.endswith(b":held")]
        sizes = [0]
        async with asyncio.timeout(60):
            while (size := await redis.zcard(held)) >= sizes[-1]:
                sizes.append(size)
                await send(limiter)
        assert size < max(sizes)


async def test_limits_tell_when_the_next_is_free(redis):
    async with limiters(redis, 2, 1) as (one, other):
        assert (await one.limits()).next_free == 0
        await send(one)
        async with waiting(one, "bulk", "interactive"):
            limits = await other.limits()
            assert (limits.used, limits.remaining, limits.paused) == (1, 0, 0)
            assert HOUR - 60 < limits.next_free <= 1.002 * HOUR
            assert (await one.limits()).waiting == {"interactive": 1, "bulk": 1}


# Who goes first.


async def test_within_a_process_who_comes_first_is_served_first(redis):
    order = []

    async def one(number: int) -> None:
        await send(limiter)
        order.append(number)

    async with limiter_of(redis, 2, 0.02) as limiter:
        await asyncio.gather(*map(one, range(8)))
    assert order == list(range(8))


async def test_interactive_goes_before_the_bulk_of_every_process(redis):
    order = []

    async def one(limiter: RedisLimiter, priority: Priority) -> None:
        await send(limiter, priority)
        order.append(priority)

    async with limiters(redis, 2, 1, 0.5) as (one_process, other):
        await send(other)
        bulk = [one(one_process, "bulk") for _ in range(2)]
        await asyncio.gather(*bulk, *[one(other, "interactive") for _ in range(2)])
    assert order == ["interactive"] * 2 + ["bulk"] * 2


async def test_bulk_is_evenly_spaced_over_all_processes(redis):
    async with limiters(redis, 2, 10, 1.0, 0.5) as both:
        moments = sorted(await asyncio.gather(*(send(both[turn % 2], "bulk") for turn in range(4))))
    # Each is spaced on the clock of Redis, and seen here a little later.
    assert moments[-1] - moments[0] >= 0.5


async def test_a_line_has_its_turn_and_the_others_theirs(redis):
    """What falls free at once is shared among those who wait for it."""
    served = [0, 0]

    async def one(index: int) -> None:
        permit = await both[index].acquire("interactive")
        served[index] += 1
        await asyncio.sleep(HOUR)
        permit.cancel()

    async with limiters(redis, 2, 40, 1.0) as both:
        permits = [await both[0].acquire("interactive") for _ in range(40)]
        tasks = [asyncio.create_task(one(index)) for index in (0, 1) for _ in range(60)]
        await asyncio.sleep(0.1)
        for permit in permits:
            permit.complete()
        while sum(served) < 40:  # noqa: ASYNC110  (whoever comes, in whatever order)
            await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert min(served) > 0


# A 429.


async def test_a_pause_is_seen_by_all(redis):
    async with limiters(redis, 2, period=1.0) as (one, other):
        began = time.monotonic()
        assert one.pause(0.3) == pytest.approx(0.3)
        await used(one)
        assert (await other.limits()).paused > 0
        assert await send(other) - began >= 0.3
        assert await send(one, "bulk") - began >= 0.3


async def test_a_pause_reaches_redis_at_once_and_nobody_gets_a_permit_from_then_on(redis):
    async with limiters(redis, 2, period=HOUR) as (one, other):
        one.pause(100)
        for _ in range(100):
            if (await other.limits()).paused:
                break
            await asyncio.sleep(0.01)
        assert (await other.limits()).paused


async def test_a_guess_of_one_is_doubled_by_another(redis):
    async with limiters(redis, 2, period=0.4) as (one, other):
        assert one.pause(None) == pytest.approx(0.1)
        await used(one)
        await send(other)
        assert other.pause(None) == pytest.approx(0.2)


# Who goes away.


async def test_a_cancelled_wait_gives_its_place_back(redis):
    async with limiters(redis, 2, 1) as (one, other):
        permit = await one.acquire("interactive")
        async with waiting(one, "interactive", "bulk"):
            await used(one)
        permit.cancel()
        await used(one)
        await asyncio.wait_for(send(other), 30)


@pytest.mark.parametrize("turns", range(8))
async def test_a_task_cancelled_at_any_turn_of_its_grant_gives_the_place_back(redis, turns):
    async with limiter_of(redis) as limiter:
        task = asyncio.create_task(limiter.acquire("interactive"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            (await task).cancel()
        assert await used(limiter) == 0


async def test_what_a_killed_worker_held_is_free_after_its_lease(redis):
    async with limiter_of(redis, 1, 0.2, lease=0.3) as other:
        dead = limiter_of(redis, 1, 0.2, lease=0.3)
        permit = await dead.acquire("interactive")
        killed(dead)
        permit.complete()
        await asyncio.wait_for(send(other), 30)


async def test_behind_a_killed_waiter_the_queue_goes_on(redis):
    async with limiter_of(redis, 1, 0.2) as other:
        await send(other)
        dead = limiter_of(redis, 1, 0.2)
        async with waiting(dead, "interactive"):
            await dead.limits()
            killed(dead)
            await asyncio.wait_for(send(other), 30)
            await asyncio.wait_for(send(other), 30)


async def test_without_anything_to_do_there_is_soon_neither_task_nor_timer(redis):
    async with limiter_of(redis, period=1.0, timeout=0.5) as limiter:
        before = len(asyncio.all_tasks())
        await asyncio.gather(send(limiter), send(limiter, "bulk"))
        for _ in range(3000):
            if not limiter._book.inbox and not timers():
                break
            await asyncio.sleep(0.01)  # Told a moment later; the timeout rings once.
        assert (timers(), len(asyncio.all_tasks())) == (0, before)


async def test_no_cancellation_is_lost_whenever_it_comes(server, redis):
    """What redis-py waits by loses one that comes as a wait ends, and whoever was cancelled would go on and send."""

    async def go_on(limiter: RedisLimiter) -> None:
        while True:
            (await limiter.acquire("interactive")).cancel()

    async with client_of(server, socket_timeout=30) as careful, limiter_of(careful, 10**6) as limiter:
        for number in range(60):
            tasks = [asyncio.create_task(go_on(limiter)) for _ in range(4)]
            await asyncio.sleep(number / 10_000)
            for task in tasks:
                task.cancel()
            assert not (await asyncio.wait(tasks, timeout=30))[1]


async def test_a_step_that_the_client_sends_again_by_itself_takes_no_permit_twice(own_server):
    """Redis did it, and its answer was lost on the way."""
    again = {"retry": Retry(NoBackoff(), 3), "retry_on_error": [RedisConnectionError]}
    async with (
        own_server.behind_a_proxy() as proxy,
        Redis(host="127.0.0.1", port=proxy.own_port, **again) as redis,
        limiter_of(redis, 4) as limiter,
    ):
        (await limiter.acquire("interactive")).cancel()
        assert await used(limiter) == 0
        proxy.lose = 2  # The first asks for one caller, the second for the other three.
        permits = await asyncio.wait_for(asyncio.gather(*(limiter.acquire("interactive") for _ in range(4))), 30)
        assert await used(limiter) == 4
        for permit in permits:
            permit.cancel()
        assert await used(limiter) == 0


async def test_closing_sends_away_who_waits(redis):
    limiter = limiter_of(redis, 1)
    await send(limiter)
    async with waiting(limiter, "interactive", "bulk") as tasks:
        await used(limiter)
        await limiter.aclose()
        assert {type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)} == {UsageError}
    assert await redis.ping()


# The server.


@pytest.mark.parametrize("priority", ["interactive", "bulk"])
def test_workers_that_hammer_one_window_keep_it(server, priority):
    jobs = [workers.Job(server.url, 50, priority), workers.Job(server.url, 50), workers.Job(server.url, 20)]
    served = workers.run_workers(*jobs)
    assert [len(counted) for counted in served] == [50, 50, 20]
    workers.assert_kept([moment for counted in served for moment in counted], workers.LIMIT, workers.PERIOD)


def test_a_worker_killed_with_all_permits_costs_no_more_than_its_lease(own_server):
    job = workers.Job(own_server.url, 3, limit=3, period=0.2)
    workers.run_and_kill(job)
    assert len(workers.hammer(job._replace(requests=5))) == 5


# When Redis goes away.


async def test_who_waits_goes_on_when_redis_is_back(own_server, caplog):
    async with client_of(own_server) as redis, limiter_of(redis, 2, 0.5) as limiter:
        permit = await limiter.acquire("interactive")
        own_server.stop()
        permit.complete()
        with caplog.at_level(logging.INFO, "cliniko_async"):
            task = asyncio.create_task(send(limiter))
            await asyncio.sleep(0.2)
            assert not task.done()
            with pytest.raises(LimiterUnavailableError, match="no connection to Redis: Connection refused"):
                await limiter.limits()
            own_server.start()
            await asyncio.wait_for(task, 30)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_what_was_sent_meanwhile_is_entered_when_redis_is_back(own_server):
    async with client_of(own_server) as redis, limiter_of(redis) as limiter:
        permits = [await limiter.acquire("interactive") for _ in range(3)]
        own_server.stop()
        for permit in permits:
            permit.complete()
        with pytest.raises(LimiterUnavailableError):
            await limiter.limits()
        own_server.start()
        assert await used(limiter) == 3


async def test_who_is_to_fail_fails_with_a_clear_error_until_redis_is_back(own_server):
    async with client_of(own_server) as redis, limiter_of(redis, when_lost="fail") as limiter:
        own_server.stop()
        for priority in ("interactive", "bulk"):
            with pytest.raises(LimiterUnavailableError, match="the limiter cannot be used: no connection to Redis"):
                await limiter.acquire(priority)
        own_server.start()
        await send(limiter)


async def test_a_redis_that_does_not_answer_is_lost(own_server):
    async with client_of(own_server) as redis, limiter_of(redis, when_lost="fail", timeout=1.0) as limiter:
        await send(limiter)
        with own_server.frozen(), pytest.raises(LimiterUnavailableError, match="Redis did not answer in time"):
            await limiter.acquire("interactive")
        permit = await eventually(limiter)
        permit.cancel()
        assert await used(limiter) == 1


async def eventually(limiter: RedisLimiter):
    """A permit, as soon as Redis answers in time."""
    for _ in range(100):
        with contextlib.suppress(LimiterUnavailableError):
            return await limiter.acquire("interactive")
    raise AssertionError("Redis did not come back")


async def test_who_has_a_share_sends_no_more_than_that_while_redis_is_away(own_server):
    options = {"when_lost": "share", "workers": 2}
    async with client_of(own_server) as redis, limiter_of(redis, 10, **options) as limiter:
        for _ in range(2):
            await send(limiter)
        assert await used(limiter) == 2
        own_server.stop()
        async with waiting(limiter, *["interactive"] * 8) as tasks:
            done, left = await asyncio.wait(tasks, timeout=1)
            # Five are its share, and two of them were sent before.
            assert (len(done), len(left)) == (3, 5)
            assert (await limiter.limits()).used == 5
            for task in done:
                task.result().complete()
            own_server.start()
            await asyncio.wait(tasks, timeout=30)
            assert all(task.done() for task in tasks)
            assert await used(limiter) == 8  # What Redis knew is lost, what was sent meanwhile is not.


async def test_what_is_in_flight_by_the_share_is_known_when_redis_is_back(own_server):
    options = {"when_lost": "share", "workers": 1}
    async with (
        client_of(own_server) as redis,
        limiter_of(redis, 3, **options) as limiter,
        limiter_of(redis, 3) as other,
    ):
        own_server.stop()
        limiter.pause(0.1)
        permits = [await limiter.acquire("interactive") for _ in range(3)]
        own_server.start()
        await until_used(other, 3)
        permits[0].abandon()
        permits[1].cancel()
        permits[2].complete()
        await until_used(other, 2)


async def test_a_limiter_may_be_closed_just_after_redis_came_back(own_server):
    options = {"when_lost": "share", "workers": 1}
    async with client_of(own_server) as redis, limiter_of(redis, **options) as limiter:
        own_server.stop()
        await send(limiter)
        own_server.start()
        line = next(iter(limiter._lines.values()))
        for _ in range(3000):
            if line._returning is not None:
                break
            line.tell()
            await asyncio.sleep(0.01)
        assert line._returning is not None
    assert line._returning is None


async def test_who_waited_for_a_share_that_ended_asks_redis(redis):
    class Ended:
        async def acquire(self, priority: Priority) -> None:
            """Redis is back."""

    async with limiter_of(redis) as limiter:
        assert await limiter._line().wait_alone("interactive", Ended()) is None


async def test_a_cancelled_wait_for_the_share_gives_its_place_back(own_server):
    options = {"when_lost": "share", "workers": 10}
    async with client_of(own_server) as redis, limiter_of(redis, 10, **options) as limiter:
        own_server.stop()
        permit = await limiter.acquire("interactive")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(limiter.acquire("interactive"), 0.05)
        permit.cancel()
        (await limiter.acquire("interactive")).cancel()


@pytest.mark.parametrize("command", ["FLUSHALL", "SCRIPT FLUSH"])
async def test_a_redis_that_forgets_is_told_anew(redis, command):
    async with limiter_of(redis) as limiter:
        permit = await limiter.acquire("interactive")
        await redis.execute_command(command)
        await send(limiter)
        permit.complete()
        assert await used(limiter) == 2


async def test_a_redis_that_refuses_the_client_is_not_waited_for(own_server):
    async with client_of(own_server) as redis:
        await redis.config_set("requirepass", "secret")
    for options in ({"password": "sesame"}, {"username": "nobody", "password": "sesame"}, {}):
        async with client_of(own_server, **options) as redis, limiter_of(redis) as limiter:
            with pytest.raises(LimiterUnavailableError, match="refused the user name or the password"):
                await limiter.acquire("interactive")


async def test_a_client_that_tries_again_by_itself_until_it_is_timed_out_hides_no_reason(own_server):
    async with client_of(own_server) as redis:
        await redis.config_set("requirepass", "secret")
    async with (
        Redis.from_url(own_server.url, password="wrong", retry=Retry(ConstantBackoff(0.2), 100)) as redis,
        limiter_of(redis, when_lost="fail", timeout=0.5) as limiter,
    ):
        with pytest.raises(LimiterUnavailableError, match="refused the user name or the password"):
            await limiter.acquire("interactive")


async def test_a_user_who_may_not_run_scripts_is_not_waited_for(own_server):
    async with client_of(own_server) as redis:
        await redis.execute_command("ACL", "SETUSER", "reader", "on", "nopass", "~*", "+@read", "+@connection")
    async with client_of(own_server, username="reader", password="any") as redis, limiter_of(redis) as limiter:
        with pytest.raises(LimiterUnavailableError, match="does not allow this user"):
            await limiter.acquire("interactive")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("-WRONGPASS invalid username-password pair or user is disabled.", "refused the user name or the password"),
        ("-NOAUTH Authentication required.", "refused the user name or the password"),
        ("-ERR wrong number of arguments for 'AUTH' command", "refused the form of the login"),
        ("-NOPERM User sesame has no permissions to run the 'evalsha' command", "does not allow this user"),
        ("-ERR unknown command `EVALSHA`, with args beginning with: `sesame`", "not know the command EVALSHA$"),
        ("-OOM command not allowed when used memory > 'maxmemory'.", "out of memory"),
        ("-READONLY You can't write against a read only replica.", "read-only"),
        ("-LOADING Redis is loading the dataset in memory", "still loading"),
        ("-MISCONF Redis is configured to save to /sesame", r"refused the command \(MISCONF\)$"),
        ("-sesame", r"refused the command \(no code\)$"),
        ("+sesame", "the Redis client raised ValueError$"),
        ("?", "the Redis client raised InvalidResponse$"),
        ("", "no connection to Redis: it was closed$"),
        (None, "did not answer in time$"),
    ],
    ids=str,
)
async def test_the_error_says_why_in_plain_words_without_address_or_secret(reply, reason):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            while await reader.read(4096) and reply != "":
                if reply is not None:
                    writer.write(reply.encode() + b"\r\n")

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with (
            Redis(host="127.0.0.1", port=port, retry=Retry(NoBackoff(), 0)) as redis,
            limiter_of(redis, when_lost="fail", timeout=0.5) as limiter,
        ):
            with pytest.raises(LimiterUnavailableError, match=reason) as caught:
                await limiter.acquire("interactive")
    shown = "".join(traceback.format_exception(caught.value))
    assert not [part for part in ("127.0.0.1", str(port), "sesame") if part in str(caught.value)]
    assert "127.0.0.1" not in shown
    assert "redis.exceptions" not in shown


@pytest.mark.parametrize(
    ("host", "options", "reason"),
    [
        ("127.0.0.1", {}, "no connection to Redis: Connection refused$"),
        ("localhost", {}, "no connection to Redis: Connection refused$"),
        ("no-such-host.invalid", {}, "no connection to Redis: .+$"),
    ],
)
async def test_without_a_connection_the_error_has_the_words_of_the_system(host, options, reason):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        async with (
            Redis(host=host, port=port, retry=Retry(NoBackoff(), 0), **options) as redis,
            limiter_of(redis, when_lost="fail") as limiter,
        ):
            with pytest.raises(LimiterUnavailableError, match=reason) as caught:
                await limiter.acquire("interactive")
    assert not [part for part in (host, str(port)) if part in str(caught.value)]


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        (None, "no connection to Redis: TLS failed: "),
        ("localhost", "no connection to Redis: certificate verify failed: (IP address|Hostname) mismatch$"),
    ],
)
async def test_a_certificate_that_is_not_accepted_is_named_without_the_host(certificate, reason, tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(certificate).configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            while await reader.read(4096):
                writer.write(b"-ERR this is not TLS\r\n")

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        tls = {"ssl": True, "ssl_ca_certs": str(tmp_path / "authority.pem")}
        async with (
            Redis(host="127.0.0.1", port=port, retry=Retry(NoBackoff(), 0), **tls) as redis,
            limiter_of(redis, when_lost="fail") as limiter,
        ):
            with pytest.raises(LimiterUnavailableError, match=reason) as caught:
                await limiter.acquire("interactive")
    assert "127.0.0.1" not in str(caught.value)


def test_a_forked_process_is_refused_closes_at_once_and_does_its_parent_no_harm(own_server):
    workers.fork_with(own_server.url)


# What cannot work.


def test_a_limiter_belongs_to_one_event_loop(server):
    async def client() -> None:
        await send(limiter)
        await redis.aclose()

    redis = client_of(server)
    limiter = limiter_of(redis, name="one loop")
    loop = asyncio.new_event_loop()
    loop.run_until_complete(client())
    with pytest.raises(UsageError, match="another event loop"):
        asyncio.run(limiter.limits())
    loop.close()


@pytest.mark.parametrize(
    "options",
    [{"name": ""}, {"timeout": 0}, {"when_lost": "hope"}, {"when_lost": "share"}, {"workers": 0}, {"workers": True}],
    ids=str,
)
async def test_options_that_cannot_work_are_refused(redis, options):
    with pytest.raises(ConfigurationError):
        limiter_of(redis, **options)


async def test_without_redis_the_error_names_the_extra(redis, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match=r"cliniko-async\[redis\]"):
        limiter_of(redis)


async def test_a_limiter_shows_its_options_and_no_name(redis):
    assert repr(limiter_of(redis, 20, 6)) == "RedisLimiter(limit=20, period=6, bulk_share=1)"
