"""Runs the jobs of many accounts in any process, on one event loop in a thread of its own."""

import asyncio
import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from ._account_job import AccountJobs, JobHandle, RunnerOptions, as_exception

if TYPE_CHECKING:
    from .. import AccountResult

T = TypeVar("T")
W = TypeVar("W")

logger = logging.getLogger("cliniko_async")


class WorkerRunner(Generic[W, T]):
    """Runs jobs on an event loop in a thread of its own; thread, loop and context exist only while needed."""

    def __init__(self, options: RunnerOptions[W, T]) -> None:
        """Create the runner; nothing is started before the first job is submitted."""
        self._options = options
        self._lock = threading.Lock()
        self._loop_thread: _LoopThread[W, T] | None = None

    @property
    def is_open(self) -> bool:
        """Whether a context is open or about to be opened."""
        with self._lock:
            return self._loop_thread is not None and self._loop_thread.accepts_jobs

    def submit(self, account: str) -> JobHandle[T]:
        """Submit an account's job, from any thread."""
        with self._lock:
            handle = self._loop_thread.accept(account) if self._loop_thread is not None else None
            while handle is None:
                self._loop_thread = _LoopThread(self._options)
                handle = self._loop_thread.accept(account)
            return handle

    def close(self, timeout: float = 10.0) -> None:
        """Cancel every job, close the context, and wait until the thread has ended.

        Args:
            timeout: Seconds to wait for jobs and a context that do not end.
        """
        with self._lock:
            thread, self._loop_thread = self._loop_thread, None
        if thread is not None:
            thread.end(timeout)


class _LoopThread(Generic[W, T]):
    """One opening of the context: a thread, its loop, and the jobs on it."""

    def __init__(self, options: RunnerOptions[W, T]) -> None:
        self._options = options
        self._over = asyncio.Event()
        self._lock = threading.Lock()
        self._handles: set[JobHandle[T]] = set()
        self._accepted = 0
        self._closed = False
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._jobs: AccountJobs[W, T] = AccountJobs(options, self._loop.create_future())
        self._thread = threading.Thread(target=self._run, name="cliniko_async", daemon=True)
        self._thread.start()

    @property
    def accepts_jobs(self) -> bool:
        return not self._closed

    def accept(self, account: str) -> JobHandle[T] | None:
        """Accept a job and return its handle, or return None if the thread accepts no more jobs."""
        with self._lock:
            if self._closed:
                return None
            handle: JobHandle[T] = JobHandle(account, self._loop)
            self._handles.add(handle)
            self._accepted += 1
            # Under the lock, so that the loop cannot end in between.
            self._loop.call_soon_threadsafe(self._begin, handle)
            return handle

    def end(self, timeout: float) -> None:
        with self._lock:
            self._close()
            handles = list(self._handles)
        for handle in handles:
            handle.drop()
        self._thread.join(timeout)

    def _close(self) -> None:
        """Accept no more jobs, and end after the last one; the caller holds the lock."""
        if not self._closed:
            self._closed = True
            if not self._handles:
                self._loop.call_soon_threadsafe(self._over.set)

    def _run(self) -> None:
        with contextlib.suppress(SystemExit, KeyboardInterrupt), self._runner:
            keeping = self._loop.create_task(self._keep())
            while not keeping.done():
                # A task that a job created may raise these. They stop the loop, but must not end the other jobs.
                with contextlib.suppress(SystemExit, KeyboardInterrupt):
                    self._loop.run_until_complete(keeping)
        self._options.on_idle()

    async def _keep(self) -> None:
        """Open and close the context in one task, because its author may rely on that."""
        try:
            async with self._options.context() as context:
                self._jobs.context.set_result(context)
                await self._over.wait()
        except BaseException as error:  # noqa: BLE001  (it becomes the error of the jobs that wait for the context)
            if self._jobs.context.done():
                logger.warning("closing the worker context failed: %s", type(error).__name__)
            else:
                self._jobs.context.set_exception(as_exception(error, "the worker context"))
                # Retrieve the exception, as perhaps no job waits for it.
                self._jobs.context.exception()
        with self._lock:
            self._close()
        await self._over.wait()

    def _begin(self, handle: JobHandle[T]) -> None:
        handle.task = self._loop.create_task(self._jobs.run(handle))
        handle.task.add_done_callback(lambda task: self._ended(handle, task))

    def _ended(self, handle: JobHandle[T], task: "asyncio.Task[AccountResult[T]]") -> None:
        handle.finish(task)
        with self._lock:
            self._handles.discard(handle)
            if not self._handles:
                if self._closed:
                    self._over.set()
                else:
                    self._loop.call_later(self._options.idle_timeout, self._end_if_idle, self._accepted)

    def _end_if_idle(self, accepted: int) -> None:
        with self._lock:
            if not self._handles and self._accepted == accepted:
                self._close()
