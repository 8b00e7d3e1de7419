"""Those who wait at one priority in one event loop, in the order in which they came."""

import asyncio
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from ..errors import ClinikoError
from ._book import Held

Waiter: TypeAlias = tuple[int, asyncio.Future[Held | None]]


class Waiters:
    """A queue by the numbers that callers got as they came: one who comes back is where it was."""

    def __init__(self) -> None:
        self._queue: list[Waiter] = []

    def __len__(self) -> int:
        return len(self._queue)

    def join(self, number: int, woken: asyncio.Future[Held | None]) -> None:
        """Wait."""
        insort(self._queue, (number, woken))

    def leave(self, number: int) -> bool:
        """Wait no longer, if that one still does; tells whether it did."""
        index = bisect_left(self._queue, number, key=_number)
        found = index < len(self._queue) and self._queue[index][0] == number
        if found:
            del self._queue[index]
        return found

    def give(self, held: Held) -> None:
        """Give a permit to the first, or back, if nobody waits any more."""
        while self._queue:
            _, woken = self._queue.pop(0)
            if not woken.done():
                woken.set_result(held)
                return
        held.cancel()

    def release(self) -> None:
        """Wake all without a permit."""
        for _, woken in self._queue:
            if not woken.done():
                woken.set_result(None)
        self._queue.clear()

    def fail(self, make: Callable[[], ClinikoError]) -> None:
        """Wake all with an error, each with its own."""
        fail((woken for _, woken in self._queue), make)
        self._queue.clear()


def fail(futures: Iterable[asyncio.Future[Any]], make: Callable[[], ClinikoError]) -> None:
    """Wake with an error whoever still waits for one of the futures."""
    for future in futures:
        if not future.done():
            future.set_exception(make())


def _number(waiter: Waiter) -> int:
    return waiter[0]
