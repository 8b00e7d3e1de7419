"""Appointment type products: the products that an appointment of a type is charged with."""

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
    from .product import Product


@record
class AppointmentTypeProduct(Record):
    """A product that appointments of a type are charged with."""

    id: str
    links: SelfLink
    created_at: DateTime
    quantity: Decimal
    updated_at: DateTime
    appointment_type: Link["AppointmentType"] | None = None
    discount_percentage: Decimal | None = None
    discounted_amount: Decimal | None = None
    is_monetary_discount: bool | None = None
    product: Link["Product"] | None = None


class AppointmentTypeProductUpdateFields(Fields, total=False):
    """The fields that can be sent to update an appointment type product."""

    discount_percentage: Annotated[Money, Range(0, 100)] | None
    discounted_amount: Money | None
    product_id: Id
    quantity: Annotated[Money, Range(-4_000_000_000, 4_000_000_000, high_excluded=True)]


class AppointmentTypeProductCreateFields(AppointmentTypeProductUpdateFields, total=False):
    """The fields that can be sent to create an appointment type product."""

    appointment_type_id: Id


class AppointmentTypeProductFilters(Filters):
    """The columns that appointment type products can be filtered and sorted by."""

    appointment_type_id = IntField()
    created_at = DateTimeField()
    id = IntField()
    product_id = IntField()
    updated_at = DateTimeField()


class AppointmentTypeProducts(
    ChangesMixin[AppointmentTypeProduct],
    ListMixin[AppointmentTypeProduct],
    GetMixin[AppointmentTypeProduct],
    DeleteMixin[AppointmentTypeProduct],
):
    """The appointment type products of an account."""

    name = "appointment_type_products"
    record = AppointmentTypeProduct
    where = AppointmentTypeProductFilters()

    async def create(self, **fields: Unpack[AppointmentTypeProductCreateFields]) -> AppointmentTypeProduct:
        """Create an appointment type product."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[AppointmentTypeProductUpdateFields]) -> AppointmentTypeProduct:
        """Update an appointment type product. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
