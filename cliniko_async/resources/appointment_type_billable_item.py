"""Appointment type billable items: what an appointment of a type is charged with."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Unpack

from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Fields, Id, Money, Range
from ..filters import DateTimeField, Filters, IntField
from ..links import Link, SelfLink
from ._base import DeleteMixin, GetMixin, ListMixin
from ._changes import ChangesMixin

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
    """What may be sent to change an appointment type billable item."""

    billable_item_id: Id
    discount_percentage: Annotated[Money, Range(0, 100)] | None
    discounted_amount: Money | None
    quantity: Annotated[Money, Range(-4_000_000_000, 4_000_000_000, high_excluded=True)]


class AppointmentTypeBillableItemCreateFields(AppointmentTypeBillableItemUpdateFields, total=False):
    """What may be sent to create an appointment type billable item."""

    appointment_type_id: Id


class AppointmentTypeBillableItemFilters(Filters):
    """What appointment type billable items can be searched by."""

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
        """Change an appointment type billable item: a field left out stays as it is, None clears one."""
        return await self._update(id, fields)
