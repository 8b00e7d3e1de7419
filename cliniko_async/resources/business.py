"""Businesses: the places where a clinic sees its patients."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Never, Unpack
from zoneinfo import ZoneInfo

from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Fields, Id, MaxLength
from ..filters import ArrayField, BooleanField, DateTimeField, Filters, IntField
from ..links import ListLink, SelfLink
from ._changes import ChangesMixin
from ._enums import TimeZone, TimeZoneIdentifier
from ._mixins import (
    ArchivedDeletedGetMixin,
    ArchivedDeletedListMixin,
    ArchiveMixin,
    DeprecatedDeleteMixin,
    UnarchiveMixin,
)
from ._zones import zone_of

if TYPE_CHECKING:
    from .practitioner import Practitioner


@record
class Business(Record):
    """A place at which a clinic sees its patients."""

    id: str
    links: SelfLink
    created_at: DateTime
    updated_at: DateTime
    additional_information: str | None = None
    additional_invoice_information: str | None = None
    address_1: str | None = None
    address_2: str | None = None
    appointment_reminders_enabled: bool | None = None
    appointment_type_ids: tuple[str, ...] | None = None
    appointments: ListLink[Never] | None = None
    archived_at: DateTime | None = None
    business_name: str | None = None
    business_registration_name: str | None = None
    business_registration_value: str | None = None
    city: str | None = None
    contact_information: str | None = None
    country: str | None = None
    country_code: str | None = None
    deleted_at: DateTime | None = None
    display_name: str | None = None
    email_reply_to: str | None = None
    label: str | None = None
    post_code: str | None = None
    practitioners: ListLink["Practitioner"] | None = None
    show_in_online_bookings: bool | None = None
    state: str | None = None
    time_zone: str | None = None
    time_zone_identifier: str | None = None
    website_address: str | None = None

    @property
    def zone(self) -> ZoneInfo | None:
        """The time zone with the record's IANA name, or None if it has none.

        Raises:
            zoneinfo.ZoneInfoNotFoundError: The time zone data of this Python does not contain it.
        """
        return zone_of(self.time_zone_identifier)


class BusinessFields(Fields, total=False):
    """The fields of a business that can be sent."""

    additional_information: Annotated[str, MaxLength(5000)] | None
    additional_invoice_information: Annotated[str, MaxLength(5000)] | None
    address_1: str | None
    address_2: str | None
    appointment_reminders_enabled: bool | None
    appointment_type_ids: Sequence[Id] | None
    business_name: str | None
    business_registration_name: str | None
    business_registration_value: str | None
    city: str | None
    contact_information: str | None
    country_code: str | None
    display_name: str | None
    email_reply_to: str | None
    logo: str
    logo_height: int
    post_code: str | None
    remove_logo: bool
    show_in_online_bookings: bool | None
    state: str | None
    time_zone: TimeZone | None
    time_zone_identifier: TimeZoneIdentifier | None
    website_address: str | None


class BusinessFilters(Filters):
    """The columns that businesses can be filtered and sorted by."""

    appointment_type_ids = ArrayField()
    archived_at = DateTimeField()
    created_at = DateTimeField()
    deleted_at = DateTimeField()
    id = IntField()
    show_in_online_bookings = BooleanField()
    updated_at = DateTimeField()


class Businesses(
    ChangesMixin[Business],
    ArchivedDeletedListMixin[Business],
    ArchivedDeletedGetMixin[Business],
    ArchiveMixin[Business],
    UnarchiveMixin[Business],
    DeprecatedDeleteMixin[Business],
):
    """The businesses of an account."""

    name = "businesses"
    record = Business
    where = BusinessFilters()

    async def create(self, **fields: Unpack[BusinessFields]) -> Business:
        """Create a business."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[BusinessFields]) -> Business:
        """Update a business. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
