"""Daily availabilities: the usual hours of a practitioner on a day of the week."""

import datetime as dt
from typing import TYPE_CHECKING, Unpack
from zoneinfo import ZoneInfo

from .._dates import DateTime
from .._records.record import Part, Record, record
from ..fields import Id
from ..filters import DateTimeField, Filterable, Filters, IntField
from ..links import Link, SelfLink
from ..pagination import Paginator
from ._changes import ChangesMixin
from ._list_options import ListOptions
from ._mixins import GetMixin, ListMixin
from ._zones import zone_of

if TYPE_CHECKING:
    from .business import Business
    from .practitioner import Practitioner


@record
class DailyAvailabilityHours(Part):
    """A span of time within a day."""

    ends_at: str | None = None
    starts_at: str | None = None

    @property
    def start(self) -> dt.time | None:
        """The time of day at which it starts, in the time zone of the daily availability."""
        return _time_of(self.starts_at)

    @property
    def end(self) -> dt.time | None:
        """The time of day at which it ends; 00:00 if it ends with the day."""
        return _time_of(self.ends_at)


@record
class DailyAvailability(Record):
    """The usual hours of a practitioner at one business on one day of the week."""

    id: str
    links: SelfLink
    created_at: DateTime
    updated_at: DateTime
    availabilities: tuple[DailyAvailabilityHours, ...] | None = None
    business: Link["Business"] | None = None
    day_of_week: int | None = None
    practitioner: Link["Practitioner"] | None = None
    time_zone: str | None = None
    time_zone_identifier: str | None = None

    @property
    def zone(self) -> ZoneInfo | None:
        """The time zone with the record's IANA name, or None if it has none.

        Raises:
            zoneinfo.ZoneInfoNotFoundError: The time zone data of this Python does not contain it.
        """
        return zone_of(self.time_zone_identifier)


def _time_of(text: str | None) -> dt.time | None:
    """Parse a time of day; 24:00 is the midnight at the end of the day."""
    return None if text is None else dt.time.fromisoformat("00:00" if text.startswith("24:00") else text)


class DailyAvailabilityFilters(Filters):
    """The columns that daily availabilities can be filtered and sorted by."""

    business_id = IntField()
    created_at = DateTimeField()
    id = IntField()
    practitioner_id = IntField()
    updated_at = DateTimeField()


class DailyAvailabilities(ChangesMixin[DailyAvailability], ListMixin[DailyAvailability], GetMixin[DailyAvailability]):
    """The daily availabilities of an account."""

    name = "daily_availabilities"
    record = DailyAvailability
    where = DailyAvailabilityFilters()

    def list_for_business(
        self, business_id: Id, /, *filters: Filterable, **options: Unpack[ListOptions]
    ) -> Paginator[DailyAvailability]:
        """Return a paginator over the daily availabilities at a business."""
        return self._list(f"/businesses/{self._id(business_id, 'business_id')}/daily_availabilities", filters, options)

    def list_for_practitioner(
        self, practitioner_id: Id, /, *filters: Filterable, **options: Unpack[ListOptions]
    ) -> Paginator[DailyAvailability]:
        """Return a paginator over the daily availabilities of a practitioner."""
        return self._list(
            f"/practitioners/{self._id(practitioner_id, 'practitioner_id')}/daily_availabilities", filters, options
        )
