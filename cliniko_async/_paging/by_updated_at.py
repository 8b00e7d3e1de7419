"""Paging by `updated_at`: from a second on, in the order of changes, tracking which versions were yielded.

A record that changes while the list is read moves towards the end and is read there. A run ends at the server's time of
its first response, so that constant changes do not keep it going forever. The next run finds versions that become
visible late: it starts at the low watermark, `overlap` seconds before the first response that reached the present.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import msgspec

from .._messages import RedactedRepr, Response, date_of, is_id
from ..errors import InvalidRequestError, PaginationError
from .cursor import UpdatedAtPosition
from .key_range import KeyRange
from .page_rows import is_calendar, updated_second
from .query import FULL_PAGE, ListQuery
from .strategy import ConsumedPage, DecodedPage, Sequential, next_try

_MAX_DIGESTS = 1000
_DIGEST_SIZE = 8
_LONGEST_STEP = 0xFFFF
"""The longest gap in seconds between two versions in a cursor; with a longer gap, the older one is kept longer."""


class RunOptions(RedactedRepr, msgspec.Struct, frozen=True):
    """Options that stay the same across runs."""

    overlap: float
    """Seconds after its `updated_at` within which a version may become visible."""
    digest: Callable[[Any], int]
    """Returns a digest of a version of a row, from its id, `updated_at` and content."""
    full_page: int = FULL_PAGE
    """The page size inside a divided range."""
    max_digests: int = _MAX_DIGESTS
    """Number of versions to remember; at least a page, or a single second could block a run forever."""


class ServerTime(msgspec.Struct, frozen=True):
    """The time of a response by the server's clock, in seconds, if it has a `Date`."""

    date: float | None
    elapsed: float = 0.0
    """Seconds from sending the request to receiving the response."""

    @classmethod
    def of(cls, response: Response) -> "ServerTime":
        """Return the time of a response."""
        date = date_of(response.headers)
        return cls(date if date is not None and is_calendar(math.floor(date)) else None, response.elapsed)


class Version(RedactedRepr, msgspec.Struct, frozen=True):
    """A row, its second, and a digest that distinguishes it from other versions of the row."""

    row: Any
    second: int
    digest: int


class ByUpdatedAt(Sequential, RedactedRepr, msgspec.Struct, frozen=True):
    """A run over the changes of a list."""

    query: ListQuery
    options: RunOptions
    second: int | None = None
    ranges: tuple[KeyRange, ...] = ()
    """What is left of a divided range, with the first part last."""
    low_watermark: int | None = None
    """Known once the run has reached the present."""
    seen: Mapping[int, int] = msgspec.field(default_factory=dict[int, int])
    """Digests of the versions yielded since the second or the low watermark, if earlier, each with its second."""
    first_response: ServerTime | None = None
    newest: int | None = None
    """The newest second seen in this run."""
    sorts: bool = True
    """Whether the server can sort by `updated_at`."""
    tries: int = 0

    @classmethod
    def resumed(cls, query: ListQuery, options: RunOptions, position: UpdatedAtPosition) -> "ByUpdatedAt":
        """Return the run that continues after a position."""
        digests, second = position.digests, position.second
        keys = [int.from_bytes(digests[at : at + _DIGEST_SIZE]) for at in range(0, len(digests), _DIGEST_SIZE)]
        if len(digests) != _DIGEST_SIZE * len(position.steps):
            raise InvalidRequestError("since is not a valid cursor of changes", argument="since")
        ranges: tuple[KeyRange, ...] = ()
        if position.low is not None and second is not None:
            ranges = (KeyRange.second("updated_at", second, position.low),)
        seen = dict(zip(keys, accumulate(position.steps), strict=True))
        return cls(query, options, second, ranges, position.low_watermark, seen)

    @property
    def source(self) -> int:
        """Always 0: there is only one list."""
        return 0

    @property
    def sort(self) -> str:
        """The order of changes, unless a range is divided or the server cannot sort by it."""
        return "updated_at" if self.sorts and not self.ranges else ""

    @property
    def key_range(self) -> KeyRange:
        """The range that the next page covers."""
        return self.ranges[-1] if self.ranges else KeyRange("updated_at", self.second)

    @property
    def per_page(self) -> int:
        """The size of the next page."""
        return self.options.full_page if self.ranges else self.query.per_page

    @property
    def run_started_at(self) -> int | None:
        """The second of the first response by the server's clock, if known."""
        date = self.first_response.date if self.first_response else None
        return None if date is None else math.floor(date)

    def next_url(self) -> str:
        """Return the URL of the first page from the second on, or of a divided range."""
        return self.query.url(extra=self.key_range.filters(), sort=self.sort, per_page=self.per_page)

    def fallback(self) -> "ByUpdatedAt | None":
        """Return a strategy that divides ranges of time, for a server that refuses to sort by `updated_at`."""
        return msgspec.structs.replace(self, sorts=False) if self.sort else None

    def consume(self, received: DecodedPage) -> ConsumedPage:
        """Yield the new versions of a page, or divide a range that does not fit on one."""
        page = received.page
        rows = _grouped(page.rows)
        self._check(rows)
        complete = self.key_range.is_complete_on(page, rows, self.per_page)
        now = self._observed(rows, ServerTime.of(page.response), complete=complete)
        # A single row cannot divide a range.
        if not complete and len(rows) < (2 if self.ranges else 1):
            return ConsumedPage((), msgspec.structs.replace(now, tries=next_try(now.tries)))
        return now._in_order(rows, complete=complete) if self.sort else now._divide(rows, complete=complete)

    def position(self, yielded: Sequence[Any] = ()) -> UpdatedAtPosition:
        """Return the position after some rows, or before the next page."""
        return self.position_after(self._versions(yielded))

    def position_after(self, yielded: Sequence[Version]) -> UpdatedAtPosition:
        """Return the position after some of the new versions of the page that was consumed last."""
        now = self._after(yielded)
        low = None
        if now.ranges and now.key_range.is_one_second and now.key_range.start == now.second:
            low = int(yielded[-1].row.id) if yielded else now.key_range.low
        kept = sorted(now.seen.items(), key=lambda item: item[1])
        steps = [min(after - before, _LONGEST_STEP) for (_, before), (_, after) in pairwise(kept)]
        oldest = [newest - sum(steps) for _, newest in kept[-1:]]
        digests = b"".join(key.to_bytes(_DIGEST_SIZE) for key, _ in kept)
        return UpdatedAtPosition(
            second=now.second, low=low, low_watermark=now.low_watermark, digests=digests, steps=(*oldest, *steps)
        )

    def _check(self, rows: Sequence[Any]) -> None:
        if not all(row.updated_at and row.id and is_id(row.id) for row in rows):
            raise PaginationError("a record has no id or no updated_at")
        stamps = list(map(updated_second, rows))
        if not all(map(is_calendar, stamps)):
            raise PaginationError("a record has an updated_at outside the years 1 to 9999")
        self.key_range.check(rows)
        if self.sort and stamps != sorted(stamps):
            raise PaginationError("the server did not sort by updated_at")

    def _observed(self, rows: Sequence[Any], time: ServerTime, *, complete: bool) -> "ByUpdatedAt":
        """Record when the run started and, once it reaches the present, the low watermark for the next run."""
        seconds = [*map(updated_second, rows)] + ([] if self.newest is None else [self.newest])
        newest = max(seconds, default=None)
        # The snapshot may be as old as the request, so the date of the response alone would be too late.
        made = newest if time.date is None else time.date - time.elapsed
        watermark = self.low_watermark
        reached = self._reached(rows, complete=complete)
        if watermark is None and made is not None and made - self.options.overlap < reached:
            watermark = max(self.second or 0, math.floor(made - self.options.overlap))
        first = self.first_response or time
        return msgspec.structs.replace(self, first_response=first, newest=newest, low_watermark=watermark)

    def _reached(self, rows: Sequence[Any], *, complete: bool) -> float:
        """Return the second up to which a page is complete."""
        end = self.key_range.end
        if end is not None:
            return end
        return math.inf if complete or not self.sorts or not rows else updated_second(rows[-1])

    def _in_order(self, rows: Sequence[Any], *, complete: bool) -> ConsumedPage:
        if not rows:
            return self._end(())
        fresh, last = self._fresh(rows), updated_second(rows[-1])
        beyond = self.run_started_at is not None and last > self.run_started_at
        tied = updated_second(rows[0]) == last and not complete
        if complete or beyond:
            return self._end(() if tied else fresh, last)
        if not tied:
            return self._consumed(fresh, self._after(fresh, last))
        halves = KeyRange.second("updated_at", last).halves_by_id(rows)
        return self._consumed((), msgspec.structs.replace(self, second=last, ranges=halves, tries=0))

    def _divide(self, rows: Sequence[Any], *, complete: bool) -> ConsumedPage:
        key_range, rest = self.key_range, self.ranges[:-1]
        if not complete:
            halves = key_range.halves_by_id(rows) if key_range.is_one_second else self._halves_by_time(key_range)
            return self._consumed((), msgspec.structs.replace(self, ranges=(*rest, *halves), tries=0))
        fresh = self._fresh(sorted(rows, key=lambda row: (updated_second(row), int(row.id))))
        if rest:
            return self._consumed(fresh, msgspec.structs.replace(self._after(fresh), ranges=rest, tries=0))
        started, end = self.run_started_at, key_range.end
        if not self.sorts or end is None or (started is not None and end > started):
            return self._end(fresh)
        return self._consumed(fresh, msgspec.structs.replace(self._after(fresh, end), ranges=(), tries=0))

    def _halves_by_time(self, key_range: KeyRange) -> tuple[KeyRange, KeyRange]:
        if self.run_started_at is None:
            raise PaginationError("the server does not sort by updated_at, and its responses have no Date")
        return key_range.halves_by_time(self.run_started_at)

    def _consumed(self, fresh: Sequence[Version], following: "ByUpdatedAt") -> ConsumedPage:
        versions = _NewVersions(self, fresh, following)
        return ConsumedPage([version.row for version in fresh], following, position_provider=versions)

    def _end(self, fresh: Sequence[Version], second: int | None = None) -> ConsumedPage:
        after = self._after(fresh, second)
        second = after.second
        if second is not None and after.low_watermark is not None:
            second = min(second, after.low_watermark)
        next_run = ByUpdatedAt(self.query, self.options, second, seen=after.seen, sorts=self.sorts)
        return msgspec.structs.replace(self._consumed(fresh, next_run), following=None)

    def _versions(self, rows: Iterable[Any]) -> list[Version]:
        return [Version(row, updated_second(row), self.options.digest(row)) for row in rows]

    def _fresh(self, rows: Sequence[Any]) -> list[Version]:
        # Keyed by digest, because a page may repeat a version.
        fresh = {version.digest: version for version in self._versions(rows) if version.digest not in self.seen}
        return list(fresh.values())

    def _after(self, yielded: Sequence[Version], second: int | None = None) -> "ByUpdatedAt":
        """Return the run after some versions, at the second of the last one or a later one."""
        at = second if second is not None else yielded[-1].second if yielded else self.second
        low = at if at is None or self.low_watermark is None else min(at, self.low_watermark)
        seen = {**self.seen, **{version.digest: version.second for version in yielded}}
        kept = {key: when for key, when in seen.items() if low is None or when >= low}
        return msgspec.structs.replace(self, second=at, seen=self._remembered(kept, at), tries=0)

    def _remembered(self, seen: Mapping[int, int], second: int | None) -> Mapping[int, int]:
        """Return at most `max_digests` versions, preferring those of the current second, then the newest."""
        most = self.options.max_digests
        if len(seen) <= most:
            return seen
        # In a divided second the cursor holds the last id, so drop the latest digests; without the first ones, all
        # would be yielded again.
        sign = -1 if self.ranges and self.key_range.is_one_second else 1
        order = sorted((at == second, at, sign * index, key) for index, (key, at) in enumerate(seen.items()))
        kept = {key for *_, key in order[-most:]}
        return {key: at for key, at in seen.items() if key in kept}


class _NewVersions(RedactedRepr, msgspec.Struct, frozen=True):
    """Returns the positions between the new versions of a page, and after all of them."""

    strategy: ByUpdatedAt
    versions: Sequence[Version]
    following: ByUpdatedAt

    def position(self, yielded: Sequence[Any] = ()) -> UpdatedAtPosition:
        if len(yielded) == len(self.versions):
            return self.following.position()
        return self.strategy.position_after(self.versions[: len(yielded)])


def version_digest(row: Any, content: bytes) -> int:
    """Return a digest of a version of a row, from its id, `updated_at` and content."""
    text = f"{row.id} {row.updated_at.isoformat()} ".encode() + content
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


def _grouped(rows: Sequence[Any]) -> Sequence[Any]:
    """Return the rows of a page, with each repeated version moved next to its first occurrence."""
    first: dict[tuple[Any, Any], int] = {}
    for index, row in enumerate(rows):
        first.setdefault((row.id, row.updated_at), index)
    return rows if len(first) == len(rows) else sorted(rows, key=lambda row: first[row.id, row.updated_at])
