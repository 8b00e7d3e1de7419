"""Records that refer to each other before they have ids; all are inserted at once, in the order of their creation."""

import datetime as dt
import random
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from ..db.columns import ID, IDS, Row
from .timeline import Timeline

DAY = dt.timedelta(days=1)
_LATER_STAMPS = ("archived_at", "cancelled_at", "closed_at", "completed_at", "finalized_at", "processed_at")
"""Stamps of later writes, which `updated_at` must not precede."""
_EARLIEST = dt.datetime(2025, 8, 4, tzinfo=dt.UTC)


class Draft(dict[str, Any]):
    """A record without an id yet; other drafts refer to the draft itself."""


def current_monday(now: float) -> dt.datetime:
    """Return the Monday of this week, in UTC, around which the calendar of the clinic lies."""
    today = dt.datetime.fromtimestamp(now, dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(today - today.weekday() * DAY, _EARLIEST)


@attrs.define
class Drafts:
    """The records of the clinic that are not inserted yet."""

    timeline: Timeline
    rng: random.Random
    today: dt.datetime
    """The Monday up to which everything has happened."""
    rows: dict[str, list[Draft]] = attrs.field(factory=dict[str, list[Draft]])

    def add(self, resource: str, created: dt.datetime, **fields: Any) -> Draft:
        """Add a draft that was created at this time, or shortly before today if that is earlier."""
        created = min(created, self.today - dt.timedelta(minutes=self.rng.randrange(1, 9999)))
        updated = created + (self.today - created) * self.rng.random() ** 3
        draft = Draft({"created_at": created, "updated_at": updated, **fields})
        self.rows.setdefault(resource, []).append(draft)
        return draft

    def of(self, resource: str) -> list[Draft]:
        """Return the drafts of a resource."""
        return self.rows.get(resource, [])

    def inserted(self, resource: str) -> list[Row]:
        """Return the rows of a resource that were inserted before and are not archived."""
        found = [self.timeline.row(resource, one) for one in self.timeline.inserted[resource]]
        return [row for row in found if row["archived_at"] is None]

    def sample(self, drafts: Sequence[Draft], share: float) -> list[Draft]:
        """Return a random share of drafts, from 0 to 1."""
        return [draft for draft in drafts if self.rng.random() < share]

    def past_moment(self, min_days: int = 60, max_days: int = 900) -> dt.datetime:
        """Return a time within working hours, some days before today."""
        time = dt.timedelta(seconds=self.rng.randrange(8 * 3600), microseconds=self.rng.randrange(10**6))
        return self.today - self.rng.randrange(min_days, max_days) * DAY + time

    def insert(self) -> None:
        """Assign the ids and insert every draft."""
        for rows in self.rows.values():
            rows.sort(key=lambda row: row["created_at"])
            for row in rows:
                row["updated_at"] = max(
                    row["updated_at"], *(row.get(name) or row["created_at"] for name in _LATER_STAMPS)
                )
                row["id"] = self.timeline.new_id(row["created_at"])
        for resource, rows in self.rows.items():
            columns = self.timeline.store.tables[resource].columns
            references = [name for name, column_type in columns.items() if column_type in (ID, IDS)]
            self.timeline.store.insert_all(resource, [_with_ids(row, references) for row in rows])
            self.timeline.inserted[resource] = [row["id"] for row in rows]


def _with_ids(row: Draft, columns: list[str]) -> dict[str, Any]:
    return row | {name: _id_of(row[name]) for name in columns if name in row}


def _id_of(value: Any) -> Any:
    if isinstance(value, list):
        return [_id_of(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return value["id"] if isinstance(value, Draft) else value


def local_time(day: dt.date, minutes: int, zone: str) -> dt.datetime:
    """Return the moment at which the clocks of a time zone show a number of minutes after midnight."""
    return dt.datetime.combine(day, dt.time(minutes // 60, minutes % 60), ZoneInfo(zone)).astimezone(dt.UTC)
