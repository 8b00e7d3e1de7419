"""The part of a run on a Dask worker. Nothing is registered with the scheduler.

The first account that reaches a worker installs the plugin of its run there, and only there. So a worker that lacks a
module or does not answer affects no other, and if the client disappears, the plugin removes itself when it is idle.
"""

import asyncio
from concurrent.futures import CancelledError
from typing import Any, Literal, TypeAlias

import attrs
import distributed
from distributed import Reschedule, Worker, WorkerPlugin

from .. import AccountResult, UsageError
from ._account_job import JobHandle, RunnerOptions
from ._pickling import dumps, loads
from ._worker_runner import WorkerRunner

WorkerReply: TypeAlias = tuple[Literal["done"], str, bytes] | tuple[Literal["unfit"], str, str]
"""Whether the job was done, the address of the worker, and the pickled result or why this worker is unfit."""

# Many of its functions have no type annotations.
_dask: Any = distributed
_PATIENCE = 0.5
"""Seconds for which an account waits at a worker that has no free slot."""

_RUNNING = ("executing", "long-running")
_ENDING = ("closing", "closed", "failed")


@attrs.frozen
class Assignment:
    """An account of a run, with the settings that all accounts of the run share.

    Args:
        run: The name of the run.
        key: The key of the Dask task.
        account: The name of the account.
        parts: The job and the context function, pickled, because a worker may lack their modules.
        options: The other options of `RunnerOptions`.
    """

    run: str
    key: str
    account: str = attrs.field(repr=False)
    parts: bytes = attrs.field(repr=False)
    options: dict[str, Any]


def work(packed: bytes) -> WorkerReply:
    """Run the job of an account, in a thread of Dask, and wait for it.

    Raises:
        Reschedule: The account is no longer wanted here, or the worker has no free slot or is closing.
    """
    worker: Any = _dask.get_worker()
    try:
        assignment: Assignment = loads(packed)
        job, context = loads(assignment.parts)
    except Exception as error:  # noqa: BLE001  (an import may raise anything)
        return "unfit", worker.address, why_unfit(error)
    beginning = _begin(worker, assignment, job, context)
    plugin, handle = asyncio.run_coroutine_threadsafe(beginning, worker.loop.asyncio_loop).result()
    try:
        # A job that waits to begin keeps its slot in Dask, so that Dask sees which workers are full.
        handle.begun.result(_PATIENCE)
        _dask.secede()
        return "done", worker.address, _packed(handle.outcome.result())
    except (CancelledError, TimeoutError):
        handle.drop()
        raise Reschedule from None
    finally:
        plugin.forget(assignment.key)


def why_unfit(error: Exception) -> str:
    """Return why a job cannot be unpickled. The message of anything but an ImportError may contain secrets."""
    text = f": {error}" if isinstance(error, ImportError) else ""
    return f"{type(error).__name__}{text}"


async def leave(run: str, *, dask_worker: Any) -> None:
    """End a run in a worker: cancel its jobs and close its context."""
    if run in dask_worker.plugins:
        await dask_worker.plugin_remove(run)


async def _begin(worker: Any, assignment: Assignment, job: Any, context: Any) -> tuple["RunPlugin", JobHandle[Any]]:
    """Begin a job. This runs on the worker's loop, so that nothing can happen between its steps.

    Raises:
        Reschedule: The job is no longer wanted, or the worker is closing.
    """
    task = worker.state.tasks.get(assignment.key)
    if task is None or task.state not in _RUNNING or worker.status.name in _ENDING:
        raise Reschedule
    if assignment.run not in worker.plugins:
        await worker.plugin_add(RunPlugin(worker, assignment, job, context), assignment.run)
    plugin: RunPlugin = worker.plugins[assignment.run]
    return plugin, plugin.begin(assignment)


class RunPlugin(WorkerPlugin):
    """The jobs of a run in one worker."""

    def __init__(self, worker: Any, assignment: Assignment, job: Any, context: Any) -> None:
        """Create the plugin; nothing is opened before the first job begins."""
        self.name = assignment.run
        self._worker = worker
        self._handles: dict[str, JobHandle[Any]] = {}
        self._runner: WorkerRunner[Any, Any] = WorkerRunner(
            RunnerOptions(job=job, context=context, on_idle=self._check_idle, **assignment.options)
        )

    def begin(self, assignment: Assignment) -> JobHandle[Any]:
        """Begin a job; called on the worker's loop."""
        handle = self._handles[assignment.key] = self._runner.submit(assignment.account)
        return handle

    def forget(self, key: str) -> None:
        """Forget a job that has ended; called from any thread."""
        self._handles.pop(key, None)
        self._check_idle()

    def transition(self, key: Any, start: str, finish: str, **_: object) -> None:
        """Cancel a job whose task was released; Dask itself would let it run to its end."""
        if start in _RUNNING and finish == "released" and (handle := self._handles.get(key)) is not None:
            handle.drop()

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002  (Dask passes it)
        """Close the runner, because the worker closes or the run is over."""
        await asyncio.to_thread(self._runner.close)

    def _check_idle(self) -> None:
        if not self._runner.is_open:
            self._worker.loop.add_callback(self._leave_if_idle)

    async def _leave_if_idle(self) -> None:
        """Remove the plugin if it is idle, as the client may have disappeared; called on the worker's loop."""
        if not self._handles and not self._runner.is_open and self._worker.plugins.get(self.name) is self:
            await self._worker.plugin_remove(self.name)


def _packed(outcome: AccountResult[Any]) -> bytes:
    """Return the pickled result; one that cannot be pickled fails its account, not the cluster."""
    try:
        packed = dumps(outcome)
    except Exception as error:  # noqa: BLE001  (the user's class may raise anything)
        kind = type(outcome.result if outcome.error is None else outcome.error).__name__
        reason = f"the job ended with a {kind} that cannot be pickled: {type(error).__name__}"
        failed: AccountResult[Any] = AccountResult(outcome.account, error=UsageError(reason))
        packed = dumps(failed)
    return packed


def unpacked(account: str, packed: bytes) -> AccountResult[Any]:
    """Return the result that a worker has pickled; one that cannot be unpickled becomes an error of its account."""
    try:
        outcome: AccountResult[Any] = loads(packed)
    except Exception as error:  # noqa: BLE001  (the user's class may raise anything)
        reason = f"the result of the job cannot be unpickled here: {type(error).__name__}"
        outcome = AccountResult(account, error=UsageError(reason))
    return outcome
