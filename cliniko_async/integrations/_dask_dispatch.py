"""Sends the accounts of a run to a Dask cluster and waits for their results."""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs
from distributed.client import FutureCancelledError

from .. import AccountResult, UsageError
from .._backoff import retry_delays
from .._checks import count_argument, seconds_argument
from .._compat import heed_cancellation
from ._dask_worker import Assignment, leave, unpacked
from ._pickling import dumps

if TYPE_CHECKING:
    from distributed import Client

    from ._dask_worker import WorkerReply

T = TypeVar("T")

logger = logging.getLogger("cliniko_async")

_FIRST_RETRY = 0.5
_LONGEST_RETRY = 30.0
_SCHEDULER_PATIENCE = 5.0
"""Seconds to wait for the scheduler's list of workers; results may be ready meanwhile."""


@attrs.frozen(kw_only=True)
class RunSettings:
    """The arguments of `run_accounts` that are the same for all accounts of a run."""

    name: str
    parts: bytes = attrs.field(repr=False)
    concurrency: int
    retries: int
    timeout: float | None
    idle_timeout: float
    close_timeout: float

    def __attrs_post_init__(self) -> None:
        count_argument("concurrency", self.concurrency)
        count_argument("retries", self.retries, least=0)
        seconds_argument("idle_timeout", self.idle_timeout)
        seconds_argument("close_timeout", self.close_timeout)
        if self.timeout is not None:
            seconds_argument("timeout", self.timeout)

    def assignment(self, account: str, key: str) -> bytes:
        """Return the pickled assignment that is sent for an account."""
        options = {
            "concurrency": self.concurrency,
            "timeout": self.timeout,
            "idle_timeout": self.idle_timeout,
        }
        return dumps(Assignment(self.name, key, account, self.parts, options))


class Dispatcher(Generic[T]):
    """Sends accounts and waits for their results.

    Its tasks hold no reference to the iterator, so that an abandoned iterator is collected and the run ends.
    """

    def __init__(self, client: "Client", settings: RunSettings) -> None:
        self._client: Any = client
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = False
        self._workers = _Workers(client)
        self._numbers = itertools.count()
        self._tasks: set[asyncio.Task[AccountResult[T]]] = set()
        self._ended: asyncio.Queue[asyncio.Task[AccountResult[T]]] = asyncio.Queue()

    @property
    def busy(self) -> bool:
        """Whether results of accounts that were sent are still to come."""
        return bool(self._tasks)

    async def room(self) -> int:
        """Return how many accounts may be sent now: the capacity of all workers, less the accounts in progress."""
        if self._over or self._client.status in ("closing", "closed"):
            return 0
        self._loop = asyncio.get_running_loop()
        await self._workers.refresh()
        return max(0, self._settings.concurrency * max(1, len(self._workers.fit)) - len(self._tasks))

    def send(self, account: str) -> None:
        """Send an account, and wait for its result in a task."""
        task = asyncio.create_task(self._outcome(account))
        self._tasks.add(task)
        task.add_done_callback(self._ended.put_nowait)

    async def next(self) -> AccountResult[T]:
        """Wait for the next result and return it."""
        task = await self._ended.get()
        if self._over:
            raise StopAsyncIteration
        self._tasks.discard(task)
        return task.result()

    async def leave(self) -> None:
        """Cancel the jobs in progress, and wait up to `close_timeout` seconds until the workers have ended them."""
        self._over = True
        loop, self._loop = self._loop, None
        if loop is None:
            return
        end = loop.time() + self._settings.close_timeout
        holders: list[str] = []
        try:
            if self._client.status == "running":
                holders = await self._before(end, self._workers.holding(self._settings.name)) or []
        finally:
            # Even if this wait is cancelled.
            await self._cancel()
        # A worker that this does not reach ends its jobs because their tasks are gone, and is then idle.
        if holders:
            await self._before(end, self._client.run(leave, self._settings.name, workers=holders, on_error="ignore"))

    def abandon(self) -> None:
        """Leave without waiting; called from any thread, because the caller may be the garbage collector."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # The loop is closed, and its tasks with it.
                self._loop.call_soon_threadsafe(self._leave_soon)

    def _leave_soon(self) -> None:
        task = asyncio.ensure_future(self.leave())
        _leaving.add(task)
        task.add_done_callback(_leaving.discard)

    async def _cancel(self) -> None:
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _before(self, end: float, work: Coroutine[Any, Any, Any]) -> Any:
        """Return the result of some work on the cluster, or None if it fails or takes too long."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout_at(end):
                return await work
        return None

    async def _outcome(self, account: str) -> AccountResult[T]:
        outcome = await self._attempt(account)
        delays = retry_delays(_FIRST_RETRY, _LONGEST_RETRY, shortest_share=0)
        for delay in itertools.islice(delays, self._settings.retries):
            if outcome.error is None:
                break
            await asyncio.sleep(delay)
            outcome = await self._attempt(account)
        return outcome

    async def _attempt(self, account: str) -> AccountResult[T]:
        """Send an account to workers until one of them can run the job."""
        try:
            while True:
                _, worker, content = await self._reply(account)
                if isinstance(content, bytes):
                    self._workers.used.add(worker)
                    return unpacked(account, content)
                self._workers.refuse(worker, content)
                await self._workers.refresh()
                if not self._workers.fit:
                    return AccountResult(
                        account, error=UsageError(f"no worker can run the job: {self._workers.reasons()}")
                    )
        except Exception as error:  # noqa: BLE001  (workers died too often, or another client cancelled the task)
            return AccountResult(account, error=error)

    async def _reply(self, account: str) -> "WorkerReply":
        while True:
            key = f"{self._settings.name}-{next(self._numbers)}"
            task = _task(self._settings.assignment(account, key))
            future = self._client.submit(task, key=key, **self._workers.restrictions())
            try:
                reply: WorkerReply = await future
                return reply
            except FutureCancelledError as error:
                # The scheduler is gone, and with it the task. It may come back.
                if error.reason != "scheduler-connection-lost" or not await self._connected():
                    raise
            finally:
                future.release()

    async def _connected(self) -> bool:
        while self._client.status == "connecting":  # noqa: ASYNC110  (Dask has no event for it)
            await asyncio.sleep(0.1)
        return bool(self._client.status == "running")


class _Workers:
    """The workers of a cluster: which exist, which had accounts, and which cannot run the job."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._present: set[str] = set()
        self._unfit: dict[str, str] = {}
        self.used: set[str] = set()

    @property
    def fit(self) -> set[str]:
        return self._present - self._unfit.keys()

    async def refresh(self) -> None:
        """Update the list of workers; while the scheduler does not answer, the previous list remains."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_SCHEDULER_PATIENCE):
                self._present = set(await heed_cancellation(self._client.nthreads()))
                self._unfit = {worker: why for worker, why in self._unfit.items() if worker in self._present}

    def refuse(self, worker: str, reason: str) -> None:
        if worker not in self._unfit:
            logger.warning("%s cannot run the job, its accounts go to other workers: %s", worker, reason)
        self._unfit[worker] = reason

    def reasons(self) -> str:
        return "; ".join(f"{worker}: {reason}" for worker, reason in sorted(self._unfit.items()))

    def restrictions(self) -> dict[str, Any]:
        """Return the arguments of `submit` that restrict the workers of an account."""
        if not self._unfit or not self.fit:
            return {}
        # Others are allowed if all of these die; otherwise the account would wait forever.
        return {"workers": sorted(self.fit), "allow_other_workers": True}

    async def holding(self, name: str) -> list[str]:
        """Return the workers that have or had accounts of a run; only these are asked to end it."""
        processing: dict[str, list[Any]] = await self._client.processing()
        busy = (each for each, keys in processing.items() if any(str(key).startswith(name) for key in keys))
        return sorted({*self.used, *busy} & processing.keys())


_leaving: set[asyncio.Future[None]] = set()


def _task(packed: bytes) -> "Callable[[], WorkerReply]":
    """Return the function that is sent for an account.

    A nested function is pickled with its code, so that it also runs, and reports what is missing, where this package is
    not installed. It keeps the account in a closure, which is never displayed, not even in a log of Dask.
    """

    def task() -> "WorkerReply":
        try:
            from cliniko_async.integrations import _dask_worker  # noqa: PLC0415
        except Exception as error:  # noqa: BLE001  (whatever the reason, this worker cannot run the job)
            from distributed import get_worker  # noqa: PLC0415

            return "unfit", get_worker().address, f"{type(error).__name__}: {error}"
        return _dask_worker.work(packed)

    return task
