"""Inserts records with stamps and ids that grow over the years of a clinic, the same for the same seed."""

import datetime as dt
import itertools
import random
from collections.abc import Iterator
from typing import Any

import attrs

from ..db.columns import Row
from ..db.row_store import RowStore

_OPENED = dt.datetime(2016, 3, 7, 22, 15, tzinfo=dt.UTC)
_LAST_WRITE = dt.datetime(2025, 7, 31, 6, 0, tzinfo=dt.UTC)
_PRICE_RISE = dt.datetime(2025, 7, 1, 0, 0, 3, tzinfo=dt.UTC)
_LONG_IDS_SINCE = dt.datetime(2018, 1, 1, tzinfo=dt.UTC)
_SECOND = 1_000_000


@attrs.define
class Timeline:
    """The history of the clinic, into which records are inserted."""

    store: RowStore
    rng: random.Random
    inserted: dict[str, list[int]] = attrs.field(factory=dict[str, list[int]])
    """The ids of the inserted records, by resource."""
    _short_ids: Iterator[int] = attrs.field(factory=lambda: itertools.count(10_257, 13))

    def row(self, resource: str, record_id: Any) -> Row:
        """Return a row, or an empty one if there is none."""
        return self.store.row(resource, record_id) or {}

    def insert(self, resource: str, rows: list[dict[str, Any]]) -> list[int]:
        """Insert records with creation times spread over the years, oldest first; `archived` archives one."""
        stamps = self._creation_times(len(rows))
        ids = [self._insert_at(resource, row, created) for row, created in zip(rows, stamps, strict=True)]
        self.inserted[resource] = ids
        return ids

    def _insert_at(self, resource: str, row: dict[str, Any], created: dt.datetime) -> int:
        stamps: dict[str, Any] = {"created_at": created, "updated_at": self._update_time(created)}
        if row.pop("archived", False):
            stamps["archived_at"] = stamps["updated_at"]
        if self._has_short_id(created):
            stamps["id"] = next(self._short_ids)
        return self.store.insert(resource, row | stamps)

    def new_id(self, created: dt.datetime) -> int:
        """Return an id for a record that was created at this time."""
        return next(self._short_ids) if self._has_short_id(created) else self.store.new_id()

    def _has_short_id(self, created: dt.datetime) -> bool:
        return created < _LONG_IDS_SINCE and self.store.rising

    def _creation_times(self, count: int) -> list[dt.datetime]:
        """Return rising times; about one in seven is within the same second as the one before."""
        span = (_LAST_WRITE - _OPENED) // dt.timedelta(seconds=1)
        seconds = sorted(self.rng.randrange(span) for _ in range(count))
        for index in range(1, count):
            if self.rng.random() < 0.15:
                seconds[index] = seconds[index - 1]
        fractions = (self.rng.randrange(_SECOND) for _ in range(count))
        moments = zip(seconds, fractions, strict=True)
        return sorted(_OPENED + dt.timedelta(seconds=second, microseconds=fraction) for second, fraction in moments)

    def _update_time(self, created: dt.datetime) -> dt.datetime:
        """Return a later time; for many records it is in the second in which the prices rose."""
        if created < _PRICE_RISE and self.rng.random() < 0.25:
            return _PRICE_RISE + dt.timedelta(microseconds=self.rng.randrange(_SECOND))
        return created + (_LAST_WRITE - created) * self.rng.random() ** 3

    def unserved_id(self) -> int:
        """Return the id of a record that the sandbox does not serve."""
        return 1_412_345_678_900_000_000 + self.rng.randrange(10**9)
