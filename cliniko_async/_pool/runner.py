"""Runs one job for many accounts, a limited number of them at once."""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Generic, Self, TypeAlias, TypeVar

import attrs

from .._http.session import SessionManager
from .._loops import call_from_anywhere
from ..client import Cliniko
from ..errors import UsageError
from .account import AccountLimiter

T = TypeVar("T")
AccountJob: TypeAlias = Callable[[str, Cliniko], Awaitable[T]]

_CHECK_INTERVAL = 0.1
"""Seconds between two checks of which accounts hang, while there are jobs that have not been started."""


@attrs.frozen
class AccountResult(Generic[T]):
    """How the job of one account ended.

    Attributes:
        account: Your name for the account.
        result: What the job returned; None if it failed.
        error: What it raised; None if it succeeded.
    """

    account: str
    result: T | None = None
    error: Exception | None = None


class PooledClient(Cliniko):
    """A client of a pool."""

    @property
    def manager(self) -> SessionManager:
        """The session manager, which all views of the client share."""
        return self._manager

    @property
    def hangs(self) -> bool:
        """Whether its server hangs."""
        return isinstance(account := self._manager.limiter, AccountLimiter) and account.hangs


class _Concurrency:
    """The number of jobs that may run at once. Jobs whose account hangs do not count, so they do not hold up others."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._hanging = 0
        self._next_check = -math.inf

    def limit(self, now: float, clients: Iterable[PooledClient | None]) -> int:
        """Return the largest number of jobs at present."""
        if now >= self._next_check:
            self._next_check = now + _CHECK_INTERVAL
            self._hanging = sum(client is not None and client.hangs for client in clients)
        return self._concurrency + self._hanging


class JobRunner(Generic[T]):
    """An iterator over the results of the jobs: one for each account, as soon as its job has ended.

    The jobs hold no reference to the iterator, so it is collected when the loop is left, and then cancels the jobs.
    """

    def __init__(
        self, client: Callable[[str], PooledClient], job: AccountJob[T], keys: Mapping[str, str], concurrency: int
    ) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: dict[asyncio.Task[AccountResult[T]], PooledClient | None] = {}
        self._cancelled: set[asyncio.Task[AccountResult[T]]] = set()
        self._ended: asyncio.Queue[asyncio.Task[AccountResult[T]]] = asyncio.Queue()
        self._failure: Exception | None = None
        self._waited_for = False
        self._client = client
        self._job = job
        self._keys: Iterator[tuple[str, str]] | None = iter(keys.items())
        self._limit = _Concurrency(concurrency)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AccountResult[T]:
        """Return the result of the next job that ends.

        Raises:
            UsageError: The pool was closed before every job was started, or another task waits for a result.
        """
        if self._waited_for:
            raise UsageError("only one task at a time may wait for the results of a run")
        self._waited_for = True
        try:
            return await self._next_result()
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
        """Cancel the running jobs, wait for their end, and start no more.

        Raises:
            UsageError: The run belongs to another event loop.
        """
        if self._loop not in (None, asyncio.get_running_loop()):
            raise UsageError("the run belongs to another event loop")
        self._stop()
        if self._cancelled:
            await asyncio.wait(self._cancelled)

    async def _next_result(self) -> AccountResult[T]:
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

    async def _next_ended(self) -> asyncio.Task[AccountResult[T]] | None:
        """Return the next job that ended; None when it is time to check whether more may be started."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if self._keys is None else _CHECK_INTERVAL):
                return await self._ended.get()
        return None

    def _fill(self) -> None:
        """Start as many jobs as the limit allows; an error in starting one is raised after the earlier jobs ended."""
        self._loop = loop = asyncio.get_running_loop()
        limit = self._limit.limit(loop.time(), self._tasks.values())
        while len(self._tasks) < limit and (work := self._next()) is not None:
            task = loop.create_task(work[0])
            self._tasks[task] = work[1]
            task.add_done_callback(self._ended.put_nowait)

    def _next(self) -> tuple[Coroutine[Any, Any, AccountResult[T]], PooledClient | None] | None:
        found = self._next_key()
        if found is None:
            return None
        account, api_key = found
        # The tracebacks would show the key.
        try:
            client = self._client(api_key)
        except UsageError as error:
            self._end(error.with_traceback(None))
            return None
        except Exception as error:  # noqa: BLE001  (the function that returns the limiter may raise anything)
            return _refused(account, error.with_traceback(None)), None
        return _run(account, client, self._job), client

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
        """Start no more jobs, and cancel the running ones."""
        self._end()
        tasks, self._tasks, self._ended = self._tasks, {}, asyncio.Queue()
        for task in tasks:
            self._cancelled.add(task)
            task.add_done_callback(self._cancelled.discard)
        _cancel(tasks)

    def __del__(self) -> None:
        """Cancel the running jobs."""
        if self._tasks and self._loop is not None:
            call_from_anywhere(self._loop, partial(_cancel, self._tasks))


async def _run(account: str, client: Cliniko, job: AccountJob[T]) -> AccountResult[T]:
    try:
        async with client:
            return AccountResult(account, await job(account, client))
    except Exception as error:  # noqa: BLE001  (any error is the account's own)
        return AccountResult(account, error=error)
    except asyncio.CancelledError:
        # If the job itself was not cancelled, something that it awaited was: only this account failed.
        if (task := asyncio.current_task()) and not task.cancelling():
            return AccountResult(account, error=UsageError("the job was cancelled by something that it called"))
        raise


async def _refused(account: str, error: Exception) -> AccountResult[Any]:
    return AccountResult(account, error=error)


def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
