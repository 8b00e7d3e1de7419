"""Appointment type billable items: the billable items that an appointment of a type is charged with."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Unpack

from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Fields, Id, Money, Range
from ..filters import DateTimeField, Filters, IntField
from ..links import Link, SelfLink
from ._changes import ChangesMixin
from ._mixins import DeleteMixin, GetMixin, ListMixin

if TYPE_CHECKING:
    from .appointment_type import AppointmentType
    from .billable_item import BillableItem


@record
class AppointmentTypeBillableItem(Record):
    """A billable item that appointments of a type are charged with."""

    id: str
    links: SelfLink
    created_at: DateTime
    quantity: Decimal
    updated_at: DateTime
    appointment_type: Link["AppointmentType"] | None = None
    billable_item: Link["BillableItem"] | None = None
    discount_percentage: Decimal | None = None
    discounted_amount: Decimal | None = None
    is_monetary_discount: bool | None = None


class AppointmentTypeBillableItemUpdateFields(Fields, total=False):
    """The fields that can be sent to update an appointment type billable item."""

    billable_item_id: Id
    discount_percentage: Annotated[Money, Range(0, 100)] | None
    discounted_amount: Money | None
    quantity: Annotated[Money, Range(-4_000_000_000, 4_000_000_000, high_excluded=True)]


class AppointmentTypeBillableItemCreateFields(AppointmentTypeBillableItemUpdateFields, total=False):
    """The fields that can be sent to create an appointment type billable item."""

    appointment_type_id: Id


class AppointmentTypeBillableItemFilters(Filters):
    """The columns that appointment type billable items can be filtered and sorted by."""

    appointment_type_id = IntField()
    billable_item_id = IntField()
    created_at = DateTimeField()
    id = IntField()
    updated_at = DateTimeField()


class AppointmentTypeBillableItems(
    ChangesMixin[AppointmentTypeBillableItem],
    ListMixin[AppointmentTypeBillableItem],
    GetMixin[AppointmentTypeBillableItem],
    DeleteMixin[AppointmentTypeBillableItem],
):
    """The appointment type billable items of an account."""

    name = "appointment_type_billable_items"
    record = AppointmentTypeBillableItem
    where = AppointmentTypeBillableItemFilters()

    async def create(self, **fields: Unpack[AppointmentTypeBillableItemCreateFields]) -> AppointmentTypeBillableItem:
        """Create an appointment type billable item."""
        return await self._create(fields)

    async def update(
        self, id: Id, /, **fields: Unpack[AppointmentTypeBillableItemUpdateFields]
    ) -> AppointmentTypeBillableItem:
        """Update an appointment type billable item. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
