"""Runs scripts in Redis, and says in plain words why it cannot be used, without its address or a secret.

The texts of redis-py and of the server are not passed on: they may show the host, the user or what was sent.
"""

import asyncio
import functools
import hashlib
import os
import re
import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ._compat import heed_cancellation
from ._timeouts import Timeouts

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

_REASONS = {
    "AuthenticationError": ("Redis refused the user name or the password", True),
    "AuthorizationError": ("Redis refused the user name or the password", True),
    "AuthenticationWrongNumberOfArgsError": ("Redis refused the form of the login", True),
    "NoPermissionError": ("Redis does not allow this user the commands or the keys of the limiter", True),
    "MaxConnectionsError": ("the Redis client has no free connection", False),
    "BusyLoadingError": ("Redis is still loading its data", False),
    "ReadOnlyError": ("Redis is read-only, as a replica is", False),
    "OutOfMemoryError": ("Redis is out of memory", False),
    "ClusterDownError": ("the Redis cluster is down", False),
}
"""By class of error: what it says, and whether waiting cannot help. By name, as redis-py may not be installed."""

_CONNECTION_ERRORS = {"ConnectionError", "OSError"}


class RedisLostError(Exception):
    """Redis cannot be used, or it is not known whether it did what was asked; the text says why."""

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        """Take the reason, and whether waiting cannot help."""
        super().__init__(reason)
        self.lasting = lasting


class ScriptRunner:
    """Runs scripts that touch one key, so that they run on a cluster too."""

    def __init__(self, redis: "Redis | RedisCluster", timeout: float) -> None:
        """Take a client, which is neither changed nor closed, and the seconds within which it must answer.

        Raises:
            ImportError: redis-py is not installed.
        """
        from redis import exceptions  # noqa: PLC0415  (it is an extra)

        self._unknown_script = exceptions.NoScriptError
        self._redis: Any = redis
        self._timeouts = Timeouts(timeout)

    async def run(self, script: str, key: str, *arguments: bytes | int) -> Any:
        """Run a script and return what it returns, with texts as bytes.

        Raises:
            RedisLostError: Redis cannot be used, or did not answer.
        """
        try:
            try:
                return await self._bounded("EVALSHA", _digest(script), 1, key, *arguments)
            except self._unknown_script:
                return await self._bounded("EVAL", script, 1, key, *arguments)
        except Exception as error:  # noqa: BLE001  (a cluster raises what is not a RedisError)
            lost = _lost(error)
        # Not inside the handler: the error of redis-py names the server, and its frames hold the password.
        raise lost

    async def _bounded(self, *command: str | bytes | int) -> Any:
        work = self._redis.execute_command(*command, NEVER_DECODE=True)
        return await heed_cancellation(self._timeouts.bound(work))


@functools.cache
def _digest(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def _lost(error: Exception) -> RedisLostError:
    """Return the error for what the client of Redis raised."""
    # A client that tries again by itself until it is timed out has the reason in the chain of its error.
    links = [link for link in _chain(error) if not isinstance(link, asyncio.CancelledError)]
    for link in links:
        for name in _names(link):
            if name in _REASONS:
                reason, lasting = _REASONS[name]
                return RedisLostError(reason, lasting=lasting)
    names = _names(error)
    if unknown := re.match(r"unknown command [`'](\w+)", str(error)):
        return RedisLostError(f"Redis does not know the command {unknown[1]}", lasting=True)
    if "ResponseError" in names:
        code = re.match(r"[A-Z]+\b", str(error))
        return RedisLostError(f"Redis refused the command ({code[0] if code else 'no code'})")
    if connection := [link for link in links if _is_of_connection(link)]:
        reasons = filter(None, map(_system_reason, connection))
        return RedisLostError(f"no connection to Redis: {next(reasons, 'it was closed')}")
    if "TimeoutError" in names:
        return RedisLostError("Redis did not answer in time")
    return RedisLostError(f"the Redis client raised {names[0]}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _names(error: BaseException) -> list[str]:
    return [each.__name__ for each in type(error).__mro__]


def _is_of_connection(error: BaseException) -> bool:
    names = _names(error)
    return "TimeoutError" not in names and not _CONNECTION_ERRORS.isdisjoint(names)


def _system_reason(error: BaseException) -> str | None:
    """Return the words of the operating system, if the error has any."""
    if isinstance(error, ssl.SSLCertVerificationError):
        # What follows the comma is the name of the host.
        return f"certificate verify failed: {error.verify_message.partition(',')[0]}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason}"
    if isinstance(error, socket.gaierror):
        return error.strerror
    number = _errno(error) if isinstance(error, OSError) else None
    return os.strerror(number) if number else None


def _errno(error: OSError) -> int | None:
    # Where a host has several addresses, asyncio joins the errors of all in one text.
    found = re.search(r"\[Errno (\d+)\]", str(error))
    return error.errno or (int(found[1]) if found else None)
