"""What the walks share: the query, the answer to a request of it, and what a walk has to be able to do."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import attrs

from .._cursor import Mark
from .._decode import PageData
from .._http import Server

if TYPE_CHECKING:
    import datetime as dt

FULL_PAGE = 100
TRIES = 3


@attrs.frozen
class Query:
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


@attrs.frozen
class Answer:
    """A page, and at which turns of the walk it was asked for and had arrived."""

    page: PageData[Any]
    sent: int = 0
    arrived: int = 0


@attrs.frozen
class Step:
    """What an answer led to: the rows to hand out, and the walk behind them, or None at the end."""

    rows: Sequence[Any]
    walk: "Walk | None"
    total: int | None = None
    """How many entries the whole list has, as far as this answer tells."""


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
    created_at: dt.datetime = row.created_at
    return int(created_at.timestamp())


def keyed(rows: Iterable[Any]) -> list[Any]:
    """Give the rows that have both an id and a time of creation."""
    return [row for row in rows if getattr(row, "id", None) and getattr(row, "created_at", None)]


def is_ascending(rows: Sequence[Any]) -> bool:
    """Whether rows stand in the order of their creation."""
    stamps = [row.created_at for row in rows]
    return stamps == sorted(stamps)


def is_whole(page: PageData[Any], per_page: int) -> bool:
    """Whether a page 1 holds all there is.

    Count and rows may come from two statements, so either alone can mislead.
    """
    total = page.total_entries
    return len(page.rows) < per_page and (total is None or total <= len(page.rows))
