"""Who of many accounts gets one of a few connections."""

import asyncio
from collections import OrderedDict
from typing import TypeAlias

from .limits import Priority


class Seat:
    """One account before the gate, and how many connections it has."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = 0


_Queue: TypeAlias = OrderedDict[Seat, asyncio.Future[None]]


class Gate:
    """Gives out a number of places, a share of them at most to each account.

    Interactive callers go first, then the account that has the fewest: one whose answers are slow keeps what it has,
    and gets no more while others have less. All of it happens in one event loop.
    """

    def __init__(self, places: int, share: int) -> None:
        """Take how many places there are, and how many of them one account may have."""
        self.free = places
        self._share = share
        # By priority, and by how many places they have, those who wait, in the order in which they came.
        self._waiting: dict[Priority, list[_Queue]] = {
            "interactive": [OrderedDict() for _ in range(share + 1)],
            "bulk": [OrderedDict() for _ in range(share + 1)],
        }

    async def enter(self, seat: Seat, priority: Priority) -> None:
        """Wait for a place; of each account one caller at each priority. A cancelled wait leaves nothing behind."""
        if self.free and seat.held < self._share:
            # Nobody is passed over: with a place free, only those wait who have their share.
            self._take(seat)
            return
        woken = asyncio.get_running_loop().create_future()
        self._waiting[priority][seat.held][seat] = woken
        try:
            await woken
        except BaseException:
            if woken.done() and not woken.cancelled():
                self.leave(seat)
            else:
                self._waiting[priority][seat.held].pop(seat, None)
            raise

    def leave(self, seat: Seat) -> None:
        """Give a place back, to whoever is next."""
        self.free += 1
        self._count(seat, -1)
        while self.free and (found := self._next()) is not None:
            following, woken = found
            self._take(following)
            woken.set_result(None)

    def _take(self, seat: Seat) -> None:
        self.free -= 1
        self._count(seat, 1)

    def _count(self, seat: Seat, by: int) -> None:
        """Count the places of an account, and let it wait among those who have as many."""
        for queues in self._waiting.values():
            woken = queues[seat.held].pop(seat, None)
            if woken is not None:
                queues[seat.held + by][seat] = woken
        seat.held += by

    def _next(self) -> tuple[Seat, asyncio.Future[None]] | None:
        for queues in self._waiting.values():
            for queue in queues[: self._share]:
                while queue:
                    seat, woken = queue.popitem(last=False)
                    if not woken.done():  # Who was cancelled has yet to leave.
                        return seat, woken
        return None
