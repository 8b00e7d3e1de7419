"""Product suppliers: where a clinic buys its products."""

from typing import Unpack

from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Fields, Id
from ..filters import DateTimeField, Filters, IntField, StringField
from ..links import SelfLink
from ._changes import ChangesMixin
from ._mixins import ArchiveMixin, DeprecatedDeleteMixin, GetMixin, ListMixin


@record
class ProductSupplier(Record):
    """A company that a clinic buys products from."""

    id: str
    links: SelfLink
    created_at: DateTime
    name: str
    updated_at: DateTime


class ProductSupplierFields(Fields, total=False):
    """The fields of a product supplier that can be sent."""

    name: str


class ProductSupplierFilters(Filters):
    """The columns that product suppliers can be filtered and sorted by."""

    created_at = DateTimeField()
    id = IntField()
    name = StringField()
    updated_at = DateTimeField()


class ProductSuppliers(
    ChangesMixin[ProductSupplier],
    ListMixin[ProductSupplier],
    GetMixin[ProductSupplier],
    ArchiveMixin[ProductSupplier],
    DeprecatedDeleteMixin[ProductSupplier],
):
    """The product suppliers of an account."""

    name = "product_suppliers"
    record = ProductSupplier
    where = ProductSupplierFilters()

    async def create(self, **fields: Unpack[ProductSupplierFields]) -> ProductSupplier:
        """Create a product supplier."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[ProductSupplierFields]) -> ProductSupplier:
        """Update a product supplier. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
