"""Runs a job for each of many accounts on the workers of a Dask cluster; one whose worker died continues elsewhere."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self

from .. import ConfigurationError, InvalidRequestError, Outcome, UsageError
from ._job_runner import AccountRun, Job, OpensContext, T, W, WorkerContext

try:
    from distributed import Client

    from ._dask_dispatch import Dispatcher, RunSettings
    from ._pickling import dumps
except ImportError as error:
    raise ConfigurationError("the adapter of Dask needs distributed: install cliniko-async[dask]") from error

__all__ = ["AccountRun", "AccountRuns", "WorkerContext", "run_accounts"]


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

    A job whose worker dies begins again on another one, with the cursor that was saved last. `aclose()`, and cancelling
    the wait for an outcome, end the run and cancel the jobs in progress.

    Args:
        client: an asynchronous client of the cluster.
        job: what to do for an account. Like `context`, it travels pickled: by its name if it is in a module that the
            workers have, otherwise with all that it refers to.
        accounts: the names of the accounts. Nothing else of an account is sent.
        context: opens what the jobs of one worker share. It is called once in each worker, by the first job there.
        concurrency: how many jobs a worker has under way at once.
        retries: how often an account that failed is begun again, after up to 0.5, 1, 2 … 30 seconds.
        timeout: seconds that one run of a job may take before it fails with a `TimeoutError`.
        idle_timeout: seconds that a worker without an account keeps its context open.
        close_timeout: seconds to wait at the end for workers that have not cancelled their jobs yet.

    Returns:
        An asynchronous iterator, which yields an `Outcome` for each account once, as soon as its job has ended.

    Raises:
        InvalidRequestError: an argument cannot work: a name that comes twice, a job that cannot be pickled.
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
    """The outcomes of `run_accounts`, each as soon as it is there; they can be iterated once."""

    def __init__(self, dispatcher: "Dispatcher[T]", accounts: list[str]) -> None:
        """Create the iterator. Nothing is sent before the first outcome is awaited.

        Args:
            dispatcher: Sends the jobs to the workers.
            accounts: The names of the accounts.
        """
        self._dispatcher = dispatcher
        self._waiting = accounts[::-1]
        self._turn = asyncio.Lock()

    def __aiter__(self) -> Self:
        """Continue this run."""
        return self

    async def __anext__(self) -> Outcome[T]:
        """Return the next outcome, and keep the cluster supplied; a wait that is cancelled ends the run.

        Raises:
            UsageError: the client of Dask is closed, so that the accounts that are left cannot be sent.
        """
        try:
            async with self._turn:
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
        """Cancel what is under way, and wait until the workers have left it, for at most `close_timeout` seconds."""
        self._waiting.clear()
        await self._dispatcher.leave()

    def __del__(self) -> None:
        self._dispatcher.abandon()

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise TypeError("outcomes are awaited with `async for`, not with `for`")


def _named_once(accounts: Iterable[str]) -> list[str]:
    names = list(accounts)
    if odd := [name for name in names if not isinstance(name, str)]:
        raise InvalidRequestError(f"the name of an account must be a str, not {odd[0]!r}", argument="accounts")
    if doubled := [name for name, count in Counter(names).items() if count > 1]:
        raise InvalidRequestError(f"accounts come twice: {', '.join(map(repr, doubled[:5]))}", argument="accounts")
    return names


def _pickled(job: Any, context: Any) -> bytes:  # noqa: ANN401  (what is no function is refused)
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
