"""Unavailable block types: the reasons why practitioners cannot be booked."""

from typing import Annotated, Unpack

from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Fields, Id, MaxLength, Pattern, Range
from ..filters import Column, DateTimeField, Filters, IntField
from ..links import SelfLink
from ._changes import ChangesMixin
from ._mixins import ArchivedGetMixin, ArchivedListMixin, ArchiveMixin


@record
class UnavailableBlockType(Record):
    """A reason why a practitioner cannot be booked."""

    id: str
    links: SelfLink
    color: str
    created_at: DateTime
    duration_in_minutes: int
    name: str
    updated_at: DateTime
    archived_at: DateTime | None = None
    system_controlled: bool | None = None


class UnavailableBlockTypeFields(Fields, total=False):
    """The fields of an unavailable block type that can be sent."""

    color: Annotated[str, Pattern(r"^#([A-Fa-f0-9]{6}|[A-Fa-f0-9]{3})$")]
    duration_in_minutes: Annotated[int, Range(0, 1440, low_excluded=True, high_excluded=True)]
    name: Annotated[str, MaxLength(255)]


class UnavailableBlockTypeFilters(Filters):
    """The columns that unavailable block types can be filtered and sorted by."""

    archived_at = DateTimeField()
    created_at = DateTimeField()
    id = IntField()
    name = Column()
    updated_at = DateTimeField()


class UnavailableBlockTypes(
    ChangesMixin[UnavailableBlockType],
    ArchivedListMixin[UnavailableBlockType],
    ArchivedGetMixin[UnavailableBlockType],
    ArchiveMixin[UnavailableBlockType],
):
    """The unavailable block types of an account."""

    name = "unavailable_block_types"
    record = UnavailableBlockType
    where = UnavailableBlockTypeFilters()

    async def create(self, **fields: Unpack[UnavailableBlockTypeFields]) -> UnavailableBlockType:
        """Create an unavailable block type."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[UnavailableBlockTypeFields]) -> UnavailableBlockType:
        """Update an unavailable block type. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
