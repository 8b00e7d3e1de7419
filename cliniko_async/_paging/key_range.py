"""Part of a list, expressed as filters, and its bisection if it holds more records than a page.

More records can share a second than fit on a page. A page full of one second says nothing about the records it leaves
out, so the second is divided at the median id of the page until each part fits. A range of seconds is divided at its
midpoint. Parts are kept on a stack (a tuple), the next one last.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from .._records.page import PageData
from ..errors import PaginationError
from .page_rows import created_second, is_complete, stamp_text, updated_second

StampField = Literal["created_at", "updated_at"]
_SECONDS = {"created_at": created_second, "updated_at": updated_second}


class KeyRange(msgspec.Struct, frozen=True):
    """The records with a timestamp from `start` to before `end`, and with ids above `low` and up to `high`."""

    field: StampField
    start: int | None = None
    end: int | None = None
    low: int | None = None
    high: int | None = None

    @classmethod
    def second(cls, field: StampField, second: int, low: int | None = None) -> "KeyRange":
        """Return the range of one second, with ids above `low`."""
        return cls(field, second, second + 1, low)

    @property
    def is_one_second(self) -> bool:
        """Whether only ids can divide it."""
        return self.start is not None and self.end == self.start + 1

    def filters(self) -> list[str]:
        """Return the filters that select the range."""
        texts = [] if self.start is None else [f"{self.field}:>={stamp_text(self.start)}"]
        texts += [] if self.end is None else [f"{self.field}:<{stamp_text(self.end)}"]
        texts += [] if self.low is None else [f"id:>{self.low}"]
        return texts + ([] if self.high is None else [f"id:<={self.high}"])

    def check(self, rows: Iterable[Any]) -> None:
        """Check that rows, all of which have a key, lie within the range.

        Raises:
            PaginationError: The server ignored a filter.
        """
        for row in rows:
            second, key = _SECONDS[self.field](row), int(row.id)
            if (self.start is not None and second < self.start) or (self.end is not None and second >= self.end):
                raise PaginationError(f"the server ignored the filter on {self.field}")
            if (self.low is not None and key <= self.low) or (self.high is not None and key > self.high):
                raise PaginationError("the server ignored the filter on id")

    def is_complete_on(self, page: PageData[Any], keyed: Sequence[Any], per_page: int) -> bool:
        """Return whether a page shows all records of the range; `keyed` are its rows that have a key.

        A range of one id is complete once that id is seen, even if the server repeats it until it fills a page.
        """
        one_id = self.is_one_second and self.low is not None and self.high == self.low + 1
        return (one_id and bool(keyed)) or is_complete(page, per_page)

    def halves_by_id(self, rows: Sequence[Any]) -> "tuple[KeyRange, KeyRange]":
        """Divide the range at the median of the ids seen, and return the upper half and then the lower half.

        If only the highest id was seen, because the server repeats one record across the page, that id becomes a range
        by itself.
        """
        ids = sorted({int(row.id) for row in rows})
        middle = ids[(len(ids) - 1) // 2]
        if ids == [self.high]:
            return msgspec.structs.replace(self, low=middle - 1), msgspec.structs.replace(self, high=middle - 1)
        return msgspec.structs.replace(self, low=middle), msgspec.structs.replace(self, high=middle)

    def halves_by_time(self, last_second: int) -> "tuple[KeyRange, KeyRange]":
        """Divide the range at its midpoint, with `last_second` as its end if open, and return the later half first."""
        start = self.start or 0
        end = max(last_second, start) + 1 if self.end is None else self.end
        middle = max((start + end) // 2, start + 1)
        return KeyRange(self.field, middle, max(end, middle + 1)), KeyRange(self.field, start, middle)
