"""Paging by links: follows `links.next` in the order of the list, and detects whether the list changed.

At the first sign of drift it restarts by `created_at` if it can; otherwise it raises an error at the end.
"""

import enum
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from .._messages import RedactedRepr
from .._records.page import PageData
from ..errors import PaginationDriftError, PaginationError
from .by_created_at import ByCreatedAt
from .cursor import CreatedAtPosition, ListPosition, OffsetPosition, Start
from .drift import DriftDetector, PageState, SeenIds, Stamps, stamps_of
from .page_rows import created_second, is_ascending, is_keyed, without_repeats
from .query import ListQuery
from .strategy import ConsumedPage, DecodedPage

_PAGE = re.compile(r"(?<=[?&]page=)\d{1,9}(?=&|$)")
_MAX_IDS = 100
"""If a second has more ids than this, a cursor holds the offset instead, if it is known."""
_MAX_WITHOUT_PROGRESS = 100


class Stop(enum.Enum):
    """Why no further page is requested, although records may be missing."""

    FOREIGN_LINK = "a link of the list leads to another server or path"
    END_AFTER_DRIFT = "the list changed while it was read: records may be missing"


class ByLink(RedactedRepr, msgspec.Struct, frozen=True):
    """Follows the links of a list."""

    query: ListQuery
    source: int
    prefetch: int
    """Number of pages to request ahead."""
    number: int
    """Number of the next page."""
    link: str | Stop
    """The URL of the next page, or why there is none."""
    previous: int | None = None
    """Hash of the previous page's link."""
    visited: set[int] = msgspec.field(default_factory=set[int])
    """Hashes of the links before that one. One set is shared by the whole iteration: a copy a page is slow."""
    resumed_at: OffsetPosition | None = None
    detector: DriftDetector = msgspec.field(default_factory=DriftDetector)

    @classmethod
    def begun(cls, query: ListQuery, source: int, prefetch: int) -> "ByLink":
        """Return the strategy that begins at the first page."""
        return cls(query, source, prefetch, 1, query.url(source))

    @classmethod
    def resumed(cls, query: ListQuery, position: OffsetPosition, prefetch: int) -> "ByLink":
        """Return the strategy that continues after a position."""
        # With a different page size, the position could not be verified.
        query = msgspec.structs.replace(query, per_page=position.per_page)
        number = (position.offset - 1) // query.per_page + 1
        detector = DriftDetector(
            position.total, yielded=position.yielded, repeats=position.repeats, drifted=position.drifted
        )
        link = query.url(position.source, page=number)
        return cls(query, position.source, prefetch, number, link, resumed_at=position, detector=detector)

    @property
    def sort(self) -> str:
        """Empty: it keeps the sort of the query."""
        return ""

    def next_url(self) -> str:
        """Return the link to follow, if it may be followed."""
        if isinstance(self.link, Stop):
            error = PaginationDriftError if self.link is Stop.END_AFTER_DRIFT else PaginationError
            raise error(self.link.value)
        if self.detector.pages_without_progress > _MAX_WITHOUT_PROGRESS:
            error = PaginationDriftError if self.detector.drifted else PaginationError
            raise error("the list keeps returning pages without new records")
        key = hash(self.link)
        if key == self.previous or key in self.visited:
            raise PaginationError("the list links to a page that was read before")
        return self.link

    def lookahead(self, count: int) -> Sequence[str]:
        """Return the URLs of the next pages up to the total, or only the next one if the pages cannot be numbered."""
        if isinstance(self.link, Stop) or not count:
            return []
        url, total = self.next_url(), self.detector.total
        if total is None or _PAGE.search(url) is None:
            return [url]
        last = max(self.number, -(-total // self.query.per_page))
        return [_with_page(url, number) for number in range(self.number, min(last, self.number + count - 1) + 1)]

    def consume(self, received: DecodedPage) -> ConsumedPage:
        """Yield a page, or drop it and restart by `created_at`."""
        page = without_repeats(received.page)
        if self.previous is not None:
            self.visited.add(self.previous)
        self._check_cursor(page)
        detector = self._started(page)
        found = detector.inspect(page, page.rows[self._passed :])
        if found.disordered or (detector.ordered and found.changed):
            return ConsumedPage((), self._restarted(detector, received.request_order))
        if found.changed and self.resumed_at:
            # The rows yielded before the cursor are unknown, and might be repeated.
            raise PaginationDriftError("the list changed while it was read: continue from its start")
        detector = msgspec.structs.replace(detector, drifted=detector.drifted or found.changed)
        now = msgspec.structs.replace(self, detector=detector)
        following = now._following(page, now._state(page, found.fresh, found.stamps, received.receipt_order))
        return ConsumedPage(found.fresh, following, page.total_entries, _LinkedPage(now, page))

    def fallback(self) -> None:
        """Return None, because this strategy has no fallback."""
        return

    def position(self, yielded: Sequence[Any] = ()) -> ListPosition:  # noqa: ARG002
        """Return the position before the next page."""
        return self._position(self.detector.last)

    def position_on(self, page: PageData[Any], yielded: Sequence[Any]) -> ListPosition:
        """Return the position after some rows of a page: the last second and its ids, or else the offset."""
        if not yielded:
            return self.position()
        return self._position(self._state(page, yielded, stamps_of(yielded)))

    def _position(self, state: PageState | None) -> ListPosition:
        start = self.resumed_at or Start(source=self.source)
        if state is None:
            return start
        if state.second is None:
            return state.offset or start
        ids = self.detector.ids_of_second(state)
        if len(ids) > _MAX_IDS and state.offset:
            return state.offset
        return CreatedAtPosition(source=self.source, second=state.second, ids=tuple(sorted(ids)))

    @property
    def _is_first(self) -> bool:
        return not self.detector.recent

    @property
    def _passed(self) -> int:
        """The number of rows on the page that the cursor has passed, if the iteration resumes there."""
        position = self.resumed_at if self._is_first else None
        return 0 if position is None else (position.offset - 1) % self.query.per_page + 1

    def _started(self, page: PageData[Any]) -> DriftDetector:
        """Return the detector, which on the first page takes from it what to compare later pages with."""
        if not self._is_first:
            return self.detector
        if self.resumed_at:
            passed = stamps_of(page.rows[: self._passed])
            return msgspec.structs.replace(self.detector, seen=SeenIds(dict.fromkeys(passed, 0)))
        ordered = self.query.anchored and all(map(is_keyed, page.items)) and is_ascending(page.items)
        return msgspec.structs.replace(self.detector, total=page.total_entries, ordered=ordered)

    def _check_cursor(self, page: PageData[Any]) -> None:
        """Check that the first page still shows the record that the cursor points to, in its place.

        Raises:
            PaginationDriftError: That record has moved within the list, or left it.
        """
        position, passed = self.resumed_at, self._passed
        if position is None or not passed:
            return
        before = page.rows[:passed]
        last = getattr(before[-1], "id", None) if len(before) == passed else ""
        check = _check(stamps_of(before))
        if page.total_entries != position.total or last != position.last or check != position.check:
            raise PaginationDriftError("the list changed since the cursor was taken: continue from its start")

    def _restarted(self, detector: DriftDetector, request_order: int) -> ByCreatedAt:
        """Return a restart after the newest page received before the inconsistent page was requested."""
        state = detector.newest_before(request_order)
        second = state.second if state else None
        return ByCreatedAt(self.query, self.source, second, dict(detector.seen.ids), yielded=detector.yielded)

    def _following(self, page: PageData[Any], state: PageState) -> "ByLink | None":
        ended = page.next is None or (self.detector.is_exhausted and not page.rows)
        if ended and not self.detector.drifted:
            return None
        found = _PAGE.search(page.next or "")
        number = int(found[0]) if found else self.number + 1
        return msgspec.structs.replace(
            self,
            number=number,
            link=Stop.END_AFTER_DRIFT if ended else self._following_link(page.next or "", number),
            previous=hash(self.link),
            detector=self.detector.after(page, state, keep=2 * self.prefetch + 1),
        )

    def _following_link(self, link: str, number: int) -> str | Stop:
        url = self.query.own_link(link, self.source)
        if url is None:
            return Stop.FOREIGN_LINK
        here = self.link
        if self.prefetch and number == self.number + 1 and isinstance(here, str) and _PAGE.search(here):
            return _with_page(here, number)  # The URL that was prefetched.
        return url

    def _state(self, page: PageData[Any], rows: Sequence[Any], stamps: Stamps, receipt_order: int = 0) -> PageState:
        """Return the state after the rows that were yielded from a page."""
        detector = self.detector
        second, offset = (detector.last.second, detector.last.offset) if detector.last else (None, self.resumed_at)
        if rows:
            second = _last_second(rows, stamps) if detector.ordered else None
            # Only a page that lies within one second can exceed the ids of a cursor.
            within = second is None or second == created_second(rows[0])
            offset = self._offset(page, rows, stamps) if within else None
        return PageState(stamps, second, offset, detector.yielded + len(rows), receipt_order)

    def _offset(self, page: PageData[Any], rows: Sequence[Any], stamps: Stamps) -> OffsetPosition:
        last = rows[-1]
        index = next(at for at in range(len(page.rows), 0, -1) if page.rows[at - 1] is last)
        return OffsetPosition(
            source=self.source,
            offset=(self.number - 1) * self.query.per_page + index,
            total=page.total_entries,
            last=getattr(last, "id", None),
            check=_check(stamps if len(stamps) == index else stamps_of(page.rows[:index])),
            per_page=self.query.per_page,
            yielded=self.detector.yielded + len(rows),
            drifted=self.detector.drifted,
            repeats=self.detector.repeats,
        )


class _LinkedPage(RedactedRepr, msgspec.Struct, frozen=True):
    """Returns the positions on a page."""

    strategy: ByLink
    page: PageData[Any]

    def position(self, yielded: Sequence[Any] = ()) -> ListPosition:
        return self.strategy.position_on(self.page, yielded)


def _last_second(rows: Sequence[Any], stamps: Stamps) -> int | None:
    """Return the second of the last row, or None if a row has no key, so that only its offset gives its position."""
    return None if None in stamps.values() or len(stamps) < len(rows) else created_second(rows[-1])


def _check(ids: Iterable[int]) -> int:
    return sum(ids) % 2**63


def _with_page(url: str, number: int) -> str:
    return _PAGE.sub(str(number), url)
