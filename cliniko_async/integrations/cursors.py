"""Where the cursors of accounts are kept, so that whoever takes an account over goes on where the last one was."""

import hashlib
from typing import TYPE_CHECKING, Any, Protocol

from .. import ConfigurationError, UsageError
from .._compat import heed_cancellation

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

# Both scripts touch one key, so that they run on a cluster of Redis too.
_BEGIN = """
return {redis.call('HINCRBY', KEYS[1], 'token', 1), redis.call('HGET', KEYS[1], 'cursor')}
"""
_SAVE = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'cursor', ARGV[2])
return 1
"""
# The token stays: were it to begin anew, a run from before could be taken for one from after.
_CLEAR = """
redis.call('HINCRBY', KEYS[1], 'token', 1)
redis.call('HDEL', KEYS[1], 'cursor')
"""


class CursorStore(Protocol):
    """Keeps one cursor for each account, and lets only the last run that was begun change it."""

    async def begin(self, account: str) -> tuple[int, str | None]:
        """Begin a run: give its token, larger than any given before, and the cursor where it goes on, if there is one.

        From now on the cursor can be saved with this token alone.
        """
        ...

    async def save(self, account: str, token: int, cursor: str) -> None:
        """Keep the cursor of a run.

        Raises:
            UsageError: a later run was begun.
        """
        ...


class RedisCursors:
    """Cursors in Redis, under a hash for each account; `name` stands for the job whose cursors they are.

    They live as long as Redis keeps its data and are never removed on their own. Redis sees digests of the names.
    Errors of Redis come as redis-py raises them.
    """

    def __init__(self, redis: "Redis | RedisCluster", *, name: str) -> None:
        """Take a client of Redis, which is used, not changed and never closed.

        Raises:
            ConfigurationError: the name is empty.
        """
        if not name:
            raise ConfigurationError("name is what the job is called whose cursors these are")
        self._redis: Any = redis
        self._prefix = f"cliniko_async:cursor:{_digest(name)}"

    async def begin(self, account: str) -> tuple[int, str | None]:
        """Begin a run: give its token, and the cursor of the last that was saved."""
        token, cursor = await self._run(_BEGIN, account)
        return int(token), cursor.decode() if isinstance(cursor, bytes) else cursor

    async def save(self, account: str, token: int, cursor: str) -> None:
        """Keep the cursor of a run.

        Raises:
            UsageError: a later run was begun, or the account was cleared.
        """
        if not await self._run(_SAVE, account, token, cursor):
            raise UsageError("the account was taken over: a later run of it was begun")

    async def clear(self, account: str) -> None:
        """Forget the cursor, so that the next run starts over; one that is under way can save no more."""
        await self._run(_CLEAR, account)

    async def _run(self, script: str, account: str, *arguments: int | str) -> Any:  # noqa: ANN401  (as the script ends)
        key = f"{self._prefix}:{_digest(account)}"
        return await heed_cancellation(self._redis.eval(script, 1, key, *arguments))


def _digest(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
