"""Paging strategies: which page of a list to request next.

A paging strategy returns the next URL, and consuming that page returns the rows to yield and the next strategy. After
an error the same strategy requests and consumes the page again. `ByLink` follows the links. If the list changed, it
continues with `ByCreatedAt`, which requests the first page after a key that cannot change, and divides a second that
does not fit on a page by ranges of ids. `ById` requests the first page after the last id, and `ByUpdatedAt` reads
changes. The latter three are safe because they yield rows only from a page that is complete, or whose key has advanced
past them.

`Pager` drives any of them, and sends the requests through `PageFetcher`.
"""

from .by_created_at import ByCreatedAt
from .by_id import ById
from .by_link import ByLink
from .cursor import CreatedAtPosition, IdPosition, ListPosition, Start
from .query import ListQuery
from .strategy import PagingStrategy

__all__ = ["resume"]


def resume(query: ListQuery, position: ListPosition, *, prefetch: int = 0) -> PagingStrategy:
    """Return the strategy that continues a list after a position.

    Args:
        query: The list.
        position: Where to continue; `Start` begins at the first record.
        prefetch: Number of pages to request ahead.
    """
    match position:
        case Start():
            return ById(query, position.source) if query.stable else ByLink.begun(query, position.source, prefetch)
        case CreatedAtPosition():
            return ByCreatedAt.resumed(query, position)
        case IdPosition():
            return ById(query, position.source, last=position.last, skipped=position.skipped)
        case _:
            return ByLink.resumed(query, position, prefetch)
