"""The walk by the second of creation: page 1 from that second on, and a second too full for a page by ranges of ids."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from .._cursor import AnchorMark, Mark, StartMark
from .._decode import PageData
from ..errors import PaginationDriftError, PaginationError
from ..filters import format_utc
from .base import FULL_PAGE, TRIES, Answer, Query, Step, Walk, epoch, is_ascending, is_whole, keyed

Range = tuple[int | None, int | None]


@attrs.frozen
class AnchorWalk:
    """Asks for page 1 from a second on, where a row that stays cannot move to before it."""

    query: Query
    source: int = 0
    second: int | None = None
    skip: Mapping[str, int] = attrs.field(factory=dict[str, int])
    """Ids that were handed out already, with the second each was created in."""
    ranges: tuple[Range, ...] = ()
    """Inside a second that does not fit a page: what is left of it, ids above and up to, the lowest last."""
    tries: int = 0
    handed: int = 0
    total: int | None = None
    """What the list was last seen to hold."""

    @classmethod
    def resumed(cls, query: Query, mark: AnchorMark) -> "AnchorWalk":
        """Give the walk that goes on behind a mark."""
        skip = {str(key): mark.second for key in mark.ids} | {str(key): second for key, second in mark.later}
        ranges: tuple[Range, ...] = () if mark.low is None else ((mark.low, None),)
        return cls(query, mark.source, mark.second, skip, ranges)

    def ask(self) -> str:
        """Ask from the second on, or for a range of ids inside it."""
        if self.second is None:
            return self.query.url(self.source)
        extra = [f"created_at:>={_stamp(self.second)}"]
        if not self.ranges:
            return self.query.url(self.source, extra)
        low, high = self.ranges[-1]
        extra.append(f"created_at:<{_stamp(self.second + 1)}")
        extra += [f"id:>{low}"] if low is not None else []
        extra += [f"id:<={high}"] if high is not None else []
        return self.query.url(self.source, extra, per_page=FULL_PAGE)

    def ahead(self, most: int) -> Sequence[str]:
        """Give the next URL alone: the one behind it is not known before its answer."""
        return [self.ask()][:most]

    def take(self, answer: Answer) -> Step:
        """Hand out a complete prefix, a whole answer, or nothing and divide."""
        page = answer.page
        if len(keyed(page.rows)) < len(page.rows) or not is_ascending(page.rows):
            raise PaginationError("the server did not keep to the order of created_at")
        if self.second is not None and any(epoch(row) < self.second for row in page.rows[:1]):
            raise PaginationError("the server did not keep to the filter created_at")
        if not page.rows and not is_whole(page, FULL_PAGE):
            return Step((), self._again())
        return self._divide(page) if self.ranges else self._scan(page)

    def fallback(self) -> Walk | None:
        """Give none: this is the last one."""
        return None

    def mark(self, page: PageData[Any] | None, handed: Sequence[Any]) -> Mark:  # noqa: ARG002
        """Mark the second, the ids that were handed out in it, and inside a divided one the highest of them."""
        second = epoch(handed[-1]) if handed else self.second
        if second is None:
            return StartMark(source=self.source)
        skip = {**self.skip, **{row.id: epoch(row) for row in handed}}
        low = (int(handed[-1].id) if handed else self.ranges[-1][0]) if self.ranges else None
        ids = sorted(int(key) for key, at in skip.items() if at == second and (low is None or int(key) > low))
        later = sorted((int(key), at) for key, at in skip.items() if at > second)
        return AnchorMark(source=self.source, second=second, ids=tuple(ids), later=tuple(later), low=low)

    def _again(self) -> "AnchorWalk":
        if self.tries == TRIES:
            raise PaginationError("the list has entries left and shows none of them")
        return attrs.evolve(self, tries=self.tries + 1)

    def _scan(self, page: PageData[Any]) -> Step:
        rows, fresh = page.rows, self._fresh(page.rows)
        total = page.total_entries
        total = None if total is None else self.handed + total - (len(rows) - len(fresh))
        if is_whole(page, self.query.per_page):
            return Step(fresh, None, total)
        last = epoch(rows[-1])
        now = attrs.evolve(self, total=total)
        if epoch(rows[0]) == last:
            return Step((), now._within(last, rows))
        skip = {**self.skip, **{row.id: epoch(row) for row in rows}}
        return Step(fresh, now._from(last, skip, handed=self.handed + len(fresh)), total)

    def _divide(self, page: PageData[Any]) -> Step:
        low, high = self.ranges[-1]
        ids = sorted(int(row.id) for row in page.rows)
        if any(epoch(row) != self.second for row in page.rows):
            raise PaginationError("the server did not keep to the filter created_at")
        if ids and not ((low is None or low < ids[0]) and (high is None or ids[-1] <= high)):
            raise PaginationError("the server did not keep to the filter id")
        if not is_whole(page, FULL_PAGE):
            return Step((), attrs.evolve(self, ranges=(*self.ranges[:-1], *_halves(ids, low, high)), tries=0))
        rows = sorted(self._fresh(page.rows), key=lambda row: int(row.id))
        return Step(rows, self._behind_range(self.handed + len(rows)), self.total)

    def _behind_range(self, handed: int) -> "AnchorWalk":
        if len(self.ranges) > 1:
            return attrs.evolve(self, ranges=self.ranges[:-1], handed=handed, tries=0)
        return self._from((self.second or 0) + 1, self.skip, handed=handed)

    def _within(self, second: int, rows: Sequence[Any]) -> "AnchorWalk":
        if not self.query.dividable:
            raise PaginationDriftError("more records share a second than fit a page, and ids cannot be filtered by")
        ids = sorted(int(row.id) for row in rows)
        return attrs.evolve(self, second=second, ranges=_halves(ids, None, None), tries=0)

    def _from(self, second: int, skip: Mapping[str, int], *, handed: int) -> "AnchorWalk":
        kept = {key: at for key, at in skip.items() if at >= second}
        return attrs.evolve(self, second=second, skip=kept, ranges=(), handed=handed, tries=0)

    def _fresh(self, rows: Sequence[Any]) -> Sequence[Any]:
        return [row for row in rows if row.id not in self.skip] if self.skip else rows


def _halves(ids: Sequence[int], low: int | None, high: int | None) -> tuple[Range, Range]:
    """Divide a range at the median of the ids seen in it, so that each side holds half a page at least."""
    middle = ids[(len(ids) - 1) // 2]
    if middle == high:
        raise PaginationError("the server says that there is more between two ids than there can be")
    return (middle, high), (low, middle)


def _stamp(second: int) -> str:
    return format_utc(dt.datetime.fromtimestamp(second, dt.UTC))
