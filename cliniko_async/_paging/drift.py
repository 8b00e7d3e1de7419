"""Drift detection: recognises a list that changed while it was read, by its total, repeated ids and record order."""

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

import msgspec

from .._messages import RedactedRepr
from .._records.page import PageData
from .cursor import OffsetPosition
from .page_rows import id_number, second_of

Stamps = dict[int, dt.datetime | None]
"""Ids in the order of their rows, each with its `created_at`."""


class PageState(RedactedRepr, msgspec.Struct, frozen=True):
    """The state of an iteration after a page, to recognise its rows and to restart after it."""

    stamps: Stamps
    """The ids yielded from the page."""
    second: int | None
    """The second in which the last record so far was created, or None if only its offset is known."""
    offset: OffsetPosition | None
    yielded: int
    """Number of records yielded so far."""
    receipt_order: int


class SeenIds(msgspec.Struct, frozen=True):
    """The ids yielded so far, each with its second. One instance is shared by the whole iteration.

    For a list sorted by `created_at` it keeps the ids from the last second of the oldest recent page on, otherwise all.
    The ids of a page are added when the next one is consumed, and adding them again changes nothing, so that a page can
    be consumed again after an error.
    """

    ids: dict[int, int] = msgspec.field(default_factory=dict[int, int])

    def add(self, recent: Sequence[PageState], *, ordered: bool) -> None:
        """Add the ids of the most recent page, and drop those no longer needed."""
        if not ordered:
            self.ids.update(dict.fromkeys(recent[-1].stamps, 0))
            return
        bound = recent[0].second or 0
        for key in list(takewhile(lambda key: self.ids[key] < bound, self.ids)):
            del self.ids[key]
        self.ids.update(_since(bound, recent[-1].stamps))


class Inspection(RedactedRepr, msgspec.Struct, frozen=True):
    """The result of inspecting a page: the new rows, and whether the list changed."""

    fresh: Sequence[Any]
    stamps: Stamps
    changed: bool
    """Whether the total or a repeated id shows a change."""
    disordered: bool
    """Whether a record is out of order or has no `created_at`."""


class DriftDetector(RedactedRepr, msgspec.Struct, frozen=True):
    """Compares each page with those before it."""

    total: int | None = None
    ordered: bool = False
    """Whether the list is in the order of `created_at`."""
    yielded: int = 0
    repeats: int = 0
    """Number of repeated rows on the pages so far; the total may or may not include them."""
    drifted: bool = False
    pages_without_progress: int = 0
    """Consecutive pages without a new record, or past the total."""
    recent: tuple[PageState, ...] = ()
    seen: SeenIds = msgspec.field(default_factory=SeenIds)

    @property
    def last(self) -> PageState | None:
        """The state after the last page."""
        return self.recent[-1] if self.recent else None

    @property
    def is_exhausted(self) -> bool:
        """Whether at least as many records were yielded as the list has."""
        return self.total is not None and self.yielded >= self.total

    def inspect(self, page: PageData[Any], rows: Sequence[Any]) -> Inspection:
        """Compare a page with those before it, considering only `rows`, those not yet passed."""
        if self.recent:
            self.seen.add(self.recent, ordered=self.ordered)
        fresh, stamps = self._fresh(rows)
        changed = len(fresh) < len(rows) or self._is_miscounted(page, len(fresh))
        return Inspection(fresh, stamps, changed, self.ordered and self._is_disordered(page, stamps))

    def after(self, page: PageData[Any], state: PageState, *, keep: int) -> "DriftDetector":
        """Return the detector for the next page, with the last `keep` states."""
        stalled = self.is_exhausted or state.yielded == self.yielded
        return msgspec.structs.replace(
            self,
            yielded=state.yielded,
            repeats=self.repeats + page.repeats,
            pages_without_progress=self.pages_without_progress + 1 if stalled else 0,
            recent=(*self.recent, state)[-keep:],
        )

    def newest_before(self, request_order: int) -> PageState | None:
        """Return the newest state whose page, and every page before it, was received before `request_order`.

        With prefetching, a page that was yielded since may be newer than the page requested then.
        """
        older = list(takewhile(lambda state: state.receipt_order < request_order, self.recent))
        return older[-1] if older else None

    def ids_of_second(self, state: PageState) -> set[int]:
        """Return the ids yielded from the last second of a page, or from later seconds."""
        last = state.second or 0
        ids = {key for key, _ in takewhile(lambda item: item[1] >= last, reversed(self.seen.ids.items()))}
        return ids | dict(_since(last, state.stamps)).keys()

    def _fresh(self, rows: Sequence[Any]) -> tuple[Sequence[Any], Stamps]:
        fresh: list[Any] = []
        stamps: Stamps = {}
        for row in rows:
            key = id_number(row)
            if key is not None:
                if key in stamps or key in self.seen.ids:
                    continue
                stamps[key] = getattr(row, "created_at", None)
            fresh.append(row)
        return fresh, stamps

    def _is_miscounted(self, page: PageData[Any], fresh: int) -> bool:
        """Return whether the total differs from before, or contradicts the number of records."""
        if page.total_entries != self.total:
            return True
        yielded = self.yielded + fresh
        counted = yielded + self.repeats + page.repeats
        return self.total is not None and (yielded > self.total or (page.next is None and counted < self.total))

    def _is_disordered(self, page: PageData[Any], stamps: Stamps) -> bool:
        times = [stamp for stamp in stamps.values() if stamp is not None]
        # Invalid records are reported separately.
        if times != sorted(times) or len(times) < len(page.items):
            return True
        before = self.last.second if self.last else None
        return before is not None and bool(times) and second_of(times[0]) < before


def stamps_of(rows: Sequence[Any]) -> Stamps:
    """Return the ids of the rows that have one, each with its `created_at`."""
    return {key: getattr(row, "created_at", None) for row in rows if (key := id_number(row)) is not None}


def _since(second: int, stamps: Stamps) -> Iterator[tuple[int, int]]:
    """Return the ids from a second on, in order, each with its second."""
    backwards = ((key, second_of(stamp)) for key, stamp in reversed(stamps.items()) if stamp)
    return reversed(list(takewhile(lambda item: item[1] >= second, backwards)))
