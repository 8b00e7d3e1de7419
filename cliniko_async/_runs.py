"""One job for many accounts, so many of them at once."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from typing import Any, Generic, Self, TypeAlias, TypeVar

import attrs

from ._loops import runs_here
from .client import Cliniko
from .errors import UsageError

T = TypeVar("T")
Job: TypeAlias = Callable[[str, Cliniko], Awaitable[T]]


@attrs.frozen
class Outcome(Generic[T]):
    """How the job of one account ended: with its result, or with the error that it raised."""

    account: str
    result: T | None = None
    error: Exception | None = None


class Run(Generic[T]):
    """The jobs of many accounts. They do not know it: dropped in mid-loop, it takes them along."""

    def __init__(
        self, client: Callable[[str], Cliniko], job: Job[T], keys: Mapping[str, str], concurrency: int
    ) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[Outcome[T]]] = set()
        self._ended: asyncio.Queue[asyncio.Task[Outcome[T]]] = asyncio.Queue()
        self._failure: Exception | None = None
        self._waited_for = False
        self._client = client
        self._job = job
        self._concurrency = concurrency
        self._keys: Iterator[tuple[str, str]] = iter(keys.items())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome[T]:
        """Give the next outcome.

        Raises:
            UsageError: the pool was closed before every job was started, or another task waits for an outcome.
        """
        if self._waited_for:
            raise UsageError("the outcomes of a run go to one task")
        self._fill()
        if not self._tasks:
            failure, self._failure = self._failure, None
            raise failure or StopAsyncIteration
        self._waited_for = True
        try:
            task = await self._ended.get()
            self._tasks.discard(task)
            return task.result()
        except asyncio.CancelledError:
            if tasks := self._stop():
                await asyncio.wait(tasks)
            raise
        except BaseException:
            self._stop()
            raise
        finally:
            self._waited_for = False

    def _fill(self) -> None:
        """Start as many jobs as there is room for; what keeps the next from starting is raised behind those before."""
        self._loop = asyncio.get_running_loop()
        while len(self._tasks) < self._concurrency and (work := self._next()) is not None:
            task = self._loop.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._ended.put_nowait)

    def _next(self) -> Coroutine[Any, Any, Outcome[T]] | None:
        found = self._next_key()
        if found is None:
            return None
        account, api_key = found
        # Without their tracebacks, which would show the key.
        try:
            client = self._client(api_key)
        except UsageError as error:
            self._end(error.with_traceback(None))
            return None
        except Exception as error:  # noqa: BLE001  (what makes the limiter may raise anything)
            return _refused(account, error.with_traceback(None))
        return _outcome(account, client, self._job)

    def _next_key(self) -> tuple[str, str] | None:
        try:
            return next(self._keys, None)
        except Exception as failure:  # noqa: BLE001  (a mapping may raise anything)
            self._end(failure)
            return None

    def _end(self, failure: Exception | None = None) -> None:
        self._keys = iter(())
        self._failure = failure

    def _stop(self) -> set[asyncio.Task[Outcome[T]]]:
        """Start nothing more, and cancel what is under way."""
        self._end()
        tasks, self._tasks, self._ended = self._tasks, set(), asyncio.Queue()
        _cancel(tasks)
        return tasks

    def __del__(self) -> None:
        """Cancel what is under way; from any thread, as the garbage collector may be the caller."""
        if self._tasks and self._loop is not None:
            # At once where that is possible, so that nothing is left one turn of the loop behind a `break`.
            if runs_here(self._loop):
                _cancel(self._tasks)
            else:
                with contextlib.suppress(RuntimeError):  # The loop is closed, and its tasks with it.
                    self._loop.call_soon_threadsafe(_cancel, self._tasks)


async def _outcome(account: str, client: Cliniko, job: Job[T]) -> Outcome[T]:
    try:
        async with client:
            return Outcome(account, await job(account, client))
    except Exception as error:  # noqa: BLE001  (whatever it is, it is handed out)
        return Outcome(account, error=error)
    except asyncio.CancelledError:
        # What the job waited for was cancelled, perhaps, and not the job: that is a failure of this account alone.
        if (task := asyncio.current_task()) and not task.cancelling():
            return Outcome(account, error=UsageError("the job was cancelled by something that it called"))
        raise


async def _refused(account: str, error: Exception) -> Outcome[Any]:
    return Outcome(account, error=error)


def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
