"""Runs scripts in Redis, and explains why Redis cannot be used, without its address or a secret.

The messages of redis-py and of the server are not passed on: they may show the host, the user or what was sent.
"""

import asyncio
import functools
import hashlib
import os
import re
import socket
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple

from ._compat import heed_cancellation
from ._frames import causes
from ._timeouts import Timeouts

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

_REASONS = {
    "AuthenticationError": ("Redis refused the user name or the password", True),
    "AuthorizationError": ("Redis refused the user name or the password", True),
    "AuthenticationWrongNumberOfArgsError": ("Redis refused the form of the login", True),
    "NoPermissionError": ("Redis does not allow this user the commands or the keys of the library", True),
    "MaxConnectionsError": ("the Redis client has no free connection", False),
    "BusyLoadingError": ("Redis is still loading its data", False),
    "ReadOnlyError": ("Redis is read-only, as a replica is", False),
    "OutOfMemoryError": ("Redis is out of memory", False),
    "ClusterDownError": ("the Redis cluster is down", False),
    "TryAgainError": ("the Redis cluster is moving the key", False),
}
"""The message for each error class, and whether waiting is useless; by class name, as redis-py may be missing."""

_CONNECTION_ERRORS = {"ConnectionError", "OSError"}


class RedisLostError(Exception):
    """Redis cannot be used, or it is unknown whether it executed the command; the message explains why."""

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        """Create the error with its reason; `lasting` means that waiting cannot help."""
        super().__init__(reason)
        self.lasting = lasting


class Outage(NamedTuple):
    """Why Redis is unavailable, whether waiting is useless, and the error that says so."""

    reason: str
    lasting: bool
    cause: BaseException


class ScriptRunner:
    """Runs scripts that use one key each, so that they also run on a cluster."""

    def __init__(self, redis: "Redis | RedisCluster", timeout: float) -> None:
        """Create with a client, which is neither changed nor closed, and the seconds within which it must answer.

        Raises:
            ImportError: The package `redis` is not installed.
        """
        from redis import exceptions  # noqa: PLC0415  (it is an extra)

        self._unknown_script = exceptions.NoScriptError
        self._redis: Any = redis
        self._timeouts = Timeouts(timeout)

    async def run(self, script: str, key: str, *arguments: bytes | int) -> Any:
        """Run a script and return its result, with strings as bytes.

        Raises:
            RedisLostError: Redis cannot be used, or did not answer.
        """
        try:
            try:
                return await self._bounded("EVALSHA", _digest(script), 1, key, *arguments)
            except self._unknown_script:
                return await self._bounded("EVAL", script, 1, key, *arguments)
        except Exception as error:  # noqa: BLE001  (a cluster also raises errors that are not a RedisError)
            lost = _lost(error)
        # Not in the handler: the error of redis-py names the server, and its frames hold the password.
        raise lost

    async def _bounded(self, *command: str | bytes | int) -> Any:
        work = self._redis.execute_command(*command, NEVER_DECODE=True)
        return await heed_cancellation(self._timeouts.bound(work))


@functools.cache
def _digest(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def outage(error: Exception) -> Outage | None:
    """Return why Redis is unavailable, or None for an error of the Redis client that means something else."""
    # If the client retries by itself until the timeout, only the chain of its error contains the reason.
    links = [link for link in causes(error) if not isinstance(link, asyncio.CancelledError)]
    for link in links:
        for name in _names(link):
            if name in _REASONS:
                return Outage(*_REASONS[name], link)
    if "ResponseError" in _names(error):
        return None
    if connection := [link for link in links if _is_of_connection(link)]:
        reasons = filter(None, map(_system_reason, connection))
        return Outage(f"no connection to Redis: {next(reasons, 'it was closed')}", lasting=False, cause=error)
    if "TimeoutError" in _names(error):
        return Outage("Redis did not answer in time", lasting=False, cause=error)
    return None


def _lost(error: Exception) -> RedisLostError:
    """Return the error to raise in place of one from the Redis client."""
    if found := outage(error):
        return RedisLostError(found.reason, lasting=found.lasting)
    if unknown := re.match(r"unknown command [`'](\w+)", str(error)):
        return RedisLostError(f"Redis does not know the command {unknown[1]}", lasting=True)
    names = _names(error)
    if "ResponseError" in names:
        code = re.match(r"[A-Z]+\b", str(error))
        return RedisLostError(f"Redis refused the command ({code[0] if code else 'no code'})")
    return RedisLostError(f"the Redis client raised {names[0]}")


def _names(error: BaseException) -> list[str]:
    return [each.__name__ for each in type(error).__mro__]


def _is_of_connection(error: BaseException) -> bool:
    names = _names(error)
    return "TimeoutError" not in names and not _CONNECTION_ERRORS.isdisjoint(names)


def _system_reason(error: BaseException) -> str | None:
    """Return the message of the operating system or of TLS, if there is one."""
    if isinstance(error, ssl.SSLCertVerificationError):
        # The host name follows the comma.
        return f"certificate verify failed: {error.verify_message.partition(',')[0]}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason}"
    if isinstance(error, socket.gaierror):
        return error.strerror
    number = _errno(error) if isinstance(error, OSError) else None
    return os.strerror(number) if number else None


def _errno(error: OSError) -> int | None:
    # For a host with several addresses, asyncio joins the messages of all errors into one.
    found = re.search(r"\[Errno (\d+)\]", str(error))
    return error.errno or (int(found[1]) if found else None)
