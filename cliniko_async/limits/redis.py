"""The limiter for workers on many machines, whose window is kept in Redis."""

import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._checks import seconds_option
from .._redis import RedisLostError, ScriptRunner
from .base import BULK_SHARE, LIMIT, PERIOD, WhenLost, check
from .shared import LEASE, SharedLimiter
from .store import StateChange, StepReply, StoreLostError, digest

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster
else:
    # For code that evaluates annotations at run time: redis may not be installed.
    Redis = RedisCluster = Any

# Both scripts use one key, so that they also run on a cluster. It is a hash of the value and a version that is unique
# to each write.
_READ = """
local found = redis.call('HMGET', KEYS[1], 'value', 'version')
return {found[1] or '', found[2] or '', redis.call('TIME')}
"""
_WRITE = """
local found = redis.call('HMGET', KEYS[1], 'value', 'version')
if (found[2] or '') ~= ARGV[1] then return {found[1] or '', found[2] or '', redis.call('TIME')} end
redis.call('HSET', KEYS[1], 'value', ARGV[3], 'version', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
"""


class RedisLimiter(SharedLimiter):
    """At most `limit` requests in any `period`, for all workers whose limiter has the same Redis and the same `name`.

    Pass it to a client as `rate_limiter`. Use it as `async with RedisLimiter(...) as limiter`, or call `aclose()` at
    the end. Requests sent while Redis was unavailable are reported when it is back. If Redis has lost its data by then,
    a 429 may follow. The limiter belongs to the event loop of its Redis client.
    """

    def __init__(
        self,
        redis: "Redis | RedisCluster",
        limit: int = LIMIT,
        period: float = PERIOD,
        bulk_share: float = BULK_SHARE,
        *,
        name: str,
        when_lost: WhenLost = "wait",
        workers: int | None = None,
        lease: float = LEASE,
        timeout: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create with a Redis client, which is neither changed nor closed.

        Args:
            redis: A client of redis-py.
            limit: The largest number of requests in a period.
            period: The length of the window in seconds.
            bulk_share: The largest share of the window for bulk requests, above 0 and at most 1.
            name: Your name for the Cliniko user whose limit it is. Only a digest of it is stored in Redis.
            when_lost: What to do while Redis is unavailable: `"wait"` until it is back, `"fail"` with a
                `LimiterUnavailableError`, or grant this process's `"share"` of the window, `limit // workers`.
            workers: The number of processes that share the window; needed for `"share"`, at most `limit`.
            lease: The longest, in seconds, that a request is in flight; more than the client's `timeout`. What a
                worker that died had is free a lease and a period after it was granted.
            timeout: Seconds to wait for a reply before Redis counts as unavailable.
            clock: Returns the time of this process in seconds.

        Raises:
            ConfigurationError: An option is not valid.
            ImportError: The extra `redis` is not installed.
        """
        check(name, "name must say whose budget it is")
        super().__init__(
            RedisStore(redis, digest(name), seconds_option("timeout", timeout)),
            limit,
            period,
            bulk_share,
            lease=lease,
            when_lost=when_lost,
            workers=workers,
            one_loop=True,
            clock=clock,
        )


class RedisStore:
    """A store that keeps the window in one key of Redis."""

    def __init__(self, redis: "Redis | RedisCluster", name: str, timeout: float) -> None:
        try:
            self._scripts = ScriptRunner(redis, timeout)
        except ImportError as error:
            raise ImportError('RedisLimiter needs redis: pip install "cliniko-async[redis]"') from error
        self._key = f"cliniko_async:window:{name}"

    async def update(self, change: StateChange) -> StepReply:
        """Change the value; start again whenever another process has changed its version meanwhile."""
        found = await self._run(_READ)
        while True:
            value, version, (seconds, micros) = found
            changed = change(value, int(seconds) + int(micros) / 1e6)
            milliseconds = int(changed.useful_for * 1000) + 1
            found = await self._run(_WRITE, version, secrets.token_bytes(8), changed.value, milliseconds)
            if found is None:
                return changed.reply

    async def close(self) -> None:
        """Do nothing: the client belongs to the caller."""

    async def _run(self, script: str, *arguments: bytes | int) -> Any:  # noqa: ANN401  (it depends on the script)
        try:
            return await self._scripts.run(script, self._key, *arguments)
        except RedisLostError as error:
            raise StoreLostError(str(error), lasting=error.lasting) from None
