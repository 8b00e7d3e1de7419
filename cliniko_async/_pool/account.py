"""The limiters of many accounts that share one connector: first the budget of the account, then a connection."""

import asyncio
import contextlib
import functools
import hashlib
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from weakref import WeakValueDictionary

import attrs

from .._loops import runs_here
from ..errors import InvalidRequestError
from ..limits import Limits, Permit, Priority, RateLimiter, Wait, shared_limiter
from .connections import Gate, Place, Seat

_STALE = 1.0
"""Seconds that a permit may lie about: a pause of which another process was told may have come meanwhile."""
_BRIEFLY = 0.1
"""Seconds for which a connection is kept for who has to ask for a permit again."""
_PERIODS = 3
"""How long a limiter is remembered that nobody uses: its window is empty then, and a pause of two periods over."""


class Budget:
    """The limiter of an account, and when it was last used."""

    __slots__ = ("_clock", "_used", "limiter")

    def __init__(self, limiter: RateLimiter, clock: Callable[[], float]) -> None:
        self.limiter = limiter
        self._clock = clock
        self.use()

    def use(self) -> None:
        """Note that it is used now."""
        self._used = self._clock()

    def may_be_forgotten(self) -> bool:
        """Whether nothing of what it knows matters any longer."""
        return self._clock() - self._used > _PERIODS * self.limiter.period


class Account:
    """The limiter of all clients of one account in a pool: its permits come with a connection.

    Of those who wait at one priority, one at a time asks: else all would hold permits of which they make no use, and
    which a pause or an interactive caller could not call back.
    """

    def __init__(self, budget: Budget, gate: Gate) -> None:
        """Take the limiter of the account, and the gate before the connections; made in the event loop of the gate."""
        self._budget = budget
        self._limiter = budget.limiter
        self._gate = gate
        self._loop = asyncio.get_running_loop()
        self._seat = Seat()
        self._lines: dict[Priority, asyncio.Lock] = {"interactive": asyncio.Lock(), "bulk": asyncio.Lock()}
        self._waiting: dict[Priority, int] = {"interactive": 0, "bulk": 0}
        self._holding: Counter[Priority] = Counter()
        """Who has a permit and waits for a connection."""
        self._pauses = 0

    @property
    def period(self) -> float:
        """The length of the window in seconds."""
        return self._limiter.period

    async def acquire(self, priority: Priority) -> Permit:
        """Wait for a permit and a connection; a cancelled wait gives its place back.

        Raises:
            InvalidRequestError: there is no such priority.
        """
        line = self._lines.get(priority)
        if line is None:
            raise InvalidRequestError("priority must be 'interactive' or 'bulk'", argument="priority")
        self._waiting[priority] += 1
        try:
            async with line:
                return SeatedPermit(self, *await self._permit(priority))
        finally:
            self._waiting[priority] -= 1

    def pause(self, seconds: float | None) -> float:
        """Give nobody a permit for so many seconds, and return the seconds until the pause ends."""
        self._pauses += 1
        self._budget.use()
        return self._limiter.pause(seconds)

    async def limits(self) -> Limits:
        """Tell how the limiter stands now; those who wait for a connection are counted, too."""
        found = await self._limiter.limits()
        waiting = {priority: count + found.waiting.get(priority, 0) for priority, count in self._waiting.items()}
        waits = found.waits or dict.fromkeys(self._waiting, Wait(found.next_free, found.next_free))
        return attrs.evolve(
            found, waiting=waiting, waits={each: self._wait(each, waits[each], found.limit) for each in waits}
        )

    def _wait(self, priority: Priority, wait: Wait, limit: int) -> Wait:
        """Return the shortest wait, given that of the limiter, which knows one caller of ours at a time."""
        ahead = self._waiting["interactive"] + (self._waiting["bulk"] if priority == "bulk" else 0)
        rounds = ahead // max(1, limit)
        # Who is next has its permit already if it waits for a connection.
        return Wait(0.0 if self._holding[priority] else wait.first, wait.last + rounds * self.period)

    @property
    def hangs(self) -> bool:
        """Whether the server does not answer at present."""
        return self._seat.hangs

    def give_back(self, place: Place, *, answered: bool = False) -> None:
        """Give a connection back; from any thread at any moment, as the garbage collector may be the caller."""
        self._budget.use()
        loop = self._loop
        # Never at once: the collector may have interrupted the gate itself.
        call = loop.call_soon if runs_here(loop) else loop.call_soon_threadsafe
        with contextlib.suppress(RuntimeError):  # The loop is closed, and the pool with it.
            call(functools.partial(self._gate.leave, place, answered=answered))

    async def _permit(self, priority: Priority) -> tuple[Permit, Place]:
        """Return a permit that is good at the moment at which there is a connection for it, and the connection."""
        permit = await self._ask(priority)
        while True:
            pauses, given_at = self._pauses, self._loop.time()
            self._holding[priority] += 1
            try:
                place = await self._gate.enter(self._seat, priority)
            except BaseException:
                permit.cancel()
                raise
            finally:
                self._holding[priority] -= 1
            if pauses == self._pauses and self._loop.time() - given_at <= _STALE:
                return permit, place
            permit.cancel()
            # Who waited for a connection is not to wait as long again where a permit is there at once.
            try:
                async with asyncio.timeout(_BRIEFLY):
                    return await self._ask(priority), place
            except TimeoutError:
                self.give_back(place)
            except BaseException:
                self.give_back(place)
                raise
            permit = await self._ask(priority)

    async def _ask(self, priority: Priority) -> Permit:
        # The limiter counts whoever asks it among those who wait.
        self._waiting[priority] -= 1
        try:
            return await self._limiter.acquire(priority)
        finally:
            self._waiting[priority] += 1


class SeatedPermit:
    """A permit that has a connection: whatever is said of it, or if it is dropped, the connection is free again."""

    __slots__ = ("_account", "_permit", "_place")

    def __init__(self, account: Account, permit: Permit, place: Place) -> None:
        self._account: Account | None = account
        self._permit = permit
        self._place = place

    def complete(self) -> None:
        """Say that the answer arrived."""
        if (account := self._account) is not None:
            self._account = None
            self._permit.complete()
            account.give_back(self._place, answered=True)

    def abandon(self) -> None:
        """Say that it was sent and no answer came."""
        if (account := self._account) is not None:
            self._account = None
            self._permit.abandon()
            account.give_back(self._place)

    def cancel(self) -> None:
        """Say that it was never given to a connection."""
        if (account := self._account) is not None:
            self._account = None
            self._permit.cancel()
            account.give_back(self._place)

    __del__ = abandon


class Accounts:
    """One `Account` for a server and a key: the same while anybody has it, and its limiter until it may be forgotten.

    Limiters of which `make` is the source have their window in themselves, perhaps. The shared ones are remembered by
    the process.
    """

    def __init__(
        self,
        gate: Gate,
        make: Callable[[str], RateLimiter] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the gate, and what makes the limiter for a key; without it, it is the one that the process shares."""
        self._gate = gate
        self._make = make
        self._clock = clock
        self._accounts: WeakValueDictionary[bytes, Account] = WeakValueDictionary()
        self._budgets: OrderedDict[bytes, Budget] = OrderedDict()

    def get(self, base_url: str, api_key: str) -> Account:
        """Give the account of a server and a key, of which it keeps a digest."""
        digest = hashlib.blake2b(f"{base_url} {api_key}".encode(), digest_size=16).digest()
        account = self._accounts.get(digest)
        if account is None:
            budget = self._budgets.get(digest) or self._new(digest, base_url, api_key)
            account = self._accounts[digest] = Account(budget, self._gate)
            self._forget_oldest()
            self._forget_oldest()
        return account

    def __len__(self) -> int:
        """How many limiters it remembers."""
        return len(self._budgets)

    def _new(self, digest: bytes, base_url: str, api_key: str) -> Budget:
        if self._make is None:
            return Budget(shared_limiter(base_url, api_key), self._clock)
        budget = self._budgets[digest] = Budget(self._make(api_key), self._clock)
        return budget

    def _forget_oldest(self) -> None:
        if self._budgets:
            digest, budget = self._budgets.popitem(last=False)
            if digest in self._accounts or not budget.may_be_forgotten():
                self._budgets[digest] = budget
