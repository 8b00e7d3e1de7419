"""What the walks share: the query, the answer to a request of it, and what a walk has to be able to do."""

import contextlib
import datetime as dt
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote

import msgspec

from .._dates import Real
from .._messages import RedactedRepr, Server
from .._records.page import PageData, valid_records
from ..errors import PaginationError
from ..filters import format_utc
from .cursor import Mark

FULL_PAGE = 100
TRIES = 3
_TOO_LONG = 20
_ID = operator.attrgetter("id")
_EPOCH = Real.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FIRST_SECOND = -62_135_596_800
_LAST_SECOND = 253_402_300_799
"""In UTC, filters can name no moment before the year 1 or after the year 9999; a stamp with an offset can lie there."""


class Query(RedactedRepr, msgspec.Struct, frozen=True):
    """What a list is asked for, the same on every page of a walk."""

    server: Server
    sources: tuple[str, ...]
    """The URLs of the lists that make up the whole, walked one after the other."""
    filters: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    per_page: int = FULL_PAGE
    stable: bool = False
    anchored: bool = False
    """Whether it comes in the order of `created_at` and can be asked for from one second on."""
    dividable: bool = False
    """Whether it can be asked for by ranges of ids."""

    def url(
        self, source: int = 0, extra: Iterable[str] = (), *, sort: str = "", per_page: int = 0, page: int = 0
    ) -> str:
        """Give the URL of a page, each value encoded as the API encodes it in its own links."""
        pairs = [("q[]", text) for text in (*self.filters, *extra)]
        pairs.append(("sort", sort or ",".join(self.sort)))
        pairs.append(("per_page", str(per_page or self.per_page)))
        pairs.append(("page", str(page) if page else ""))
        query = "&".join(f"{quote(name, '')}={quote(value, '')}" for name, value in pairs if value)
        base = self.sources[source]
        return f"{base}{'&' if '?' in base else '?'}{query}"

    def own(self, link: str, source: int) -> str | None:
        """Give a link of the list with what was asked for and it left out, or None when it leads away."""
        url = self.server.own(link)
        asked = self.url(source).partition("?")[2]
        if url is None or f"?{asked}&" in f"{url}&":
            return url
        given = set(parse_qsl(url.partition("?")[2]))
        names = {name for name, _ in given} - {"q[]"}
        missing = "&".join(
            f"{quote(name, '')}={quote(value, '')}"
            for name, value in parse_qsl(asked)
            if name not in names and (name, value) not in given
        )
        return f"{url}{'&' if '?' in url else '?'}{missing}" if missing else url


class Answer(RedactedRepr, msgspec.Struct, frozen=True):
    """A page, and at which turns of the walk it was asked for and had arrived."""

    page: PageData[Any]
    sent: int = 0
    arrived: int = 0


class Step(RedactedRepr, msgspec.Struct, frozen=True):
    """What an answer led to: the rows to hand out, and the walk behind them, or None at the end."""

    rows: Sequence[Any]
    walk: "Walk | None"
    total: int | None = None
    """How many entries the whole list has, as far as this answer tells."""
    taker: "Walk | None" = None
    """The walk that can mark a place among the rows, when it is not the one that took them."""


class Walk(Protocol):
    """A walk under way."""

    @property
    def source(self) -> int:
        """Which of the lists of the query it is in."""
        ...

    def ask(self) -> str:
        """Give the URL to ask for next.

        Raises:
            PaginationError: there is none that may be asked for.
        """
        ...

    def ahead(self, most: int) -> Sequence[str]:
        """Give the URLs, the next one first, that can be asked for before their turn."""
        ...

    def take(self, answer: Answer) -> Step:
        """Give what an answer leads to; the walk itself stays as it was.

        Raises:
            PaginationError: the answer cannot be one to the question.
        """
        ...

    def fallback(self) -> "Walk | None":
        """Give the walk to go on with when the server refuses the question, if there is another."""
        ...

    def mark(self, page: PageData[Any] | None, handed: Sequence[Any]) -> Mark:
        """Give the place behind those rows of a page that were handed out."""
        ...


def epoch(row: Any) -> int:
    """Give the second in which a row was created, as it is shown."""
    return second_of(row.created_at)


def second_of(moment: dt.datetime) -> int:
    """Return the second in which a moment lies."""
    return math.floor(moment.timestamp())


def number(row: Any) -> int | None:
    """Give the id of a row as a number, when it has such a one."""
    text: str | None = getattr(row, "id", None)
    return int(text) if text and len(text) < _TOO_LONG and text.isascii() and text.isdecimal() else None


def all_stamps(rows: Sequence[Any]) -> "dict[int, dt.datetime | None] | None":
    """Give the ids of rows as numbers, each with its stamp, when all rows have one and no two the same.

    It does for a whole page what `number` does for a row, at a third of the cost.
    """
    try:
        texts = [row.id for row in rows]
        stamps = dict(zip(map(int, texts), [row.created_at for row in rows], strict=True))
        joined = "".join(texts)
        plain = not texts or (joined.isascii() and joined.isdecimal() and max(map(len, texts)) < _TOO_LONG)
    except (AttributeError, TypeError, ValueError):
        return None
    return stamps if plain and len(stamps) == len(rows) else None


def is_keyed(row: Any) -> bool:
    """Whether a row has both an id and a time of creation."""
    return getattr(row, "created_at", None) is not None and number(row) is not None


def unpassed(rows: Sequence[Any], has_key: Callable[[Any], object], passed: int) -> Sequence[Any]:
    """Give all rows but the first ones without a key, which were passed before."""
    if not passed:
        return rows
    dropped = set(islice((at for at, row in enumerate(rows) if not has_key(row)), passed))
    return [row for at, row in enumerate(rows) if at not in dropped]


def is_ascending(rows: Sequence[Any]) -> bool:
    """Whether rows stand in the order of their creation."""
    stamps = [row.created_at for row in rows]
    return stamps == sorted(stamps)


def is_whole(page: PageData[Any], per_page: int) -> bool:
    """Whether a page 1 holds all there is.

    Count and rows may come from two statements, so either alone can mislead. Where rows are repeated, the count may
    include the repetitions or not: then the server has to say as well that no page follows.
    """
    total, sent = page.total_entries, len(page.rows) + page.repeats
    if sent >= per_page:
        return False
    return total is None or total <= len(_by_id(page.rows)) or (total <= sent and page.next is None)


def unrepeated(page: PageData[Any]) -> PageData[Any]:
    """Drop the rows whose id is that of a row before them, and count them."""
    with contextlib.suppress(AttributeError):  # Some records have no id.
        if len(set(map(_ID, page.rows))) == len(page.rows):
            return page  # As nearly all do, at a fraction of the cost.
    rows = list(_by_id(page.rows).values())
    repeats = len(page.rows) - len(rows)
    items = valid_records(rows)
    return msgspec.structs.replace(page, items=items, rows=rows, repeats=repeats)


def _by_id(rows: Sequence[Any]) -> dict[Any, Any]:
    """Return the first row of each id, and every row without one."""
    first: dict[Any, Any] = {}
    for index, row in enumerate(rows):
        first.setdefault(getattr(row, "id", None) or index, row)
    return first


def is_calendar(second: int) -> bool:
    """Whether a filter can name a second."""
    return _FIRST_SECOND <= second <= _LAST_SECOND


def stamp_text(second: int) -> str:
    """Write a second as a filter takes it.

    Raises:
        PaginationError: it lies outside of the calendar.
    """
    if not is_calendar(second):
        raise PaginationError("a stamp outside of the years 1 to 9999 cannot be filtered by")
    return format_utc(_EPOCH + dt.timedelta(seconds=second))
