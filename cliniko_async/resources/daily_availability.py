"""Daily availabilities: the usual hours of a practitioner on a day of the week."""

from typing import TYPE_CHECKING, Unpack

from .._fields import Id
from .._record import DateTime, Part, Record, record
from .._resource import GetMixin, ListMixin, ListOptions
from ..filters import DateTimeField, Filterable, Filters, IntField
from ..links import Link, SelfLink

if TYPE_CHECKING:
    from ..pagination import Paginator
    from .business import Business
    from .practitioner import Practitioner


@record
class DailyAvailabilityHours(Part):
    """A span of the day."""

    ends_at: str | None = None
    starts_at: str | None = None


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


class DailyAvailabilityFilters(Filters):
    """What daily availabilities can be searched by."""

    business_id = IntField()
    created_at = DateTimeField()
    id = IntField()
    practitioner_id = IntField()
    updated_at = DateTimeField()


class DailyAvailabilities(ListMixin[DailyAvailability], GetMixin[DailyAvailability]):
    """The daily availabilities of an account."""

    name = "daily_availabilities"
    record = DailyAvailability
    where = DailyAvailabilityFilters()

    def list_for_business(
        self, business_id: Id, /, *filters: Filterable, **options: Unpack[ListOptions]
    ) -> "Paginator[DailyAvailability]":
        """Stream the daily availabilities at a business."""
        return self._list(f"/businesses/{self._id(business_id)}/daily_availabilities", filters, options)

    def list_for_practitioner(
        self, practitioner_id: Id, /, *filters: Filterable, **options: Unpack[ListOptions]
    ) -> "Paginator[DailyAvailability]":
        """Stream the daily availabilities of a practitioner."""
        return self._list(f"/practitioners/{self._id(practitioner_id)}/daily_availabilities", filters, options)
