"""The calls that are in progress in a client, which end when it closes."""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

from ..errors import UsageError

T = TypeVar("T")


class CallScope:
    """An `asyncio.timeout` around one call, registered while it lasts."""

    __slots__ = ("_calls", "_scope")

    def __init__(self, calls: "OpenCalls", deadline: float | None) -> None:
        """Create the scope of a call, which expires after `deadline` seconds, or when the client is closed."""
        self._calls = calls
        self._scope = asyncio.timeout(deadline)

    @property
    def is_expired(self) -> bool:
        """Whether the deadline has passed, or the client was closed meanwhile."""
        return self._scope.expired()

    async def __aenter__(self) -> asyncio.Timeout:
        """Register the call and start its timeout.

        Raises:
            UsageError: The client is closed or belongs to another event loop.
        """
        self._calls.enter(self._scope)
        return await self._scope.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the call.

        Raises:
            TimeoutError: Its time ran out, or the client was closed.
        """
        self._calls.leave(self._scope)
        await self._scope.__aexit__(kind, error, traceback)


class OpenCalls:
    """The calls and tasks of a client, all in the event loop of the first one."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Create for an event loop, or if None for that of the first call."""
        self.loop = loop
        self.closed = False
        self._calls: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    def enter(self, scope: asyncio.Timeout) -> None:
        """Register a call.

        Raises:
            UsageError: The client is closed or belongs to another event loop.
        """
        loop = asyncio.get_running_loop()
        if self.closed or self.loop is not loop:
            self._bind(loop)
        self._calls.add(scope)

    def leave(self, scope: asyncio.Timeout) -> None:
        """Remove a call that has ended."""
        self._calls.discard(scope)
        if self.closed and not self._calls:
            self._idle.set()

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task that `wait_closed` waits for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def close(self) -> None:
        """End every call with a `UsageError`, and refuse more.

        Once the event loop is closed, this works on any other, as no call can be in progress.

        Raises:
            UsageError: They belong to another event loop.
        """
        if self.closed:
            return
        if self.loop is not None and not self.loop.is_closed():
            self._bind(asyncio.get_running_loop())
        self.closed = True
        now = asyncio.get_running_loop().time()
        for scope in self._calls:
            if not scope.expired():
                scope.reschedule(now)

    async def wait_closed(self) -> None:
        """Wait for the end of all calls and tasks."""
        if self.loop is not None and self.loop.is_closed():
            return
        if self._calls:
            await self._idle.wait()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def check_open(self) -> None:
        """Check that the client is open.

        Raises:
            UsageError: It was closed.
        """
        if self.closed:
            raise UsageError("the client is closed")

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        self.check_open()
        if self.loop is None:
            self.loop = loop
        if self.loop is not loop:
            raise UsageError("the client belongs to another event loop: make one client for each")
