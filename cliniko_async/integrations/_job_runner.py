"""Runs the jobs of many accounts in any process, on one event loop in a thread of its own."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent import futures
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import attrs

from .. import AccountResult, Cliniko, ConfigurationError, UsageError
from ..cursors import FencedCursorStore

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    S = TypeVarWithDefault("S", default=None)
else:
    S = TypeVar("S")

T = TypeVar("T")
W = TypeVar("W")

_log = logging.getLogger("cliniko_async")


def _check_streams(_: object, __: object, value: object) -> None:
    names = () if isinstance(value, str) else tuple(cast("Iterable[object]", value))
    if isinstance(value, str) or len(set(names)) < len(names):
        raise ConfigurationError("streams must be names in a list or tuple, each once")


@attrs.frozen(kw_only=True)
class WorkerContext(Generic[S]):
    """The resources that the jobs of one worker share.

    Args:
        client: Returns a client for the name of an account. Each run has its own client, which is closed at its end.
        cursors: The store that keeps the cursors of the accounts.
        streams: The names of what the job reads from an account, such as "patients". Each has a cursor of its own. Use
            other names for another job.
        tools: Anything else that your jobs need; it is passed to every run.
    """

    client: Callable[[str], Cliniko]
    cursors: FencedCursorStore
    streams: Sequence[str] = attrs.field(validator=_check_streams)
    tools: S = attrs.field(default=cast("S", None), repr=False)


@attrs.frozen
class StreamRun:
    """What one run of the job reads from one stream of an account.

    Attributes:
        account: The name of the account.
        name: The name of the stream.
        cursor: The cursor to continue from, or None at the beginning.
        token: The number of this run of the stream; it is larger than that of every earlier run.
    """

    account: str
    name: str
    cursor: str | None = attrs.field(repr=False)
    token: int
    _cursors: FencedCursorStore = attrs.field(repr=False)

    @classmethod
    async def begin(cls, cursors: FencedCursorStore, account: str, name: str) -> "StreamRun":
        """Begin a run of a stream, so that earlier runs can no longer save its cursor.

        Args:
            cursors: The store of the cursor.
            account: The name of the account.
            name: The name of the stream.

        Returns:
            The run.
        """
        token, cursor = await cursors.begin(account, name)
        return cls(account, name, cursor, token, cursors)

    async def save(self, cursor: str) -> None:
        """Save the cursor from which the next run of the stream continues.

        Args:
            cursor: The `cursor` of an iterator, a page or an error.

        Raises:
            UsageError: A later run of the account has begun, so this one should end. Nothing was saved.
        """
        await self._cursors.save(self.account, self.name, cursor, token=self.token)


@attrs.frozen
class AccountRun(Generic[S]):
    """One run of the job for an account.

    Attributes:
        account: The name of the account.
        cliniko: A client of the account.
        streams: The streams of the context by their names, each with its cursor.
        tools: The `tools` of the `WorkerContext`.
    """

    account: str
    cliniko: Cliniko = attrs.field(repr=False)
    streams: Mapping[str, StreamRun]
    tools: S = attrs.field(repr=False)


Job = Callable[[AccountRun[W]], Coroutine[Any, Any, T]]
OpensContext = Callable[[], AbstractAsyncContextManager[WorkerContext[W]]]


class JobHandle(Generic[T]):
    """A submitted job: when it began, and how it ended."""

    def __init__(self, account: str, loop: asyncio.AbstractEventLoop) -> None:
        """Create the handle of an account's job, which runs on the given loop."""
        self.account = account
        self.begun: futures.Future[None] = futures.Future()
        self.outcome: futures.Future[AccountResult[T]] = futures.Future()
        self.task: asyncio.Task[AccountResult[T]]
        self.dropped = False
        self._loop = loop

    def drop(self) -> None:
        """Cancel the job, from any thread; `outcome` is then cancelled too."""
        self.dropped = True
        with contextlib.suppress(RuntimeError):  # The loop is closed, because the job has ended.
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        # The task exists: the callback that creates it was queued before this one.
        self.task.cancel()

    def settle(self, task: "asyncio.Task[AccountResult[T]]") -> None:
        """Set the outcome of the job, for the threads that wait for it."""
        if not self.begun.done():
            self.begun.set_result(None)
        if task.cancelled():
            self.outcome.cancel()
        else:
            self.outcome.set_result(task.result())


@attrs.frozen(kw_only=True)
class RunnerOptions(Generic[W, T]):
    """The job of a worker and its options. Times are in seconds.

    Args:
        job: The function to run for an account.
        context: Opens what the jobs share.
        concurrency: The number of jobs that run at a time.
        timeout: How long a job may take, or None for no limit.
        idle_timeout: How long the context stays open without a job.
        on_idle: Called in the runner's thread after the context was closed.
    """

    job: Job[W, T]
    context: OpensContext[W]
    concurrency: int
    timeout: float | None = None
    idle_timeout: float = 10.0
    on_idle: Callable[[], object] = lambda: None


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
        self._slots = asyncio.Semaphore(options.concurrency)
        self._over = asyncio.Event()
        self._lock = threading.Lock()
        self._handles: set[JobHandle[T]] = set()
        self._accepted = 0
        self._closed = False
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._open: asyncio.Future[WorkerContext[W]] = self._loop.create_future()
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
                self._open.set_result(context)
                await self._over.wait()
        except BaseException as error:  # noqa: BLE001  (it becomes the error of the jobs that wait for the context)
            if self._open.done():
                _log.warning("closing the worker context failed: %s", type(error).__name__)
            else:
                self._open.set_exception(_as_exception(error, "the worker context"))
                # Retrieve the exception, as perhaps no job waits for it.
                self._open.exception()
        with self._lock:
            self._close()
        await self._over.wait()

    def _begin(self, handle: JobHandle[T]) -> None:
        handle.task = self._loop.create_task(self._serve(handle))
        handle.task.add_done_callback(lambda task: self._ended(handle, task))

    def _ended(self, handle: JobHandle[T], task: "asyncio.Task[AccountResult[T]]") -> None:
        handle.settle(task)
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

    async def _serve(self, handle: JobHandle[T]) -> AccountResult[T]:
        async with self._slots:
            handle.begun.set_result(None)
            try:
                return AccountResult(handle.account, result=await self._in_time(handle.account))
            except asyncio.CancelledError:
                if handle.dropped:
                    raise
                return AccountResult(
                    handle.account, error=UsageError("the job was cancelled by something that it called")
                )
            except BaseException as error:  # noqa: BLE001  (it is the error of this account only)
                return AccountResult(handle.account, error=_as_exception(error, "the job"))

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
        # Shielded, so that a job that is cancelled does not cancel the context of the others that wait for it.
        context = await asyncio.shield(self._open)
        async with context.client(account) as cliniko:
            # All of them before the job begins: a run that is thought dead must not begin a stream after its successor.
            streams = {name: await StreamRun.begin(context.cursors, account, name) for name in context.streams}
            return await self._options.job(AccountRun(account, cliniko, streams, context.tools))


def _as_exception(error: BaseException, what: str) -> Exception:
    """Return an error for the result of an account: `sys.exit()` ends neither the worker nor the program."""
    return error if isinstance(error, Exception) else UsageError(f"{what} raised {type(error).__name__}")
