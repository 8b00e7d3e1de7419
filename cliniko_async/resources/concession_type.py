"""Concession types: the groups of patients who pay less."""

from typing import Annotated, Unpack

from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Fields, Id, MaxLength
from ..filters import Column, DateTimeField, Filters, IntField
from ..links import SelfLink
from ._base import ArchivedGetMixin, ArchivedListMixin
from ._changes import ChangesMixin


@record
class ConcessionType(Record):
    """A group of patients with prices of their own."""

    id: str
    links: SelfLink
    created_at: DateTime
    name: str
    updated_at: DateTime
    archived_at: DateTime | None = None


class ConcessionTypeFields(Fields, total=False):
    """What may be sent of a concession type."""

    name: Annotated[str, MaxLength(255)]


class ConcessionTypeFilters(Filters):
    """What concession types can be searched by."""

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
        """Change a concession type: a field left out stays as it is, None clears one."""
        return await self._update(id, fields)
