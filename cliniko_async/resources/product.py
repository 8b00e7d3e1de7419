"""Products: the goods that a clinic keeps in stock and sells."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Unpack

import attrs

from .._dates import DateTime
from .._records.record import DEPRECATED, Record, record
from ..fields import DecimalNumber, Deprecated, Fields, Id, MaxLength, Money, Range
from ..filters import DateTimeField, Filters, IntField, StringField
from ..links import Link, ListLink, SelfLink
from ._changes import ChangesMixin
from ._mixins import ArchivedGetMixin, ArchivedListMixin, ArchiveMixin, DeprecatedDeleteMixin

if TYPE_CHECKING:
    from .product_supplier import ProductSupplier
    from .stock_adjustment import StockAdjustment
    from .tax import Tax


@record
class Product(Record):
    """A product that a clinic sells.

    The API has deprecated `product_supplier_name`.
    """

    id: str
    links: SelfLink
    created_at: DateTime
    name: str
    updated_at: DateTime
    archived_at: DateTime | None = None
    cost_price: Decimal | None = None
    item_code: str | None = None
    notes: str | None = None
    price_ex_tax: Decimal | None = None
    price_including_tax: Decimal | None = None
    product_supplier: Link["ProductSupplier"] | None = None
    product_supplier_id: str | None = None
    product_supplier_name: str | None = attrs.field(default=None, metadata=DEPRECATED)
    serial_number: str | None = None
    stock_adjustments: ListLink["StockAdjustment"] | None = None
    stock_level: Decimal | None = None
    tax: Link["Tax"] | None = None


class ProductFields(Fields, total=False):
    """The fields of a product that can be sent.

    The API has deprecated `product_supplier_name`.
    """

    cost_price: Annotated[Money, Range(0, 4_000_000_000, high_excluded=True)] | None
    item_code: Annotated[str, MaxLength(100)] | None
    name: Annotated[str, MaxLength(255)]
    notes: str | None
    price: Annotated[Decimal | int, DecimalNumber()]
    price_includes_tax: bool | None
    product_supplier_id: Id
    product_supplier_name: Annotated[str, Deprecated()]
    serial_number: Annotated[str, MaxLength(255)] | None
    stock_level: Annotated[Money, Range(-4_000_000_000, 4_000_000_000, low_excluded=True, high_excluded=True)] | None
    tax_id: Id


class ProductFilters(Filters):
    """The columns that products can be filtered and sorted by."""

    archived_at = DateTimeField()
    created_at = DateTimeField()
    id = IntField()
    name = StringField()
    tax_id = IntField()
    updated_at = DateTimeField()


class Products(
    ChangesMixin[Product],
    ArchivedListMixin[Product],
    ArchivedGetMixin[Product],
    ArchiveMixin[Product],
    DeprecatedDeleteMixin[Product],
):
    """The products of an account."""

    name = "products"
    record = Product
    where = ProductFilters()

    async def create(self, **fields: Unpack[ProductFields]) -> Product:
        """Create a product."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[ProductFields]) -> Product:
        """Update a product. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
