"""What a worker of Dask does for an account. Nothing of it is registered with the scheduler.

A run is a plugin that its first account brings to a worker, of which no other worker hears: so a worker that lacks a
module, or does not answer, matters to nobody else, and what a client that vanished has left goes when it is idle.
"""

import asyncio
from concurrent.futures import CancelledError
from typing import Any, Literal, TypeAlias

import attrs
import distributed
from distributed import Reschedule, Worker, WorkerPlugin

from .. import AccountResult, UsageError
from ._job_runner import JobHandle, JobRunner, RunnerOptions
from ._pickling import dumps, loads

Reply: TypeAlias = tuple[Literal["done"], str, bytes] | tuple[Literal["unfit"], str, str]
"""What came of an account, or why this worker cannot run the job; the address of the worker stands between."""

# Half of their functions say nothing of their types.
_dask: Any = distributed
_PATIENCE = 0.5
"""Seconds for which an account waits at a worker that is full."""

_RUNNING = ("executing", "long-running")
_ENDING = ("closing", "closed", "failed")


@attrs.frozen
class Assignment:
    """An account for a run: the rest is the same for all accounts of the run.

    Args:
        run: the name of the run.
        key: that of the task of Dask.
        parts: the job and what opens its context, pickled, as a worker may lack their modules.
        options: those of `RunnerOptions`, but for the parts.
    """

    run: str
    key: str
    account: str = attrs.field(repr=False)
    parts: bytes = attrs.field(repr=False)
    options: dict[str, Any]


def work(packed: bytes) -> Reply:
    """Run the job of an account, in a thread of Dask, and wait for it.

    Raises:
        Reschedule: nobody wants the account here any more, or the worker is full or closes.
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
        # Whoever waits to begin keeps its slot, so that Dask sees which workers are full.
        handle.begun.result(_PATIENCE)
        _dask.secede()
        return "done", worker.address, _packed(handle.outcome.result())
    except (CancelledError, TimeoutError):
        handle.drop()
        raise Reschedule from None
    finally:
        plugin.forget(assignment.key)


def why_unfit(error: Exception) -> str:
    """Return why something cannot be imported; the text of any other error may hold what nobody should read."""
    text = f": {error}" if isinstance(error, ImportError) else ""
    return f"{type(error).__name__}{text}"


async def leave(run: str, *, dask_worker: Any) -> None:
    """End a run in a worker: cancel its jobs and close its context."""
    if run in dask_worker.plugins:
        await dask_worker.plugin_remove(run)


async def _begin(worker: Any, assignment: Assignment, job: Any, context: Any) -> tuple["RunPlugin", JobHandle[Any]]:
    """Begin a job, on the loop of the worker, where nothing can come between these steps.

    Raises:
        Reschedule: nobody wants it any more, or the worker closes.
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
        """Nothing is opened before the first job begins."""
        self.name = assignment.run
        self._worker = worker
        self._handles: dict[str, JobHandle[Any]] = {}
        self._runner: JobRunner[Any, Any] = JobRunner(
            RunnerOptions(job=job, context=context, on_idle=self._look, **assignment.options)
        )

    def begin(self, assignment: Assignment) -> JobHandle[Any]:
        """Begin a job; on the worker's loop."""
        handle = self._handles[assignment.key] = self._runner.submit(assignment.account)
        return handle

    def forget(self, key: str) -> None:
        """Forget a job that has ended; from any thread."""
        self._handles.pop(key, None)
        self._look()

    def transition(self, key: Any, start: str, finish: str, **_: object) -> None:
        """End a job whose task nobody wants any more; Dask itself lets what is under way run on."""
        if start in _RUNNING and finish == "released" and (handle := self._handles.get(key)) is not None:
            handle.drop()

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002  (Dask passes it)
        """End in a worker that closes, or when the run is over."""
        await asyncio.to_thread(self._runner.close)

    def _look(self) -> None:
        if not self._runner.is_open:
            self._worker.loop.add_callback(self._leave_if_idle)

    async def _leave_if_idle(self) -> None:
        """Leave nothing in a worker to which nobody says that the run is over; on the worker's loop."""
        if not self._handles and not self._runner.is_open and self._worker.plugins.get(self.name) is self:
            await self._worker.plugin_remove(self.name)


def _packed(outcome: AccountResult[Any]) -> bytes:
    """Pickle here, so that what cannot be pickled is the outcome of one account and no fault of the cluster."""
    try:
        packed = dumps(outcome)
    except Exception as error:  # noqa: BLE001  (anything may be raised by what others wrote)
        kind = type(outcome.result if outcome.error is None else outcome.error).__name__
        reason = f"the job ended with a {kind} that cannot be pickled: {type(error).__name__}"
        failed: AccountResult[Any] = AccountResult(outcome.account, error=UsageError(reason))
        packed = dumps(failed)
    return packed


def unpacked(account: str, packed: bytes) -> AccountResult[Any]:
    """Return the outcome that a worker has packed."""
    try:
        outcome: AccountResult[Any] = loads(packed)
    except Exception as error:  # noqa: BLE001  (anything may be raised by what others wrote)
        reason = f"what the job ended with cannot be read here: {type(error).__name__}"
        outcome = AccountResult(account, error=UsageError(reason))
    return outcome
