"""The jobs of many accounts on the workers of a Dask cluster, each going on where a worker that died had been."""

import asyncio
import contextlib
import itertools
import secrets
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self

import attrs

from .. import ConfigurationError, InvalidRequestError, Outcome, UsageError
from ._job_runner import AccountRun, Job, JobHandle, JobRunner, OpensWorkshop, T, W, Workshop

try:
    import distributed
    from distributed import Client, Reschedule, Worker, WorkerPlugin
    from distributed.protocol import pickle
except ImportError as error:
    raise ConfigurationError("the adapter of Dask needs distributed: install cliniko-async[dask]") from error

__all__ = ["AccountRun", "AccountRuns", "Workshop", "run_accounts"]

# Half of their functions say nothing of their types.
_dask: Any = distributed
_pickle: Any = pickle
_PATIENCE = 0.5
"""Seconds for which an account waits at a worker that is full."""

_RUNNING = ("executing", "long-running")


def run_accounts(
    client: Client, job: Job[W, T], accounts: Iterable[str], *, workshop: OpensWorkshop[W], concurrency: int = 50
) -> "AccountRuns[T]":
    """Run the job of each account on the workers of a cluster; give an `Outcome` for each, as they end.

    `client` is asynchronous. `job` and `workshop` are functions that a worker can import; the workshop is opened once
    in each worker, on an event loop of its own there. `accounts` are names, each once; they are all that is sent of an
    account. A worker has at most `concurrency` of them under way. The job of a worker that dies is begun again
    elsewhere, with the cursor that was saved last. To leave early use `break`, or `aclose()` to wait until the rest is
    cancelled.

    Raises:
        InvalidRequestError: the client is not asynchronous, or `concurrency` is below 1.
    """
    if not client.asynchronous:
        raise InvalidRequestError("client must be an asynchronous client of Dask", argument="client")
    if concurrency < 1:
        raise InvalidRequestError("concurrency must be at least 1", argument="concurrency")
    plugin = _RunnerPlugin(f"cliniko_async-{secrets.token_hex(8)}", job, workshop, concurrency)
    return AccountRuns(client, plugin, accounts, concurrency)


class AccountRuns(Generic[T]):
    """The outcomes of `run_accounts`, once, each as soon as it is there."""

    def __init__(
        self, client: Client, plugin: "_RunnerPlugin[Any, T]", accounts: Iterable[str], concurrency: int
    ) -> None:
        """Take where and for whom the jobs are to run; nothing is sent before the first outcome is asked for."""
        self._dispatcher: _Dispatcher[T] = _Dispatcher(client, plugin)
        self._specs: Iterator[_TaskSpec] = (
            _TaskSpec(account, plugin.name, f"{plugin.name}-{number}") for number, account in enumerate(accounts)
        )
        self._concurrency = concurrency
        self._turn = asyncio.Lock()

    def __aiter__(self) -> Self:
        """Go on with this run."""
        return self

    async def __anext__(self) -> Outcome[T]:
        """Give the next outcome, and keep the cluster supplied."""
        async with self._turn:
            for spec in itertools.islice(self._specs, await self._dispatcher.room(self._concurrency)):
                self._dispatcher.send(spec)
            if not self._dispatcher.busy:
                await self.aclose()
                raise StopAsyncIteration
            return await self._dispatcher.next()

    async def aclose(self) -> None:
        """Cancel what is still under way, and wait until the workers have left it."""
        self._specs = iter(())
        await self._dispatcher.leave()

    def __del__(self) -> None:
        self._dispatcher.abandon()

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise TypeError("outcomes are awaited with `async for`, not with `for`")


@attrs.frozen
class _TaskSpec:
    """What is sent for an account. Whatever shows it, a log of Dask too, shows no name."""

    account: str = attrs.field(repr=False)
    plugin: str
    key: str


class _Dispatcher(Generic[T]):
    """The tasks that wait for the accounts that were sent; they do not know who iterates, which may be dropped."""

    def __init__(self, client: Client, plugin: "_RunnerPlugin[Any, T]") -> None:
        self._client: Any = client
        self._plugin = plugin
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = False
        self._workers = 1
        self._tasks: set[asyncio.Task[Outcome[T]]] = set()
        self._ended: asyncio.Queue[asyncio.Task[Outcome[T]]] = asyncio.Queue()

    @property
    def busy(self) -> bool:
        return bool(self._tasks)

    async def room(self, concurrency: int) -> int:
        """Tell how many accounts may be sent now: what all workers can have under way, but for those that are."""
        if self._over:
            return 0
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            try:
                await self._client.register_plugin(self._plugin)
            except Exception:
                self._loop = None
                raise
        # While the scheduler cannot be asked, the answer of last time does; what is then sent ends with an error.
        with contextlib.suppress(Exception):
            self._workers = max(1, len(await self._client.nthreads()))
        return max(0, concurrency * self._workers - len(self._tasks))

    def send(self, spec: _TaskSpec) -> None:
        task = asyncio.create_task(self._outcome(spec))
        self._tasks.add(task)
        task.add_done_callback(self._ended.put_nowait)

    async def _outcome(self, spec: _TaskSpec) -> Outcome[T]:
        try:
            future = self._client.submit(_work, spec, key=spec.key)
            try:
                return _unpacked(spec.account, await future)
            finally:
                future.release()
        except Exception as error:  # noqa: BLE001  (workers died too often, or somebody else cancelled the task)
            return Outcome(spec.account, error=error)

    async def next(self) -> Outcome[T]:
        task = await self._ended.get()
        if self._over:
            raise StopAsyncIteration
        self._tasks.discard(task)
        return task.result()

    async def leave(self) -> None:
        self._over = True
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._loop is not None:
            self._loop = None
            # A cluster that does not hear it closes the workshops by itself, as there is nothing more to do.
            with contextlib.suppress(Exception):
                await self._client.unregister_worker_plugin(self._plugin.name)

    def abandon(self) -> None:
        """Leave when nobody can wait for it; from any thread, as the garbage collector may be the caller."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # The loop is closed, and its tasks with it.
                self._loop.call_soon_threadsafe(self._leave_soon)

    def _leave_soon(self) -> None:
        task = asyncio.ensure_future(self.leave())
        _leaving.add(task)
        task.add_done_callback(_leaving.discard)


_leaving: set[asyncio.Future[None]] = set()


def _work(spec: _TaskSpec) -> bytes:
    """Run in a worker: do the job of an account, and give what came of it in the form in which it travels."""
    plugin: _RunnerPlugin[Any, Any] = _dask.get_worker().plugins[spec.plugin]
    return _packed(plugin.run(spec))


def _packed(outcome: Outcome[Any]) -> bytes:
    """Pickle here, so that what cannot be pickled is the outcome of one account and no fault of the cluster."""
    try:
        packed: bytes = _pickle.dumps(outcome)
    except Exception as error:  # noqa: BLE001  (anything may be raised by what others wrote)
        kind = type(outcome.result if outcome.error is None else outcome.error).__name__
        reason = f"the job ended with a {kind} that cannot be pickled: {type(error).__name__}"
        packed = _pickle.dumps(Outcome(outcome.account, error=UsageError(reason)))
    return packed


def _unpacked(account: str, packed: bytes) -> Outcome[Any]:
    try:
        outcome: Outcome[Any] = _pickle.loads(packed)
    except Exception as error:  # noqa: BLE001  (anything may be raised by what others wrote)
        reason = f"what the job ended with cannot be read here: {type(error).__name__}"
        outcome = Outcome(account, error=UsageError(reason))
    return outcome


class _RunnerPlugin(WorkerPlugin, Generic[W, T]):
    """What runs the jobs in one worker, and which tasks of Dask wait for them."""

    def __init__(self, name: str, job: Job[W, T], workshop: OpensWorkshop[W], concurrency: int) -> None:
        self.name = name
        self._parts = (job, workshop, concurrency)

    def setup(self, worker: Worker) -> None:  # noqa: ARG002  (Dask passes it)
        """Begin in a worker; also in one that joins later, or was started again."""
        self._runner: JobRunner[W, T] = JobRunner(*self._parts)
        self._lock = threading.Lock()
        self._handles: dict[str, JobHandle[T]] = {}
        self._unwanted: set[str] = set()

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002  (Dask passes it)
        """End in a worker that closes, or when the run is over."""
        await asyncio.to_thread(self._runner.close)

    def transition(self, key: Any, start: str, finish: str, **_: object) -> None:  # noqa: ANN401  (what Dask has as a key)
        """End a job whose task nobody wants any more; Dask itself lets what is under way run on."""
        if start not in _RUNNING or finish != "released" or not str(key).startswith(self.name):
            return
        with self._lock:
            if key in self._handles:
                self._handles[key].drop()
            else:  # Its thread has not come this far yet.
                self._unwanted.add(key)

    def run(self, spec: _TaskSpec) -> Outcome[T]:
        """Do a job and wait for it, in a thread of Dask."""
        with self._lock:
            if spec.key in self._unwanted:
                self._unwanted.remove(spec.key)
                raise Reschedule
            handle = self._handles[spec.key] = self._runner.submit(spec.account)
        try:
            # Whoever waits to begin keeps its slot, so that Dask sees which workers are full.
            handle.begun.result(_PATIENCE)
            _dask.secede()
            return handle.outcome.result()
        except (CancelledError, TimeoutError):
            # Nobody wants it, or this worker closes, or is full: let Dask look for another one.
            handle.drop()
            raise Reschedule from None
        finally:
            with self._lock:
                del self._handles[spec.key]
