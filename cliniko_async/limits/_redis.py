"""The limiter for workers on many machines, whose window is kept in Redis."""

import hashlib
import math
import struct
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._compat import heed_cancellation
from .._timeouts import Timeouts
from ..errors import ConfigurationError, UsageError
from ._interface import Wait
from ._line import WhenLost
from ._redis_errors import store_lost
from ._script import SCRIPT
from ._store import Answer, Note, Pause, Rules, Step, Turn, check_seconds, digest
from ._stored import LEASE, Options, StoredLimiter
from ._window import BULK_SHARE, LIMIT, PERIOD

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

    from ._interface import Priority
else:
    # For whoever reads the annotations at run time: redis may not be installed.
    Redis = RedisCluster = Any

_SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
_MICRO = 1_000_000
_RULES = struct.Struct(">7q")
_STEP = struct.Struct(">7q")
_NO_PAUSE = (0, 0, 0)


class RedisLimiter(StoredLimiter):
    """At most `limit` requests in any `period`, for all workers whose limiter has the same Redis and the same `name`.

    `name` stands for the user of Cliniko whose budget it is; Redis sees a digest of it alone. `lease` is the longest,
    in seconds, that a request is in flight: what a worker holds that died is free a lease and a period after it was
    given, so it must be longer than the client's `timeout`. Redis counts as lost when it does not answer within
    `timeout` seconds. `when_lost` says what happens then: callers "wait" until it is back, "fail" with a
    `LimiterUnavailableError`, or go by this process' "share" of the window, which is `limit // workers`. What is sent
    meanwhile is entered when it is back; if it comes back without its data, a 429 may follow.
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
        """Take a client of Redis, which is used, not changed and never closed, and the size of the window.

        Raises:
            ConfigurationError: an option cannot work, or the extra `redis` is not installed.
        """
        check_seconds("timeout", timeout)
        if not name:
            raise ConfigurationError("name is what all who share the window call it")
        if when_lost == "share" and workers is None:
            raise ConfigurationError('when_lost="share" needs workers, the number of processes that share the window')
        options = Options(
            limit=limit,
            period=period,
            bulk_share=bulk_share,
            lease=lease,
            when_lost=when_lost,
            workers=1 if workers is None else workers,
            clock=clock,
        )
        super().__init__(options, lambda rules: RedisStore(redis, digest(name), rules, timeout))

    def _check_loops(self) -> None:
        if self._lines:
            raise UsageError("the limiter belongs to another event loop, as its Redis client does")


class RedisStore:
    """A window under six keys of one Redis, or of one slot of a cluster."""

    def __init__(self, redis: "Redis | RedisCluster", name: str, rules: Rules, timeout: float) -> None:
        self._unknown_script = _unknown_script()
        self._redis: Any = redis
        self._timeouts = Timeouts(timeout)
        keys = [
            f"cliniko_async:{{{name}}}:{part}".encode() for part in ("held", "bulk", "lines", "back", "wants", "state")
        ]
        self._head: tuple[int | bytes, ...] = (len(keys), *keys)
        numbers = (rules.interval, rules.hold, rules.longest, rules.patience, rules.courtesy)
        self._rules = _RULES.pack(rules.limit, rules.cap, *map(_micro, numbers))

    async def step(self, step: Step) -> Answer:
        """Take what is told and give what is free, in one script.

        Raises:
            StoreLostError: Redis cannot be used, or did not answer.
        """
        arguments: list[str | bytes | int] = [*self._head, *self._arguments(step)]
        try:
            try:
                return _answer(await self._run("EVALSHA", _SHA, *arguments))
            except self._unknown_script:
                return _answer(await self._run("EVAL", SCRIPT, *arguments))
        except Exception as error:  # noqa: BLE001  (a cluster raises what is no RedisError)
            lost = store_lost(error)
        # Not inside of the handler: the error of redis-py names the server, and its frames hold the password.
        raise lost

    async def close(self) -> None:
        """Leave the client to who gave it."""

    async def _run(self, *command: str | bytes | int) -> str | bytes:
        text: str | bytes = await heed_cancellation(self._timeouts.bound(self._redis.execute_command(*command)))
        return text

    def _arguments(self, step: Step) -> list[str | bytes]:
        wants = step.wants
        pause = map(_micro, step.pause) if step.pause else _NO_PAUSE
        numbers = _STEP.pack(step.first, step.doubtful, wants["interactive"], wants["bulk"], *pause)
        return [step.line, self._rules + numbers, *map(_told, step.notes)]


def _told(note: Note) -> str:
    return f"{'b' if note.priority == 'bulk' else 'i'}{_micro(note.seconds)} {note.id}"


def _answer(text: str | bytes) -> Answer:
    urgent, urgent_wait, bulk, bulk_wait, used, paused, guess, guessed, *least = map(int, text.split())
    turns: dict[Priority, Turn] = {
        "interactive": Turn(urgent, _wait(urgent_wait)),
        "bulk": Turn(bulk, _wait(bulk_wait)),
    }
    first, last, bulk_first, bulk_last = (micros / _MICRO for micros in least)
    waits: dict[Priority, Wait] = {"interactive": Wait(first, last), "bulk": Wait(bulk_first, bulk_last)}
    return Answer(turns, used, waits, Pause(paused / _MICRO, guess / _MICRO, guessed / _MICRO))


def _wait(micros: int) -> float:
    return math.inf if micros < 0 else micros / _MICRO


def _micro(seconds: float) -> int:
    return math.ceil(seconds * _MICRO)


def _unknown_script() -> type[Exception]:
    """Return what redis-py raises for a script that the server does not have."""
    try:
        from redis import exceptions  # noqa: PLC0415  (it is an extra)
    except ImportError as error:
        raise ConfigurationError("RedisLimiter needs redis: install cliniko-async[redis]") from error
    return exceptions.NoScriptError
