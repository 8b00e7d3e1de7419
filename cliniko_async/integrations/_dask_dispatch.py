"""What hands the accounts of a run to a Dask cluster, and waits for them."""

import asyncio
import contextlib
import itertools
import logging
import math
import random
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs
from distributed.client import FutureCancelledError

from .. import AccountResult, InvalidRequestError, UsageError
from ._dask_worker import Assignment, leave, unpacked
from ._pickling import dumps

if TYPE_CHECKING:
    from distributed import Client

    from ._dask_worker import Reply

T = TypeVar("T")

_log = logging.getLogger("cliniko_async")

_FIRST_RETRY = 0.5
_LONGEST_RETRY = 30.0
_SCHEDULER_PATIENCE = 5.0
"""Seconds for which the scheduler is asked how many workers there are, while outcomes may wait."""


@attrs.frozen(kw_only=True)
class RunSettings:
    """What is the same for all accounts of a run; the arguments of `run_accounts`."""

    name: str
    parts: bytes = attrs.field(repr=False)
    concurrency: int
    retries: int
    timeout: float | None
    idle_timeout: float
    close_timeout: float

    def __attrs_post_init__(self) -> None:
        for name, number, least in (("concurrency", self.concurrency, 1), ("retries", self.retries, 0)):
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise InvalidRequestError(f"{name} must be a whole number from {least}", argument=name)
        waits = {"idle_timeout": self.idle_timeout, "close_timeout": self.close_timeout}
        for name, seconds in (waits if self.timeout is None else waits | {"timeout": self.timeout}).items():
            if not 0 < seconds < math.inf:
                raise InvalidRequestError(f"{name} must be a number of seconds above 0", argument=name)

    def assignment(self, account: str, key: str) -> bytes:
        """Return what is sent for an account, pickled."""
        options = {
            "concurrency": self.concurrency,
            "timeout": self.timeout,
            "idle_timeout": self.idle_timeout,
        }
        return dumps(Assignment(self.name, key, account, self.parts, options))


class Dispatcher(Generic[T]):
    """The tasks that wait for the accounts that were sent; they do not know who iterates, which may be dropped."""

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
        """Whether accounts that were sent have not come out yet."""
        return bool(self._tasks)

    async def room(self) -> int:
        """Return how many accounts may be sent now: what all workers can have under way, but for those that are."""
        if self._over or self._client.status in ("closing", "closed"):
            return 0
        self._loop = asyncio.get_running_loop()
        await self._workers.look()
        return max(0, self._settings.concurrency * max(1, len(self._workers.fit)) - len(self._tasks))

    def send(self, account: str) -> None:
        """Send an account, and see to its outcome."""
        task = asyncio.create_task(self._outcome(account))
        self._tasks.add(task)
        task.add_done_callback(self._ended.put_nowait)

    async def next(self) -> AccountResult[T]:
        """Wait for an account to come out."""
        task = await self._ended.get()
        if self._over:
            raise StopAsyncIteration
        self._tasks.discard(task)
        return task.result()

    async def leave(self) -> None:
        """Cancel what is under way, and wait for those who did it, as long as the settings say."""
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
            # Also if this wait is cancelled.
            await self._cancel()
        # A worker that does not hear it ends its jobs as their tasks are gone, and then has nothing more to do.
        if holders:
            await self._before(end, self._client.run(leave, self._settings.name, workers=holders, on_error="ignore"))

    def abandon(self) -> None:
        """Leave when nobody can wait for it; from any thread, as the garbage collector may be the caller."""
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
        """Return what a cluster answers in time, or None."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout_at(end):
                return await work
        return None

    async def _outcome(self, account: str) -> AccountResult[T]:
        outcome = await self._attempt(account)
        for number in range(self._settings.retries):
            if outcome.error is None:
                break
            await asyncio.sleep(random.uniform(0, min(_LONGEST_RETRY, _FIRST_RETRY * 2.0 ** min(number, 16))))
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
                await self._workers.look()
                if not self._workers.fit:
                    return AccountResult(
                        account, error=UsageError(f"no worker can run the job: {self._workers.reasons()}")
                    )
        except Exception as error:  # noqa: BLE001  (workers died too often, or somebody else cancelled the task)
            return AccountResult(account, error=error)

    async def _reply(self, account: str) -> "Reply":
        while True:
            key = f"{self._settings.name}-{next(self._numbers)}"
            task = _task(self._settings.assignment(account, key))
            future = self._client.submit(task, key=key, **self._workers.restrictions())
            try:
                reply: Reply = await future
                return reply
            except FutureCancelledError as error:
                # The scheduler went away. What it knew is lost, and it may come back.
                if error.reason != "scheduler-connection-lost" or not await self._connected():
                    raise
            finally:
                future.release()

    async def _connected(self) -> bool:
        while self._client.status == "connecting":  # noqa: ASYNC110  (Dask tells nobody)
            await asyncio.sleep(0.1)
        return bool(self._client.status == "running")


class _Workers:
    """The workers of a cluster: which there are, which had accounts, and which cannot run the job."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._there: set[str] = set()
        self._unfit: dict[str, str] = {}
        self.used: set[str] = set()

    @property
    def fit(self) -> set[str]:
        return self._there - self._unfit.keys()

    async def look(self) -> None:
        """Ask the scheduler. While it cannot be asked, the answer of last time does."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_SCHEDULER_PATIENCE):
                self._there = set(await self._client.nthreads())
                self._unfit = {worker: why for worker, why in self._unfit.items() if worker in self._there}

    def refuse(self, worker: str, reason: str) -> None:
        if worker not in self._unfit:
            _log.warning("%s cannot run the job, its accounts go to other workers: %s", worker, reason)
        self._unfit[worker] = reason

    def reasons(self) -> str:
        return "; ".join(f"{worker}: {reason}" for worker, reason in sorted(self._unfit.items()))

    def restrictions(self) -> dict[str, Any]:
        """Return where an account may go, for `submit`."""
        if not self._unfit or not self.fit:
            return {}
        # To others if all of these die: one that waited for them would wait for ever.
        return {"workers": sorted(self.fit), "allow_other_workers": True}

    async def holding(self, name: str) -> list[str]:
        """Return which workers have, or had, accounts of a run; nobody else is asked to leave it."""
        processing: dict[str, list[Any]] = await self._client.processing()
        busy = (each for each, keys in processing.items() if any(str(key).startswith(name) for key in keys))
        return sorted({*self.used, *busy} & processing.keys())


_leaving: set[asyncio.Future[None]] = set()


def _task(packed: bytes) -> "Callable[[], Reply]":
    """Return what is sent for an account.

    A function inside of a function travels by its code, so that it also runs, and says what is missing, where this
    package is not installed. It holds its account in a closure, which is shown nowhere, in no log of Dask either.
    """

    def task() -> "Reply":
        try:
            from cliniko_async.integrations import _dask_worker  # noqa: PLC0415
        except Exception as error:  # noqa: BLE001  (whatever is wrong, this worker cannot run the job)
            from distributed import get_worker  # noqa: PLC0415

            return "unfit", get_worker().address, f"{type(error).__name__}: {error}"
        return _dask_worker.work(packed)

    return task
