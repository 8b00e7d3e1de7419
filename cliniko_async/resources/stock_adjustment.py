"""Stock adjustments: changes of the stock of a product, and their reasons."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal, Unpack

from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Deprecated, Fields, Id, Money
from ..filters import DateTimeField, Filters, IntField
from ..links import Link, SelfLink
from ._changes import ChangesMixin
from ._mixins import ArchivedGetMixin, ArchivedListMixin

if TYPE_CHECKING:
    from .product import Product
    from .user import User


@record
class StockAdjustment(Record):
    """A change of the stock of a product."""

    id: str
    links: SelfLink
    adjustment_type: str
    created_at: DateTime
    updated_at: DateTime
    archived_at: DateTime | None = None
    comment: str | None = None
    notes: str | None = None
    product: Link["Product"] | None = None
    quantity: Decimal | None = None
    user: Link["User"] | None = None


class StockAdjustmentFields(Fields, total=False):
    """The fields of a stock adjustment that can be sent.

    The API has deprecated `comment`.
    """

    adjustment_type: Literal["Correction", "Damaged", "Item Sold", "Other", "Out of Date", "Returned", "Stock Purchase"]
    comment: Annotated[str | None, Deprecated()]
    notes: str | None
    product_id: Id
    quantity: Money | None


class StockAdjustmentFilters(Filters):
    """The columns that stock adjustments can be filtered and sorted by."""

    archived_at = DateTimeField()
    created_at = DateTimeField()
    id = IntField()
    product_id = IntField()
    updated_at = DateTimeField()


class StockAdjustments(
    ChangesMixin[StockAdjustment], ArchivedListMixin[StockAdjustment], ArchivedGetMixin[StockAdjustment]
):
    """The stock adjustments of an account."""

    name = "stock_adjustments"
    record = StockAdjustment
    where = StockAdjustmentFilters()

    async def create(self, **fields: Unpack[StockAdjustmentFields]) -> StockAdjustment:
        """Create a stock adjustment."""
        return await self._create(fields)
