"""Taxes: the rates that are added to prices."""

from decimal import Decimal
from typing import Annotated, Unpack

import attrs

from .._dates import DateTime
from .._records.record import DEPRECATED, Record, record
from ..fields import Fields, Id, Money, Range
from ..filters import Column, DateTimeField, Filters, IntField
from ..links import SelfLink
from ._base import DeleteMixin, GetMixin, ListMixin
from ._changes import ChangesMixin


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
    """What may be sent of a tax."""

    amount: Annotated[Money, Range(0, 4_000_000_000, high_excluded=True)]
    name: str
    rate: Annotated[Money, Range(0, 4_000_000_000, high_excluded=True)]


class TaxFilters(Filters):
    """What taxes can be searched by."""

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
        """Change a tax: a field left out stays as it is, None clears one."""
        return await self._update(id, fields)
