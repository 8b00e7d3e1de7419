"""Billable items: what can be charged on an invoice apart from products."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal, Unpack

from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Fields, Id, MaxLength, Money, Range
from ..filters import Column, DateTimeField, Filters, IntField
from ..links import Link, SelfLink
from ._changes import ChangesMixin
from ._mixins import ArchivedGetMixin, ArchivedListMixin, ArchiveMixin, DeprecatedDeleteMixin

if TYPE_CHECKING:
    from .tax import Tax


@record
class BillableItem(Record):
    """Something that can be charged on an invoice."""

    id: str
    links: SelfLink
    created_at: DateTime
    item_type: str
    name: str
    price: Decimal
    updated_at: DateTime
    archived_at: DateTime | None = None
    item_code: str | None = None
    tax: Link["Tax"] | None = None


class BillableItemFields(Fields, total=False):
    """The fields of a billable item that can be sent."""

    item_code: Annotated[str, MaxLength(100)] | None
    item_type: Literal["Product", "Service", "Other"]
    name: Annotated[str, MaxLength(255)]
    price: Annotated[Money, Range(-4_000_000_000, 4_000_000_000, high_excluded=True)]
    tax_id: Id


class BillableItemFilters(Filters):
    """The columns that billable items can be filtered and sorted by."""

    archived_at = DateTimeField()
    created_at = DateTimeField()
    id = IntField()
    name = Column()
    tax_id = IntField()
    updated_at = DateTimeField()


class BillableItems(
    ChangesMixin[BillableItem],
    ArchivedListMixin[BillableItem],
    ArchivedGetMixin[BillableItem],
    ArchiveMixin[BillableItem],
    DeprecatedDeleteMixin[BillableItem],
):
    """The billable items of an account."""

    name = "billable_items"
    record = BillableItem
    where = BillableItemFilters()

    async def create(self, **fields: Unpack[BillableItemFields]) -> BillableItem:
        """Create a billable item."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[BillableItemFields]) -> BillableItem:
        """Update a billable item. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
