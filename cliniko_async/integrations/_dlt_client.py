"""How dlt, which reads in an event loop and a thread of its own, reaches a client."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Protocol, TypeVar, cast

from .. import Cliniko, UsageError

T = TypeVar("T")
Reads = Callable[[Cliniko], AsyncGenerator[T]]


class Connection(Protocol):
    """A client, however it is reached."""

    def stream(self, reads: Reads[T]) -> AsyncGenerator[T]:
        """Yield in the running event loop what `reads` yields with the client."""
        ...


class OwnClient:
    """A client that is opened for the first resource that is read, and closed after the last one.

    dlt reads all resources of a run in one event loop, which it starts for that run.
    """

    def __init__(self, make: Callable[[], Cliniko]) -> None:
        """Create the connection.

        Args:
            make: Returns a new client.
        """
        self._make = make
        self._client: Cliniko | None = None
        self._readers = 0

    async def stream(self, reads: Reads[T]) -> AsyncGenerator[T]:
        """Yield what `reads` yields with the client."""
        async with self._opened() as cliniko, contextlib.aclosing(reads(cliniko)) as items:
            async for item in items:
                yield item

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncGenerator[Cliniko]:
        if self._client is None:
            self._client = self._make()
        client, self._readers = self._client, self._readers + 1
        try:
            yield client
        finally:
            self._readers -= 1
            if not self._readers:
                self._client = None
                await client.aclose()


class GivenClient:
    """A client of the caller, used in the event loop that it belongs to, which runs in another thread than dlt."""

    def __init__(self, client: Cliniko, loop: asyncio.AbstractEventLoop) -> None:
        """Create the connection.

        Args:
            client: The client. It stays open.
            loop: Its event loop.
        """
        self._client = client
        self._loop = loop
        self._steps: set[asyncio.Task[Any] | None] = set()
        self._cancelled = False

    async def stream(self, reads: Reads[T]) -> AsyncGenerator[T]:
        """Yield what `reads` yields with the client in its event loop."""
        items, lock = reads(self._client), asyncio.Lock()
        try:
            while (found := await self._there(lambda: self._next(items), lock)) is not None:
                yield found[0]
        finally:
            await self._there(items.aclose, lock)

    def cancel(self) -> None:
        """End what is being read with an error, and read nothing more. Call it in the event loop of the client."""
        self._cancelled = True
        for step in self._steps:
            cast("asyncio.Task[Any]", step).cancel()

    async def _there(self, step: Callable[[], Awaitable[T]], lock: asyncio.Lock) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._run(step, lock), self._loop))

    async def _run(self, step: Callable[[], Awaitable[T]], lock: asyncio.Lock) -> T:
        task = asyncio.current_task()
        self._steps.add(task)
        try:
            # A step that dlt has given up takes a moment to end, and until then its generator cannot be closed.
            async with lock:
                return await step()
        except asyncio.CancelledError:
            if not self._cancelled:
                raise
        finally:
            self._steps.discard(task)
        # dlt would wait forever for a future that was cancelled.
        raise _cancelled()

    async def _next(self, items: AsyncGenerator[T]) -> tuple[T] | None:
        """Return the next item in a tuple, or None at the end."""
        if self._cancelled:
            raise _cancelled()
        async for item in items:
            return (item,)
        return None


def _cancelled() -> UsageError:
    return UsageError("the sync was cancelled")
