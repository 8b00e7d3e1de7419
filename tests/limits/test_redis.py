"""The limiter of many machines, against a real Redis: one window, whoever dies, and whatever becomes of Redis."""

import asyncio
import contextlib
import logging
import re
import socket
import ssl
import sys
import time
import traceback
from collections.abc import AsyncIterator, Iterator

import pytest
import trustme
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from cliniko_async.errors import ConfigurationError, LimiterUnavailableError, UsageError
from cliniko_async.limits import Priority, RedisLimiter, Store
from cliniko_async.limits.redis import RedisStore
from tests.limits.conformance import StoreConformance
from tests.support import workers
from tests.support.for_each import for_each
from tests.support.limiting import waiting
from tests.support.redis_server import RedisServer

HOUR = 3600.0


class TestRedisStore(StoreConformance):
    @pytest.fixture(autouse=True)
    def _server(self, server: RedisServer) -> None:
        self.server = server

    @contextlib.asynccontextmanager
    async def connect(self, where: str) -> AsyncIterator[Store]:
        async with client_of(self.server) as redis:
            # Its one timer rings once after each timeout, whether or not anything was late.
            yield RedisStore(redis, where, 0.05)


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


# The key.


async def test_windows_of_other_names_are_apart_and_redis_sees_no_name(redis):
    async with limiter_of(redis, name="MS0xLWtlcHQ-au1") as one, limiter_of(redis, name="other") as other:
        await send(one)
        assert (await used(one), await used(other)) == (1, 0)
    assert not [key for key in await redis.keys() if b"MS0x" in key]


async def test_a_key_that_another_program_uses_is_named_in_the_error(redis):
    async with limiter_of(redis) as limiter:
        await send(limiter)
        await limiter.limits()
        (key,) = await redis.keys()
        await redis.set(key, "not ours")
        task = asyncio.create_task(limiter.acquire("interactive"))
        with pytest.raises(LimiterUnavailableError, match=r"Redis refused the command \(WRONGTYPE\)"):
            await limiter.limits()
        await redis.delete(key)
        (await asyncio.wait_for(task, 30)).cancel()


async def test_a_client_that_decodes_its_answers_does_as_well(server, redis):
    async with client_of(server, decode_responses=True) as decoding, limiter_of(decoding) as limiter:
        await send(limiter)
        assert await used(limiter) == 1


async def test_a_cluster_does_as_well():
    with RedisServer(cluster=True) as server:
        async with (
            RedisCluster(host="127.0.0.1", port=server.port) as cluster,
            limiter_of(cluster) as one,
            limiter_of(cluster) as other,
        ):
            await send(one, "bulk")
            await one.limits()
            assert await used(other) == 1


async def test_every_key_ends_by_itself(redis):
    async with limiters(redis, 2, 1) as (one, other):
        await send(one, "bulk")
        async with waiting(one, "interactive"), waiting(other, "bulk"):
            await asyncio.gather(one.limits(), other.limits())
            keys = await redis.keys()
            assert len(keys) == 1
            assert HOUR * 1000 < await redis.pttl(keys[0]) < 4 * HOUR * 1000


# What redis-py does by itself.


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


async def test_waiting_callers_are_served_when_redis_is_back(own_server, caplog):
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


async def test_with_fail_callers_fail_with_a_clear_error_until_redis_is_back(own_server):
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


async def test_a_process_sends_no_more_than_its_share_while_redis_is_unavailable(own_server):
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


async def test_a_redis_that_is_full_is_waited_for_until_there_is_room(own_server):
    async with client_of(own_server) as redis, limiter_of(redis, 2) as limiter:
        await send(limiter)
        await redis.config_set("maxmemory-policy", "noeviction")
        await redis.config_set("maxmemory", 1)
        task = asyncio.create_task(send(limiter))
        with pytest.raises(LimiterUnavailableError, match="Redis is out of memory"):
            await limiter.limits()
        assert not task.done()
        await redis.config_set("maxmemory", 0)
        await asyncio.wait_for(task, 30)
        assert await used(limiter) == 2


async def test_a_redis_that_became_a_replica_is_waited_for_until_it_is_a_primary_again(own_server):
    async with client_of(own_server) as redis, limiter_of(redis, 2) as limiter:
        await send(limiter)
        await redis.execute_command("REPLICAOF", "127.0.0.1", "1")
        task = asyncio.create_task(send(limiter))
        with pytest.raises(LimiterUnavailableError, match="Redis is read-only"):
            await limiter.limits()
        assert not task.done()
        await redis.execute_command("REPLICAOF", "NO", "ONE")
        await asyncio.wait_for(task, 30)
        assert await used(limiter) == 2


async def test_a_slow_redis_takes_no_permit_twice(own_server):
    """It does a step after the limiter has given up on its reply, so that the step is sent again."""
    async with client_of(own_server) as redis, limiter_of(redis, 4, timeout=0.2) as limiter:
        (await limiter.acquire("interactive")).cancel()
        await used(limiter)
        for _ in range(2):
            with own_server.frozen():
                task = asyncio.create_task(limiter.acquire("interactive"))
                await asyncio.sleep(0.5)
            await asyncio.wait_for(task, 30)
        # The permit of the first wait was dropped, and counts as given up.
        assert await used(limiter) == 2
        task.result().cancel()
        assert await used(limiter) == 1


@pytest.mark.parametrize("command", ["FLUSHALL", "SCRIPT FLUSH"])
async def test_after_redis_lost_its_data_the_window_is_stored_again(redis, command):
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


@for_each(
    "reply, reason",
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
        ("?", "the Redis client raised InvalidResponse$"),
        ("", "no connection to Redis: it was closed$"),
        (None, "did not answer in time$"),
    ],
    ids=str,
)
async def test_the_error_says_why_in_plain_words_without_address_or_secret(reply, reason):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            while (data := await reader.read(4096)) and reply != "":
                if reply is not None:
                    # Some versions of the client greet with several commands at once.
                    writer.write((reply.encode() + b"\r\n") * len(re.findall(rb"(?:^|\r\n)\*\d+\r\n", data)))

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
        tls = {"ssl": True, "ssl_check_hostname": True, "ssl_ca_certs": str(tmp_path / "authority.pem")}
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


@for_each(
    "options",
    [
        {"name": ""},
        {"timeout": 0},
        {"when_lost": "hope"},
        {"when_lost": "share"},
        {"when_lost": "share", "workers": 11},  # Each would have one, and all together more than ten.
        {"workers": 0},
        {"workers": 1.5},
        {"workers": True},
    ],
    ids=str,
)
async def test_options_that_cannot_work_are_refused(redis, options):
    with pytest.raises(ConfigurationError):
        limiter_of(redis, **options)


async def test_without_redis_the_error_names_the_extra(redis, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImportError, match=r'pip install "cliniko-async\[redis\]"'):
        limiter_of(redis)


async def test_a_limiter_shows_its_options_and_no_name(redis):
    assert repr(limiter_of(redis, 20, 6)) == "RedisLimiter(limit=20, period=6, bulk_share=1)"
