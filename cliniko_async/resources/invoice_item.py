"""Invoice items: the lines of invoices."""

from decimal import Decimal
from typing import TYPE_CHECKING, Unpack

import attrs

from .._compat import deprecated
from .._dates import DateTime
from .._records.record import DEPRECATED, Record, record
from ..fields import Id
from ..filters import Column, DateTimeField, Filterable, Filters, IntField
from ..links import Link, SelfLink
from ..pagination import Paginator
from ._changes import ChangesMixin
from ._list_options import ArchivedDeletedListOptions
from ._mixins import ArchivedDeletedGetMixin, ArchivedDeletedListMixin

if TYPE_CHECKING:
    from .billable_item import BillableItem
    from .invoice import Invoice
    from .product import Product


@record
class InvoiceItem(Record):
    """One line of an invoice.

    The API has deprecated `tax_amount`.
    """

    id: str
    links: SelfLink
    created_at: DateTime
    quantity: Decimal
    unit_price: Decimal
    updated_at: DateTime
    archived_at: DateTime | None = None
    billable_item: Link["BillableItem"] | None = None
    code: str | None = None
    concession_type_name: str | None = None
    deleted_at: DateTime | None = None
    discount_percentage: Decimal | None = None
    discounted_amount: Decimal | None = None
    invoice: Link["Invoice"] | None = None
    is_monetary_discount: bool | None = None
    name: str | None = None
    net_price: Decimal | None = None
    product: Link["Product"] | None = None
    tax_amount: Decimal | None = attrs.field(default=None, metadata=DEPRECATED)
    tax_name: str | None = None
    tax_rate: Decimal | None = None
    total_including_tax: Decimal | None = attrs.field(default=None, metadata={"number": True})


class InvoiceItemFilters(Filters):
    """The columns that invoice items can be filtered and sorted by."""

    archived_at = DateTimeField()
    created_at = DateTimeField()
    deleted_at = DateTimeField()
    id = IntField()
    invoice_id = IntField()
    name = Column()
    source_item_id = IntField()
    updated_at = DateTimeField()


class InvoiceItems(
    ChangesMixin[InvoiceItem], ArchivedDeletedListMixin[InvoiceItem], ArchivedDeletedGetMixin[InvoiceItem]
):
    """The invoice items of an account."""

    name = "invoice_items"
    record = InvoiceItem
    where = InvoiceItemFilters()

    @deprecated("the API has deprecated this path; use list with a filter on invoice_id")
    def list_for_invoice(
        self, invoice_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedDeletedListOptions]
    ) -> Paginator[InvoiceItem]:
        """Return a paginator over the items of an invoice."""
        return self._list(f"/invoices/{self._id(invoice_id, 'invoice_id')}/invoice_items", filters, options)
