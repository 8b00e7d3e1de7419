"""An event loop on virtual time: real sockets, and hours of waiting in milliseconds."""

import asyncio
import contextlib
import math
import selectors
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START = 1000.0
_SHORTEST_STEP = 1e-9
_GRACE = 0.002
_PATIENCE = 10.0
_LAST_TURNS = 5


class StuckError(RuntimeError):
    """Nothing is ready, nothing is scheduled, and nothing arrived from outside."""


class LeftoverTasksError(AssertionError):
    """The main coroutine returned while tasks that it started were still running."""


class _VirtualSelector(selectors.DefaultSelector):
    """A selector that moves its clock where another would wait."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.jobs = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        ready = super().select(self._real_wait(timeout))
        if ready:
            return ready
        if timeout is None:
            raise StuckError(f"nothing happened for {_PATIENCE:g} seconds, and no timer is set")
        # To the nanosecond, else the sum would depend on the timers of others that split the wait; and one at least,
        # else a shorter wait would never end.
        self.now = max(round(self.now + timeout, 9), round(self.now + _SHORTEST_STEP, 9))
        return ready

    def _real_wait(self, timeout: float | None) -> float:
        if timeout is None or self.jobs:
            return _PATIENCE
        # The loop itself has one file, the end of its pipe: without another and without a thread nothing can come.
        alone = len(self.get_map()) <= 1 and threading.active_count() == 1
        return 0.0 if alone else _GRACE


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock starts at 1000 seconds and jumps to the next timer as soon as nothing else can happen.

    Time stands still while a job of an executor is running, for at most ten real seconds. Timers of the same time run
    in the order in which they were set, which a heap alone does not guarantee.
    """

    def __init__(self) -> None:
        self._virtual = _VirtualSelector()
        self._last_timers: dict[float, float] = {}
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._virtual.now

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Set a timer, after those of the same time by the smallest step of a float."""
        moment = math.nextafter(self._last_timers[when], math.inf) if when in self._last_timers else when
        self._last_timers[when] = moment
        return super().call_at(moment, callback, *args, context=context)

    @contextlib.contextmanager
    def standstill(self) -> Iterator[None]:
        """Stop time while something real is awaited, such as a server, for at most ten real seconds."""
        self._virtual.jobs += 1
        try:
            yield
        finally:
            self._virtual.jobs -= 1

    def advance(self, seconds: float) -> None:
        """Advance time as if the loop had been busy."""
        self._virtual.now += seconds

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  (as asyncio has it)
        """Wait for the threads without the timeout of Python 3.12, which would pass at once."""
        with self.standstill():
            await super().shutdown_default_executor()

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[*Ts], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        """Run a job in a thread; the clock waits for it."""
        future = super().run_in_executor(executor, func, *args)
        self._virtual.jobs += 1
        future.add_done_callback(self._job_done)
        return future

    def _job_done(self, _: asyncio.Future[Any]) -> None:
        self._virtual.jobs -= 1


def run(main: Coroutine[Any, Any, T], *, debug: bool | None = None) -> T:
    """Run a coroutine on a fresh virtual loop and return its result.

    Raises:
        LeftoverTasksError: a task that it started is still running a few iterations of the loop after it returned.
        StuckError: it waits for something that can never happen.
    """
    with asyncio.Runner(loop_factory=VirtualLoop, debug=debug) as runner:
        return runner.run(_alone_at_the_end(main))


async def _alone_at_the_end(main: Coroutine[Any, Any, T]) -> T:
    result = await main
    for _ in range(_LAST_TURNS):
        if not _others():
            return result
        await asyncio.sleep(0)
    if left := _others():
        raise LeftoverTasksError(f"still running: {', '.join(sorted(map(repr, left)))}")
    return result


def _others() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}
