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
from .cursors import CursorStore

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    S = TypeVarWithDefault("S", default=None)
else:
    S = TypeVar("S")

T = TypeVar("T")
W = TypeVar("W")

_log = logging.getLogger("cliniko_async")


@attrs.frozen
class Workshop(Generic[S]):
    """What the jobs of one worker need: a client for an account by its name, where cursors are kept, and your tools.

    `client` makes a client for each run, which is closed when that ends; `tools` is yours, and given to every run.
    """

    client: Callable[[str], Cliniko]
    cursors: CursorStore
    tools: S = attrs.field(default=cast("S", None), repr=False)


@attrs.frozen
class AccountRun(Generic[S]):
    """One account's turn: a client of it, the cursor to go on from, and the token by which this run is known."""

    account: str
    cliniko: Cliniko = attrs.field(repr=False)
    cursor: str | None = attrs.field(repr=False)
    token: int
    tools: S = attrs.field(repr=False)
    _cursors: CursorStore = attrs.field(repr=False)

    async def save(self, cursor: str) -> None:
        """Keep the cursor: whoever takes the account over goes on from here.

        Raises:
            UsageError: a later run of the account was begun; this one is over.
        """
        await self._cursors.save(self.account, self.token, cursor)


Job = Callable[[AccountRun[W]], Coroutine[Any, Any, T]]
OpensWorkshop = Callable[[], AbstractAsyncContextManager[Workshop[W]]]


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
        elif (error := task.exception()) is not None:
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(task.result())


class JobRunner(Generic[W, T]):
    """Runs at most `concurrency` jobs at the same time; opens the workshop for the first of them.

    It closes the workshop, and ends its thread, when there was nothing to do for `linger` seconds.
    """

    def __init__(self, job: Job[W, T], workshop: OpensWorkshop[W], concurrency: int, linger: float = 10.0) -> None:
        """Take what is done for an account, and with what; nothing is started before the first one comes."""
        self._parts = (job, workshop, concurrency, linger)
        self._lock = threading.Lock()
        self._loop_thread: _LoopThread[W, T] | None = None

    def submit(self, account: str) -> JobHandle[T]:
        """Give an account's job to the loop, from any thread."""
        with self._lock:
            handle = self._loop_thread.take(account) if self._loop_thread is not None else None
            while handle is None:
                self._loop_thread = _LoopThread(*self._parts)
                handle = self._loop_thread.take(account)
            return handle

    def close(self) -> None:
        """End every job, close the workshop, and wait until the thread is gone."""
        with self._lock:
            thread, self._loop_thread = self._loop_thread, None
        if thread is not None:
            thread.end()


class _LoopThread(Generic[W, T]):
    """One opening of the workshop: a thread, its loop, and the jobs on it."""

    def __init__(self, job: Job[W, T], workshop: OpensWorkshop[W], concurrency: int, linger: float) -> None:
        self._job = job
        self._workshop = workshop
        self._linger = linger
        self._places = asyncio.Semaphore(concurrency)
        self._over = asyncio.Event()
        self._lock = threading.Lock()
        self._handles: set[JobHandle[T]] = set()
        self._taken = 0
        self._closed = False
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._open: asyncio.Future[Workshop[W]] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="cliniko_async", daemon=True)
        self._thread.start()

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

    def end(self) -> None:
        with self._lock:
            self._close()
            handles = list(self._handles)
        for handle in handles:
            handle.drop()
        self._thread.join()

    def _close(self) -> None:
        """Take no more, and end with the last job that is left; the lock is held."""
        if not self._closed:
            self._closed = True
            if not self._handles:
                self._loop.call_soon_threadsafe(self._over.set)

    def _run(self) -> None:
        with self._runner:
            # These end the loop; the job that raised one has told who waits for it.
            with contextlib.suppress(SystemExit, KeyboardInterrupt):
                self._runner.run(self._keep())
            with self._lock:
                self._closed = True

    async def _keep(self) -> None:
        """Open the workshop and close it again, in one task, as its author may count on that."""
        try:
            async with self._workshop() as workshop:
                self._open.set_result(workshop)
                await self._over.wait()
        except Exception as error:  # noqa: BLE001  (it becomes the outcome of those who wait for the workshop)
            if self._open.done():
                _log.warning("closing the workshop failed: %s", type(error).__name__)
            else:
                self._open.set_exception(error)
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
                    self._loop.call_later(self._linger, self._end_if_idle, self._taken)

    def _end_if_idle(self, taken: int) -> None:
        with self._lock:
            if not self._handles and self._taken == taken:
                self._close()

    async def _serve(self, handle: JobHandle[T]) -> Outcome[T]:
        async with self._places:
            handle.begun.set_result(None)
            try:
                return Outcome(handle.account, result=await self._work(handle.account))
            except Exception as error:  # noqa: BLE001  (it is the outcome of this account, and of no other)
                return Outcome(handle.account, error=error)
            except asyncio.CancelledError:
                if handle.dropped:
                    raise
                return Outcome(handle.account, error=UsageError("the job was cancelled by something that it called"))

    async def _work(self, account: str) -> T:
        # Shielded: one job that ends must not take the workshop away from those that wait with it.
        workshop = await asyncio.shield(self._open)
        async with workshop.client(account) as cliniko:
            token, cursor = await workshop.cursors.begin(account)
            return await self._job(AccountRun(account, cliniko, cursor, token, workshop.tools, workshop.cursors))
