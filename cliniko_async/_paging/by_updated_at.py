"""The walk over what changed: from a second of `updated_at` on, in its order, with what was handed out remembered.

A record that is touched in mid-walk leaves towards the end and is met there. A run ends at the server's time of its
first answer, so that a table that never rests does not hold it. What becomes visible late is found by the next run,
which starts at the low water, an overlap before the first answer that reached the present.
"""

import datetime as dt
import email.utils
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import attrs

from .._messages import is_id
from .._records.page import PageData
from ..errors import InvalidRequestError, PaginationError
from .cursor import ChangesMark
from .query import FULL_PAGE, TRIES, Query, is_calendar, is_whole
from .window import Window, by_ids, stamp

_REMEMBERED = 1000
_DIGEST = 8
_LONGEST_STEP = 0xFFFF
"""Seconds between two versions in a cursor; where it was longer, the older one is remembered for longer."""


@attrs.frozen
class Moment:
    """When an answer was made, by the server's clock in seconds, as far as it tells."""

    date: float | None
    elapsed: float = 0.0

    @classmethod
    def of(cls, page: PageData[Any]) -> "Moment":
        """Read it of an answer."""
        try:
            date = email.utils.parsedate_to_datetime(page.response.headers["Date"])
        except (KeyError, ValueError, TypeError, IndexError, OverflowError):
            return cls(None, page.response.elapsed)
        # Without a zone it is in UTC, as every Date is.
        seconds = (date if date.tzinfo else date.replace(tzinfo=dt.UTC)).timestamp()
        return cls(seconds if is_calendar(math.floor(seconds)) else None, page.response.elapsed)


@attrs.frozen
class Version:
    """A row as it was handed out: its second, and a number that tells it from the row's other versions."""

    row: Any
    second: int
    digest: int


@attrs.frozen
class ChangedStep:
    """What an answer led to: the versions that are new, the walk that took it and the one behind it."""

    versions: Sequence[Version]
    taker: "ChangedWalk"
    walk: "ChangedWalk"
    ended: bool = False


@attrs.frozen
class ChangedWalk:
    """A run over what changed; at its end `walk` of the last step is the start of the next run."""

    query: Query
    overlap: float
    digest: Callable[[Any], int]
    """Gives a number for a version of a row, made of its id, stamp and content."""
    second: int | None = None
    windows: tuple[Window, ...] = ()
    """What is left inside a divided stretch, the first of it last."""
    water: int | None = None
    """The low water, once the run has reached the present."""
    seen: Mapping[int, int] = attrs.field(factory=dict[int, int])
    """The versions handed out at or after the second or the low water, with the second of each."""
    horizon: int | None = None
    """The server's second of the first answer."""
    newest: int | None = None
    begun: bool = False
    sorts: bool = True
    tries: int = 0
    full_page: int = FULL_PAGE
    """How many rows are asked for inside a divided stretch."""
    room: int = _REMEMBERED
    """How many versions are remembered; at least as many as fit a page, or a second could hold a run for ever."""

    @classmethod
    def resumed(cls, query: Query, overlap: float, digest: Callable[[Any], int], mark: ChangesMark) -> "ChangedWalk":
        """Give the walk that goes on behind a mark."""
        keys = [int.from_bytes(mark.digests[at : at + _DIGEST]) for at in range(0, len(mark.digests), _DIGEST)]
        if len(mark.digests) != _DIGEST * len(mark.steps):
            raise InvalidRequestError("since is not a valid cursor of changes", argument="since")
        windows: tuple[Window, ...] = ()
        if mark.low is not None and mark.second is not None:
            windows = (Window(mark.second, mark.second + 1, mark.low),)
        seen = dict(zip(keys, accumulate(mark.steps), strict=True))
        return cls(query, overlap, digest, mark.second, windows, mark.water, seen)

    def ask(self) -> str:
        """Ask from the second on, in the order of changes, or for a divided stretch."""
        if self.windows:
            return self.query.url(extra=self.windows[-1].filters(), per_page=self.full_page)
        return self.query.url(extra=Window(self.second).filters(), sort="updated_at" if self.sorts else "")

    def fallback(self) -> "ChangedWalk | None":
        """Give the walk to go on with when the server refuses to sort by `updated_at`."""
        return attrs.evolve(self, sorts=False) if self.sorts and not self.windows else None

    def take(self, page: PageData[Any], moment: Moment) -> ChangedStep:
        """Give what an answer leads to; the walk itself stays as it was.

        Raises:
            PaginationError: the answer cannot be one to the question.
        """
        window = self.windows[-1] if self.windows else Window(self.second)
        rows = _grouped(page.rows)
        _check(rows, window, in_order=self.sorts and not self.windows)
        whole = is_whole(page, self.full_page if self.windows else self.query.per_page)
        whole = whole or (window.is_one_id and bool(rows))
        now = self._adopt(rows, moment, whole=whole)
        # One row alone cannot be divided by.
        if not whole and len(rows) < (2 if self.windows else 1):
            return now._again()
        if self.windows or not self.sorts:
            return now._divide(rows, window, whole=whole)
        return now._in_order(rows, whole=whole)

    def mark(self, handed: Sequence[Version] = ()) -> ChangesMark:
        """Give the place behind some of the new versions of the answer that this walk took."""
        now = self._behind(handed)
        low = None
        if now.windows and now.windows[-1].is_one_second and now.windows[-1].start == now.second:
            low = int(handed[-1].row.id) if handed else now.windows[-1].low
        kept = sorted(now.seen.items(), key=lambda item: item[1])
        steps = [min(after - before, _LONGEST_STEP) for (_, before), (_, after) in pairwise(kept)]
        oldest = [newest - sum(steps) for _, newest in kept[-1:]]
        digests = b"".join(key.to_bytes(_DIGEST) for key, _ in kept)
        return ChangesMark(second=now.second, low=low, water=now.water, digests=digests, steps=(*oldest, *steps))

    def _adopt(self, rows: Sequence[Any], moment: Moment, *, whole: bool) -> "ChangedWalk":
        """Note when the run began, and once it reaches the present, the low water that the next one starts at."""
        newest = max([stamp(row) for row in rows] + ([] if self.newest is None else [self.newest]), default=None)
        date = moment.date
        horizon = self.horizon if self.begun else None if date is None else math.floor(date)
        # The snapshot may be as old as the request; the date of its answer alone would be too late.
        made = newest if date is None else date - moment.elapsed
        water = self.water
        if water is None and made is not None and made - self.overlap < self._reached(rows, whole=whole):
            water = max(self.second or 0, math.floor(made - self.overlap))
        return attrs.evolve(self, begun=True, horizon=horizon, newest=newest, water=water)

    def _reached(self, rows: Sequence[Any], *, whole: bool) -> float:
        """Give the second up to which an answer tells everything."""
        end = self.windows[-1].end if self.windows else None
        if end is not None:
            return end
        return math.inf if whole or not self.sorts or not rows else stamp(rows[-1])

    def _in_order(self, rows: Sequence[Any], *, whole: bool) -> ChangedStep:
        if not rows:
            return self._end(())
        fresh, last = self._fresh(rows), stamp(rows[-1])
        beyond = self.horizon is not None and last > self.horizon
        tied = stamp(rows[0]) == last and not whole
        if whole or beyond:
            return self._end(() if tied else fresh, last)
        if not tied:
            return ChangedStep(fresh, self, self._behind(fresh, last))
        within = attrs.evolve(self, second=last, windows=by_ids(Window(last, last + 1), rows), tries=0)
        return ChangedStep((), self, within)

    def _divide(self, rows: Sequence[Any], window: Window, *, whole: bool) -> ChangedStep:
        rest = self.windows[:-1]
        if not whole:
            halves = by_ids(window, rows) if window.is_one_second else self._by_seconds(window)
            return ChangedStep((), self, attrs.evolve(self, windows=(*rest, *halves), tries=0))
        fresh = self._fresh(sorted(rows, key=lambda row: (stamp(row), int(row.id))))
        if rest:
            return ChangedStep(fresh, self, attrs.evolve(self._behind(fresh), windows=rest, tries=0))
        if not self.sorts or window.end is None or (self.horizon is not None and window.end > self.horizon):
            return self._end(fresh)
        return ChangedStep(fresh, self, attrs.evolve(self._behind(fresh, window.end), windows=(), tries=0))

    def _by_seconds(self, window: Window) -> tuple[Window, Window]:
        """Divide a stretch of time that cannot be sorted, at its middle, the first half last."""
        if self.horizon is None:
            raise PaginationError("the server neither sorts by updated_at nor tells its time")
        start = window.start or 0
        end = max(self.horizon, start) + 1 if window.end is None else window.end
        middle = max((start + end) // 2, start + 1)
        return Window(middle, max(end, middle + 1)), Window(start, middle)

    def _end(self, fresh: Sequence[Version], second: int | None = None) -> ChangedStep:
        behind = self._behind(fresh, second)
        second = behind.second
        if second is not None and behind.water is not None:
            second = min(second, behind.water)
        following = attrs.evolve(
            behind, second=second, windows=(), water=None, horizon=None, newest=None, begun=False, tries=0
        )
        return ChangedStep(fresh, self, following, ended=True)

    def _again(self) -> ChangedStep:
        if self.tries == TRIES:
            raise PaginationError("the list has entries left and shows none of them")
        return ChangedStep((), self, attrs.evolve(self, tries=self.tries + 1))

    def _fresh(self, rows: Sequence[Any]) -> list[Version]:
        versions = [Version(row, stamp(row), self.digest(row)) for row in rows]
        # By their digests: a page may repeat a version.
        fresh = {version.digest: version for version in versions if version.digest not in self.seen}
        return list(fresh.values())

    def _behind(self, handed: Sequence[Version], second: int | None = None) -> "ChangedWalk":
        """Give the walk behind some versions, at the second of the last one or a later one."""
        at = second if second is not None else handed[-1].second if handed else self.second
        low = at if at is None or self.water is None else min(at, self.water)
        seen = {**self.seen, **{version.digest: version.second for version in handed}}
        kept = {key: when for key, when in seen.items() if low is None or when >= low}
        return attrs.evolve(self, second=at, seen=self._remembered(kept, at), tries=0)

    def _remembered(self, seen: Mapping[int, int], second: int | None) -> Mapping[int, int]:
        """Keep what fits: those of the second that is not passed yet, then those of the newest seconds."""
        if len(seen) <= self.room:
            return seen
        # Where the id is the place, the last ones need not be known; without the first, all would come again.
        sign = -1 if self.windows and self.windows[-1].is_one_second else 1
        order = sorted((at == second, at, sign * index, key) for index, (key, at) in enumerate(seen.items()))
        kept = {key for *_, key in order[-self.room :]}
        return {key: at for key, at in seen.items() if key in kept}


def version_digest(row: Any, content: bytes) -> int:
    """Give a number for a version of a row by its id, its stamp and its content."""
    text = f"{row.id} {row.updated_at.isoformat()} ".encode() + content
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


def _grouped(rows: Sequence[Any]) -> Sequence[Any]:
    """Return the rows of a page with those that repeat a version behind the first of it, wherever they stood."""
    first: dict[tuple[Any, Any], int] = {}
    for index, row in enumerate(rows):
        first.setdefault((row.id, row.updated_at), index)
    return rows if len(first) == len(rows) else sorted(rows, key=lambda row: first[row.id, row.updated_at])


def _check(rows: Sequence[Any], window: Window, *, in_order: bool) -> None:
    if not all(row.updated_at and row.id and is_id(row.id) for row in rows):
        raise PaginationError("a record has no id or no updated_at")
    if not all(is_calendar(stamp(row)) for row in rows):
        raise PaginationError("a record was updated outside of the years 1 to 9999")
    if not all(window.holds(row) for row in rows):
        raise PaginationError("the server did not keep to the filters updated_at and id")
    stamps = [stamp(row) for row in rows]
    if in_order and stamps != sorted(stamps):
        raise PaginationError("the server did not keep to the order of updated_at")
