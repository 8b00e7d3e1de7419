"""The walk by the second of creation: page 1 from that second on, and a second too full for a page by ranges of ids."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from .._messages import RedactedRepr
from .._records.page import PageData
from ..errors import PaginationDriftError, PaginationError
from .cursor import AnchorMark, Mark, StartMark
from .query import (
    FULL_PAGE,
    TRIES,
    Answer,
    Query,
    Step,
    Walk,
    epoch,
    is_ascending,
    is_keyed,
    is_whole,
    stamp_text,
    unpassed,
)

Range = tuple[int | None, int | None]


class AnchorWalk(RedactedRepr, msgspec.Struct, frozen=True):
    """Asks for page 1 from a second on, where a row that stays cannot move to before it."""

    query: Query
    source: int = 0
    second: int | None = None
    skip: Mapping[int, int] = msgspec.field(default_factory=dict[int, int])
    """Ids that were handed out already, with the second each was created in."""
    ranges: tuple[Range, ...] = ()
    """Inside a second that does not fit a page: what is left of it, ids above and up to, the lowest last."""
    tries: int = 0
    handed: int = 0
    total: int | None = None
    """What the list was last seen to hold."""
    passed: int = 0
    """How many rows without an id or a time of creation were passed from that second on."""

    @classmethod
    def resumed(cls, query: Query, mark: AnchorMark) -> "AnchorWalk":
        """Give the walk that goes on behind a mark."""
        skip = dict.fromkeys(mark.ids, mark.second) | dict(mark.later)
        ranges: tuple[Range, ...] = () if mark.low is None else ((mark.low, None),)
        return cls(query, mark.source, mark.second, skip, ranges, passed=mark.passed)

    def ask(self) -> str:
        """Ask from the second on, or for a range of ids inside it."""
        if self.second is None:
            return self.query.url(self.source)
        extra = [f"created_at:>={stamp_text(self.second)}"]
        if not self.ranges:
            return self.query.url(self.source, extra)
        low, high = self.ranges[-1]
        extra.append(f"created_at:<{stamp_text(self.second + 1)}")
        extra += [f"id:>{low}"] if low is not None else []
        extra += [f"id:<={high}"] if high is not None else []
        return self.query.url(self.source, extra, per_page=FULL_PAGE)

    def ahead(self, most: int) -> Sequence[str]:
        """Give the next URL alone: the one behind it is not known before its answer."""
        return [self.ask()][:most]

    def take(self, answer: Answer) -> Step:
        """Hand out a complete prefix, a whole answer, or nothing and divide."""
        page = answer.page
        keyed = [row for row in page.rows if is_keyed(row)]
        self._check(page, keyed)
        rows = unpassed(page.rows, is_keyed, self.passed)
        one_id = bool(self.ranges) and _is_one_id(self.ranges[-1]) and bool(keyed)
        if one_id or is_whole(page, FULL_PAGE if self.ranges else self.query.per_page):
            return self._finish(page, rows)
        if not keyed:
            return Step((), self._again())
        return self._divide(keyed) if self.ranges else self._scan(page, rows, keyed)

    def fallback(self) -> Walk | None:
        """Give none: this is the last one."""
        return None

    def mark(self, page: PageData[Any] | None, handed: Sequence[Any]) -> Mark:  # noqa: ARG002
        """Mark the second, the ids that were handed out in it, and inside a divided one the highest of them."""
        keyed = [row for row in handed if is_keyed(row)]
        second = epoch(keyed[-1]) if keyed else self.second
        passed = 0 if second != self.second else self.passed + len(handed) - len(keyed)
        if second is None and not passed:
            return StartMark(source=self.source)
        second = second or 0
        skip = {**self.skip, **_seconds(keyed)}
        low = (int(keyed[-1].id) if keyed else self.ranges[-1][0]) if self.ranges else None
        ids = sorted(key for key, at in skip.items() if at == second and (low is None or key > low))
        later = sorted((key, at) for key, at in skip.items() if at > second)
        return AnchorMark(source=self.source, second=second, ids=tuple(ids), later=tuple(later), low=low, passed=passed)

    def _check(self, page: PageData[Any], keyed: Sequence[Any]) -> None:
        """Hold an answer against what was asked for; of rows that do not fit, the walk tells when it hands them out."""
        if len(keyed) < len(page.items) or len(_seconds(keyed)) < len(keyed):
            raise PaginationError("the server sent a record without an id of its own, or without a time of creation")
        if not is_ascending(keyed):
            raise PaginationError("the server did not keep to the order of created_at")
        if not keyed or self.second is None:
            return
        if epoch(keyed[0]) < self.second or (self.ranges and epoch(keyed[-1]) > self.second):
            raise PaginationError("the server did not keep to the filter created_at")
        low, high = self.ranges[-1] if self.ranges else (None, None)
        ids = [int(row.id) for row in keyed]
        if (low is not None and min(ids) <= low) or (high is not None and max(ids) > high):
            raise PaginationError("the server did not keep to the filter id")

    def _finish(self, page: PageData[Any], rows: Sequence[Any]) -> Step:
        """Hand out a whole answer: the rest of the list, or of a range of ids."""
        fresh = self._fresh(rows)
        if not self.ranges:
            return Step(fresh, None, self._total(page, fresh))
        fresh = sorted(fresh, key=lambda row: int(row.id) if is_keyed(row) else 0)
        return Step(fresh, self._behind_range(self.handed + len(fresh)), self.total)

    def _again(self) -> "AnchorWalk":
        if self.tries == TRIES:
            raise PaginationError("the list has entries left and shows none of them")
        return msgspec.structs.replace(self, tries=self.tries + 1)

    def _scan(self, page: PageData[Any], rows: Sequence[Any], keyed: Sequence[Any]) -> Step:
        fresh, last = self._fresh(rows), epoch(keyed[-1])
        now = msgspec.structs.replace(self, total=self._total(page, fresh))
        if epoch(keyed[0]) == last:
            return Step((), now._within(last, keyed))
        skip = {**self.skip, **_seconds(keyed)}
        return Step(fresh, now._from(last, skip, handed=self.handed + len(fresh)), now.total)

    def _divide(self, keyed: Sequence[Any]) -> Step:
        low, high = self.ranges[-1]
        ids = sorted(int(row.id) for row in keyed)
        return Step((), msgspec.structs.replace(self, ranges=(*self.ranges[:-1], *_halves(ids, low, high)), tries=0))

    def _behind_range(self, handed: int) -> "AnchorWalk":
        if len(self.ranges) > 1:
            return msgspec.structs.replace(self, ranges=self.ranges[:-1], handed=handed, tries=0)
        return self._from((self.second or 0) + 1, self.skip, handed=handed)

    def _within(self, second: int, keyed: Sequence[Any]) -> "AnchorWalk":
        if self.query.dividable:
            ids = sorted(int(row.id) for row in keyed)
            return msgspec.structs.replace(self, second=second, ranges=_halves(ids, None, None), tries=0)
        if self.query.per_page < FULL_PAGE:
            return msgspec.structs.replace(self, query=msgspec.structs.replace(self.query, per_page=FULL_PAGE))
        raise PaginationDriftError("more records share a second than fit a page, and ids cannot be filtered by")

    def _from(self, second: int, skip: Mapping[int, int], *, handed: int) -> "AnchorWalk":
        kept = {key: at for key, at in skip.items() if at >= second}
        return AnchorWalk(self.query, self.source, second, kept, handed=handed, total=self.total)

    def _fresh(self, rows: Sequence[Any]) -> Sequence[Any]:
        return [row for row in rows if not (is_keyed(row) and int(row.id) in self.skip)] if self.skip else rows

    def _total(self, page: PageData[Any], fresh: Sequence[Any]) -> int | None:
        total = page.total_entries
        return None if total is None else self.handed + total - (len(page.rows) - len(fresh))


def _seconds(keyed: Sequence[Any]) -> dict[int, int]:
    return {int(row.id): epoch(row) for row in keyed}


def _is_one_id(ids: Range) -> bool:
    low, high = ids
    return low is not None and high == low + 1


def _halves(ids: Sequence[int], low: int | None, high: int | None) -> tuple[Range, Range]:
    """Divide a range at the median of the ids seen in it, so that each side holds half a page at least.

    Where only its upper end was seen, that id becomes a range of its own, which is complete once it is seen alone.
    """
    if high is not None and list(ids) == [high]:
        return (high - 1, high), (low, high - 1)
    middle = ids[(len(ids) - 1) // 2]
    return (middle, high), (low, middle)
