"""State shared by the views of a client: the session, its event loop, the limiter and the calls in progress."""

import asyncio
import hashlib
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, NoReturn, SupportsIndex, TypeVar

import aiohttp

from .._messages import Credentials, Server
from ..errors import ConfigurationError, UsageError
from ..limits import RateLimiter
from .aiohttp_internals import has_base_url, loop_of, open_session
from .deadline import BudgetWatch, Deadline

T = TypeVar("T")

_CONNECTIONS = 100
_LIMITER = ("acquire", "pause", "limits")
"""The methods that a limiter must have. `period` is not checked, as it may only be known once the limiter is used."""


class OnePerProcess:
    """The base of objects that own connections, and so cannot be copied or shared between processes."""

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        """Refuse to be pickled, copied or deep-copied.

        Raises:
            TypeError: always.
        """
        raise TypeError("a client cannot be pickled or copied: make one in each process")


class CallScope:
    """An `asyncio.timeout` around one call, registered with the manager while it lasts."""

    __slots__ = ("_deadline", "_manager", "_scope")

    def __init__(self, manager: "SessionManager", deadline: float | None) -> None:
        """Create the scope of a call, with a `deadline` in seconds."""
        self._manager = manager
        self._deadline = deadline

    async def __aenter__(self) -> asyncio.Timeout:
        """Register the call and start its timeout.

        Raises:
            UsageError: the client is closed or belongs to another event loop.
        """
        self._scope = asyncio.timeout(self._deadline)
        self._manager.enter(self._scope)
        return await self._scope.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the call.

        Raises:
            TimeoutError: its time ran out, or the client was closed.
        """
        self._manager.leave(self._scope)
        await self._scope.__aexit__(kind, error, traceback)


class SessionManager(OnePerProcess):
    """Opens the session at the first request, binds it to one event loop, and ends all calls when the client closes."""

    def __init__(
        self, server: Server, credentials: Credentials, limiter: RateLimiter, session: aiohttp.ClientSession | None
    ) -> None:
        """Create the manager of a client; a session passed in is used but never closed.

        Raises:
            ConfigurationError: the session has its own credentials or base URL or is closed, or the limiter lacks a
                method.
            TypeError: the session is not an `aiohttp.ClientSession`.
        """
        if session is not None:
            _check_session(session)
        if not all(callable(getattr(limiter, name, None)) for name in _LIMITER):
            raise ConfigurationError(f"rate_limiter must have the methods {', '.join(_LIMITER)}")
        self.server = server
        self.credentials = credentials
        self.limiter = limiter
        self.owned = session is None
        self.account = hashlib.blake2b(f"{server.base_url} {credentials.api_key}".encode(), digest_size=12).digest()
        self.unsortable: set[str] = set()
        self.closed = False
        self._session = session
        self._loop: asyncio.AbstractEventLoop | None = loop_of(session)
        self._calls: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._watch = BudgetWatch(limiter)

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that the client belongs to, or None before its first use."""
        return self._loop

    def session(self) -> aiohttp.ClientSession:
        """Return the session, opening it on the first call.

        Raises:
            UsageError: it was closed.
        """
        if self._session is None:
            self._session = open_session(_CONNECTIONS)
        if self._session.closed:
            raise UsageError("the session is closed")
        return self._session

    def call(self, deadline: float | None) -> CallScope:
        """Return the scope of a call, which expires after `deadline` seconds, or when the client is closed."""
        return CallScope(self, deadline)

    def deadline(self, scope: asyncio.Timeout) -> Deadline:
        """Return the deadline of a call that has one."""
        return Deadline(scope, self._watch)

    def enter(self, scope: asyncio.Timeout) -> None:
        """Register a call.

        Raises:
            UsageError: the client is closed or belongs to another event loop.
        """
        loop = asyncio.get_running_loop()
        if self.closed or self._loop is not loop:
            self._bind(loop)
        self._calls.add(scope)

    def leave(self, scope: asyncio.Timeout) -> None:
        """Remove a call that has ended."""
        self._calls.discard(scope)
        if self.closed and not self._calls:
            self._idle.set()

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task that `close` waits for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """End every call with a `UsageError`, and close the session unless it was passed in.

        Once its event loop is closed, a client can be closed on any other, as none of its calls can be in progress.
        """
        abandoned = self._loop is not None and self._loop.is_closed()
        if not self.closed:
            if self._loop is not None and not abandoned:
                self._bind(asyncio.get_running_loop())
            self.closed = True
            self._expire_calls()
        try:
            if self._calls and not abandoned:
                await self._idle.wait()
            if self._tasks and not abandoned:
                await asyncio.wait(self._tasks)
        finally:
            if self.owned and self._session is not None:
                await self._session.close()

    def _expire_calls(self) -> None:
        now = asyncio.get_running_loop().time()
        for scope in self._calls:
            if not scope.expired():
                scope.reschedule(now)

    def check_open(self) -> None:
        """Check that the client is open.

        Raises:
            UsageError: it was closed.
        """
        if self.closed:
            raise UsageError("the client is closed")

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        self.check_open()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise UsageError("the client belongs to another event loop: make one client for each")


def _check_session(session: aiohttp.ClientSession) -> None:
    if not isinstance(session, aiohttp.ClientSession):
        raise TypeError(f"session must be an aiohttp.ClientSession, not {type(session).__name__}")
    if session.auth is not None or "Authorization" in session.headers:
        raise ConfigurationError("the session has its own credentials, which would be sent instead of the key")
    if has_base_url(session):
        raise ConfigurationError("the session has its own base URL")
    if session.closed:
        raise ConfigurationError("the session is closed")
