"""Random histories over real sockets: records change between requests, the network fails, the reader is interrupted.

A history depends only on its seed. Many histories share a sandbox, because starting one takes longer than a history.
"""

import asyncio
import contextlib
import datetime as dt
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Literal

import attrs

from cliniko_async import Cliniko, RateLimitedError, RetryPolicy, ServerError, TransportError
from cliniko_async.sandbox import Sandbox

from .clients import client_of
from .listed import TYPES, other_tasks, run_turns
from .virtual import run

Kind = Literal["list", "prefetched", "stable", "changes"]
KINDS: tuple[Kind, ...] = ("list", "prefetched", "stable", "changes")
NOW = 1_900_000_000.0
_PER_SANDBOX = 100
_CROWD = 130
"""More records than fit on the largest page."""
_LARGEST_ID = 1000
_MOST_STEPS = 3000
_TIMEOUT = 5.0
_LATEST = 10.0
"""Seconds after which the slowest request has ended."""
_ADDING = ("create", "create late", "unarchive")
_REMOVING = ("archive", "remove")


class BrokenHistoryError(AssertionError):
    """A guarantee did not hold; the message contains what is needed to repeat the history."""


@attrs.define(eq=False)
class Clinic:
    """The records of a sandbox, and their changes between two requests."""

    sandbox: Sandbox
    rng: random.Random
    clock: list[float]
    versions: int = 0
    listed: dict[str, bool] = attrs.field(factory=dict)
    """The ids of all records, and whether a list has them."""
    stamps: dict[str, float] = attrs.field(factory=dict)
    names: dict[str, str] = attrs.field(factory=dict)
    """The name of each record, a new one for each version."""
    always: set[str] = attrs.field(factory=set)
    """The records that the list contained throughout."""
    used: set[int] = attrs.field(factory=set)
    """The ids used so far; they do not grow with creation, and many are consecutive."""
    calm: bool = False
    """Whether nothing changes any more, not even between the requests that are still under way."""

    def name(self) -> str:
        self.versions += 1
        return f"version {self.versions}"

    def matching(self) -> set[str]:
        return {key for key, there in self.listed.items() if there}

    def create(self, second: float, stamp: float) -> None:
        """Add a record with a second of creation, and another of its last change."""
        name, created = self.name(), dt.datetime.fromtimestamp(NOW - 10_000 + second, dt.UTC)
        number = self.rng.choice([key for key in range(1, _LARGEST_ID) if key not in self.used])
        self.used.add(number)
        key = self.sandbox.add(TYPES, id=number, name=name, created_at=created, updated_at=stamp)
        self.listed[key], self.stamps[key], self.names[key] = True, stamp, name

    def write(self, key: str, stamp: float, **fields: Any) -> None:
        """Write a version of a record, with a stamp not before that of its previous version."""
        stamp = max(stamp, self.stamps[key])
        self.stamps[key], self.names[key] = stamp, self.name()
        self.sandbox.update(TYPES, key, name=self.names[key], updated_at=stamp, **fields)

    def change(self, kinds: tuple[str, ...], late: float = 0.0) -> None:
        """Make one of these changes, with a stamp that may be some seconds late."""
        if self.calm:
            return
        kind, now = self.rng.choice(kinds), self.clock[0]
        stamp = now - late * self.rng.choice((0.0, 0.3, 1.0)) if self.rng.random() < 0.5 else now
        if kind.startswith("create"):
            self.create(self.rng.random() * 8 if kind == "create late" else 9000 + now - NOW, stamp)
        elif kind == "bulk":
            for key in self.listed:
                if self.rng.random() < 0.5:
                    self.write(key, stamp)
        elif keys := [key for key, there in self.listed.items() if there == (kind != "unarchive")]:
            self._change_one(kind, self.rng.choice(keys), stamp)
        self.always &= self.matching()

    def _change_one(self, kind: str, key: str, stamp: float) -> None:
        if kind == "remove":
            self.sandbox.remove(TYPES, key)
            del self.listed[key], self.stamps[key], self.names[key]
            return
        self.listed[key] = kind != "archive"
        self.write(key, stamp, archived_at=None if self.listed[key] else stamp)

    def clear(self) -> None:
        """Remove every record."""
        for key in list(self.listed):
            self.sandbox.remove(TYPES, key)


@attrs.define(eq=False)
class Reader:
    """A program that reads, is interrupted, and continues in one of the possible ways."""

    rng: random.Random
    open: Callable[[str | None], Any]
    """Opens an iterator at a cursor."""
    cursor: str | None = None
    got: list[Any] = attrs.field(factory=list)
    impatience: int = 6
    """How often it may still be cancelled."""
    counts: Counter[str] = attrs.field(factory=Counter)

    async def read(self, *, leaves: bool = False) -> bool:
        """Read to the end, or with `leaves` perhaps only some records, and return whether the end was reached."""
        iterator = self.open(self.cursor)
        for _ in range(_MOST_STEPS):
            try:
                self.got.append(await self._next(iterator))
                self.cursor = iterator.cursor
                anew = self.rng.random() < 0.05
            except StopAsyncIteration:
                self.cursor = iterator.cursor
                return True
            except asyncio.CancelledError:
                self.counts["cancelled"] += 1
                anew = self.rng.random() < 0.5
            except (TransportError, ServerError, RateLimitedError) as error:
                self.counts["errors"] += 1
                self.cursor = error.cursor
                anew = self.rng.random() < 0.5
            if leaves and self.rng.random() < 0.1:
                return False
            if anew:
                self.counts["resumed"] += 1
                iterator = self.open(self.cursor)
        raise AssertionError("the iteration does not end")

    async def _next(self, iterator: Any) -> Any:
        step = asyncio.ensure_future(anext(iterator))
        if self.impatience and self.rng.random() < 0.1:
            self.impatience -= 1
            await asyncio.wait((step,), timeout=self.rng.choice((0.0, 0.001, 0.5, 2.0)))
            step.cancel()
        try:
            return await step
        finally:
            # An error of the step would keep this frame alive, and with it the step and the iterator.
            del step, iterator


@attrs.define(eq=False)
class History:
    """One history, from its seed."""

    kind: Kind
    seed: int
    sandbox: Sandbox
    clock: list[float]
    counts: Counter[str]
    rng: random.Random = attrs.field(default=attrs.Factory(lambda self: random.Random(self.seed), takes_self=True))

    async def play(self) -> None:
        """Run it, and compare what was read with the records."""
        clinic = Clinic(self.sandbox, self.rng, self.clock)
        retry = RetryPolicy(attempts=self.rng.choice((1, 1, 3)), wait_initial=0.01, wait_max=0.05)
        self.sandbox.latency = 0.3 if self.kind != "changes" and self.rng.random() < 0.3 else 0.0
        self.sandbox.requests.clear()
        try:
            async with client_of(self.sandbox, retry=retry, timeout=_TIMEOUT) as cliniko:
                await (self._changes(clinic, cliniko) if self.kind == "changes" else self._list(clinic, cliniko))
                await run_turns(3)
                assert not (left := other_tasks()), f"tasks are left: {left}"
        finally:
            clinic.calm = True
            await asyncio.sleep(_LATEST)
            self.counts["requests"] += len(self.sandbox.requests)
            self.sandbox.faults.clear()
            clinic.clear()

    async def _list(self, clinic: Clinic, cliniko: Cliniko) -> None:
        rng, crowded = self.rng, self.rng.random() < 0.05
        for _ in range(_CROWD if crowded else rng.randrange(25)):
            clinic.create(3.5 if crowded else rng.random() * 8, NOW)
        for key in list(clinic.listed):
            if rng.random() < 0.15:
                clinic._change_one("archive", key, NOW)
        clinic.always = clinic.matching()
        # A lost response may have been the only one to show a change that another change undoes.
        kinds = (*_ADDING, *_REMOVING) if self.kind == "stable" else rng.choice((_ADDING, _REMOVING))
        rate, most = rng.choice((0.0, 0.1, 0.5, 1.0)), 3 if self.kind == "stable" else 1

        def between() -> None:
            for _ in range(most):
                if rng.random() < rate:
                    clinic.change((*kinds, "rename"))

        self._script(between)
        size = 100 if crowded else rng.randint(1, 5)

        def opened(cursor: str | None) -> Any:
            prefetch = rng.choice((1, 2, 8)) if self.kind == "prefetched" else rng.choice((0, 0, 1))
            stable = self.kind == "stable"
            return aiter(cliniko.appointment_types.list(per_page=size, prefetch=prefetch, stable=stable, cursor=cursor))

        reader = Reader(rng, opened, counts=self.counts)
        await reader.read()
        got = [record.id for record in reader.got]
        assert len(got) == len(set(got)), f"twice: {_repeated(got)}"
        assert clinic.always <= set(got), f"lost: {clinic.always - set(got)}"

    async def _changes(self, clinic: Clinic, cliniko: Cliniko) -> None:
        rng, overlap = self.rng, self.rng.choice((60.0, 3.0, 0.0))
        self.clock[0] = NOW
        crowded = rng.random() < 0.05
        for _ in range(_CROWD if crowded else rng.randrange(15)):
            clinic.create(0, self.clock[0])
            self.clock[0] += 0 if crowded else rng.choice((0.0, 0.0, 0.4, 20.0))
        rate = rng.choice((0.0, 0.2, 0.7))

        def between() -> None:
            if rng.random() < rate and not clinic.calm:
                self.clock[0] += rng.choice((0.0, 0.1, 1.0, 2.6, 20.0))
                clinic.change(("rename", "rename", "create", "archive", "unarchive", "remove", "bulk"), overlap)

        self._script(between)
        reader = Reader(
            rng, lambda cursor: aiter(cliniko.appointment_types.changes(cursor, overlap=overlap)), counts=self.counts
        )
        for _ in range(rng.randrange(4)):
            await reader.read(leaves=True)
            between()
        clinic.calm = True
        await asyncio.sleep(_LATEST)
        self.sandbox.faults.clear()
        self.clock[0] += overlap + 1
        for _ in range(2):
            assert await reader.read()
        names = [change.record.name for change in reader.got]
        last = {change.record.id: change.record.name for change in reader.got}
        assert len(names) == len(set(names)), f"twice: {_repeated(names)}"
        lost = {key: name for key, name in clinic.names.items() if last.get(key) != name}
        assert not lost, f"lost: {lost}"

    def _script(self, between: Callable[[], None]) -> None:
        """Script changes between two requests, and let a few requests fail."""
        faults, rng = self.sandbox.faults, self.rng
        faults.between(between, before=True, times=None)
        for _ in range(rng.randrange(5)):
            after = rng.randrange(15)
            # While changes are being requested, time may not advance: `response.elapsed` is in real seconds.
            acted = self.kind != "changes" and rng.random() < 0.5
            rng.choice(
                (
                    lambda after: faults.status(rng.choice((500, 502, 503, 504)), after=after),
                    lambda after: faults.drop(rng.choice(("request", "answer", "headers", "body")), after=after),
                    lambda after: faults.cut(rng.random(), after=after),
                    lambda after: faults.slow(rng.choice((0.2, 3.0, 9.0)), acted=acted, after=after),  # noqa: B023
                    lambda after: faults.throttle(after=after),
                )
            )(after)


async def _play(kind: Kind, seeds: Iterable[int], unsortable: tuple[str, ...]) -> tuple[Counter[str], list[str]]:
    counts: Counter[str] = Counter()
    broken: list[str] = []
    async with _opened(unsortable) as (sandbox, clock):
        for seed in seeds:
            counts["histories"] += 1
            try:
                await History(kind, seed, sandbox, clock, counts).play()
            except Exception as error:  # noqa: BLE001  (each is a broken history, and the others are played)
                broken.append(f"{kind}, seed {seed}, unsortable {unsortable}: {error!r}")
    return counts, broken


@contextlib.asynccontextmanager
async def _opened(unsortable: tuple[str, ...]) -> AsyncIterator[tuple[Sandbox, list[float]]]:
    clock = [NOW]
    options: dict[str, Any] = {"limit": 10**6, "shuffle_ties": True, "unsortable": unsortable}
    async with Sandbox(appointment_types=0, wall=lambda: clock[0], **options) as sandbox:
        yield sandbox, clock


def play(kind: Kind, seeds: range, *, sortable: bool = True) -> Counter[str]:
    """Run the histories of one kind with these seeds, and return how often each event occurred.

    Raises:
        BrokenHistoryError: a guarantee did not hold in at least one of them.
    """
    total: Counter[str] = Counter()
    broken: list[str] = []
    for start in range(0, len(seeds), _PER_SANDBOX):
        part = seeds[start : start + _PER_SANDBOX]
        counts, wrong = run(_play(kind, part, () if sortable else ("id", "updated_at")))
        total += counts
        broken += wrong
    if broken:
        raise BrokenHistoryError("\n".join(broken))
    return total


def _repeated(values: list[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]
