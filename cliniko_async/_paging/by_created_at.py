"""Paging by creation time: the first page from a second on, and ranges of ids within a full second."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from .._messages import RedactedRepr
from .._records.page import PageData
from ..errors import PaginationDriftError, PaginationError
from .cursor import CreatedAtPosition, ListPosition, Start
from .key_range import KeyRange
from .page_rows import created_second, is_ascending, is_keyed, unskipped, without_repeats
from .query import FULL_PAGE, ListQuery
from .strategy import ConsumedPage, DecodedPage, Sequential, next_try


class ByCreatedAt(Sequential, RedactedRepr, msgspec.Struct, frozen=True):
    """Requests the first page from a second on. Records that stay in the list cannot move before that second.

    Rows are yielded only from a page that is complete, or whose last second is later than its first.
    """

    query: ListQuery
    source: int
    second: int | None = None
    skip: Mapping[int, int] = msgspec.field(default_factory=dict[int, int])
    """Ids that were yielded already, each with its second."""
    ranges: tuple[KeyRange, ...] = ()
    """What is left of a second that does not fit on a page, with the lowest ids last."""
    tries: int = 0
    yielded: int = 0
    total: int | None = None
    """Number of records in the list, as last reported."""
    skipped: int = 0
    """Number of rows without an id or `created_at` that were passed from `second` on."""

    @classmethod
    def resumed(cls, query: ListQuery, position: CreatedAtPosition) -> "ByCreatedAt":
        """Return the strategy that continues after a position."""
        second, low = position.second, position.low
        skip = dict.fromkeys(position.ids, second) | dict(position.later)
        ranges = () if low is None else (KeyRange.second("created_at", second, low),)
        return cls(query, position.source, second, skip, ranges, skipped=position.skipped)

    @property
    def sort(self) -> str:
        """Empty: the list is in this order by default."""
        return ""

    @property
    def key_range(self) -> KeyRange:
        """The range that the next page covers."""
        return self.ranges[-1] if self.ranges else KeyRange("created_at", self.second)

    @property
    def per_page(self) -> int:
        """The size of the next page, which is the largest possible within a divided second."""
        return FULL_PAGE if self.ranges else self.query.per_page

    def next_url(self) -> str:
        """Return the URL of the first page from the second on, or of a range of ids inside it."""
        return self.query.url(self.source, self.key_range.filters(), per_page=self.per_page)

    def consume(self, received: DecodedPage) -> ConsumedPage:
        """Yield a complete page or a prefix that is known to be complete, or divide the second."""
        page = without_repeats(received.page)
        keyed = [row for row in page.rows if is_keyed(row)]
        self._check(page, keyed)
        rows = unskipped(page.rows, is_keyed, self.skipped)
        if self.key_range.is_complete_on(page, keyed, self.per_page):
            return self._finish(page, rows)
        if not keyed:
            return ConsumedPage((), msgspec.structs.replace(self, tries=next_try(self.tries)))
        if self.ranges:
            return ConsumedPage((), self._divided(self.key_range, keyed))
        return self._scan(page, rows, keyed)

    def fallback(self) -> None:
        """Return None, because this strategy has no fallback."""
        return

    def position(self, yielded: Sequence[Any] = ()) -> ListPosition:
        """Return the last second and its ids yielded so far; in a divided second, also the highest of them."""
        keyed = [row for row in yielded if is_keyed(row)]
        second = created_second(keyed[-1]) if keyed else self.second
        low = (int(keyed[-1].id) if keyed else self.key_range.low) if self.ranges else None
        moved = second != self.second or low != self.key_range.low
        skipped = 0 if moved else self.skipped + len(yielded) - len(keyed)
        if second is None and not skipped:
            return Start(source=self.source)
        second = second or 0
        skip = {**self.skip, **_seconds(keyed)}
        ids = sorted(key for key, at in skip.items() if at == second and (low is None or key > low))
        later = sorted((key, at) for key, at in skip.items() if at > second)
        return CreatedAtPosition(
            source=self.source, second=second, ids=tuple(ids), later=tuple(later), low=low, skipped=skipped
        )

    def _check(self, page: PageData[Any], keyed: Sequence[Any]) -> None:
        """Check a page against what was requested; invalid records are reported when they are yielded."""
        if len(keyed) < len(page.items) or len(_seconds(keyed)) < len(keyed):
            raise PaginationError("the server sent a record without a unique id or without created_at")
        if not is_ascending(keyed):
            raise PaginationError("the server did not sort by created_at")
        self.key_range.check(keyed)

    def _finish(self, page: PageData[Any], rows: Sequence[Any]) -> ConsumedPage:
        """Yield a complete page: the rest of the list, or of a range of ids."""
        fresh = self._fresh(rows)
        if not self.ranges:
            return ConsumedPage(fresh, None, self._total(page, fresh))
        fresh = sorted(fresh, key=lambda row: int(row.id) if is_keyed(row) else 0)
        return ConsumedPage(fresh, self._after_range(self.yielded + len(fresh)), self.total)

    def _scan(self, page: PageData[Any], rows: Sequence[Any], keyed: Sequence[Any]) -> ConsumedPage:
        fresh, last = self._fresh(rows), created_second(keyed[-1])
        now = msgspec.structs.replace(self, total=self._total(page, fresh))
        if created_second(keyed[0]) == last:
            return ConsumedPage((), now._within(last, keyed))
        skip = {**self.skip, **_seconds(keyed)}
        return ConsumedPage(fresh, now._from(last, skip, yielded=self.yielded + len(fresh)), now.total)

    def _divided(self, key_range: KeyRange, keyed: Sequence[Any]) -> "ByCreatedAt":
        ranges = (*self.ranges[:-1], *key_range.halves_by_id(keyed))
        # Which part holds the rows without a key that were passed is unknown, so they are reported again.
        return msgspec.structs.replace(self, second=key_range.start, ranges=ranges, tries=0, skipped=0)

    def _within(self, second: int, keyed: Sequence[Any]) -> "ByCreatedAt":
        if self.query.dividable:
            return self._divided(KeyRange.second("created_at", second), keyed)
        if self.query.per_page < FULL_PAGE:
            return msgspec.structs.replace(self, query=msgspec.structs.replace(self.query, per_page=FULL_PAGE))
        raise PaginationDriftError("more records share a second than fit on a page, and the list has no filter on id")

    def _after_range(self, yielded: int) -> "ByCreatedAt":
        if len(self.ranges) > 1:
            return msgspec.structs.replace(self, ranges=self.ranges[:-1], yielded=yielded, tries=0)
        return self._from((self.second or 0) + 1, self.skip, yielded=yielded)

    def _from(self, second: int, skip: Mapping[int, int], *, yielded: int) -> "ByCreatedAt":
        kept = {key: at for key, at in skip.items() if at >= second}
        return ByCreatedAt(self.query, self.source, second, kept, yielded=yielded, total=self.total)

    def _fresh(self, rows: Sequence[Any]) -> Sequence[Any]:
        return [row for row in rows if not (is_keyed(row) and int(row.id) in self.skip)] if self.skip else rows

    def _total(self, page: PageData[Any], fresh: Sequence[Any]) -> int | None:
        total = page.total_entries
        return None if total is None else self.yielded + total - (len(page.rows) - len(fresh))


def _seconds(keyed: Sequence[Any]) -> dict[int, int]:
    return {int(row.id): created_second(row) for row in keyed}
