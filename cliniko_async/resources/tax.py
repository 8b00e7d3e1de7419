"""Taxes: the rates that are added to prices."""

from decimal import Decimal
from typing import Annotated, Unpack

import attrs

from .._dates import DateTime
from .._records.record import DEPRECATED, Record, record
from ..fields import Fields, Id, Money, Range
from ..filters import Column, DateTimeField, Filters, IntField
from ..links import SelfLink
from ._changes import ChangesMixin
from ._mixins import DeleteMixin, GetMixin, ListMixin


@record
class Tax(Record):
    """A tax and its rate.

    The API has deprecated `amount`.
    """

    id: str
    links: SelfLink
    created_at: DateTime
    name: str
    rate: Decimal
    updated_at: DateTime
    amount: Decimal | None = attrs.field(default=None, metadata=DEPRECATED)


class TaxFields(Fields, total=False):
    """The fields of a tax that can be sent."""

    amount: Annotated[Money, Range(0, 4_000_000_000, high_excluded=True)]
    name: str
    rate: Annotated[Money, Range(0, 4_000_000_000, high_excluded=True)]


class TaxFilters(Filters):
    """The columns that taxes can be filtered and sorted by."""

    created_at = DateTimeField()
    id = IntField()
    name = Column()
    updated_at = DateTimeField()


class Taxes(ChangesMixin[Tax], ListMixin[Tax], GetMixin[Tax], DeleteMixin[Tax]):
    """The taxes of an account."""

    name = "taxes"
    record = Tax
    where = TaxFilters()

    async def create(self, **fields: Unpack[TaxFields]) -> Tax:
        """Create a tax."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[TaxFields]) -> Tax:
        """Update a tax. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
