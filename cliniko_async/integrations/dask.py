"""Runs a job for each of many accounts on a Dask cluster; if a worker dies, its accounts continue on other workers."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self

from .. import AccountResult, InvalidRequestError, UsageError
from ._account_job import AccountRun, Job, OpensContext, StreamRun, T, W, WorkerContext

try:
    from distributed import Client

    from ._dask_dispatch import Dispatcher, RunSettings
    from ._pickling import dumps
except ImportError as error:
    raise ImportError('run_accounts needs distributed: pip install "cliniko-async[dask]"') from error

__all__ = ["AccountRun", "AccountRuns", "StreamRun", "WorkerContext", "run_accounts"]


def run_accounts(
    client: Client,
    job: Job[W, T],
    accounts: Iterable[str],
    *,
    context: OpensContext[W],
    concurrency: int = 50,
    retries: int = 0,
    timeout: float | None = None,
    idle_timeout: float = 10.0,
    close_timeout: float = 10.0,
) -> "AccountRuns[T]":
    """Run a job for each account on the workers of a cluster.

    Iterate with `async for done in run_accounts(...)`. A job whose worker dies begins again on another worker, from the
    cursors that were saved last.

    Args:
        client: An asynchronous client of the cluster.
        job: A coroutine function, called with an `AccountRun` for each account. Like `context`, it is pickled
            with cloudpickle, by name if it is in an importable module.
        accounts: Your names for the accounts. Nothing else of an account is sent to the workers.
        context: A function that returns an asynchronous context manager of the `WorkerContext` that the jobs of one
            worker share. A worker opens it for its first job, and again after `idle_timeout` has closed it.
        concurrency: The number of jobs that one worker runs at a time.
        retries: How often a failed account is started again, after a random delay of up to 0.5, 1, 2 … 30 seconds.
        timeout: Seconds that one run of a job may take before it fails with a `TimeoutError`; None for no limit.
        idle_timeout: Seconds that a worker without an account keeps its context open.
        close_timeout: Seconds to wait at the end for workers that have not ended their jobs yet.

    Returns:
        An asynchronous iterator that yields an `AccountResult` for each account as soon as it ends; `aclose()` ends it.

    Raises:
        InvalidRequestError: An argument is not valid, such as a repeated name or a job that cannot be pickled.
    """
    settings = RunSettings(
        name=f"cliniko_async-{secrets.token_hex(8)}",
        parts=_pickled(job, context),
        concurrency=concurrency,
        retries=retries,
        timeout=timeout,
        idle_timeout=idle_timeout,
        close_timeout=close_timeout,
    )
    if not client.asynchronous:
        raise InvalidRequestError("client must be asynchronous", argument="client")
    return AccountRuns(Dispatcher(client, settings), _named_once(accounts))


class AccountRuns(Generic[T]):
    """The results of `run_accounts`, each as soon as it is ready. They can be iterated only once."""

    def __init__(self, dispatcher: "Dispatcher[T]", accounts: list[str]) -> None:
        """Create the iterator. Nothing is sent before the first result is awaited.

        Args:
            dispatcher: Sends the jobs to the workers.
            accounts: The names of the accounts.
        """
        self._dispatcher = dispatcher
        self._waiting = accounts[::-1]
        self._lock = asyncio.Lock()

    def __aiter__(self) -> Self:
        """Return the iterator itself."""
        return self

    async def __anext__(self) -> AccountResult[T]:
        """Return the next result, and send further accounts to the cluster. A wait that is cancelled ends the run.

        Raises:
            UsageError: The client of Dask is closed, so the remaining accounts cannot be sent.
        """
        try:
            async with self._lock:
                await self._supply()
                if self._dispatcher.busy:
                    return await self._dispatcher.next()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if self._waiting:
            raise UsageError(f"the client of Dask is closed: {len(self._waiting)} accounts were not sent")
        await self.aclose()
        raise StopAsyncIteration

    async def _supply(self) -> None:
        room = await self._dispatcher.room() if self._waiting else 0
        for _ in range(min(room, len(self._waiting))):
            self._dispatcher.send(self._waiting.pop())

    async def aclose(self) -> None:
        """Cancel the jobs in progress, and wait up to `close_timeout` seconds until the workers have ended them."""
        self._waiting.clear()
        await self._dispatcher.leave()

    def __del__(self) -> None:
        self._dispatcher.abandon()

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise TypeError("iterate over the results with `async for`, not with `for`")


def _named_once(accounts: Iterable[str]) -> list[str]:
    names = list(accounts)
    if invalid := [name for name in names if not isinstance(name, str)]:
        raise InvalidRequestError(f"the name of an account must be a str, not {invalid[0]!r}", argument="accounts")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise InvalidRequestError(f"accounts are repeated: {', '.join(map(repr, repeated[:5]))}", argument="accounts")
    return names


def _pickled(job: Any, context: Any) -> bytes:  # noqa: ANN401  (anything but a function is refused)
    for argument, part in (("job", job), ("context", context)):
        if not callable(part):
            raise InvalidRequestError(f"{argument} must be a function", argument=argument)
        try:
            dumps(part)
        except Exception as error:
            name = getattr(part, "__qualname__", type(part).__qualname__)
            reason = f"{argument} {name} cannot be pickled: {type(error).__name__}: {error}"
            raise InvalidRequestError(reason, argument=argument) from error
    return dumps((job, context))
