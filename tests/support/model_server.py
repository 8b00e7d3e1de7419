"""A list as a server might hold it: each request sees a snapshot, and rows change between two requests."""

import datetime as dt
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote

import attrs

from cliniko_async._messages import Request, Response, Server
from cliniko_async._paging.query import ListQuery
from cliniko_async._records.page import PageData

BASE = "https://api.au1.cliniko.com/v1"
START = 1_700_000_000
LARGEST_ID = 1008
_MOST_ROWS = 30
ADDING = ("create", "commit late", "unarchive")
REMOVING = ("archive", "delete")
MEMBERSHIP = (*ADDING, *REMOVING)


class Source(Protocol):
    """Where choices come from."""

    def pick(self, count: int) -> int:
        """Return a number below `count`; 0 is the choice in which nothing happens."""


@attrs.define
class Tape:
    """Choices from bytes, which Hypothesis can shorten; after the end, each is 0."""

    data: bytes
    place: int = 0

    def pick(self, count: int) -> int:
        self.place += 1
        return self.data[self.place - 1] % count if self.place <= len(self.data) else 0


@attrs.define
class Dice:
    """Random choices; after `left` of them, each is 0."""

    seed: int
    left: int = 2000
    rng: random.Random = attrs.field(default=attrs.Factory(lambda self: random.Random(self.seed), takes_self=True))

    def pick(self, count: int) -> int:
        self.left -= 1
        return self.rng.randrange(count) if self.left > 0 else 0


@attrs.frozen
class Thing:
    """A record as the server sends it: without the fraction of its time."""

    id: str
    created_at: dt.datetime
    name: str = ""


@attrs.define
class Stored:
    """A row as the server stores it."""

    id: int
    created: float
    name: str
    there: bool = True
    copies: int = 1
    """How many rows of a response it takes, if the server joins it with another table."""

    def shown(self) -> Thing:
        return Thing(str(self.id), dt.datetime.fromtimestamp(int(self.created), dt.UTC), self.name)


class RefusedError(Exception):
    """The server answers 400."""


@attrs.define
class Model:
    """The rows, the requests, and the rows that matched throughout."""

    choices: Source
    seconds: int = 8
    sortable: bool = True
    torn: bool = False
    """Whether the count and the rows of a response may be read at different times."""
    changes: int = 1
    """Maximum number of changes between two requests."""
    kinds: tuple[str, ...] = (*MEMBERSHIP, "rename")
    shuffles: bool = True
    """Whether the order of records with the same second or name changes with each request."""
    largest_page: int = 100
    repeats: str = ""
    """How a page may repeat rows: joined (each copy counts and takes a place), added (neither), or counted."""
    rows: dict[int, Stored] = attrs.field(factory=dict)
    always: set[str] = attrs.field(factory=set)
    log: list[str] = attrs.field(factory=list)
    used: set[int] = attrs.field(factory=set)
    clock: int = 0

    @classmethod
    def grown(cls, choices: Source, **options: Any) -> "Model":
        """Return a model with some rows, a few of them archived."""
        model = cls(choices, seconds=1 + choices.pick(8), **options)
        for _ in range(choices.pick(_MOST_ROWS + 1)):
            model.insert(choices.pick(model.seconds))
        for row in model.rows.values():
            row.there = choices.pick(6) != 5
        model.always = model.matching()
        return model

    def insert(self, second: int, *, there: bool = True) -> Stored:
        """Add a row; ids do not grow with creation."""
        key = 1 + self.choices.pick(LARGEST_ID)
        while key in self.used:
            key = key % LARGEST_ID + 1
        self.used.add(key)
        row = Stored(key, START + second + self.choices.pick(10) / 10, "abcdefgh"[self.choices.pick(8)], there)
        if self.repeats == "joined":
            row.copies += self.choices.pick(3)
        self.rows[key] = row
        return row

    def matching(self) -> set[str]:
        return {str(row.id) for row in self.rows.values() if row.there}

    def pass_time(self) -> None:
        """Make the changes between two requests."""
        for _ in range(self.choices.pick(self.changes + 1)):
            self._change(self.kinds[self.choices.pick(len(self.kinds))])
            self.always &= self.matching()

    def _change(self, kind: str) -> None:
        self.clock += self.choices.pick(2)
        if kind == "create":
            self._note(kind, self.insert(self.seconds + self.clock))
        elif kind == "commit late":
            self._note(kind, self.insert(self.choices.pick(self.seconds)))
        elif kind == "unarchive":
            self._pick_one(kind, there=False, change=lambda row: setattr(row, "there", True))
        elif kind == "archive":
            self._pick_one(kind, there=True, change=lambda row: setattr(row, "there", False))
        elif kind == "rename":
            name = "abcdefgh"[self.choices.pick(8)]
            self._pick_one(kind, there=True, change=lambda row: setattr(row, "name", name))
        else:
            self._pick_one(kind, there=True, change=lambda row: self.rows.pop(row.id))

    def _pick_one(self, kind: str, *, there: bool, change: Callable[[Stored], object]) -> None:
        rows = [row for row in self.rows.values() if row.there == there]
        if rows:
            row = rows[self.choices.pick(len(rows))]
            change(row)
            self._note(kind, row)

    def _note(self, kind: str, row: Stored) -> None:
        self.log.append(f"{kind} {row.id} of {row.created - START:.1f} s")

    def snapshot(self, url: str) -> PageData[Thing]:
        """Answer a request from the current rows.

        Raises:
            RefusedError: it cannot sort by this column.
        """
        pairs = parse_qsl(url.partition("?")[2])
        given = dict(pairs)
        filters = [value for name, value in pairs if name == "q[]"]
        total = sum(row.copies for row in self._chosen(filters))
        if self.torn:
            self.pass_time()
        rows = sorted(self._chosen(filters), key=self._order(given.get("sort", "created_at")))
        size = min(int(given["per_page"]), self.largest_page)
        number = int(given.get("page", "1"))
        rows = [row for row in rows for _ in range(row.copies)][(number - 1) * size : number * size]
        shown = tuple(row.shown() for row in rows for _ in range(1 + self._added()))
        if self.repeats == "counted":
            total += len(shown) - len(rows)
        following = _link(pairs, number + 1) if number * size < total else None
        self.log.append(f"{url.partition('?')[2]} -> {[row.id for row in shown]} of {total}")
        return PageData(shown, shown, total, following, Request("GET", url), Response(200, {}, b""))

    def _added(self) -> int:
        """Return how often a row is repeated beyond its place."""
        return self.choices.pick(4) // 2 if self.repeats in ("added", "counted") else 0

    def _chosen(self, filters: Iterable[str]) -> list[Stored]:
        tests = [_test(text) for text in filters]
        return [row for row in self.rows.values() if row.there and all(test(row) for test in tests)]

    def _order(self, sort: str) -> Callable[[Stored], Any]:
        if sort == "id":
            if not self.sortable:
                raise RefusedError
            return lambda row: row.id
        salt = 1 + self.choices.pick(LARGEST_ID) if self.shuffles else 1
        if sort == "name":
            return lambda row: (row.name, row.id * salt % (LARGEST_ID + 1))
        return lambda row: (int(row.created), row.id * salt % (LARGEST_ID + 1))


def _link(pairs: Iterable[tuple[str, str]], number: int) -> str:
    kept = [(name, value) for name, value in pairs if name != "page"]
    query = "&".join(f"{quote(name, '')}={quote(value, '')}" for name, value in [*kept, ("page", str(number))])
    return f"{BASE}/things?{query}"


def _test(text: str) -> Callable[[Stored], bool]:
    field, _, rest = text.partition(":")
    operator = rest[:2] if rest[1] == "=" else rest[:1]
    value = rest.removeprefix(operator)
    bound = float(dt.datetime.fromisoformat(value).timestamp()) if field == "created_at" else float(value)
    name = "created" if field == "created_at" else field
    return {
        ">=": lambda row: getattr(row, name) >= bound,
        ">": lambda row: getattr(row, name) > bound,
        "<=": lambda row: getattr(row, name) <= bound,
        "<": lambda row: getattr(row, name) < bound,
    }[operator]


def query_of(**options: Any) -> ListQuery:
    """Return a query of the model's list, which has every filter that an iteration can use."""
    defaults: dict[str, Any] = {"anchored": "sort" not in options, "dividable": True}
    return ListQuery(Server(BASE), (f"{BASE}/things",), **(defaults | options))


def twice(got: Iterable[str]) -> Iterator[str]:
    """Return the items that occur more than once."""
    seen: set[str] = set()
    for key in got:
        if key in seen:
            yield key
        seen.add(key)
