"""The walk by id: page 1 behind the last id, in the order of ids."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec

from .._messages import RedactedRepr
from .._records.page import PageData
from ..errors import PaginationError
from .by_created_at import AnchorWalk
from .cursor import IdMark, Mark, StartMark
from .query import TRIES, Answer, Query, Step, Walk, is_whole, number, unpassed


class IdWalk(RedactedRepr, msgspec.Struct, frozen=True):
    """Asks for page 1 behind the last id; no row that stays can move to before it."""

    query: Query
    source: int = 0
    last: int | None = None
    handed: int = 0
    tries: int = 0
    passed: int = 0
    """How many rows without an id were passed behind the last one."""

    def ask(self) -> str:
        """Ask for what follows the last id."""
        extra = () if self.last is None else (f"id:>{self.last}",)
        return self.query.url(self.source, extra, sort="id")

    def ahead(self, most: int) -> Sequence[str]:
        """Give the next URL alone: the one behind it is not known before its answer."""
        return [self.ask()][:most]

    def take(self, answer: Answer) -> Step:
        """Hand out a page in the order of ids, or fall back when the server did not keep to it."""
        page = answer.page
        ids = _numbers(page.rows)
        if len(ids) < len(page.items) or any(after <= before for before, after in pairwise([self.last or -1, *ids])):
            return self._disobeyed()
        rows = unpassed(page.rows, _has_id, self.passed)
        total = None if page.total_entries is None else page.total_entries + self.handed
        if is_whole(page, self.query.per_page):
            return Step(rows, None, total)
        if not ids:
            return Step((), self._again())
        return Step(rows, IdWalk(self.query, self.source, ids[-1], self.handed + len(rows)), total)

    def _again(self) -> "IdWalk":
        if self.tries == TRIES:
            raise PaginationError("the list has entries left and shows none of them")
        return msgspec.structs.replace(self, tries=self.tries + 1)

    def _disobeyed(self) -> Step:
        walk = self.fallback()
        if walk is None:
            raise PaginationError("the server did not keep to the order of ids")
        return Step((), walk)

    def fallback(self) -> Walk | None:
        """Go by the second of creation, as long as nothing was handed out."""
        return AnchorWalk(self.query, self.source) if self.last is None and self.query.anchored else None

    def mark(self, page: PageData[Any] | None, handed: Sequence[Any]) -> Mark:  # noqa: ARG002
        """Mark the last id, or one row more without an id behind it."""
        ids = _numbers(handed)
        if ids:
            return IdMark(source=self.source, last=ids[-1])
        passed = self.passed + len(handed)
        if self.last is None and not passed:
            return StartMark(source=self.source)
        return IdMark(source=self.source, last=self.last or 0, passed=passed)


def _has_id(row: Any) -> bool:
    return number(row) is not None


def _numbers(rows: Sequence[Any]) -> list[int]:
    return [key for row in rows if (key := number(row)) is not None]
