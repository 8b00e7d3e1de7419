"""State shared by the views of a client: the session, the limiter, and what they need to know of the account."""

import asyncio
import hashlib
from typing import NoReturn, SupportsIndex

import aiohttp

from .._messages import Credentials, Server
from ..errors import ConfigurationError, UsageError
from ..limits import RateLimiter
from .aiohttp_internals import has_base_url, loop_of, open_session
from .calls import OpenCalls
from .deadline import CallDeadline, DeadlineMonitor

_CONNECTIONS = 100
_LIMITER = ("acquire", "pause", "limits")
"""The methods that a limiter must have. `period` is not checked, as it may only be known once the limiter is used."""


class OnePerProcess:
    """The base of objects that own connections, and so cannot be copied or shared between processes."""

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        """Refuse to be pickled, copied or deep-copied.

        Raises:
            TypeError: Always.
        """
        raise TypeError("a client cannot be pickled or copied: make one in each process")


class SessionManager(OnePerProcess):
    """Opens the session at the first request, binds it to one event loop, and ends all calls when the client closes."""

    def __init__(
        self, server: Server, credentials: Credentials, limiter: RateLimiter, session: aiohttp.ClientSession | None
    ) -> None:
        """Create the manager of a client; a session passed in is used but never closed.

        Raises:
            ConfigurationError: The session has its own credentials or base URL or is closed, or the limiter lacks a
                method.
            TypeError: The session is not an `aiohttp.ClientSession`.
        """
        if session is not None:
            _check_session(session)
        if not all(callable(getattr(limiter, name, None)) for name in _LIMITER):
            raise ConfigurationError(f"rate_limiter must have the methods {', '.join(_LIMITER)}")
        self.server = server
        self.credentials = credentials
        self.limiter = limiter
        self.owned = session is None
        account = f"{server.base_url} {credentials.api_key}".encode()
        self.account_digest = hashlib.blake2b(account, digest_size=12).digest()
        self.unsortable: set[str] = set()
        self.calls = OpenCalls(loop_of(session))
        self._session = session
        self._monitor = DeadlineMonitor(limiter)

    def session(self) -> aiohttp.ClientSession:
        """Return the session, opening it on the first call.

        Raises:
            UsageError: It was closed.
        """
        if self._session is None:
            self._session = open_session(_CONNECTIONS)
        if self._session.closed:
            raise UsageError("the session is closed")
        return self._session

    def call_deadline(self, scope: asyncio.Timeout) -> CallDeadline:
        """Return the deadline of a call that has one."""
        return CallDeadline(scope, self._monitor)

    async def close(self) -> None:
        """End every call with a `UsageError`, and close the session unless it was passed in.

        Raises:
            UsageError: The client belongs to another event loop.
        """
        self.calls.close()
        try:
            await self.calls.wait_closed()
        finally:
            if self.owned and self._session is not None:
                await self._session.close()


def _check_session(session: aiohttp.ClientSession) -> None:
    if not isinstance(session, aiohttp.ClientSession):
        raise TypeError(f"session must be an aiohttp.ClientSession, not {type(session).__name__}")
    if session.auth is not None or "Authorization" in session.headers:
        raise ConfigurationError("the session has its own credentials, which would be sent instead of the key")
    if has_base_url(session):
        raise ConfigurationError("the session has its own base URL")
    if session.closed:
        raise ConfigurationError("the session is closed")
