"""Paging by id: the first page after the last id, in the order of ids."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec

from .._messages import RedactedRepr
from ..errors import PaginationError
from .by_created_at import ByCreatedAt
from .cursor import IdPosition, ListPosition, Start
from .page_rows import id_number, is_complete, unskipped, without_repeats
from .query import ListQuery
from .strategy import ConsumedPage, DecodedPage, Sequential, next_try


class ById(Sequential, RedactedRepr, msgspec.Struct, frozen=True):
    """Requests the first page after the last id. Records that stay in the list cannot move before it."""

    query: ListQuery
    source: int
    last: int | None = None
    yielded: int = 0
    tries: int = 0
    skipped: int = 0
    """Number of rows without an id that were passed after `last`."""

    @property
    def sort(self) -> str:
        """The `id` column."""
        return "id"

    def next_url(self) -> str:
        """Return the URL of the first page after the last id."""
        extra = () if self.last is None else (f"id:>{self.last}",)
        return self.query.url(self.source, extra, sort=self.sort)

    def consume(self, received: DecodedPage) -> ConsumedPage:
        """Yield a page sorted by id, or fall back if the server did not sort it."""
        page = without_repeats(received.page)
        ids = _numbers(page.rows)
        before = -1 if self.last is None else self.last
        if len(ids) < len(page.items) or any(second <= first for first, second in pairwise([before, *ids])):
            return self._out_of_order()
        rows = unskipped(page.rows, _has_id, self.skipped)
        total = None if page.total_entries is None else page.total_entries + self.yielded
        if is_complete(page, self.query.per_page):
            return ConsumedPage(rows, None, total)
        if not ids:
            return ConsumedPage((), msgspec.structs.replace(self, tries=next_try(self.tries)))
        return ConsumedPage(rows, ById(self.query, self.source, ids[-1], self.yielded + len(rows)), total)

    def fallback(self) -> ByCreatedAt | None:
        """Return paging by `created_at`, unless rows were yielded already, as its order differs."""
        return ByCreatedAt(self.query, self.source) if self.last is None and self.query.anchored else None

    def position(self, yielded: Sequence[Any] = ()) -> ListPosition:
        """Return the last id and the number of rows without an id passed after it."""
        ids = _numbers(yielded)
        if ids:
            return IdPosition(source=self.source, last=ids[-1])
        skipped = self.skipped + len(yielded)
        if self.last is None and not skipped:
            return Start(source=self.source)
        return IdPosition(source=self.source, last=self.last or 0, skipped=skipped)

    def _out_of_order(self) -> ConsumedPage:
        other = self.fallback()
        if other is None:
            raise PaginationError("the server did not sort by id")
        return ConsumedPage((), other)


def _has_id(row: Any) -> bool:
    return id_number(row) is not None


def _numbers(rows: Sequence[Any]) -> list[int]:
    return [key for row in rows if (key := id_number(row)) is not None]
