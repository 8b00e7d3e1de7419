"""Cursors in Redis, for several machines."""

import asyncio
import hashlib
import importlib
import logging
import secrets
from typing import TYPE_CHECKING, Any, Literal

from .._backoff import retry_delays
from .._checks import seconds_option
from .._compat import heed_cancellation
from .._frames import HiddenLocals
from .._redis import outage
from .._timeouts import Timeouts
from ..errors import ConfigurationError
from ._base import Cursors, StateUpdate, StreamState

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster
else:
    # For code that evaluates annotations at run time: redis may not be installed.
    Redis = RedisCluster = Any

logger = logging.getLogger("cliniko_async")

_FIRST_RETRY = 0.05
_LONGEST_RETRY = 2.0

# It uses one key, so that it also runs on Redis Cluster. A step that is sent again because its reply was lost is
# recognised by its writer. A step that Redis executes late finds a different revision and does nothing.
_WRITE = """
local kept = redis.call('HMGET', KEYS[1], 'revision', 'writer')
if (kept[1] or '0') ~= ARGV[1] then return kept[2] == ARGV[2] and 1 or 0 end
redis.call('HSET', KEYS[1], 'revision', ARGV[1] + 1, 'writer', ARGV[2], 'token', ARGV[3])
if ARGV[4] then redis.call('HSET', KEYS[1], 'cursor', ARGV[4]) else redis.call('HDEL', KEYS[1], 'cursor') end
return 1
"""


class RedisCursors(Cursors):
    """A cursor store in Redis, for several machines.

    Each account and stream is one hash, whose key is a digest of the two names. Entries never expire. They are as
    durable as your Redis, which must not evict keys.

    Args:
        redis: A client of redis-py. It is used, but never changed or closed.
        when_lost: What a call does while Redis cannot be reached: "wait" until it can, or "fail" with the error of
            redis-py. A refused password or a missing permission fails immediately.
        timeout: Seconds to wait for a response before Redis counts as unreachable.

    Raises:
        ConfigurationError: An option is not valid.
        ImportError: The extra `redis` is not installed.
    """

    def __init__(
        self,
        redis: "Redis | RedisCluster",
        *,
        when_lost: Literal["wait", "fail"] = "wait",
        timeout: float = 2.0,
    ) -> None:
        if when_lost not in ("wait", "fail"):
            raise ConfigurationError('when_lost must be "wait" or "fail"')
        self._redis: Any = redis
        self._when_lost = when_lost
        self._timeouts = Timeouts(seconds_option("timeout", timeout))
        _require_redis()
        self._is_lost = False

    async def _read(self, account: str, stream: str) -> StreamState:
        return (await self._kept(_key(account, stream)))[1]

    async def _change(self, account: str, stream: str, change: StateUpdate) -> StreamState:
        key, writer = _key(account, stream), secrets.token_hex(8)
        while True:
            revision, before = await self._kept(key)
            after = change(before)
            cursor = () if after.cursor is None else (after.cursor,)
            if await self._run("EVAL", _WRITE, 1, key, revision, writer, after.token, *cursor):
                return after

    async def _kept(self, key: str) -> tuple[int, StreamState]:
        revision, token, cursor = await self._run("HMGET", key, "revision", "token", "cursor")
        return int(revision or 0), StreamState(
            int(token or 0), cursor.decode() if isinstance(cursor, bytes) else cursor
        )

    async def _run(self, *command: str | int) -> Any:  # noqa: ANN401  (it depends on the command)
        delays = retry_delays(_FIRST_RETRY, _LONGEST_RETRY)
        while True:
            try:
                with HiddenLocals():  # Frames of redis-py hold the password.
                    reply = await heed_cancellation(self._timeouts.bound(self._redis.execute_command(*command)))
            except Exception as error:
                found = outage(error)
                if found is not None and found.lasting:
                    raise found.cause from None
                if found is None or self._when_lost == "fail":
                    raise
                self._note(error)
            else:
                self._note(None)
                return reply
            await asyncio.sleep(next(delays))

    def _note(self, error: Exception | None) -> None:
        """Log once that Redis is lost and once that it is back, however many calls wait for it."""
        if error is not None and not self._is_lost:
            # The text of the error may name the server.
            logger.warning("the cursor store cannot be used: Redis: %s", type(error).__name__)
        elif error is None and self._is_lost:
            logger.info("the cursor store can be used again")
        self._is_lost = error is not None


def _key(account: str, stream: str) -> str:
    return f"cliniko_async:cursor:{_digest(account)}:{_digest(stream)}"


def _digest(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def _require_redis() -> None:
    try:
        importlib.import_module("redis")
    except ImportError as error:
        raise ImportError('RedisCursors needs redis: pip install "cliniko-async[redis]"') from error
