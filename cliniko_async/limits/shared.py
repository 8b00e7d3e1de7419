"""The limiter whose window is kept in a store, for several processes or machines."""

import asyncio
import contextlib
import operator
import os
import secrets
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self, cast

import attrs
import msgspec

from ..errors import UsageError
from .base import BULK_SHARE, LIMIT, PERIOD, Limits, WhenLost, check, check_count, check_seconds
from .fallback import LocalFallback
from .queue import Caller, Queue, QueueLimiter
from .store import LONGEST_RETRY, StepReply, Store, StoreLostError, WatchedStore, lost_error, store_retries
from .window import Rules, StepRequest, limits_of

LEASE = 60.0


class Turn(msgspec.Struct, eq=False):
    """A step under way: its event loop and beginning, and whether another step must follow it."""

    loop: asyncio.AbstractEventLoop
    began: float
    is_due: bool = False
    task: asyncio.Task[None] | None = None


class SharedLimiter(QueueLimiter):
    """At most `limit` requests in any `period`, for all limiters over the same store.

    Write a `Store` to keep the window elsewhere than in an SQLite file or Redis. Use the limiter in an `async with`
    block, or call `aclose()` at the end.
    """

    def __init__(
        self,
        store: Store,
        limit: int = LIMIT,
        period: float = PERIOD,
        bulk_share: float = BULK_SHARE,
        *,
        lease: float = LEASE,
        when_lost: WhenLost = "wait",
        workers: int = 1,
        one_loop: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create with a store, which is first used by the first request.

        Args:
            store: The store that keeps the window.
            limit: The largest number of requests in a period.
            period: The length of the window in seconds.
            bulk_share: The largest share of the window for bulk requests, above 0 and at most 1.
            lease: The longest, in seconds, that a request is in flight. A permit that is never settled is free again a
                lease and a period after it was granted, so the lease must exceed the client's `timeout`.
            when_lost: What to do while the store cannot be used: `"wait"` until it can, `"fail"` with a
                `LimiterUnavailableError`, or grant this process's `"share"` of the window, `limit // workers`.
            workers: The number of processes that share the window; for `"share"` at most `limit`.
            one_loop: Whether the store can be used in one event loop only.
            clock: Returns the time of this process in seconds.

        Raises:
            ConfigurationError: An option is not valid.
        """
        check_seconds("lease", lease)
        check_count("workers", workers)
        check(when_lost in ("wait", "fail", "share"), 'when_lost must be "wait", "fail" or "share"')
        rules = Rules(limit, period, bulk_share, lease)
        super().__init__(Queue(rules, clock, self._serve))
        self._steps: WatchedStore | LocalFallback
        self._steps = watched = WatchedStore(store, rules, clock)
        if when_lost == "share":
            check(workers <= limit, 'when_lost="share" needs a limit of at least one request for each of the workers')
            share = Rules(limit // operator.index(workers), period, bulk_share, lease)
            self._steps = LocalFallback(watched, share, clock, partial(self._queue.wake, 0.0))
        self._waits = when_lost == "wait"
        self._one_loop = one_loop
        self._home: tuple[int, asyncio.AbstractEventLoop] | None = None
        """The process and the event loop of the first use."""
        self._is_closed = False
        self._request = StepRequest(secrets.token_hex(6), number=0)
        self._is_open = False
        """Whether the outcome of the last request is unknown."""
        self._turn: Turn | None = None
        self._asking: list[tuple[int, Caller]] = []
        """The callers that ask for the limits, each with the number of the first step that knows them."""
        self._retries = store_retries()

    async def limits(self) -> Limits:
        self._enter()
        return await self._ask()

    async def aclose(self) -> None:
        """End every wait with a `UsageError`, report outstanding updates, and close the store.

        A permit that is settled later counts as held until its lease ends. In a process that was forked after the first
        use, nothing is reported or closed: event loops, threads and connections belong to the parent.
        """
        was_closed, self._is_closed = self._is_closed, True
        if was_closed or self._is_inherited:
            return
        with contextlib.suppress(StoreLostError):  # The waiting callers have their error already.
            while self._has_news:
                await self._ask()
        with contextlib.suppress(KeyError):  # It was not used in this event loop.
            self._queue.alarms.pop(asyncio.get_running_loop()).stop()
        await self._steps.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def _is_inherited(self) -> bool:
        """Whether it belongs to the process from which this one was forked."""
        return self._home is not None and self._home[0] != os.getpid()

    @property
    def _has_news(self) -> bool:
        """Whether the store does not know everything yet, or believes that callers wait."""
        return self._is_open or self._queue.has_news or self._request.interactive + self._request.bulk > 0

    def _enter(self) -> None:
        loop = asyncio.get_running_loop()
        if self._home is None:
            self._home = os.getpid(), loop
        if self._is_inherited:
            raise UsageError("the limiter was used before this process was forked: create one in each process")
        if self._is_closed:
            raise UsageError("the limiter is closed")
        if self._one_loop and self._home[1] is not loop:
            raise UsageError("the limiter belongs to another event loop, as its store does")
        if loop not in self._queue.alarms:
            self._queue.watch(loop)

    async def _ask(self) -> Limits:
        caller = Caller()
        self._asking.append((self._request.number + 1, caller))
        await self._queue.wait(caller)
        return attrs.evolve(cast("Limits", caller.limits), waiting=self._queue.waiting)

    def _serve(self) -> None:
        """Begin a step in the running event loop, or have one follow the step under way."""
        loop, now = asyncio.get_running_loop(), self._queue.clock()
        with self._queue.lock:
            if self._is_closed:
                self._queue.fail(lambda: UsageError("the limiter is closed"))
            if not self._asking and (self._is_closed or not self._has_news):
                return
            if self._turn is not None and (self._turn.loop is loop or now < self._turn.began + LONGEST_RETRY):
                self._turn.is_due = True
                if self._turn.loop is not loop:
                    self._queue.wake(LONGEST_RETRY)
                return
            self._turn = turn = Turn(loop, now)
        turn.task = loop.create_task(self._step(turn))

    async def _step(self, turn: Turn) -> None:
        with contextlib.suppress(KeyError):  # An `aclose` that was cancelled has removed it.
            self._queue.alarms[turn.loop].stop()
        with self._queue.lock:
            # A step that is sent again does not know what came meanwhile.
            turn.is_due = self._is_open
            if not self._is_open:
                self._request = self._queue.request(self._request.process, self._request.number + 1)
                self._is_open = True
        try:
            outcome: StepReply | StoreLostError = await self._steps.step(self._request)
        except StoreLostError as error:
            outcome = error
        except BaseException:
            self._turn = None if self._turn is turn else self._turn
            self._queue.wake(LONGEST_RETRY)
            raise
        with self._queue.lock:
            if self._turn is not turn:  # Another event loop has taken the step.
                return
            self._turn = None
            if isinstance(outcome, StoreLostError):
                self._lose(outcome)
                return
            self._deliver(outcome)
        if turn.is_due:
            self._serve()

    def _deliver(self, reply: StepReply) -> None:
        self._is_open = False
        self._retries = store_retries()
        self._queue.backoff.merge(reply.backoff, 0.0)
        self._queue.deliver(reply.grants, self._queue.clock())
        asking, self._asking = self._asking, []
        for number, caller in asking:
            if number <= self._request.number:
                caller.limits = limits_of(reply.state, reply.rules)
                caller.answer()
            else:
                self._asking.append((number, caller))

    def _lose(self, error: StoreLostError) -> None:
        for _, caller in self._asking:
            caller.error = lost_error(error)
            caller.answer()
        self._asking.clear()
        if self._waits and not error.lasting:
            self._queue.wake(next(self._retries))
        else:
            self._queue.fail(partial(lost_error, error))
