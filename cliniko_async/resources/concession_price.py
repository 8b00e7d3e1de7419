"""Concession prices: what a billable item costs patients with a concession."""

from decimal import Decimal
from typing import TYPE_CHECKING

from .._dates import DateTime
from .._records.record import Record, record
from ..filters import DateTimeField, Filters, IntField
from ..links import Link, SelfLink
from ._changes import ChangesMixin
from ._mixins import GetMixin, ListMixin

if TYPE_CHECKING:
    from .billable_item import BillableItem
    from .concession_type import ConcessionType


@record
class ConcessionPrice(Record):
    """The price of a billable item for one kind of concession."""

    id: str
    links: SelfLink
    created_at: DateTime
    updated_at: DateTime
    billable_item: Link["BillableItem"] | None = None
    concession_type: Link["ConcessionType"] | None = None
    price: Decimal | None = None


class ConcessionPriceFilters(Filters):
    """The columns that concession prices can be filtered and sorted by."""

    billable_item_id = IntField()
    concession_type_id = IntField()
    created_at = DateTimeField()
    id = IntField()
    updated_at = DateTimeField()


class ConcessionPrices(ChangesMixin[ConcessionPrice], ListMixin[ConcessionPrice], GetMixin[ConcessionPrice]):
    """The concession prices of an account."""

    name = "concession_prices"
    record = ConcessionPrice
    where = ConcessionPriceFilters()
