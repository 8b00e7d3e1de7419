"""Relationships: how patients are related to one another."""

from typing import TYPE_CHECKING, Literal, Unpack

from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Fields, Id
from ..filters import DateTimeField, Filters, IntField
from ..links import Link, SelfLink
from ._changes import ChangesMixin
from ._mixins import ArchivedGetMixin, ArchivedListMixin, ArchiveMixin

if TYPE_CHECKING:
    from .patient import Patient


@record
class Relationship(Record):
    """The relation of one patient to another."""

    id: str
    links: SelfLink
    created_at: DateTime
    updated_at: DateTime
    archived_at: DateTime | None = None
    patient: Link["Patient"] | None = None
    related_patient: Link["Patient"] | None = None
    relation: int | None = None
    relation_description: str | None = None


class RelationshipFields(Fields, total=False):
    """The fields of a relationship that can be sent."""

    patient_id: Id
    related_patient_id: Id
    relation: Literal[10, 20, 30, 40, 50, 60, 70]


class RelationshipFilters(Filters):
    """The columns that relationships can be filtered and sorted by."""

    archived_at = DateTimeField()
    created_at = DateTimeField()
    id = IntField()
    patient_id = IntField()
    updated_at = DateTimeField()


class Relationships(
    ChangesMixin[Relationship],
    ArchivedListMixin[Relationship],
    ArchivedGetMixin[Relationship],
    ArchiveMixin[Relationship],
):
    """The relationships of an account."""

    name = "relationships"
    record = Relationship
    where = RelationshipFilters()

    async def create(self, **fields: Unpack[RelationshipFields]) -> Relationship:
        """Create a relationship."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[RelationshipFields]) -> Relationship:
        """Update a relationship. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
