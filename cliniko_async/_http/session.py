"""What the views of one client share: the session, the loop it belongs to, the limiter, and what is under way."""

import asyncio
import hashlib
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, NoReturn, SupportsIndex, TypeVar

import aiohttp

from .._messages import Credentials, Server
from ..errors import ConfigurationError, UsageError
from ..limits import RateLimiter
from .deadline import BudgetWatch, Deadline
from .transport import open_session

T = TypeVar("T")

_LIMITER = ("acquire", "pause", "limits")
"""The methods of a limiter; its `period` may be known only once it is used."""


class OnePerProcess:
    """The base of what has connections, which neither another process nor a copy could share."""

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        """Refuse to be pickled, copied or deep-copied.

        Raises:
            TypeError: always.
        """
        raise TypeError("a client cannot be pickled or copied: make one in each process")


class CallScope:
    """The time of one call, as `asyncio.timeout`, known to the manager while it lasts."""

    __slots__ = ("_deadline", "_manager", "_scope")

    def __init__(self, manager: "SessionManager", deadline: float | None) -> None:
        """Take whose call it is, and its deadline in seconds."""
        self._manager = manager
        self._deadline = deadline

    async def __aenter__(self) -> asyncio.Timeout:
        """Begin.

        Raises:
            UsageError: the client is closed or belongs to another event loop.
        """
        self._scope = asyncio.timeout(self._deadline)
        self._manager.enter(self._scope)
        return await self._scope.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End; raises a TimeoutError when it expired."""
        self._manager.leave(self._scope)
        await self._scope.__aexit__(kind, error, traceback)


class SessionManager(OnePerProcess):
    """Opens the session at the first request, holds it to one event loop, and ends all that is under way on closing."""

    def __init__(
        self, server: Server, credentials: Credentials, limiter: RateLimiter, session: aiohttp.ClientSession | None
    ) -> None:
        """Take what a client was made of; a session that was given stays the giver's."""
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
        self._loop: asyncio.AbstractEventLoop | None = getattr(session, "_loop", None)
        self._calls: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._watch = BudgetWatch(limiter)

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that the client belongs to, once it was used."""
        return self._loop

    def session(self) -> aiohttp.ClientSession:
        """Give the session, opened at the first request.

        Raises:
            UsageError: it was closed.
        """
        if self._session is None:
            self._session = open_session()
        if self._session.closed:
            raise UsageError("the session is closed")
        return self._session

    def call(self, deadline: float | None) -> "CallScope":
        """Give the scope of a call, which expires at its deadline in seconds, or when the client is closed."""
        return CallScope(self, deadline)

    def deadline(self, scope: asyncio.Timeout) -> Deadline | None:
        """Return the deadline of a call, if it has one."""
        return None if scope.when() is None else Deadline(scope, self._watch)

    def enter(self, scope: asyncio.Timeout) -> None:
        """Note what is under way.

        Raises:
            UsageError: the client is closed or belongs to another event loop.
        """
        self._check()
        self._calls.add(scope)

    def leave(self, scope: asyncio.Timeout) -> None:
        """Note that it is over."""
        self._calls.discard(scope)
        if self.closed and not self._calls:
            self._idle.set()

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task that is known to the client until it is done."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """End what is under way, each with a `UsageError`, and close a session that was opened here.

        After its event loop was closed a client can be closed on any other: nothing of it is under way any more.
        """
        abandoned = self._loop is not None and self._loop.is_closed()
        if not self.closed:
            if self._loop is not None and not abandoned:
                self._check()
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
        """Refuse to go on with a client that was closed."""
        if self.closed:
            raise UsageError("the client is closed")

    def _check(self) -> None:
        self.check_open()
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise UsageError("the client belongs to another event loop: make one client for each")


def _check_session(session: aiohttp.ClientSession) -> None:
    if not isinstance(session, aiohttp.ClientSession):
        raise TypeError(f"session must be an aiohttp.ClientSession, not {type(session).__name__}")
    if session.auth is not None or "Authorization" in session.headers:
        raise ConfigurationError("the session has credentials of its own, which would go out in place of the key")
    if getattr(session, "_base_url", None) is not None:
        raise ConfigurationError("the session has a base URL of its own")
    if session.closed:
        raise ConfigurationError("the session is closed")
