"""A list on a virtual clock whose records change between and during requests, and a reader of its changes."""

import datetime as dt
import math
from collections.abc import Callable, Iterable, Sequence
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

import attrs

from cliniko_async._messages import Request, Response
from cliniko_async._paging.by_updated_at import ByUpdatedAt, RunOptions, version_digest
from cliniko_async._paging.cursor import UpdatedAtPosition, changes_positions, fingerprint, read_cursor, write_cursor
from cliniko_async._paging.strategy import ConsumedPage, DecodedPage, PositionProvider
from cliniko_async._records.page import PageData

from .model_server import LARGEST_ID, START, RefusedError, Source, query_of

OWNER = fingerprint("changes", "the account", "the query")
HOUR = 3600.0
PAUSES = (0.0, 0.1, 0.4, 1.0, 2.6, 20.0)
DELAYS = (0.0, 0.3, 0.9, 1.0, 1.0)
KINDS = ("update", "update", "create", "bulk", "late create", "late update", "late bulk", "delete")
GARBAGE = ("", "yesterday", "Mon, 99 Foo 2023 25:61:61 GMT", "0", "Tue, 14 Nov 2023 22:13:20")
_MOST_REQUESTS = 3000
_MOST_ROWS = 12


@attrs.frozen
class Shown:
    """A record as the server sends it: without the fraction of its time."""

    id: str
    updated_at: dt.datetime
    content: str


@attrs.define
class Stored:
    """A record as the server stores it."""

    id: int
    updated: float
    content: int

    def shown(self) -> Shown:
        return Shown(str(self.id), dt.datetime.fromtimestamp(int(self.updated), dt.UTC), str(self.content))


@attrs.define(slots=False)
class ChangingServer:
    """The records, the clock, and the changes before, during and after each request."""

    choices: Source
    overlap: float = 60.0
    late: float = 60.0
    """How many seconds after its stamp a version may become visible."""
    date: str = "right"
    """The `Date` of responses: right, off, missing, garbage, or "now and then" for some of them only."""
    off: float = 0.0
    sortable: bool = True
    torn: bool = False
    """Whether the count and the rows of a response may be read at different times."""
    changes: int = 2
    """Maximum number of changes each time."""
    kinds: tuple[str, ...] = KINDS
    repeats: str = ""
    """How a page may repeat rows: joined (each copy counts and takes a place), added (neither), or counted."""
    calm: bool = False
    now: float = START + 0.5
    versions: int = 0
    rows: dict[int, Stored] = attrs.field(factory=dict)
    log: list[str] = attrs.field(factory=list)

    def grow(self) -> None:
        """Create records, many of them in the same second."""
        for _ in range(self.choices.pick(_MOST_ROWS + 1)):
            self.now += PAUSES[self.choices.pick(4)] if self.choices.pick(3) == 2 else 0.0
            self._put(1 + self.choices.pick(LARGEST_ID), self.now)
        self.now += (0.0, 5.0, 200.0)[self.choices.pick(3)]

    def final(self) -> dict[str, Shown]:
        return {str(row.id): row.shown() for row in self.rows.values()}

    def live(self) -> None:
        """Let time pass, and change records."""
        if self.calm:
            return
        for _ in range(self.choices.pick(self.changes + 1)):
            self.now += PAUSES[self.choices.pick(len(PAUSES))]
            kind = self.kinds[self.choices.pick(len(self.kinds))]
            delay = self.late * DELAYS[self.choices.pick(len(DELAYS))] if kind.startswith("late") else 0.0
            self._change(kind.removeprefix("late "), self.now - delay)

    def _change(self, kind: str, stamp: float) -> None:
        if kind == "create":
            self._put(1 + self.choices.pick(LARGEST_ID), stamp)
            return
        keys = sorted(self.rows)
        if kind == "bulk":
            for key in keys[self.choices.pick(len(keys) + 1) :]:
                self._put(key, stamp)
        elif keys:
            key = keys[self.choices.pick(len(keys))]
            if kind == "update":
                self._put(key, stamp)
            else:
                del self.rows[key]
                self.log.append(f"delete {key}")

    def _put(self, key: int, stamp: float) -> None:
        """Write a record, with a stamp not before that of its previous version."""
        before = self.rows.get(key)
        self.versions += 1
        self.rows[key] = Stored(key, stamp if before is None else max(stamp, before.updated), self.versions)
        self.log.append(f"{self.now - START:.1f} s: {key} is {self.versions} of {self.rows[key].updated - START:.1f} s")

    def answer(self, url: str) -> PageData[Shown]:
        """Answer a request.

        Raises:
            RefusedError: it cannot sort by this column.
        """
        sent = self.now
        self.live()
        pairs = parse_qsl(url.partition("?")[2])
        given, test = dict(pairs), test_of(value for name, value in pairs if name == "q[]")
        total = sum(map(self._copies, filter(test, self.rows.values())))
        if self.torn:
            self.live()
        chosen = sorted(filter(test, self.rows.values()), key=self._order(given.get("sort")))
        chosen = [row for row in chosen for _ in range(self._copies(row))][: int(given["per_page"])]
        shown = tuple(row.shown() for row in chosen for _ in range(1 + self._added()))
        if self.repeats == "counted":
            total += len(shown) - len(chosen)
        self.live()
        headers = self._headers()
        self.now += PAUSES[self.choices.pick(2)]
        self.log.append(f"{self.now - START:.1f} s: {url.partition('?')[2]} -> {[row.id for row in shown]} of {total}")
        response = Response(200, headers, b"", elapsed=self.now - sent)
        return PageData(shown, shown, total, None, Request("GET", url), response)

    def _copies(self, row: Stored) -> int:
        return 1 + row.id % 3 if self.repeats == "joined" else 1

    def _added(self) -> int:
        return self.choices.pick(4) // 2 if self.repeats in ("added", "counted") else 0

    def _headers(self) -> dict[str, str]:
        date = self.date
        if date == "now and then":
            date = ("right", "missing")[self.choices.pick(2)]
        if date == "missing":
            return {}
        if date == "garbage":
            return {"Date": GARBAGE[self.choices.pick(4)]}
        return {"Date": formatdate(int(self.now + self.off), usegmt=True)}

    def _order(self, sort: str | None) -> Callable[[Stored], Any]:
        salt = 1 + self.choices.pick(LARGEST_ID)
        if sort is None:
            return lambda row: row.id * salt % (LARGEST_ID + 1)
        if sort != "updated_at" or not self.sortable:
            raise RefusedError
        return lambda row: (int(row.updated), row.id * salt % (LARGEST_ID + 1))


def test_of(filters: Iterable[str]) -> Callable[[Stored], bool]:
    """Return a test for the filters, which compare the stored time with its fraction."""
    bounds = {"id>": -math.inf, "id<=": math.inf, "updated_at>=": -math.inf, "updated_at<": math.inf}
    for text in filters:
        field, _, rest = text.partition(":")
        operator = rest.rstrip("0123456789TZ:-")
        value = rest.removeprefix(operator)
        bound = float(value) if field == "id" else dt.datetime.fromisoformat(value).timestamp()
        assert field + operator in bounds
        bounds[field + operator] = bound
    above, up_to, since, before = bounds.values()
    return lambda row: above < row.id <= up_to and since <= row.updated < before


@attrs.define
class Reader:
    """Reads the changes in runs, some of them interrupted; only the cursor is kept between runs."""

    server: ChangingServer
    per_page: int = 100
    full_page: int = 100
    max_digests: int = 1000
    cursor: str | None = None
    got: list[Shown] = attrs.field(factory=list)
    requests: int = 0
    """The number of requests in the last run."""
    there: dict[str, Shown] | None = None
    """The records that existed when the run began, before any interruption."""
    missed: set[Shown] = attrs.field(factory=set)
    """The versions that existed throughout the last complete run, and were not yielded."""
    crowd: int = 0
    """The largest number of versions that had to be remembered at once."""

    def start(self) -> ByUpdatedAt:
        position = UpdatedAtPosition(second=None)
        if self.cursor is not None:
            position = read_cursor(self.cursor, OWNER, changes_positions)
        options = RunOptions(self.server.overlap, digest, self.full_page, self.max_digests)
        return ByUpdatedAt.resumed(query_of(per_page=self.per_page), options, position)

    def run(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Read until the end or until `stop` returns True, and return whether the end was reached."""
        strategy: Any = self.start()
        self.there = self.server.final() if self.there is None else self.there
        self.requests = 0
        while strategy is not None:
            consumed = self._step(strategy)
            source = consumed.position_provider or consumed.following or strategy
            for count, row in enumerate(consumed.rows, 1):
                self.got.append(row)
                if stop():
                    self._keep(source, consumed.rows[:count])
                    return False
            self._keep(source, consumed.rows)
            strategy = consumed.following
        self.missed = set(self.there.values()) & set(self.server.final().values()) - set(self.got)
        self.there = None
        return True

    def _step(self, strategy: ByUpdatedAt) -> ConsumedPage:
        self.requests += 1
        assert self.requests < _MOST_REQUESTS, "the run does not end"
        try:
            page = self.server.answer(strategy.next_url())
        except RefusedError:
            other = strategy.fallback()
            assert other is not None
            return ConsumedPage((), other)
        return strategy.consume(DecodedPage(page))

    def _keep(self, source: PositionProvider, yielded: Sequence[Any]) -> None:
        position = source.position(yielded)
        assert isinstance(position, UpdatedAtPosition)
        self.cursor = write_cursor(OWNER, position)
        low = min((at for at in (position.second, position.low_watermark) if at is not None), default=0)
        self.crowd = max(self.crowd, len({row for row in self.got if row.updated_at.timestamp() >= low}))

    def lost(self) -> list[Shown]:
        """Return the current records whose last yielded version is not the current one."""
        last = {row.id: row for row in self.got}
        return [row for key, row in self.server.final().items() if last.get(key) != row]


def digest(row: Any) -> int:
    return version_digest(row, row.content.encode())
