"""Processes that share a store, by virtual time, which stands still while a store is at work; threads, by real time."""

import asyncio
import contextlib
import random
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import cliniko_async.limits
from cliniko_async.limits import SharedLimiter, StateChange, StepReply, Store, StoreLostError

_LIMITS = str(Path(cliniko_async.limits.__file__).parent)
PATIENCE = 120.0
"""Real seconds after which a test fails because a caller was never served, however slow the machine."""


class FaultyStore:
    """A store by virtual time, whose process can be killed, whose replies can be lost, and which can be away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loop = asyncio.get_running_loop()
        self.killed = False
        self.away: Exception | None = None
        self.lost_replies = 0
        self.ahead = 0.0
        self.stall = 0.0
        """How long the process is busy, once, between the time of the store and the step."""
        self.then: Callable[[], object] | None = None
        """What happens once, just after a reply has arrived and before anybody is awake."""
        self.updates = 0
        self.held: asyncio.Event | None = None
        """If set, a step waits for it before it begins."""
        self.closing: Exception | None = None
        """What closing raises."""
        self.times_closed = 0

    async def update(self, change: StateChange) -> StepReply:
        if self.killed:
            raise asyncio.CancelledError
        if self.away is not None:
            raise self.away
        if self.held is not None:
            await self.held.wait()
        with self._loop.standstill():
            reply = await self._store.update(lambda value, _: change(value, self._read_time()))
        self.updates += 1
        if self.lost_replies:
            self.lost_replies -= 1
            raise StoreLostError("the reply was lost")
        if self.then is not None:
            self._loop.call_soon(self.then)
            self.then = None
        return reply

    async def close(self) -> None:
        await asyncio.sleep(0)  # It may be cancelled here, before it has closed anything.
        if self.closing is not None:
            raise self.closing
        with self._loop.standstill():
            await self._store.close()
        self.times_closed += 1

    def _read_time(self) -> float:
        time = self._loop.time() + self.ahead
        self._loop.advance(self.stall)
        self.stall = 0.0
        return time


class Process(SharedLimiter):
    """A limiter that stands for a process."""

    def __init__(self, store: FaultyStore, *window, **options) -> None:
        super().__init__(store, *window, clock=asyncio.get_running_loop().time, **options)
        self.store = store


class StoreTests:
    """Tests of a limiter over a store, in simulated processes."""

    def connect(self, where: str) -> AbstractAsyncContextManager[Store]:
        """Open a store of the window with this name, as a process of its own would."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @contextlib.asynccontextmanager
    async def processes(self, count: int, *window, where: str = "", **options) -> AsyncIterator[list[Process]]:
        """Processes that share a window, which is new if it has no name."""
        where = where or secrets.token_hex(8)
        async with contextlib.AsyncExitStack() as stack:
            stores = [FaultyStore(await stack.enter_async_context(self.connect(where))) for _ in range(count)]
            processes = [Process(store, *window, **options) for store in stores]
            yield processes
            for process in processes:
                process.store.away = None
                if not process.store.killed:
                    await process.aclose()

    @contextlib.contextmanager
    def in_real_time(
        self, *window, where: str = "", wrap: Callable[[Store], Store] = lambda store: store, **options
    ) -> Iterator[tuple[asyncio.Runner, SharedLimiter]]:
        """The event loop of this thread, and a limiter over a store that was opened in it."""
        with asyncio.Runner() as home:
            stack = contextlib.AsyncExitStack()
            store = home.run(stack.enter_async_context(self.connect(where or secrets.token_hex(8))))
            limiter = SharedLimiter(wrap(store), *window, **options)
            yield home, limiter
            home.run(asyncio.wait_for(limiter.aclose(), PATIENCE))
            home.run(stack.aclose())


@contextlib.contextmanager
def threads(*works: Callable[[], object]) -> Iterator[None]:
    """Run functions in threads of their own, which have to end without an error.

    Within the limiter, each lets the others go on between any two operations, so that what may happen there does; after
    Python 3.11, only as often as the interpreter switches between threads.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # A thread that lets a busy one go on waits this long for its next turn.
    try:
        with ThreadPoolExecutor(len(works)) as pool:
            running = [pool.submit(_give_way, work, random.Random(number)) for number, work in enumerate(works)]
            yield
            for work in running:
                work.result(PATIENCE)
    finally:
        sys.setswitchinterval(usual)


def _give_way(work: Callable[[], object], chance: random.Random) -> None:
    if sys.version_info >= (3, 12):
        # Since then, tracing rewrites code that other threads are running: 3.12.1 crashes in one of four runs.
        work()
        return

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename.startswith(_LIMITS):
            frame.f_trace_opcodes = True
            if event == "opcode" and chance.random() < 0.1:
                time.sleep(0)
            return trace
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
