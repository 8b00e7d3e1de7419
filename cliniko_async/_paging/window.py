"""What is left to be asked for of a list of changes, as filters."""

from collections.abc import Sequence
from typing import Any

import attrs

from .query import second_of, stamp_text


@attrs.frozen
class Window:
    """A stretch of seconds, and within one second of ids: what is left to be asked for."""

    start: int | None = None
    end: int | None = None
    """The second behind the last one; None for no end."""
    low: int | None = None
    high: int | None = None

    @property
    def is_one_second(self) -> bool:
        """Whether it is divided by ids from here on."""
        return self.start is not None and self.end == self.start + 1

    @property
    def is_one_id(self) -> bool:
        """Whether no more than one record lies in it."""
        return self.is_one_second and self.low is not None and self.high == self.low + 1

    def filters(self) -> list[str]:
        """Give it as filters: ids above `low` and up to `high`."""
        texts = [] if self.start is None else [f"updated_at:>={stamp_text(self.start)}"]
        texts += [] if self.end is None else [f"updated_at:<{stamp_text(self.end)}"]
        texts += [] if self.low is None else [f"id:>{self.low}"]
        return texts + ([] if self.high is None else [f"id:<={self.high}"])

    def holds(self, row: Any) -> bool:
        """Whether a row lies within it."""
        second, key = stamp(row), int(row.id)
        inside = (self.start is None or second >= self.start) and (self.end is None or second < self.end)
        return inside and (self.low is None or key > self.low) and (self.high is None or key <= self.high)


def stamp(row: Any) -> int:
    """Give the second in which a row was last changed, as it is shown."""
    return second_of(row.updated_at)


def by_ids(window: Window, rows: Sequence[Any]) -> tuple[Window, Window]:
    """Divide a second at the median of the ids seen in it, the first half last; or split off its upper end.

    The latter is done when nothing else was seen: a server that repeats one record fills a page with it.
    """
    ids = sorted({int(row.id) for row in rows})
    if ids == [window.high]:
        return attrs.evolve(window, low=ids[0] - 1), attrs.evolve(window, high=ids[0] - 1)
    middle = ids[(len(ids) - 1) // 2]
    return attrs.evolve(window, low=middle), attrs.evolve(window, high=middle)
