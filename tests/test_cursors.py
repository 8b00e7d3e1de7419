"""Where the cursors of accounts are kept: the last run that was begun goes on, and no other."""

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from cliniko_async import ConfigurationError, UsageError
from cliniko_async.integrations.cursors import RedisCursors
from tests.support.redis_server import RedisServer


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(params=[False, True], ids=["bytes", "text"])
async def redis(server: RedisServer, request: pytest.FixtureRequest) -> AsyncIterator[Redis]:
    async with Redis.from_url(server.url, decode_responses=request.param) as redis:
        await redis.flushall()
        yield redis


@pytest.fixture
def cursors(redis: Redis) -> RedisCursors:
    return RedisCursors(redis, name="nightly")


async def test_the_next_run_begins_where_the_last_one_saved(cursors: RedisCursors):
    token, cursor = await cursors.begin("north")
    assert cursor is None
    await cursors.save("north", token, "one")
    await cursors.save("north", token, "two")
    assert (await cursors.begin("north"))[1] == "two"


async def test_each_run_has_a_larger_token_than_any_before(cursors: RedisCursors):
    tokens = [(await cursors.begin("north"))[0] for _ in range(5)]
    assert tokens == sorted(set(tokens))


async def test_a_run_that_was_taken_over_can_save_no_more(cursors: RedisCursors):
    old, _ = await cursors.begin("north")
    new, _ = await cursors.begin("north")
    await cursors.save("north", new, "new")
    with pytest.raises(UsageError, match="taken over"):
        await cursors.save("north", old, "old")
    assert (await cursors.begin("north"))[1] == "new"


async def test_accounts_and_jobs_have_cursors_of_their_own(redis: Redis, cursors: RedisCursors):
    token, _ = await cursors.begin("north")
    await cursors.save("north", token, "here")
    assert await cursors.begin("south") == (1, None)
    assert await RedisCursors(redis, name="weekly").begin("north") == (1, None)


async def test_what_was_cleared_starts_over_and_a_run_from_before_can_save_no_more(cursors: RedisCursors):
    before, _ = await cursors.begin("north")
    await cursors.save("north", before, "here")
    await cursors.clear("north")
    with pytest.raises(UsageError):
        await cursors.save("north", before, "there")
    after, cursor = await cursors.begin("north")
    assert cursor is None
    assert after > before


async def test_a_run_that_nobody_began_can_save_nothing(cursors: RedisCursors):
    with pytest.raises(UsageError):
        await cursors.save("north", 1, "here")


async def test_redis_sees_digests_of_the_names_and_forgets_nothing_on_its_own(redis: Redis, cursors: RedisCursors):
    token, _ = await cursors.begin("North Road Clinic")
    await cursors.save("North Road Clinic", token, "here")
    (key,) = await redis.keys()
    assert "North" not in str(key)
    assert "nightly" not in str(key)
    assert await redis.ttl(key) == -1


def test_cursors_without_a_name_are_refused():
    with pytest.raises(ConfigurationError):
        RedisCursors(Redis(), name="")
