"""Appointment types: what can be booked, how long it takes and what it costs."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal, Unpack

import attrs

from .._dates import DateTime
from .._records.record import DEPRECATED, Record, record
from ..fields import Deprecated, Fields, Id, MaxLength, Money, Pattern, Range
from ..filters import ArrayField, BooleanField, Column, DateTimeField, Filterable, Filters, IntField, StringField
from ..links import Link, ListLink, SelfLink
from ..pagination import Paginator
from ._changes import ChangesMixin
from ._list_options import ArchivedListOptions
from ._mixins import ArchivedGetMixin, ArchivedListMixin, ArchiveMixin, DeprecatedDeleteMixin

if TYPE_CHECKING:
    from .appointment_type_billable_item import AppointmentTypeBillableItem
    from .appointment_type_product import AppointmentTypeProduct
    from .billable_item import BillableItem
    from .practitioner import Practitioner
    from .product import Product
    from .treatment_note_template import TreatmentNoteTemplate


@record
class AppointmentType(Record):
    """A kind of appointment that a clinic offers.

    The API has deprecated `billable_item` and `product`.
    """

    id: str
    links: SelfLink
    color: str
    created_at: DateTime
    duration_in_minutes: int
    max_attendees: int
    name: str
    updated_at: DateTime
    add_deposit_to_account_credit: bool | None = None
    appointment_confirmation_template_ids: tuple[str, ...] | None = None
    appointment_follow_up_template_ids: tuple[str, ...] | None = None
    appointment_reminder_template_ids: tuple[str, ...] | None = None
    appointment_type_billable_items: ListLink["AppointmentTypeBillableItem"] | None = None
    appointment_type_products: ListLink["AppointmentTypeProduct"] | None = None
    archived_at: DateTime | None = None
    billable_item: Link["BillableItem"] | None = attrs.field(default=None, metadata=DEPRECATED)
    category: str | None = None
    deposit_price: Decimal | None = None
    description: str | None = None
    online_bookings_lead_time_hours: int | None = None
    online_payments_enabled: bool | None = None
    online_payments_mode: str | None = None
    practitioners: ListLink["Practitioner"] | None = None
    product: Link["Product"] | None = attrs.field(default=None, metadata=DEPRECATED)
    show_in_online_bookings: bool | None = None
    telehealth_enabled: bool | None = None
    treatment_note_template: Link["TreatmentNoteTemplate"] | None = None


class AppointmentTypeFields(Fields, total=False):
    """The fields of an appointment type that can be sent.

    The API has deprecated `billable_item_id` and `product_id`.
    """

    add_deposit_to_account_credit: bool | None
    appointment_confirmation_template_ids: Sequence[Id] | None
    appointment_follow_up_template_ids: Sequence[Id] | None
    appointment_reminder_template_ids: Sequence[Id] | None
    billable_item_id: Annotated[Id, Deprecated()]
    business_ids: Sequence[Id]
    category: str | None
    color: Annotated[str, Pattern(r"^#([A-Fa-f0-9]{6}|[A-Fa-f0-9]{3})$")]
    deposit_price: Annotated[Money, Range(0, 4_000_000_000, high_excluded=True)] | None
    description: str | None
    duration_in_minutes: Annotated[int, Range(0, 1440, low_excluded=True, high_excluded=True)]
    max_attendees: Annotated[int, Range(0, 100, low_excluded=True, high_excluded=True)]
    name: Annotated[str, MaxLength(255)]
    online_bookings_lead_time_hours: Literal[0, 1, 2, 4, 12, 18, 24, 48, 72, 168, 336, 504, 672] | None
    online_payments_mode: Literal["deposit_required", "optional", "required"] | None
    practitioner_ids: Sequence[Id]
    product_id: Annotated[Id, Deprecated()]
    show_in_online_bookings: bool | None
    telehealth_enabled: bool | None
    treatment_note_template_id: Id


class AppointmentTypeFilters(Filters):
    """The columns that appointment types can be filtered and sorted by."""

    appointment_confirmation_template_ids = ArrayField()
    appointment_follow_up_template_ids = ArrayField()
    appointment_reminder_template_ids = ArrayField()
    archived_at = DateTimeField()
    category = StringField()
    created_at = DateTimeField()
    id = IntField()
    name = Column()
    online_payments_mode = StringField()
    show_in_online_bookings = BooleanField()
    updated_at = DateTimeField()


class AppointmentTypes(
    ChangesMixin[AppointmentType],
    ArchivedListMixin[AppointmentType],
    ArchivedGetMixin[AppointmentType],
    ArchiveMixin[AppointmentType],
    DeprecatedDeleteMixin[AppointmentType],
):
    """The appointment types of an account."""

    name = "appointment_types"
    record = AppointmentType
    where = AppointmentTypeFilters()

    def list_for_practitioner(
        self, practitioner_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedListOptions]
    ) -> Paginator[AppointmentType]:
        """Return a paginator over the appointment types that a practitioner offers."""
        return self._list(
            f"/practitioners/{self._id(practitioner_id, 'practitioner_id')}/appointment_types", filters, options
        )

    async def create(self, **fields: Unpack[AppointmentTypeFields]) -> AppointmentType:
        """Create an appointment type."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[AppointmentTypeFields]) -> AppointmentType:
        """Update an appointment type. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
