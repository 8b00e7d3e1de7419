"""An endless stream of changes: polls for them, survives transient errors, and keeps its position in a cursor store."""

import asyncio
import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, NoReturn, Self, TypeVar

import attrs

from ._paging.pager import ListSpec
from ._watching import EndlessRuns, Pace, SavedCursor
from .changes import Change, ChangeIterator, Changes
from .cursors import CursorStore

T = TypeVar("T")


@attrs.frozen
class WatchOptions:
    """How to watch.

    Args:
        store: Where the cursor is kept, or None.
        name: The name under which the store keeps the cursor.
        every: Seconds from the beginning of a run over the changes to that of the next one.
        overlap: Seconds after its `updated_at` within which a version may become visible and still be found.
    """

    store: CursorStore | None
    name: str
    every: float
    overlap: float


class Watch(Generic[T]):
    """The changes of a resource, as an endless stream. Each use starts at the cursor in the store, or else at `since`.

    `async for change in watch` yields them in the order of `updated_at`.
    """

    def __init__(self, spec: ListSpec[T], since: dt.datetime | str | None, options: WatchOptions) -> None:
        """Create a description of a watch.

        Args:
            spec: What to request, and how its pages are decoded.
            since: A moment, or the cursor of an earlier run. None starts at the first change.
            options: How to watch.

        Raises:
            InvalidRequestError: `since` is outside the years 1 to 9999, or is not a cursor of these changes.
        """
        self._spec = spec
        self._options = options
        self._from_the_start = Changes(spec, since, options.overlap)

    @property
    def account(self) -> str:
        """The name under which a store keeps the cursors of the account: a digest, which does not reveal the key."""
        return self._spec.api.account_digest.hex()

    @property
    def name(self) -> str:
        """The name under which a store keeps the cursor."""
        return self._options.name

    def __aiter__(self) -> "WatchIterator[T]":
        """Return an iterator over the changes."""
        return WatchIterator(self._runs, SavedCursor(self._options.store, self.account, self.name))

    def __repr__(self) -> str:
        """Return the resource and the number of filters."""
        return f"<Watch of {self._spec.describe()}>"

    def _runs(self, cursor: str | None) -> EndlessRuns[T]:
        return EndlessRuns(self._spec, self._begin, cursor, Pace(self._options.every))

    def _begin(self, cursor: str | None) -> ChangeIterator[T]:
        changes = self._from_the_start if cursor is None else Changes(self._spec, cursor, self._options.overlap)
        return aiter(changes)

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise TypeError("iterate over a watch with `async for`, not with `for`")


class WatchIterator(Generic[T]):
    """Yields changes continuously, to one consumer.

    A change counts as processed when its consumer asks for the next one: then its cursor is saved. After an error, the
    next step tries again at the same position.
    """

    def __init__(self, runs: Callable[[str | None], EndlessRuns[T]], saved: SavedCursor) -> None:
        """Create an iterator. Nothing is loaded or sent before its first step.

        Args:
            runs: Begins to read changes at a cursor, or, given None, at the start of the watch.
            saved: Where the cursor is kept.
        """
        self._open = runs
        self._saved = saved
        self._runs: EndlessRuns[T] | None = None
        self._lock = asyncio.Lock()
        self._closing = asyncio.Event()

    @property
    def cursor(self) -> str | None:
        """The position after the last change yielded, for `since=` or `changes(…)`; None before the first step."""
        return None if self._runs is None else self._runs.cursor

    def __aiter__(self) -> Self:
        """Continue this iteration."""
        return self

    async def __anext__(self) -> Change[T]:
        """Save the cursor, wait until there is another change, and return it."""
        async with self._lock:
            while not self._closing.is_set():
                runs = await self._opened()
                await self._saved.save(runs)
                await self._wait(runs.wait())
                change = await runs.next()
                if change is not None:
                    return change
            raise StopAsyncIteration

    async def _opened(self) -> EndlessRuns[T]:
        if self._runs is None:
            self._runs = self._open(await self._saved.load())
        return self._runs

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._closing.wait()

    async def save(self) -> None:
        """Save the cursor of the last change now, for a consumer that has processed it and ends.

        Without a store, or before the first step, it does nothing.
        """
        if self._runs is not None:
            await self._saved.save(self._runs)

    async def aclose(self) -> None:
        """End the iteration. The cursor of the last change is not saved; call `save` for that.

        The next step raises `StopAsyncIteration`, and so does one that waits. Closing twice is allowed.
        `contextlib.aclosing` calls this.
        """
        self._closing.set()
        if self._runs is not None:
            await self._runs.aclose()
