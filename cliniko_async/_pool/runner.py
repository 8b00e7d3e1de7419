"""One job for many accounts, so many of them at once."""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from typing import Any, Generic, Self, TypeAlias, TypeVar

import attrs

from .._http.session import SessionManager
from .._loops import runs_here
from ..client import Cliniko
from ..errors import UsageError
from .account import Account

T = TypeVar("T")
Job: TypeAlias = Callable[[str, Cliniko], Awaitable[T]]

_LOOK_EVERY = 0.1
"""Seconds between two looks at which accounts hang, while more wait for their jobs to be started."""


@attrs.frozen
class Outcome(Generic[T]):
    """How the job of one account ended: with its result, or with the error that it raised."""

    account: str
    result: T | None = None
    error: Exception | None = None


class Member(Cliniko):
    """A client of a pool."""

    @property
    def manager(self) -> SessionManager:
        """What its views share."""
        return self._manager

    @property
    def hangs(self) -> bool:
        """Whether its server does not answer at present."""
        return isinstance(account := self._manager.limiter, Account) and account.hangs


class _Room:
    """How many jobs may be under way: those whose account hangs do not count, or they would hold up the others."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._hanging = 0
        self._looks_at = -math.inf

    def most(self, now: float, clients: Iterable[Member | None]) -> int:
        if now >= self._looks_at:
            self._looks_at = now + _LOOK_EVERY
            self._hanging = sum(client is not None and client.hangs for client in clients)
        return self._concurrency + self._hanging


class Run(Generic[T]):
    """The outcomes of the jobs of many accounts, each as soon as it is there, once.

    The jobs do not refer to it: dropped in mid-loop, it cancels them.
    """

    def __init__(self, client: Callable[[str], Member], job: Job[T], keys: Mapping[str, str], concurrency: int) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: dict[asyncio.Task[Outcome[T]], Member | None] = {}
        self._cancelled: set[asyncio.Task[Outcome[T]]] = set()
        self._ended: asyncio.Queue[asyncio.Task[Outcome[T]]] = asyncio.Queue()
        self._failure: Exception | None = None
        self._waited_for = False
        self._client = client
        self._job = job
        self._keys: Iterator[tuple[str, str]] | None = iter(keys.items())
        self._room = _Room(concurrency)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome[T]:
        """Return the next outcome.

        Raises:
            UsageError: the pool was closed before every job was started, or another task waits for an outcome.
        """
        if self._waited_for:
            raise UsageError("the outcomes of a run go to one task")
        self._waited_for = True
        try:
            return await self._outcome()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        except StopAsyncIteration:
            raise
        except BaseException:
            self._stop()
            raise
        finally:
            self._waited_for = False

    async def aclose(self) -> None:
        """Cancel the jobs that are under way, wait for their end, and start no more.

        Raises:
            UsageError: the run belongs to another event loop.
        """
        if self._loop not in (None, asyncio.get_running_loop()):
            raise UsageError("the run belongs to another event loop")
        self._stop()
        if self._cancelled:
            await asyncio.wait(self._cancelled)

    async def _outcome(self) -> Outcome[T]:
        task = None
        while task is None:
            self._fill()
            if not self._tasks:
                raise self._last()
            task = await self._next_ended()
        if task not in self._tasks:  # Closed meanwhile.
            raise StopAsyncIteration
        del self._tasks[task]
        return task.result()

    async def _next_ended(self) -> asyncio.Task[Outcome[T]] | None:
        """Return the next job that ended; None if it is time to look whether more may be started."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if self._keys is None else _LOOK_EVERY):
                return await self._ended.get()
        return None

    def _fill(self) -> None:
        """Start as many jobs as there is room for; what keeps the next from starting is raised after those before."""
        self._loop = loop = asyncio.get_running_loop()
        most = self._room.most(loop.time(), self._tasks.values())
        while len(self._tasks) < most and (work := self._next()) is not None:
            task = loop.create_task(work[0])
            self._tasks[task] = work[1]
            task.add_done_callback(self._ended.put_nowait)

    def _next(self) -> tuple[Coroutine[Any, Any, Outcome[T]], Member | None] | None:
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
            return _refused(account, error.with_traceback(None)), None
        return _outcome(account, client, self._job), client

    def _next_key(self) -> tuple[str, str] | None:
        try:
            found = None if self._keys is None else next(self._keys, None)
        except Exception as failure:  # noqa: BLE001  (a mapping may raise anything)
            self._end(failure)
            return None
        if found is None:
            self._keys = None
        return found

    def _end(self, failure: Exception | None = None) -> None:
        self._keys = None
        self._failure = failure

    def _last(self) -> Exception:
        failure, self._failure = self._failure, None
        return failure or StopAsyncIteration()

    def _stop(self) -> None:
        """Start nothing more, and cancel what is under way."""
        self._end()
        tasks, self._tasks, self._ended = self._tasks, {}, asyncio.Queue()
        for task in tasks:
            self._cancelled.add(task)
            task.add_done_callback(self._cancelled.discard)
        _cancel(tasks)

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
