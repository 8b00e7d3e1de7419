"""Unavailable blocks: times when a practitioner cannot be booked."""

from typing import Annotated, Literal, Unpack

from ..fields import AsRead, Fields, Id, Moment, Range
from ..filters import DateTimeField, Filters, IntField
from ._bookings import BookingRepeatRule, UnavailableBlock
from ._changes import ChangesMixin
from ._conflicts import ConflictsMixin
from ._mixins import ArchivedDeletedGetMixin, ArchivedDeletedListMixin, ArchiveMixin, DeprecatedDeleteMixin


class UnavailableBlockRepeatRuleFields(Fields, total=False):
    """The fields of a repeat rule that can be sent."""

    number_of_repeats: Annotated[int, Range(0, 51, low_excluded=True)] | None
    repeat_type: Literal["Daily", "Monthly", "Weekly"] | None
    repeating_interval: Annotated[int, Range(0, 100, low_excluded=True)] | None


class UnavailableBlockFields(Fields, total=False):
    """The fields of an unavailable block that can be sent."""

    business_id: Id
    ends_at: Moment
    notes: str | None
    practitioner_id: Id
    repeat_rule: UnavailableBlockRepeatRuleFields | AsRead[BookingRepeatRule] | None
    starts_at: Moment
    unavailable_block_type_id: Id


class UnavailableBlockFilters(Filters):
    """The columns that unavailable blocks can be filtered and sorted by."""

    archived_at = DateTimeField()
    business_id = IntField()
    created_at = DateTimeField()
    deleted_at = DateTimeField()
    ends_at = DateTimeField()
    id = IntField()
    practitioner_id = IntField()
    repeated_from_id = IntField()
    starts_at = DateTimeField()
    unavailable_block_type_id = IntField()
    updated_at = DateTimeField()


class UnavailableBlocks(
    ChangesMixin[UnavailableBlock],
    ArchivedDeletedListMixin[UnavailableBlock],
    ArchivedDeletedGetMixin[UnavailableBlock],
    ArchiveMixin[UnavailableBlock],
    ConflictsMixin[UnavailableBlock],
    DeprecatedDeleteMixin[UnavailableBlock],
):
    """The unavailable blocks of an account."""

    name = "unavailable_blocks"
    record = UnavailableBlock
    where = UnavailableBlockFilters()

    async def create(self, **fields: Unpack[UnavailableBlockFields]) -> UnavailableBlock:
        """Create an unavailable block."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[UnavailableBlockFields]) -> UnavailableBlock:
        """Update an unavailable block. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
