"""Concession types: the groups of patients who pay less."""

from typing import Annotated, Unpack

from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Fields, Id, MaxLength
from ..filters import Column, DateTimeField, Filters, IntField
from ..links import SelfLink
from ._changes import ChangesMixin
from ._mixins import ArchivedGetMixin, ArchivedListMixin


@record
class ConcessionType(Record):
    """A group of patients who pay concession prices."""

    id: str
    links: SelfLink
    created_at: DateTime
    name: str
    updated_at: DateTime
    archived_at: DateTime | None = None


class ConcessionTypeFields(Fields, total=False):
    """The fields of a concession type that can be sent."""

    name: Annotated[str, MaxLength(255)]


class ConcessionTypeFilters(Filters):
    """The columns that concession types can be filtered and sorted by."""

    archived_at = DateTimeField()
    created_at = DateTimeField()
    id = IntField()
    name = Column()
    updated_at = DateTimeField()


class ConcessionTypes(
    ChangesMixin[ConcessionType], ArchivedListMixin[ConcessionType], ArchivedGetMixin[ConcessionType]
):
    """The concession types of an account."""

    name = "concession_types"
    record = ConcessionType
    where = ConcessionTypeFilters()

    async def create(self, **fields: Unpack[ConcessionTypeFields]) -> ConcessionType:
        """Create a concession type."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[ConcessionTypeFields]) -> ConcessionType:
        """Update a concession type. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
