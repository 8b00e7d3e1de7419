"""Cursor stores: the run that began last continues, and no other run can save."""

import asyncio
import contextlib
import logging
import sqlite3
import subprocess
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from cliniko_async import ConfigurationError, UsageError
from cliniko_async.cursors import CursorStore, FencedCursorStore, RedisCursors, SqliteCursors
from tests.support.for_each import for_each
from tests.support.redis_server import RedisServer

SOON = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@contextlib.asynccontextmanager
async def redis_of(port: int, **options: Any) -> AsyncIterator[Redis]:
    async with Redis.from_url(f"redis://127.0.0.1:{port}", **options) as redis:
        yield redis


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    async with redis_of(server.port) as redis:
        await redis.flushall()
        yield redis


@pytest.fixture
def in_redis(redis: Redis) -> RedisCursors:
    return RedisCursors(redis)


@pytest.fixture
def in_a_file(tmp_path: Path) -> SqliteCursors:
    return SqliteCursors(tmp_path / "cursors.sqlite")


@pytest.fixture(params=["file", "redis", "redis of texts"])
async def cursors(
    request: pytest.FixtureRequest, server: RedisServer, redis: Redis, in_a_file: SqliteCursors
) -> AsyncIterator[SqliteCursors | RedisCursors]:
    async with redis_of(server.port, decode_responses=True) as of_texts:
        stores = {"file": in_a_file, "redis": RedisCursors(redis), "redis of texts": RedisCursors(of_texts)}
        yield stores[request.param]


async def test_the_cursor_that_was_saved_last_is_loaded(cursors: CursorStore):
    assert await cursors.load("north", "patients") is None
    await cursors.save("north", "patients", "one")
    await cursors.save("north", "patients", "")
    assert await cursors.load("north", "patients") == ""
    await cursors.save("north", "patients", "two")
    assert await cursors.load("north", "patients") == "two"


async def test_the_next_run_begins_where_the_last_one_saved(cursors: FencedCursorStore):
    token, cursor = await cursors.begin("north", "patients")
    assert cursor is None
    await cursors.save("north", "patients", "one", token=token)
    await cursors.save("north", "patients", "two", token=token)
    assert (await cursors.begin("north", "patients"))[1] == "two"


async def test_each_run_has_a_larger_token_than_any_before(cursors: FencedCursorStore):
    begun = await asyncio.gather(*(cursors.begin("north", "patients") for _ in range(8)))
    assert sorted(token for token, _ in begun) == list(range(1, 9))
    assert (await cursors.begin("north", "patients"))[0] == 9


async def test_a_run_that_was_taken_over_can_no_longer_save(cursors: FencedCursorStore):
    old, _ = await cursors.begin("north", "patients")
    new, _ = await cursors.begin("north", "patients")
    await cursors.save("north", "patients", "new", token=new)
    with pytest.raises(UsageError, match="a later run was begun"):
        await cursors.save("north", "patients", "old", token=old)
    assert await cursors.load("north", "patients") == "new"


async def test_a_run_may_save_without_a_token(cursors: FencedCursorStore):
    token, _ = await cursors.begin("north", "patients")
    await cursors.save("north", "patients", "by hand")
    await cursors.save("north", "patients", "by the run", token=token)
    assert await cursors.load("north", "patients") == "by the run"


async def test_each_account_and_stream_has_its_own_cursor(cursors: FencedCursorStore):
    token, _ = await cursors.begin("north", "patients")
    await cursors.save("north", "patients", "here", token=token)
    assert await cursors.begin("south", "patients") == (1, None)
    assert await cursors.begin("north", "invoices") == (1, None)


async def test_a_cleared_cursor_starts_over_and_an_earlier_run_can_no_longer_save(cursors: Any):
    before, _ = await cursors.begin("north", "patients")
    await cursors.save("north", "patients", "here", token=before)
    await cursors.clear("north", "patients")
    with pytest.raises(UsageError, match="or the cursor was cleared"):
        await cursors.save("north", "patients", "there", token=before)
    after, cursor = await cursors.begin("north", "patients")
    assert cursor is None
    assert after > before


async def test_losing_the_data_of_a_store_is_not_reported_as_a_takeover(cursors: FencedCursorStore):
    with pytest.raises(UsageError, match="lost its data"):
        await cursors.save("north", "patients", "here", token=1)
    assert await cursors.load("north", "patients") is None


# In a file.


def rows_of(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as file:
        return [each for (each,) in file.execute("SELECT id FROM rows")]


def adding(*ids: str) -> Callable[[sqlite3.Connection], None]:
    def write(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS rows (id TEXT)")
        connection.executemany("INSERT INTO rows VALUES (?)", [(each,) for each in ids])

    return write


async def test_rows_and_cursor_are_saved_together(in_a_file: SqliteCursors, tmp_path: Path):
    token, _ = await in_a_file.begin("north", "patients")
    await in_a_file.save("north", "patients", "one", token=token, write=adding("1", "2"))
    assert rows_of(tmp_path / "cursors.sqlite") == ["1", "2"]
    assert await in_a_file.load("north", "patients") == "one"


async def test_rows_that_cannot_be_written_leave_the_cursor_where_it_was(in_a_file: SqliteCursors, tmp_path: Path):
    await in_a_file.save("north", "patients", "one", write=adding("1"))

    def fail(connection: sqlite3.Connection) -> None:
        adding("2")(connection)
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        await in_a_file.save("north", "patients", "two", write=fail)
    assert rows_of(tmp_path / "cursors.sqlite") == ["1"]
    assert await in_a_file.load("north", "patients") == "one"


async def test_a_run_that_was_taken_over_writes_no_rows(in_a_file: SqliteCursors, tmp_path: Path):
    old, _ = await in_a_file.begin("north", "patients")
    new, _ = await in_a_file.begin("north", "patients")
    await in_a_file.save("north", "patients", "one", token=new, write=adding("1"))
    with pytest.raises(UsageError):
        await in_a_file.save("north", "patients", "one", token=old, write=adding("1"))
    assert rows_of(tmp_path / "cursors.sqlite") == ["1"]


async def test_rows_that_are_committed_on_their_own_are_an_error(in_a_file: SqliteCursors):
    with pytest.raises(UsageError, match="ended the transaction"):
        await in_a_file.save("north", "patients", "one", write=lambda connection: connection.execute("COMMIT"))
    assert await in_a_file.load("north", "patients") is None


async def test_a_save_that_is_cancelled_has_ended_when_the_cancellation_arrives(
    in_a_file: SqliteCursors, tmp_path: Path
):
    """Even if it is cancelled repeatedly: nothing is written after the next run has begun."""
    inside, go_on = threading.Event(), threading.Event()

    def write(connection: sqlite3.Connection) -> None:
        inside.set()
        go_on.wait(SOON)
        adding("1")(connection)

    saving = asyncio.create_task(in_a_file.save("north", "patients", "one", write=write))
    await asyncio.to_thread(inside.wait, SOON)
    for _ in range(3):
        saving.cancel()
        await asyncio.sleep(0.01)
        assert not saving.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert rows_of(tmp_path / "cursors.sqlite") == ["1"]
    assert await in_a_file.load("north", "patients") == "one"


async def test_a_save_that_fails_after_it_was_cancelled_is_reported_as_cancelled(in_a_file: SqliteCursors):
    inside, go_on = threading.Event(), threading.Event()

    def write(connection: sqlite3.Connection) -> None:
        inside.set()
        go_on.wait(SOON)
        raise OSError("full")

    saving = asyncio.create_task(in_a_file.save("north", "patients", "one", write=write))
    await asyncio.to_thread(inside.wait, SOON)
    saving.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await saving


HAMMER = """
import asyncio, sys
from tests.support.for_each import for_each
from cliniko_async.cursors import SqliteCursors

async def main():
    cursors = SqliteCursors(sys.argv[1], timeout=60)
    for _ in range(20):
        print((await cursors.begin("north", "patients"))[0])

asyncio.run(main())
"""


def test_processes_that_share_a_file_get_different_tokens(tmp_path: Path):
    command = [sys.executable, "-c", HAMMER, str(tmp_path / "cursors.sqlite")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") for _ in range(3)]
    tokens = [int(line) for process in started for line in process.communicate(timeout=SOON)[0].split()]
    assert sorted(tokens) == list(range(1, 61))


@pytest.mark.parametrize("path", ["", ":memory:"])
def test_a_path_that_is_not_a_file_is_refused(path: str):
    with pytest.raises(ConfigurationError, match="path must be a file"):
        SqliteCursors(path)


# In Redis.


async def test_redis_stores_digests_of_the_names_and_no_entry_expires(redis: Redis, in_redis: RedisCursors):
    token, _ = await in_redis.begin("North Road Clinic", "nightly")
    await in_redis.save("North Road Clinic", "nightly", "here", token=token)
    (key,) = await redis.keys()
    assert "North" not in str(key)
    assert "nightly" not in str(key)
    assert await redis.ttl(key) == -1


async def test_a_call_waits_for_a_redis_that_is_lost_and_logs_it_once(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "cliniko_async")
    with RedisServer() as server:
        async with redis_of(server.port) as redis:
            cursors = RedisCursors(redis)
            token, _ = await cursors.begin("north", "patients")
            server.stop()
            calls = [
                cursors.load("north", "patients"),
                cursors.begin("south", "patients"),
                cursors.save("west", "patients", "here"),
            ]
            waiting = [asyncio.ensure_future(call) for call in calls]
            await asyncio.sleep(0.3)
            assert not any(task.done() for task in waiting)
            server.start()
            assert await asyncio.wait_for(asyncio.gather(*waiting), SOON) == [None, (1, None), None]
            # It came back empty, which does not mean that a later run has begun.
            with pytest.raises(UsageError, match="lost its data"):
                await cursors.save("north", "patients", "here", token=token)
    said = [each.getMessage() for each in caplog.records]
    assert said == ["the cursor store cannot be used: Redis: ConnectionError", "the cursor store can be used again"]


async def test_a_redis_that_does_not_answer_counts_as_lost():
    with RedisServer() as server:
        async with redis_of(server.port) as redis:
            cursors = RedisCursors(redis, timeout=0.05)
            with server.frozen():
                waiting = asyncio.ensure_future(cursors.begin("north", "patients"))
                await asyncio.sleep(0.3)
                assert not waiting.done()
                with pytest.raises(TimeoutError):
                    await RedisCursors(redis, when_lost="fail", timeout=0.05).load("north", "patients")
            # The frozen Redis executes the step late, and only once.
            token, _ = await asyncio.wait_for(waiting, SOON)
            assert token == 1
            await cursors.save("north", "patients", "here", token=token)


async def test_a_wait_for_redis_can_be_cancelled():
    with RedisServer() as server:
        async with redis_of(server.port) as redis:
            server.stop()
            waiting = asyncio.ensure_future(RedisCursors(redis).load("north", "patients"))
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting


async def test_with_fail_the_error_of_redis_py_is_raised():
    with RedisServer() as server:
        async with redis_of(server.port) as redis:
            server.stop()
            with pytest.raises(exceptions.ConnectionError):
                await RedisCursors(redis, when_lost="fail").load("north", "patients")


async def test_a_refused_password_fails_immediately():
    with RedisServer() as server:
        async with redis_of(server.port) as redis:
            await redis.config_set("requirepass", "sesame")
        async with redis_of(server.port, password="wrong") as redis:
            with pytest.raises(exceptions.AuthenticationError):
                await asyncio.wait_for(RedisCursors(redis).begin("north", "patients"), SOON)


async def test_a_redis_client_with_retries_of_its_own_hides_no_refusal_and_shows_no_password():
    with RedisServer() as server:
        async with redis_of(server.port) as redis:
            await redis.config_set("requirepass", "sesame")
        retry = Retry(ConstantBackoff(0.2), 100)
        async with redis_of(server.port, password="not-it", retry=retry) as redis:
            with pytest.raises(exceptions.AuthenticationError) as caught:
                await asyncio.wait_for(RedisCursors(redis, timeout=0.5).begin("north", "patients"), SOON)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    assert not [frame.name for frame in frames if "not-it" in str(frame.locals)]


async def test_a_step_whose_reply_is_lost_is_performed_once(server: RedisServer):
    """Whichever reply is lost, the second try finds that the step was performed."""
    async with redis_of(server.port) as redis:
        await redis.flushall()
    for number in range(1, 5):
        async with server.behind_a_proxy() as proxy, redis_of(proxy.own_port, retry=None) as redis:
            await redis.ping()
            cursors, account = RedisCursors(redis), f"account {number}"
            proxy.lose = number
            token, _ = await cursors.begin(account, "patients")
            await cursors.save(account, "patients", "here", token=token)
            assert (token, await cursors.load(account, "patients")) == (1, "here")


class Late:
    """A client of Redis whose first write is lost, and executed late when the test says so."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.late: Callable[[], Awaitable[Any]] | None = None

    async def execute_command(self, *command: Any) -> Any:
        if command[0] == "EVAL" and self.late is None:
            self.late = lambda: self._redis.execute_command(*command)
            raise exceptions.TimeoutError
        return await self._redis.execute_command(*command)


async def test_a_step_that_redis_executes_late_changes_nothing(redis: Redis):
    """The cursor does not go back, and the error does not say that a later run took over."""
    cursors = RedisCursors(redis)
    late = Late(redis)
    token, _ = await RedisCursors(late).begin("north", "patients")
    newer, _ = await cursors.begin("north", "patients")
    await late.late()
    await cursors.save("north", "patients", "one", token=newer)
    slow = Late(redis)
    await RedisCursors(slow).save("north", "patients", "two", token=newer)
    await cursors.save("north", "patients", "three", token=newer)
    await slow.late()
    assert (token, await cursors.load("north", "patients")) == (1, "three")


@for_each(
    "options", [{"when_lost": "share"}, {"timeout": 0}, {"timeout": True}, {"timeout": "2"}, {"timeout": float("inf")}]
)
def test_invalid_options_are_refused(options):
    with pytest.raises(ConfigurationError):
        RedisCursors(Redis(), **options)


def test_the_stores_are_imported_without_redis_and_name_the_extra_to_install(monkeypatch: pytest.MonkeyPatch):
    code = "import cliniko_async.cursors, sys; print('redis' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], encoding="utf-8").strip() == "False"
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImportError, match=r'pip install "cliniko-async\[redis\]"'):
        RedisCursors(object())
