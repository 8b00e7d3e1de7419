"""Rows that refer to one another before they have ids: planted at once, each table in the order of creation."""

import datetime as dt
import random
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from ..db.columns import ID, IDS, Row
from .timeline import Plot

DAY = dt.timedelta(days=1)
_MARKS = ("archived_at", "cancelled_at", "closed_at", "completed_at", "finalized_at", "processed_at")
"""Moments at which a row was written once more."""
_EARLIEST = dt.datetime(2025, 8, 4, tzinfo=dt.UTC)


class Draft(dict[str, Any]):
    """A row to be; where another row names it, its id will stand."""


def monday(now: float) -> dt.datetime:
    """The Monday around which the calendar of the clinic lies: that of this week, in UTC."""
    today = dt.datetime.fromtimestamp(now, dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(today - today.weekday() * DAY, _EARLIEST)


@attrs.define
class Drafts:
    """The rows of the clinic that are still to be planted."""

    plot: Plot
    rng: random.Random
    today: dt.datetime
    """What lies before it has happened."""
    rows: dict[str, list[Draft]] = attrs.field(factory=dict[str, list[Draft]])

    def add(self, resource: str, created: dt.datetime, **fields: Any) -> Draft:
        """Draft a row that was created at a moment, or just before today where that is later."""
        created = min(created, self.today - dt.timedelta(minutes=self.rng.randrange(1, 9999)))
        updated = created + (self.today - created) * self.rng.random() ** 3
        draft = Draft({"created_at": created, "updated_at": updated, **fields})
        self.rows.setdefault(resource, []).append(draft)
        return draft

    def of(self, resource: str) -> list[Draft]:
        """What was drafted of a resource."""
        return self.rows.get(resource, [])

    def known(self, resource: str) -> list[Row]:
        """The rows that are there already, without those that are archived."""
        found = [self.plot.row(resource, one) for one in self.plot.planted[resource]]
        return [row for row in found if row["archived_at"] is None]

    def some(self, drafts: Sequence[Draft], part: float) -> list[Draft]:
        """About so much of them."""
        return [draft for draft in drafts if self.rng.random() < part]

    def moment(self, least: int = 60, most: int = 900) -> dt.datetime:
        """A moment so many days before today, within the hours of work."""
        part = dt.timedelta(seconds=self.rng.randrange(8 * 3600), microseconds=self.rng.randrange(10**6))
        return self.today - self.rng.randrange(least, most) * DAY + part

    def plant(self) -> None:
        """Give each an id, and write them all."""
        for rows in self.rows.values():
            rows.sort(key=lambda row: row["created_at"])
            for row in rows:
                row["updated_at"] = max(row["updated_at"], *(row.get(name) or row["created_at"] for name in _MARKS))
                row["id"] = self.plot.new_id(row["created_at"])
        for resource, rows in self.rows.items():
            table = self.plot.table(resource)
            refer = [name for name, kind in table.columns.items() if kind in (ID, IDS)]
            self.plot.store.insert_all(table, [_with_ids(row, refer) for row in rows])
            self.plot.planted[resource] = [row["id"] for row in rows]


def _with_ids(row: Draft, columns: list[str]) -> dict[str, Any]:
    return row | {name: _id_of(row[name]) for name in columns if name in row}


def _id_of(value: Any) -> Any:
    if isinstance(value, list):
        return [_id_of(one) for one in value]  # pyright: ignore[reportUnknownVariableType]
    return value["id"] if isinstance(value, Draft) else value


def local(day: dt.date, minutes: int, zone: str) -> dt.datetime:
    """So many minutes into a day as the clocks of a zone show it."""
    return dt.datetime.combine(day, dt.time(minutes // 60, minutes % 60), ZoneInfo(zone)).astimezone(dt.UTC)
