"""The walk by links: follows them in the order of the list and watches for signs that it moved."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from .._cursor import AnchorMark, Mark, PlaceMark, StartMark
from .._decode import PageData
from ..errors import PaginationDriftError, PaginationError
from .anchored import AnchorWalk
from .base import Answer, Query, Step, Walk, epoch, is_ascending, keyed

_PAGE = re.compile(r"(?<=[?&]page=)\d{1,9}(?=&|$)")
_MARKED_IDS = 100


@attrs.frozen
class Taken:
    """A page that was taken: what is needed to know its rows again, and to go back behind it."""

    link: int
    keys: Mapping[str, Any]
    second: int | None
    ids: frozenset[str]
    """The ids handed out in that second, the last one, on this page and on those before."""
    place: PlaceMark
    arrived: int


@attrs.frozen
class Memory:
    """What a walk has met so far: one for the whole walk, written only when a page is behind it."""

    links: set[int] = attrs.field(factory=set[int])
    ids: set[int] = attrs.field(factory=set[int])


@attrs.frozen
class PageWalk:
    """Follows the links; goes on anchored at the first sign of drift where it can, else says so at the end."""

    query: Query
    source: int = 0
    number: int = 1
    link: str | None = None
    ended: bool = False
    total: int | None = None
    handed: int = 0
    ordered: bool = False
    drifted: bool = False
    recent: tuple[Taken, ...] = ()
    memory: Memory = attrs.field(factory=Memory)
    resumed: PlaceMark | None = None
    depth: int = 0
    """How many pages are asked for ahead."""

    def ask(self) -> str:
        """Follow the link, if it may be followed."""
        if self.ended:
            raise PaginationDriftError("the list moved while it was walked: records may be missing")
        if self.link is None:
            return self.query.url(self.source, page=self.resumed.page if self.resumed else 0)
        url = self.query.server.own(self.link)
        if url is None:
            raise PaginationError("a link of the list leads away from the server it came from")
        if hash(url) in self.memory.links or any(hash(url) == taken.link for taken in self.recent):
            raise PaginationError("a link of the list came twice")
        return url

    def ahead(self, most: int) -> Sequence[str]:
        """Give the URLs of the pages to come, as far as the total goes and the link has a page number."""
        if self.ended or not most:
            return []
        url = self.ask()
        if self.total is None or _PAGE.search(url) is None:
            return [url]
        last = max(self.number, -(-self.total // self.query.per_page))
        return [_with_page(url, number) for number in range(self.number, min(last, self.number + most - 1) + 1)]

    def take(self, answer: Answer) -> Step:
        """Hand out a page, or drop it and go on anchored."""
        now = self._adopt(answer.page)
        rows = now._unresumed(answer.page)
        fresh = rows if now.ordered else now._unseen(rows)
        moved = now._moved(answer.page, rows, fresh)
        if moved and now.ordered:
            return Step((), now._anchor(answer.sent))
        drifted = now.drifted or moved
        return Step(fresh, now._behind(answer, fresh, drifted=drifted), answer.page.total_entries)

    def fallback(self) -> Walk | None:
        """Give none: a list that cannot be asked for cannot be walked."""
        return None

    def mark(self, page: PageData[Any] | None, handed: Sequence[Any]) -> Mark:
        """Mark the second and the ids in it, or the place on the page where that is no help."""
        if page is not None and handed:
            now = self._adopt(page)
            return now._mark(now._taken(page, handed, 0))
        if self.recent:
            return self._mark(self.recent[-1])
        return self.resumed or StartMark(source=self.source)

    def _adopt(self, page: PageData[Any]) -> "PageWalk":
        """At the first answer, settle what the others are held against."""
        if self.recent:
            self._remember(self.recent[-1])
            return self
        if self.resumed:
            return attrs.evolve(self, total=self.resumed.total, handed=self.resumed.handed)
        ordered = self.query.anchored and len(keyed(page.items)) == len(page.items) and is_ascending(page.items)
        return attrs.evolve(self, total=page.total_entries, ordered=ordered)

    def _remember(self, taken: Taken) -> None:
        self.memory.links.add(taken.link)
        if not self.ordered:
            self.memory.ids.update(map(int, taken.keys))

    def _unresumed(self, page: PageData[Any]) -> Sequence[Any]:
        """Give the rows behind the place that a cursor named, when it is still there."""
        mark = self.resumed
        if mark is None or self.recent:
            return page.rows
        there = page.rows[mark.index - 1 : mark.index]
        if page.total_entries != mark.total or [row.id for row in there] != [mark.last]:
            raise PaginationDriftError("the list moved since the cursor was taken, and only its start is safe")
        return page.rows[mark.index :]

    def _unseen(self, rows: Sequence[Any]) -> Sequence[Any]:
        return [row for row in rows if (key := _id(row)) is None or int(key) not in self.memory.ids]

    def _moved(self, page: PageData[Any], rows: Sequence[Any], fresh: Sequence[Any]) -> bool:
        """Whether an answer shows that the list is not what it was at the first one."""
        if page.total_entries != self.total or len(fresh) < len(rows):
            return True
        if page.next is None and self.total is not None and self.handed + len(fresh) != self.total:
            return True
        keys = {row.id for row in rows if _id(row)}
        if len(keys) < len(rows) - (len(page.rows) - len(page.items)) and hasattr(rows[0], "id"):
            return True
        if not self.recent:
            return False
        before = self.recent[-1]
        if not keys.isdisjoint(before.keys) or not keys.isdisjoint(before.ids):
            return True
        return self.ordered and not self._follows(keyed(rows), before)

    def _follows(self, rows: Sequence[Any], before: Taken) -> bool:
        return not rows or (is_ascending(rows) and epoch(rows[0]) >= (before.second or 0))

    def _anchor(self, sent: int) -> AnchorWalk:
        """Go back behind the last page that had arrived before the odd one was asked for.

        With pages asked for ahead, one that was handed out since may be younger than the odd answer.
        """
        known = next((taken for taken in reversed(self.recent) if taken.arrived < sent), None)
        skip: dict[str, int] = {}
        for taken in self.recent[self.recent.index(known) + 1 if known else 0 :]:
            skip |= {key: int(stamp.timestamp()) for key, stamp in taken.keys.items()}
        second = known.second if known else None
        if known and second is not None:
            skip |= dict.fromkeys(known.ids, second)
        return AnchorWalk(self.query, self.source, second, skip, handed=self.handed)

    def _behind(self, answer: Answer, fresh: Sequence[Any], *, drifted: bool) -> "PageWalk | None":
        following = answer.page.next
        if following is None and not drifted:
            return None
        found = _PAGE.search(following or "")
        number = int(found[0]) if found else self.number + 1
        if following and self.depth and self.link and number == self.number + 1:
            following = _with_page(self.link, number)  # The form that pages were asked for ahead in.
        return attrs.evolve(
            self,
            number=number,
            link=following,
            ended=following is None,
            handed=self.handed + len(fresh),
            drifted=drifted,
            recent=(*self.recent, self._taken(answer.page, fresh, answer.arrived))[-2 * self.depth - 1 :],
        )

    def _taken(self, page: PageData[Any], handed: Sequence[Any], arrived: int) -> Taken:
        keys = {row.id: getattr(row, "created_at", None) for row in handed if _id(row)}
        second, ids = self._second(handed) if self.ordered else (None, frozenset[str]())
        last = handed[-1] if handed else None
        index = next((at for at, row in enumerate(page.rows, 1) if row is last), 0)
        place = PlaceMark(
            source=self.source,
            page=self.number,
            index=index,
            total=page.total_entries,
            last=_id(last),
            handed=self.handed + len(handed),
        )
        return Taken(hash(self.ask()), keys, second, ids, place, arrived)

    def _second(self, handed: Sequence[Any]) -> tuple[int | None, frozenset[str]]:
        """Give the last second of the rows handed out, and the ids in it."""
        before = self.recent[-1] if self.recent else None
        rows = keyed(handed)
        if not rows and not handed:
            return (before.second, before.ids) if before else (None, frozenset())
        if len(rows) < len(handed):
            return None, frozenset()  # A row without its key can only be passed by its place.
        second = epoch(rows[-1])
        ids = frozenset(row.id for row in rows if epoch(row) == second)
        return second, ids | before.ids if before and before.second == second else ids

    def _mark(self, taken: Taken) -> Mark:
        if taken.second is None or len(taken.ids) > _MARKED_IDS:
            return taken.place
        return AnchorMark(source=self.source, second=taken.second, ids=tuple(sorted(map(int, taken.ids))))


def _id(row: Any) -> str | None:
    return getattr(row, "id", None)


def _with_page(url: str, number: int) -> str:
    return _PAGE.sub(str(number), url)
