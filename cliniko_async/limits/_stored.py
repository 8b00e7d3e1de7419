"""What the limiters have in common whose window is kept in a store, for several processes or machines."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import attrs

from ..errors import ConfigurationError
from ._book import Book
from ._desk import Desk
from ._interface import Limits, Permit, Priority
from ._line import Line, WhenLost
from ._share import Share
from ._sliding import check_window
from ._store import PRIORITIES, Rules, Store, check_seconds
from ._window import BULK_SHARE, LIMIT, PERIOD, Window

LEASE = 60.0
_STALE = 1.0


@attrs.frozen(kw_only=True)
class Options:
    """The window, and how this process uses it; times in seconds."""

    limit: int = LIMIT
    period: float = PERIOD
    bulk_share: float = BULK_SHARE
    lease: float = LEASE
    when_lost: WhenLost = "wait"
    workers: int = 1
    clock: Callable[[], float] = time.monotonic

    def __attrs_post_init__(self) -> None:
        check_window(self.limit, self.period, self.bulk_share)
        check_seconds("lease", self.lease)
        if self.when_lost not in ("wait", "fail", "share"):
            raise ConfigurationError('when_lost is "wait", "fail" or "share"')
        if isinstance(self.workers, bool) or self.workers < 1 or self.workers % 1:
            raise ConfigurationError("workers is a whole number, at least 1")

    def window(self) -> Window[object]:
        """Give the numbers of the window."""
        return Window(self.limit, self.period, self.bulk_share)

    def share(self) -> Share | None:
        """Give the part of this process, if it is to go by it."""
        if self.when_lost != "share":
            return None
        part = max(1, self.limit // self.workers)
        return Share(Desk(Window(part, self.period, self.bulk_share), self.clock))


class StoredLimiter:
    """A limiter whose window is kept in a store; each event loop has one line of waiters before it."""

    def __init__(self, options: Options, make_store: Callable[[Rules], Store]) -> None:
        window = options.window()
        rules = Rules.of(window, options.lease)
        self._options = options
        self._book = Book(make_store(rules), window, rules, options.clock)
        self._share = options.share()
        self._lines: dict[asyncio.AbstractEventLoop, Line] = {}
        self._numbers = itertools.count()

    @property
    def period(self) -> float:
        """The length of the window in seconds."""
        return self._options.period

    async def acquire(self, priority: Priority) -> Permit:
        """Wait for a permit; a cancelled wait gives its place back.

        Raises:
            ConfigurationError: there is no such priority.
            LimiterUnavailableError: what the window is kept in cannot be used, and is not to be waited for.
            UsageError: the limiter is closed, or belongs to another process or event loop.
        """
        if priority not in PRIORITIES:
            raise ConfigurationError("priority is 'interactive' or 'bulk'")
        line, share, book = self._line(), self._share, self._book
        number = next(self._numbers)
        while True:
            if share is not None and share.away:
                permit = await line.wait_alone(priority, share)
            else:
                permit = await line.wait(priority, number)
            if permit is None:
                continue
            # One that lay about is as good as lost to the others, and a pause may have come after it was given.
            now = book.clock()
            paused = book.pauses.paused_until > now + book.rules.courtesy
            if now - permit.given_at <= _STALE and not paused:
                return permit
            permit.cancel()

    def pause(self, seconds: float | None) -> float:
        """Give nobody a permit for so many seconds, as a 429 came, and return the seconds until the pause ends.

        None stands for a 429 that did not say how long: a quarter of the period, and twice as long whenever the pause
        before was not enough, up to a period. A pause under way is never shortened. The store hears of it at once and
        gives no permit from then on; another process hears of it with its next step, and may still send what it holds
        a permit for.
        """
        seconds = self._book.pause(seconds)
        if self._share is not None:
            self._share.pause(seconds)
        with contextlib.suppress(RuntimeError):  # Not in an event loop, or closed: the next step tells it.
            self._line()
        if self._book.owned():
            for line in list(self._lines.values()):
                line.tell()
        return seconds

    async def limits(self) -> Limits:
        """Tell how the limiter stands now; `waiting` counts those of this process.

        Raises:
            LimiterUnavailableError: what the window is kept in cannot be used.
            UsageError: the limiter is closed, or belongs to another process or event loop.
        """
        line, share = self._line(), self._share
        if share is not None and share.away:
            return share.limits()
        answer = await line.look()
        limit = self._options.limit
        return Limits(
            limit=limit,
            used=answer.used,
            remaining=max(0, limit - answer.used),
            waiting={p: sum(len(line.waiting[p]) for line in list(self._lines.values())) for p in PRIORITIES},
            next_free=answer.next_free,
            paused=max(0.0, answer.pause.seconds),
        )

    async def aclose(self) -> None:
        """End every wait with a `UsageError`, tell the others what is held, and let go of what was opened.

        A permit that is settled later counts as held until its lease ends. In a process that was forked off after the
        first use nothing is told and nothing waited for: event loops, threads and connections are the parent's.
        """
        self._book.closed = True
        if not self._book.owned():
            return
        own = self._lines.pop(asyncio.get_running_loop(), None)
        for loop, line in list(self._lines.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(line.send_away)
        if own is not None:
            await own.close()
        await self._book.store.close()

    async def __aenter__(self) -> Self:
        """Use the limiter until the end of the block."""
        self._book.check()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the limiter."""
        await self.aclose()

    def __repr__(self) -> str:
        o = self._options
        return f"{type(self).__name__}(limit={o.limit}, period={o.period:g}, bulk_share={o.bulk_share:g})"

    def _line(self) -> Line:
        self._book.check()
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            for old in list(self._lines):
                if old.is_closed():
                    self._lines.pop(old, None)
            self._check_loops()
            line = self._lines[loop] = Line(self._book, self._options.when_lost, self._share)
        return line

    def _check_loops(self) -> None:
        """Refuse what a store cannot do."""
