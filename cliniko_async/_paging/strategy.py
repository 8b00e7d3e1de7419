"""What decides which page to request next: the protocol that all paging strategies implement, and its values."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from .._messages import RedactedRepr
from .._records.page import PageData
from ..errors import PaginationError
from .cursor import Position

MAX_TRIES = 3
"""How often a page is requested again that shows none of the records it counts."""


class DecodedPage(RedactedRepr, msgspec.Struct, frozen=True):
    """A page, and when it was requested and received, as ordinals of the events of one iteration."""

    page: PageData[Any]
    requested_at: int = 0
    received_at: int = 0


class CursorSource(Protocol):
    """Knows where an iteration stands between two records of a page."""

    def position(self, yielded: Sequence[Any] = ()) -> Position:
        """Return the position after these rows, which are the first ones of the page that was consumed last."""
        ...


class ConsumedPage(RedactedRepr, msgspec.Struct, frozen=True):
    """What a page led to: the rows to yield, and the strategy to continue with, or None at the end."""

    rows: Sequence[Any]
    following: "PagingStrategy | None"
    total: int | None = None
    """Number of records in the whole list, as far as this page tells."""
    cursor_source: CursorSource | None = None
    """Gives the position among the rows; None means the strategy that consumed the page."""


class PagingStrategy(CursorSource, Protocol):
    """Chooses the next URL of an iteration. Immutable: each page consumed leads to another strategy."""

    @property
    def source(self) -> int:
        """Index of the list, among those of the query, that is being read."""
        ...

    @property
    def sort(self) -> str:
        """The column that it has the server sort by, instead of the sort of the query; empty for none."""
        ...

    def next_url(self) -> str:
        """Return the URL to request next.

        Raises:
            PaginationError: there is none that may be requested.
        """
        ...

    def lookahead(self, count: int) -> Sequence[str]:
        """Return up to so many URLs, the next one first, that can be requested before their turn."""
        ...

    def consume(self, received: DecodedPage) -> ConsumedPage:
        """Return what the page at the next URL leads to; this strategy can still request it again.

        Raises:
            PaginationError: the server cannot have applied what it was asked for.
        """
        ...

    def fallback(self) -> "PagingStrategy | None":
        """Return the strategy to continue with if the server answers 400, or None."""
        ...


class Sequential:
    """A strategy whose next URL depends on the page before, so that one page can be requested ahead."""

    __slots__ = ()

    def lookahead(self: PagingStrategy, count: int) -> Sequence[str]:
        """Return the next URL alone."""
        return [self.next_url()][:count]


def next_try(tries: int) -> int:
    """Return the number of the next try to request a page that shows none of the records it counts.

    Raises:
        PaginationError: it was requested often enough.
    """
    if tries == MAX_TRIES:
        raise PaginationError("the server counts records that it does not show")
    return tries + 1
