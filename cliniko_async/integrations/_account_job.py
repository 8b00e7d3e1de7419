"""The job of one account, the resources that it shares with the others, and how it is run."""

import asyncio
import contextlib
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

    def finish(self, task: "asyncio.Task[AccountResult[T]]") -> None:
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


class AccountJobs(Generic[W, T]):
    """Runs the jobs that share a context, at most `concurrency` of them at a time."""

    def __init__(self, options: RunnerOptions[W, T], context: "asyncio.Future[WorkerContext[W]]") -> None:
        """Create it with the future of the context, for which the jobs wait."""
        self.context = context
        self._options = options
        self._slots = asyncio.Semaphore(options.concurrency)

    async def run(self, handle: JobHandle[T]) -> AccountResult[T]:
        """Run a job when there is room for it, and return how it ended.

        Raises:
            asyncio.CancelledError: The job was dropped.
        """
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
                return AccountResult(handle.account, error=as_exception(error, "the job"))

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
        context = await asyncio.shield(self.context)
        async with context.client(account) as cliniko:
            # All of them before the job begins: a run that is thought dead must not begin a stream after its successor.
            streams = {name: await StreamRun.begin(context.cursors, account, name) for name in context.streams}
            return await self._options.job(AccountRun(account, cliniko, streams, context.tools))


def as_exception(error: BaseException, what: str) -> Exception:
    """Return an error for the result of an account: `sys.exit()` ends neither the worker nor the program."""
    return error if isinstance(error, Exception) else UsageError(f"{what} raised {type(error).__name__}")
