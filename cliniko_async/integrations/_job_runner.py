"""Runs the jobs of many accounts in any process: on one event loop, in a thread of its own."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent import futures
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import attrs

from .. import Cliniko, Outcome, UsageError
from ..cursors import FencedCursorStore

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    S = TypeVarWithDefault("S", default=None)
else:
    S = TypeVar("S")

T = TypeVar("T")
W = TypeVar("W")

_log = logging.getLogger("cliniko_async")


@attrs.frozen(kw_only=True)
class WorkerContext(Generic[S]):
    """What the jobs of one worker share.

    Args:
        client: makes a client for an account, by its name; each run has one of its own, which is closed at its end.
        cursors: where the cursors of the accounts are kept.
        stream: the name under which the cursors of this job are kept. Another job needs another name.
        tools: whatever else your jobs need; every run gets it.
    """

    client: Callable[[str], Cliniko]
    cursors: FencedCursorStore
    stream: str
    tools: S = attrs.field(default=cast("S", None), repr=False)


@attrs.frozen
class AccountRun(Generic[S]):
    """One run of the job for an account.

    Attributes:
        account: The name of the account.
        stream: The name under which the cursor is stored.
        cliniko: A client of the account.
        cursor: The cursor to continue from, or None at the beginning.
        token: The number of this run; it is larger than that of every earlier run of the account.
        tools: What the jobs of the worker share.
    """

    account: str
    stream: str
    cliniko: Cliniko = attrs.field(repr=False)
    cursor: str | None = attrs.field(repr=False)
    token: int
    tools: S = attrs.field(repr=False)
    _cursors: FencedCursorStore = attrs.field(repr=False)

    async def save(self, cursor: str) -> None:
        """Save the cursor from which the next run of the account continues.

        Args:
            cursor: The cursor.

        Raises:
            UsageError: A later run of the account was begun, so that this one must end. Nothing was saved.
        """
        await self._cursors.save(self.account, self.stream, cursor, token=self.token)


Job = Callable[[AccountRun[W]], Coroutine[Any, Any, T]]
OpensContext = Callable[[], AbstractAsyncContextManager[WorkerContext[W]]]


class JobHandle(Generic[T]):
    """A job that was handed in: when it has begun, and what came of it."""

    def __init__(self, account: str, loop: asyncio.AbstractEventLoop) -> None:
        """Take whose job it is, and the loop that it runs on."""
        self.account = account
        self.begun: futures.Future[None] = futures.Future()
        self.outcome: futures.Future[Outcome[T]] = futures.Future()
        self.task: asyncio.Task[Outcome[T]]
        self.dropped = False
        self._loop = loop

    def drop(self) -> None:
        """End the job, from any thread; its outcome is then cancelled."""
        self.dropped = True
        with contextlib.suppress(RuntimeError):  # The loop is closed, as the job has ended.
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        # The task is there: what makes it was put into the same queue before.
        self.task.cancel()

    def settle(self, task: "asyncio.Task[Outcome[T]]") -> None:
        """Tell those who wait what came of the job."""
        if not self.begun.done():
            self.begun.set_result(None)
        if task.cancelled():
            self.outcome.cancel()
        else:
            self.outcome.set_result(task.result())


@attrs.frozen(kw_only=True)
class RunnerOptions(Generic[W, T]):
    """What a worker does for an account, and how. Times are in seconds.

    Args:
        job: what is done for an account.
        context: opens what the jobs share.
        concurrency: how many jobs are under way at once.
        timeout: how long a job may take, or None.
        idle_timeout: how long the context stays open without a job.
        on_idle: called in the runner's thread after the context was closed.
    """

    job: Job[W, T]
    context: OpensContext[W]
    concurrency: int
    timeout: float | None = None
    idle_timeout: float = 10.0
    on_idle: Callable[[], object] = lambda: None


class JobRunner(Generic[W, T]):
    """Runs jobs on an event loop in a thread of its own; both, and the context, are there while there are jobs."""

    def __init__(self, options: RunnerOptions[W, T]) -> None:
        """Nothing is started before the first job is submitted."""
        self._options = options
        self._lock = threading.Lock()
        self._loop_thread: _LoopThread[W, T] | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a context, or one is about to be opened."""
        with self._lock:
            return self._loop_thread is not None and self._loop_thread.takes_jobs

    def submit(self, account: str) -> JobHandle[T]:
        """Give an account's job to the loop, from any thread."""
        with self._lock:
            handle = self._loop_thread.take(account) if self._loop_thread is not None else None
            while handle is None:
                self._loop_thread = _LoopThread(self._options)
                handle = self._loop_thread.take(account)
            return handle

    def close(self, timeout: float = 10.0) -> None:
        """Cancel every job, close the context, and wait until the thread has ended.

        Args:
            timeout: seconds to wait for a job or a context that does not end.
        """
        with self._lock:
            thread, self._loop_thread = self._loop_thread, None
        if thread is not None:
            thread.end(timeout)


class _LoopThread(Generic[W, T]):
    """One opening of the context: a thread, its loop, and the jobs on it."""

    def __init__(self, options: RunnerOptions[W, T]) -> None:
        self._options = options
        self._places = asyncio.Semaphore(options.concurrency)
        self._over = asyncio.Event()
        self._lock = threading.Lock()
        self._handles: set[JobHandle[T]] = set()
        self._taken = 0
        self._closed = False
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._open: asyncio.Future[WorkerContext[W]] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="cliniko_async", daemon=True)
        self._thread.start()

    @property
    def takes_jobs(self) -> bool:
        return not self._closed

    def take(self, account: str) -> JobHandle[T] | None:
        """Take a job, unless it is too late for that."""
        with self._lock:
            if self._closed:
                return None
            handle: JobHandle[T] = JobHandle(account, self._loop)
            self._handles.add(handle)
            self._taken += 1
            # Under the lock: the loop cannot end in between.
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
        """Take no more, and end with the last job that is left; the lock is held."""
        if not self._closed:
            self._closed = True
            if not self._handles:
                self._loop.call_soon_threadsafe(self._over.set)

    def _run(self) -> None:
        with contextlib.suppress(SystemExit, KeyboardInterrupt), self._runner:
            keeping = self._loop.create_task(self._keep())
            while not keeping.done():
                # A task that a job has made may raise these: they end the loop and are no reason to end the others.
                with contextlib.suppress(SystemExit, KeyboardInterrupt):
                    self._loop.run_until_complete(keeping)
        self._options.on_idle()

    async def _keep(self) -> None:
        """Open the context and close it again, in one task, as its author may count on that."""
        try:
            async with self._options.context() as context:
                self._open.set_result(context)
                await self._over.wait()
        except BaseException as error:  # noqa: BLE001  (it becomes the outcome of those who wait for the context)
            if self._open.done():
                _log.warning("closing the worker context failed: %s", type(error).__name__)
            else:
                self._open.set_exception(_as_exception(error, "the worker context"))
                # Read here, as perhaps nobody waits for it.
                self._open.exception()
        with self._lock:
            self._close()
        await self._over.wait()

    def _begin(self, handle: JobHandle[T]) -> None:
        handle.task = self._loop.create_task(self._serve(handle))
        handle.task.add_done_callback(lambda task: self._ended(handle, task))

    def _ended(self, handle: JobHandle[T], task: "asyncio.Task[Outcome[T]]") -> None:
        handle.settle(task)
        with self._lock:
            self._handles.discard(handle)
            if not self._handles:
                if self._closed:
                    self._over.set()
                else:
                    self._loop.call_later(self._options.idle_timeout, self._end_if_idle, self._taken)

    def _end_if_idle(self, taken: int) -> None:
        with self._lock:
            if not self._handles and self._taken == taken:
                self._close()

    async def _serve(self, handle: JobHandle[T]) -> Outcome[T]:
        async with self._places:
            handle.begun.set_result(None)
            try:
                return Outcome(handle.account, result=await self._in_time(handle.account))
            except asyncio.CancelledError:
                if handle.dropped:
                    raise
                return Outcome(handle.account, error=UsageError("the job was cancelled by something that it called"))
            except BaseException as error:  # noqa: BLE001  (it is the outcome of this account, and of no other)
                return Outcome(handle.account, error=_as_exception(error, "the job"))

    async def _in_time(self, account: str) -> T:
        seconds = self._options.timeout
        scope = asyncio.timeout(seconds)
        try:
            async with scope:
                return await self._work(account)
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise TimeoutError(f"the job took longer than {seconds:g} s") from error

    async def _work(self, account: str) -> T:
        # Shielded: one job that ends must not take the context away from those that wait with it.
        context = await asyncio.shield(self._open)
        async with context.client(account) as cliniko:
            token, cursor = await context.cursors.begin(account, context.stream)
            run = AccountRun(account, context.stream, cliniko, cursor, token, context.tools, context.cursors)
            return await self._options.job(run)


def _as_exception(error: BaseException, what: str) -> Exception:
    """Return what can be an outcome: `sys.exit()` ends its own account, and neither the worker nor the program."""
    return error if isinstance(error, Exception) else UsageError(f"{what} raised {type(error).__name__}")
