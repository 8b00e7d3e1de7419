"""The walk by id: page 1 behind the last id, in the order of ids."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import attrs

from .._cursor import IdMark, Mark, StartMark
from .._decode import PageData
from ..errors import PaginationError
from .anchored import AnchorWalk
from .base import TRIES, Answer, Query, Step, Walk, is_whole


@attrs.frozen
class IdWalk:
    """Asks for page 1 behind the last id; no row that stays can move to before it."""

    query: Query
    source: int = 0
    last: int | None = None
    handed: int = 0
    tries: int = 0

    def ask(self) -> str:
        """Ask for what follows the last id."""
        extra = () if self.last is None else (f"id:>{self.last}",)
        return self.query.url(self.source, extra, sort="id")

    def ahead(self, most: int) -> Sequence[str]:
        """Give the next URL alone: the one behind it is not known before its answer."""
        return [self.ask()][:most]

    def take(self, answer: Answer) -> Step:
        """Hand out a page in the order of ids, or fall back when the server did not keep to it."""
        rows = answer.page.rows
        ids = [int(row.id or 0) for row in rows]
        if any(after <= before for before, after in pairwise([self.last or -1, *ids])):
            return self._disobeyed()
        total = answer.page.total_entries
        total = None if total is None else total + self.handed
        if is_whole(answer.page, self.query.per_page):
            return Step(rows, None, total)
        if not rows:
            if self.tries == TRIES:
                raise PaginationError("the list has entries left and shows none of them")
            return Step((), attrs.evolve(self, tries=self.tries + 1))
        return Step(rows, attrs.evolve(self, last=ids[-1], handed=self.handed + len(rows), tries=0), total)

    def _disobeyed(self) -> Step:
        walk = self.fallback()
        if walk is None:
            raise PaginationError("the server changed its mind about the order of ids")
        return Step((), walk)

    def fallback(self) -> Walk | None:
        """Go by the second of creation, as long as nothing was handed out."""
        return AnchorWalk(self.query, self.source) if self.last is None and self.query.anchored else None

    def mark(self, page: PageData[Any] | None, handed: Sequence[Any]) -> Mark:  # noqa: ARG002
        """Mark the last id."""
        last = int(handed[-1].id) if handed else self.last
        return StartMark(source=self.source) if last is None else IdMark(source=self.source, last=last)
