"""The walk by links: follows them in the order of the list and watches for signs that it moved."""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import Any

import msgspec

from .._messages import RedactedRepr
from .._records.page import PageData
from ..errors import PaginationDriftError, PaginationError
from .by_created_at import AnchorWalk
from .cursor import AnchorMark, Mark, PlaceMark, StartMark
from .query import Answer, Query, Step, Walk, all_stamps, epoch, is_ascending, is_keyed, number, second_of

Stamps = dict[int, dt.datetime | None]

_PAGE = re.compile(r"(?<=[?&]page=)\d{1,9}(?=&|$)")
_MARKED_IDS = 100
_BARREN = 100


class Taken(RedactedRepr, msgspec.Struct, frozen=True):
    """A page that was taken: what is needed to know its rows again, and to go back behind it."""

    link: int
    stamps: Stamps
    """The ids handed out of it, each with its time of creation."""
    second: int | None
    """The second in which the last record until then was created."""
    place: PlaceMark | None
    handed: int
    """How many records were handed out until then."""
    arrived: int


class Memory(msgspec.Struct, frozen=True):
    """What a walk has met so far: one for the whole walk, written only when a page is behind it."""

    links: set[int] = msgspec.field(default_factory=set[int])
    ids: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    """Ids, each with its second: from the last second of the oldest recent page on, or all when there is no order."""

    def remember(self, recent: Sequence[Taken], *, ordered: bool) -> None:
        """Take in the last of the recent pages."""
        self.links.add(recent[-1].link)
        if not ordered:
            self.ids.update(dict.fromkeys(recent[-1].stamps, 0))
            return
        bound = recent[0].second or 0
        for key in list(takewhile(lambda key: self.ids[key] < bound, self.ids)):
            del self.ids[key]
        self.ids.update(_since(bound, recent[-1].stamps))


class PageWalk(RedactedRepr, msgspec.Struct, frozen=True):
    """Follows the links; goes on anchored at the first sign of drift where it can, else says so at the end."""

    query: Query
    source: int = 0
    number: int = 1
    link: str | None = ""
    """The URL to follow; empty for the first page, None when it leads away."""
    ended: bool = False
    total: int | None = None
    handed: int = 0
    repeats: int = 0
    """How many rows the pages so far repeated; the total may count them or not."""
    ordered: bool = False
    drifted: bool = False
    barren: int = 0
    """How many pages in a row had nothing new or came behind the total."""
    recent: tuple[Taken, ...] = ()
    memory: Memory = msgspec.field(default_factory=Memory)
    resumed: PlaceMark | None = None
    depth: int = 0
    """How many pages are asked for ahead."""

    @classmethod
    def behind(cls, query: Query, mark: PlaceMark, depth: int) -> "PageWalk":
        """Give the walk that goes on behind a mark."""
        # On a page of another size it cannot be known again.
        query = msgspec.structs.replace(query, per_page=mark.per_page)
        number = (mark.place - 1) // query.per_page + 1
        link = query.url(mark.source, page=number)
        return cls(
            query,
            mark.source,
            number,
            link,
            total=mark.total,
            handed=mark.handed,
            repeats=mark.repeats,
            drifted=mark.drifted,
            resumed=mark,
            depth=depth,
        )

    def ask(self) -> str:
        """Follow the link, if it may be followed."""
        if self.ended:
            raise PaginationDriftError("the list moved while it was walked: records may be missing")
        if self.link is None:
            raise PaginationError("a link of the list leads away from the server it came from")
        if self.barren > _BARREN:
            error = PaginationDriftError if self.drifted else PaginationError
            raise error("the list goes on and on without anything new")
        key = hash(self.link)
        if key in self.memory.links or any(key == taken.link for taken in self.recent):
            raise PaginationError("a link of the list came twice")
        return self.link or self.query.url(self.source)

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
        now, page = self._adopt(answer.page), answer.page
        rows = now._unresumed(page)
        fresh, stamps = now._fresh(rows)
        moved = len(fresh) < len(rows) or now._is_miscounted(page, len(fresh))
        if now.ordered and (moved or now._is_disordered(page, stamps)):
            return Step((), now._anchor(answer.sent))
        if moved and now.resumed:
            # What was handed out before the cursor is not known any more, and might come again.
            raise PaginationDriftError("the list moved while it was walked, and only its start is safe")
        now = msgspec.structs.replace(now, drifted=now.drifted or moved)
        taken = now._taken(page, fresh, stamps, answer.arrived)
        return Step(fresh, now._behind(page, taken), page.total_entries, now)

    def fallback(self) -> Walk | None:
        """Give none: a list that cannot be asked for cannot be walked."""
        return None

    def mark(self, page: PageData[Any] | None, handed: Sequence[Any]) -> Mark:
        """Mark the second and the ids in it, or the place in the list where that is no help."""
        if page is not None and handed:
            now = self._adopt(page)
            return now._mark(now._taken(page, handed, _stamps(handed), 0))
        return self._mark(self.recent[-1]) if self.recent else self._start()

    def _start(self) -> Mark:
        return self.resumed or StartMark(source=self.source)

    def _adopt(self, page: PageData[Any]) -> "PageWalk":
        """At the first answer, settle what the others are held against."""
        if self.recent:
            self.memory.remember(self.recent, ordered=self.ordered)
            return self
        if self.resumed:
            return self
        ordered = self.query.anchored and all(map(is_keyed, page.items)) and is_ascending(page.items)
        return msgspec.structs.replace(self, total=page.total_entries, ordered=ordered)

    def _unresumed(self, page: PageData[Any]) -> Sequence[Any]:
        """Give the rows behind the place that a cursor named, when it is still there."""
        mark = self.resumed
        if mark is None or self.recent:
            return page.rows
        index = (mark.place - 1) % self.query.per_page + 1
        there = page.rows[:index]
        last = getattr(there[-1], "id", None) if len(there) == index else ""
        if page.total_entries != mark.total or last != mark.last or _check(_stamps(there)) != mark.check:
            raise PaginationDriftError("the list moved since the cursor was taken, and only its start is safe")
        self.memory.ids.update(dict.fromkeys(_stamps(there), 0))
        return page.rows[index:]

    def _fresh(self, rows: Sequence[Any]) -> tuple[Sequence[Any], Stamps]:
        """Give the rows that were not seen before, and the stamps of those that have an id."""
        known = all_stamps(rows)
        if known is not None and self.memory.ids.keys().isdisjoint(known):
            return rows, known
        fresh: list[Any] = []
        stamps: dict[int, dt.datetime | None] = {}
        for row in rows:
            key = number(row)
            if key is not None:
                if key in stamps or key in self.memory.ids:
                    continue
                stamps[key] = getattr(row, "created_at", None)
            fresh.append(row)
        return fresh, stamps

    def _is_miscounted(self, page: PageData[Any], fresh: int) -> bool:
        """Whether the total is another than before, or than what there is."""
        if page.total_entries != self.total:
            return True
        handed = self.handed + fresh
        counted = handed + self.repeats + page.repeats
        return self.total is not None and (handed > self.total or (page.next is None and counted < self.total))

    def _is_disordered(self, page: PageData[Any], stamps: Stamps) -> bool:
        """Whether a record is out of order, or has no place in it."""
        times = [stamp for stamp in stamps.values() if stamp is not None]
        # Rows that do not fit are told of as such.
        if times != sorted(times) or len(times) < len(page.items):
            return True
        before = self.recent[-1].second if self.recent else None
        return before is not None and bool(times) and second_of(times[0]) < before

    def _anchor(self, sent: int) -> AnchorWalk:
        """Go back behind the last page that had arrived, like all before it, when the odd one was asked for.

        With pages asked for ahead, one that was handed out since may be younger than the odd answer.
        """
        older = list(takewhile(lambda taken: taken.arrived < sent, self.recent))
        second = older[-1].second if older else None
        skip = {key: at for key, at in self.memory.ids.items() if second is None or at >= second}
        return AnchorWalk(self.query, self.source, second, skip, handed=self.handed)

    def _behind(self, page: PageData[Any], taken: Taken) -> "PageWalk | None":
        exhausted = self.total is not None and self.handed >= self.total
        ended = page.next is None or (exhausted and not page.rows)
        if ended and not self.drifted:
            return None
        found = _PAGE.search(page.next or "")
        number = int(found[0]) if found else self.number + 1
        return msgspec.structs.replace(
            self,
            number=number,
            link=self._following(page.next or "", number),
            ended=ended,
            handed=taken.handed,
            repeats=self.repeats + page.repeats,
            barren=self.barren + 1 if exhausted or taken.handed == self.handed else 0,
            recent=(*self.recent, taken)[-2 * self.depth - 1 :],
        )

    def _following(self, link: str, number: int) -> str | None:
        url = self.query.own(link, self.source) if link else None
        if url and self.depth and self.link and number == self.number + 1:
            return _with_page(self.link, number)  # The form that pages were asked for ahead in.
        return url

    def _taken(self, page: PageData[Any], handed: Sequence[Any], stamps: Stamps, arrived: int) -> Taken:
        before = self.recent[-1] if self.recent else None
        second, place = (before.second, before.place) if before else (None, self.resumed)
        if handed:
            second = _last_second(handed, stamps) if self.ordered else None
            # More ids than a cursor holds can only share a second with a page that lies within it.
            within = second is None or second == epoch(handed[0])
            place = self._place(page, handed, stamps) if within else None
        return Taken(hash(self.link), stamps, second, place, self.handed + len(handed), arrived)

    def _place(self, page: PageData[Any], handed: Sequence[Any], stamps: Stamps) -> PlaceMark:
        last = handed[-1]
        index = next(at for at in range(len(page.rows), 0, -1) if page.rows[at - 1] is last)
        return PlaceMark(
            source=self.source,
            place=(self.number - 1) * self.query.per_page + index,
            total=page.total_entries,
            last=getattr(last, "id", None),
            check=_check(stamps if len(stamps) == index else _stamps(page.rows[:index])),
            per_page=self.query.per_page,
            handed=self.handed + len(handed),
            drifted=self.drifted,
            repeats=self.repeats,
        )

    def _mark(self, taken: Taken) -> Mark:
        if taken.second is None:
            return taken.place or self._start()
        last = taken.second
        ids = {key for key, _ in takewhile(lambda item: item[1] >= last, reversed(self.memory.ids.items()))}
        ids |= dict(_since(last, taken.stamps)).keys()
        if len(ids) > _MARKED_IDS and taken.place:
            return taken.place
        return AnchorMark(source=self.source, second=taken.second, ids=tuple(sorted(ids)))


def _last_second(handed: Sequence[Any], stamps: Stamps) -> int | None:
    """Give the second of the last record; none where a row has no key and can only be passed by its place."""
    return None if None in stamps.values() or len(stamps) < len(handed) else epoch(handed[-1])


def _check(ids: Iterable[int]) -> int:
    return sum(ids) % 2**63


def _stamps(rows: Sequence[Any]) -> Stamps:
    return {key: getattr(row, "created_at", None) for row in rows if (key := number(row)) is not None}


def _since(second: int, stamps: Stamps) -> Iterator[tuple[int, int]]:
    """Give the ids from a second on, each with its own, in their order."""
    backwards = ((key, second_of(stamp)) for key, stamp in reversed(stamps.items()) if stamp)
    return reversed(list(takewhile(lambda item: item[1] >= second, backwards)))


def _with_page(url: str, number: int) -> str:
    return _PAGE.sub(str(number), url)
