"""Those of one event loop who wait for a permit of a store, and the steps that serve them."""

import asyncio
import logging
import math
import random
import secrets
from typing import Literal

from .._loops import runs_here
from ..errors import LimiterUnavailableError, UsageError
from ._book import Book, Held
from ._interface import Priority
from ._share import Share
from ._store import PRIORITIES, Answer, Step, StoreLostError
from ._waiters import Waiters, fail

logger = logging.getLogger("cliniko_async")

WhenLost = Literal["wait", "fail", "share"]

_FIRST_RETRY = 0.05
_LONGEST_RETRY = 1.0


class Line:
    """One line of waiters before the store, which knows its head alone and tells it when to ask again.

    One step at a time is under way, for all who wait. What is to be told of permits goes along, or a moment later, in
    which more may come together. Without anything to do there is neither a task nor a timer.
    """

    def __init__(self, book: Book, when_lost: WhenLost, share: Share | None) -> None:
        self.loop = asyncio.get_running_loop()
        self.waiting: dict[Priority, Waiters] = {priority: Waiters() for priority in PRIORITIES}
        self._book = book
        self._when_lost: WhenLost = when_lost
        self._share = share
        self._name = secrets.token_hex(6)
        self._next_id = 1
        self._doubtful = 0
        # When each priority asks the store again; None: the store does not know that anybody waits.
        self._asks_at: dict[Priority, float | None] = dict.fromkeys(PRIORITIES)
        self._looks: list[asyncio.Future[Answer]] = []
        self._tells_at = math.inf
        self._to_tell = False
        self._failures = 0
        self._retry_at = -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = math.inf
        self._returning: asyncio.TimerHandle | None = None
        self._work: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def wait(self, priority: Priority, number: int) -> Held | None:
        """Give a permit when those with lower numbers have theirs; None if the store is away.

        Raises:
            LimiterUnavailableError: the store is away, and was not to be waited for.
        """
        woken: asyncio.Future[Held | None] = self.loop.create_future()
        self.waiting[priority].join(number, woken)
        try:
            if priority == "interactive" and self._asks_at[priority] is not None:
                self.tell()  # Bulk of other processes makes way for as many as the store knows of.
            # Who finds nobody at work does the step itself, which costs less than a task.
            if self._begin(self._due_at()):
                await self._do()
            return await woken
        except BaseException:
            if woken.done() and not woken.cancelled() and woken.exception() is None and (held := woken.result()):
                held.cancel()
            raise
        finally:
            self._leave(priority, number)

    async def wait_alone(self, priority: Priority, share: Share) -> Held | None:
        """Give a permit of this process' share; None if the store is back."""
        self.loop.call_soon(self.stir)
        permit = await share.acquire(priority)
        held = None
        if permit is not None:
            held = Held(self._book, f"{self._name}+{secrets.token_hex(6)}", priority, self.tell, permit)
            self._book.enter(held)
            self.tell()
        return held

    async def look(self) -> Answer:
        """Tell how the window stands.

        Raises:
            LimiterUnavailableError: the store is away.
        """
        look: asyncio.Future[Answer] = self.loop.create_future()
        self._looks.append(look)
        self.stir()
        return await look

    def tell(self) -> None:
        """See that the store is soon told what is in the inbox; called by any thread."""
        if not self._to_tell:
            self._to_tell = True
            try:
                # To wake a loop costs much, and the one that runs here is awake.
                (self.loop.call_soon if runs_here(self.loop) else self.loop.call_soon_threadsafe)(self._tell_soon)
            except RuntimeError:  # its loop is closed: another line tells it, or the lease ends
                self._to_tell = False

    def stir(self) -> None:
        """Start what is due, or set the timer to when something is."""
        moment = self._due_at()
        if self._begin(moment):
            self._task = self.loop.create_task(self._do())
        elif self._work is None and not self._book.closed:
            self._set_timer(moment)

    def _begin(self, moment: float) -> bool:
        """Take it on to do a step, if one is due and none is under way."""
        if self._work is not None or self._book.closed or moment > self._book.clock():
            return False
        self._work = self.loop.create_future()
        return True

    async def _do(self) -> None:
        """Do the one step that was taken on, and see to the next."""
        try:
            await self._step()
        finally:
            work, self._work = self._work, None
            if work is not None and not self.loop.is_closed():
                work.set_result(None)
                # Not now: those who are cancelled together with this have yet to leave.
                self.loop.call_soon(self.stir)

    def send_away(self) -> None:
        """End every wait, as the limiter is closed."""
        self._stop_timer()
        self._stop_returning()
        fail(self._looks, _closed)
        for queue in self.waiting.values():
            queue.fail(_closed)

    async def close(self) -> None:
        """Send everybody away and tell the store what it has not heard."""
        self.send_away()
        if self._work is not None:
            await self._work
        known = any(moment is not None for moment in self._asks_at.values())
        if known or self._doubtful or self._book.has_news:
            await self._step()

    def _leave(self, priority: Priority, number: int) -> None:
        queue = self.waiting[priority]
        if queue.leave(number) and not queue and self._asks_at[priority] is not None:
            self.tell()

    def _tell_soon(self) -> None:
        # What is told of permits may come together; a pause is told at once.
        delay = 0.0 if self._book.has_pause else self._book.window.period / 1000
        moment = self._book.clock() + delay
        self._tells_at = min(self._tells_at, max(moment, self._retry_at))
        self.stir()

    def _due_at(self) -> float:
        if self._looks:
            return -math.inf
        due_at = self._tells_at
        for priority, queue in self.waiting.items():
            if queue:
                moment = self._asks_at[priority]
                if moment is None:
                    return -math.inf
                due_at = min(due_at, moment)
        if self._share is not None and self._share.away and self._share.waiting and self._returning is None:
            due_at = min(due_at, self._retry_at)
        return due_at

    async def _step(self) -> None:
        book = self._book
        began, step = book.clock(), self._next_step()
        looks, self._looks = self._looks, []
        try:
            answer = await book.store.step(step)
        except BaseException as error:
            self._doubtful = max(step.doubtful, sum(step.wants.values()))
            book.put_back(step.notes, step.pause, began)
            self._looks = looks + self._looks
            if not isinstance(error, Exception):
                self.tell()  # What it may have given to those who went away is to come back.
                raise
            self._lose(error)
        else:
            self._doubtful = 0
            self._take(step, answer)
            for look in looks:
                if not look.done():
                    look.set_result(answer)

    def _next_step(self) -> Step:
        book, now = self._book, self._book.clock()
        self._tells_at = math.inf
        self._to_tell = False  # Before the inbox is read: what comes in later calls again.
        away = self._share is not None and self._share.away
        wants: dict[Priority, int] = {
            p: 0 if away else min(len(queue), book.rules.limit) for p, queue in self.waiting.items()
        }
        notes, pause = book.take_notes(now), book.take_pause(now)
        return Step(self._name, self._next_id, self._doubtful, wants, notes, pause)

    def _take(self, step: Step, answer: Answer) -> None:
        """Give what the store gave to those who wait."""
        if self._failures:
            self._find_again()
        self._book.learn(answer)
        for priority, want in step.wants.items():
            if not want:
                self._asks_at[priority] = None
                continue
            granted, wait = answer.turns[priority]
            self._asks_at[priority] = self._book.clock() + wait if want > granted else None
            for _ in range(granted):
                self._give(priority)

    def _give(self, priority: Priority) -> None:
        mirror = self._share.enter(priority) if self._share else None
        held = Held(self._book, f"{self._name}:{self._next_id}", priority, self.tell, mirror)
        self._next_id += 1
        self.waiting[priority].give(held)

    def _lose(self, error: Exception) -> None:
        """Go on without the store, as it was chosen."""
        lasting = not isinstance(error, StoreLostError) or error.lasting
        if not self._failures:
            logger.warning("the store of the limiter cannot be used: %s", error)
        retry = min(_LONGEST_RETRY, _FIRST_RETRY * 2.0 ** min(self._failures, 16))
        self._failures += 1
        now = self._book.clock()
        self._retry_at = now + retry * random.uniform(0.5, 1)
        self._tells_at = self._retry_at if self._book.has_news else math.inf
        self._stop_returning()
        for queue in self.waiting.values():
            if self._when_lost == "fail" or lasting:
                queue.fail(lambda: _unavailable(error))
            elif self._share is not None:
                self._share.away = True
                queue.release()
        self._asks_at = {p: self._retry_at if queue else None for p, queue in self.waiting.items()}
        fail(self._looks, lambda: _unavailable(error))
        self._looks.clear()

    def _find_again(self) -> None:
        logger.info("the store of the limiter can be used again")
        self._failures = 0
        self._retry_at = -math.inf
        if self._share is not None and self._share.away:
            # The others come back within the longest pause between two tries, and tell what they sent meanwhile.
            self._returning = self.loop.call_later(2 * _LONGEST_RETRY, self._return, self._share)

    def _return(self, share: Share) -> None:
        self._returning = None
        share.end()

    def _set_timer(self, moment: float) -> None:
        # One that is set for an earlier moment may ring in vain, which costs less than to set it anew.
        if moment < self._rings_at:
            self._stop_timer()
            self._rings_at = moment
            self._timer = self.loop.call_later(moment - self._book.clock(), self._ring)
        elif moment == math.inf and not self._to_tell:
            self._stop_timer()

    def _ring(self) -> None:
        self._stop_timer()
        self.stir()

    def _stop_timer(self) -> None:
        self._rings_at = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_returning(self) -> None:
        if self._returning is not None:
            self._returning.cancel()
            self._returning = None


def _closed() -> UsageError:
    return UsageError("the limiter is closed")


def _unavailable(error: Exception) -> LimiterUnavailableError:
    failure = LimiterUnavailableError(f"the limiter cannot be used: {error}")
    # A lost store has said why; anything else is a fault that its traceback explains.
    failure.__cause__ = None if isinstance(error, StoreLostError) else error
    return failure
