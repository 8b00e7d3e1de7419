"""The protocol that all paging strategies implement, and the values it uses."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from .._messages import RedactedRepr
from .._records.page import PageData
from ..errors import PaginationError
from .cursor import Position

MAX_TRIES = 3
"""How often to repeat the request for a page that has none of the records it counts."""


class DecodedPage(RedactedRepr, msgspec.Struct, frozen=True):
    """A page, and when it was requested and received: the numbers of both events within one iteration."""

    page: PageData[Any]
    request_order: int = 0
    receipt_order: int = 0


class PositionProvider(Protocol):
    """Provides the position between any two records of a page."""

    def position(self, yielded: Sequence[Any] = ()) -> Position:
        """Return the position after these rows, the first ones of the last page consumed."""
        ...


class ConsumedPage(RedactedRepr, msgspec.Struct, frozen=True):
    """The result of consuming a page: the rows to yield, and the next strategy, or None at the end."""

    rows: Sequence[Any]
    following: "PagingStrategy | None"
    total: int | None = None
    """Number of records in the whole list, if known."""
    position_provider: PositionProvider | None = None
    """Provides the positions among the rows; if None, the strategy that consumed the page does."""


class PagingStrategy(PositionProvider, Protocol):
    """Chooses the next URL of an iteration.

    It is a frozen value, except that `ByLink` shares the ids and links seen with the strategies that follow it.
    Consuming a page adds to them only those of earlier pages, which changes nothing the second time. So after an error
    the same strategy requests and consumes the page again, even if it has other rows by now.
    """

    @property
    def source(self) -> int:
        """Index of the list being read, among the sources of the query."""
        ...

    @property
    def sort(self) -> str:
        """The column to sort by instead of the sort of the query, or empty to keep that."""
        ...

    def next_url(self) -> str:
        """Return the URL to request next.

        Raises:
            PaginationError: No further URL may be requested.
        """
        ...

    def lookahead(self, count: int) -> Sequence[str]:
        """Return up to `count` URLs that can be requested ahead, the next one first."""
        ...

    def consume(self, received: DecodedPage) -> ConsumedPage:
        """Return the result of consuming the page at the next URL. It may be requested and consumed again.

        Raises:
            PaginationError: The page contradicts the request or the pages before it.
        """
        ...

    def fallback(self) -> "PagingStrategy | None":
        """Return the strategy to use if the server responds with 400, or None."""
        ...


class Sequential:
    """A strategy whose next URL depends on the previous page, so that only one page can be requested ahead."""

    __slots__ = ()

    def lookahead(self: PagingStrategy, count: int) -> Sequence[str]:
        """Return only the next URL."""
        return [self.next_url()][:count]


def next_try(tries: int) -> int:
    """Return the number of the next try for a page that has none of the records it counts.

    Raises:
        PaginationError: It was requested too often.
    """
    if tries == MAX_TRIES:
        raise PaginationError("the server counts records that it does not return")
    return tries + 1
