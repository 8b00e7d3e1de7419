"""What all event loops of a process share of a window kept elsewhere: the permits, and what is to be told of them."""

import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..errors import UsageError
from ._interface import Permit, Priority
from ._pauses import Pauses
from ._store import Answer, Note, Pause, Rules, Store
from ._window import Window


class Entry(NamedTuple):
    """That a permit is held until a moment of this process' clock."""

    id: str
    priority: Priority
    free_at: float


class Book:
    """The store, and what it is to be told with the next step.

    A permit may be settled by any thread at any moment, the garbage collector among them: so that is no more than an
    entry in the inbox, and a call that tells of it.
    """

    def __init__(self, store: Store, window: Window[object], rules: Rules, clock: Callable[[], float]) -> None:
        self.store = store
        self.window = window
        self.rules = rules
        self.clock = clock
        self.pauses = Pauses(window.period)
        self.inbox: deque[Entry] = deque()
        self.closed = False
        self._paused_here = False
        self._process: int | None = None

    def check(self) -> None:
        """Refuse to go on in a process that was forked off, or after closing.

        Raises:
            UsageError: it cannot go on.
        """
        if self._process is None:
            self._process = os.getpid()
        if not self.owned():
            raise UsageError("the limiter was used before this process was forked off: make one in each process")
        if self.closed:
            raise UsageError("the limiter is closed")

    def owned(self) -> bool:
        """Whether this is the process that uses it."""
        return self._process == os.getpid()

    def pause(self, wait: float | None) -> float:
        """Pause, and tell the store with the next step."""
        self._paused_here = True
        return self.pauses.pause(self.clock(), wait)

    @property
    def has_news(self) -> bool:
        """Whether there is anything that the store has not heard of."""
        return self._paused_here or bool(self.inbox)

    @property
    def has_pause(self) -> bool:
        """Whether there is a pause that the store has not heard of."""
        return self._paused_here

    def take_pause(self, now: float) -> Pause | None:
        """Give the pause that the store is to be told."""
        if not self._paused_here:
            return None
        self._paused_here = False
        pauses = self.pauses
        return Pause(pauses.paused_until - now, pauses.guess, pauses.guess_until - now if pauses.guess else 0.0)

    def take_notes(self, now: float) -> list[Note]:
        """Give what the store is to be told of permits."""
        notes: list[Note] = []
        while self.inbox:
            entry = self.inbox.popleft()
            notes.append(Note(entry.id, entry.priority, entry.free_at - now))
        return notes

    def enter(self, held: "Held") -> None:
        """See that the store hears of a permit that it did not give."""
        self.inbox.append(Entry(held.id, held.priority, held.given_at + self.rules.longest))

    def put_back(self, notes: Iterable[Note], pause: Pause | None, made_at: float) -> None:
        """Keep for the next step what this one may not have delivered, but for what the lease has ended by now."""
        ended = self.clock() - self.rules.longest
        entries = [Entry(note.id, note.priority, made_at + note.seconds) for note in notes]
        # What went before goes first, so that what is newer of the same permit holds.
        self.inbox.extendleft(entry for entry in reversed(entries) if entry.free_at > ended)
        if pause is not None and self.pauses.paused_until > self.clock():
            self._paused_here = True

    def learn(self, answer: Answer) -> None:
        """Take over what the store says of pauses."""
        now, pause = self.clock(), answer.pause
        self.pauses.learn(now + pause.seconds, pause.guess, now + pause.guess_seconds)


class Held:
    """The permit of one request, held in the store. One that is dropped counts as given up."""

    __slots__ = ("_book", "_mirror", "_tell", "given_at", "id", "priority")

    def __init__(
        self, book: Book, id: str, priority: Priority, tell: Callable[[], None], mirror: Permit | None = None
    ) -> None:
        self._book: Book | None = book
        self._tell = tell
        self._mirror = mirror
        self.id = id
        self.priority: Priority = priority
        self.given_at = book.clock()

    def complete(self) -> None:
        """Free it one period from now."""
        if (book := self._book) is not None:
            self._settle(book, book.clock() + book.window.hold)
            if self._mirror is not None:
                self._mirror.complete()

    def abandon(self) -> None:
        """Free it one period and a grace from now."""
        if (book := self._book) is not None:
            self._settle(book, book.clock() + book.window.long_hold)
            if self._mirror is not None:
                self._mirror.abandon()

    def cancel(self) -> None:
        """Free it at once."""
        if (book := self._book) is not None:
            self._settle(book, book.clock())
            if self._mirror is not None:
                self._mirror.cancel()

    def _settle(self, book: Book, free_at: float) -> None:
        self._book = None
        # What a process forked off has a copy of is not its own to settle.
        if book.owned():
            book.inbox.append(Entry(self.id, self.priority, free_at))
            self._tell()

    __del__ = abandon
