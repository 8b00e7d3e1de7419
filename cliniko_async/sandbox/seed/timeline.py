"""Plants rows over the years of a clinic: stamps and ids as they grow in life, the same for the same seed."""

import datetime as dt
import itertools
import random
from collections.abc import Iterator
from typing import Any

import attrs

from ..db.columns import Row
from ..db.rows import Store
from ..db.schema import Table

OPENED = dt.datetime(2016, 3, 7, 22, 15, tzinfo=dt.UTC)
_LAST_WRITE = dt.datetime(2025, 7, 31, 6, 0, tzinfo=dt.UTC)
_PRICE_RISE = dt.datetime(2025, 7, 1, 0, 0, 3, tzinfo=dt.UTC)
_LONG_IDS_SINCE = dt.datetime(2018, 1, 1, tzinfo=dt.UTC)
_SECOND = 1_000_000


@attrs.define
class Plot:
    """Where rows are planted."""

    store: Store
    rng: random.Random
    planted: dict[str, list[int]] = attrs.field(factory=dict[str, list[int]])
    """The ids of what was planted, by resource."""
    short_ids: Iterator[int] = attrs.field(factory=lambda: itertools.count(10_257, 13))

    def table(self, resource: str) -> Table:
        """The table of a resource."""
        return self.store.tables[resource]

    def row(self, resource: str, record_id: int) -> Row:
        """A row that was planted."""
        return self.store.rows.row(self.table(resource), record_id) or {}

    def plant(self, resource: str, rows: list[dict[str, Any]]) -> list[int]:
        """Add rows whose stamps are spread over the years, the first the oldest."""
        ids = [self._add(resource, row, created) for row, created in zip(rows, self._stamps(len(rows)), strict=True)]
        self.planted[resource] = ids
        return ids

    def _add(self, resource: str, row: dict[str, Any], created: dt.datetime) -> int:
        stamps: dict[str, Any] = {"created_at": created, "updated_at": self._updated(created)}
        if row.pop("archived", False):
            stamps["archived_at"] = stamps["updated_at"]
        if self._has_short_id(created):
            stamps["id"] = next(self.short_ids)
        return self.store.insert(self.table(resource), row | stamps)

    def new_id(self, created: dt.datetime) -> int:
        """The id of a row that was created at a moment."""
        return next(self.short_ids) if self._has_short_id(created) else self.store.new_id()

    def _has_short_id(self, created: dt.datetime) -> bool:
        return created < _LONG_IDS_SINCE and self.store.rising

    def _stamps(self, count: int) -> list[dt.datetime]:
        """Rising moments; about one in seven lies in the second of the one before."""
        span = (_LAST_WRITE - OPENED) // dt.timedelta(seconds=1)
        seconds = sorted(self.rng.randrange(span) for _ in range(count))
        for index in range(1, count):
            if self.rng.random() < 0.15:
                seconds[index] = seconds[index - 1]
        fractions = (self.rng.randrange(_SECOND) for _ in range(count))
        moments = zip(seconds, fractions, strict=True)
        return sorted(OPENED + dt.timedelta(seconds=second, microseconds=part) for second, part in moments)

    def _updated(self, created: dt.datetime) -> dt.datetime:
        """A later moment: for many the same second, in which the prices rose."""
        if created < _PRICE_RISE and self.rng.random() < 0.25:
            return _PRICE_RISE + dt.timedelta(microseconds=self.rng.randrange(_SECOND))
        return created + (_LAST_WRITE - created) * self.rng.random() ** 3

    def foreign_id(self) -> int:
        """The id of a record that is not served."""
        return 1_412_345_678_900_000_000 + self.rng.randrange(10**9)
