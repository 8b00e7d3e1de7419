"""Unavailable blocks: times when a practitioner cannot be booked."""

from typing import Annotated, Literal, Unpack

from ..fields import AsRead, Fields, Id, Moment, Range
from ..filters import DateTimeField, Filters, IntField
from ._bookings import BookingRepeatRule, Conflicts, UnavailableBlock
from ._changes import ChangesMixin
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
        """Update an unavailable block: a field left out is unchanged, None clears it."""
        return await self._update(id, fields)

    async def conflicts(self, id: Id, /) -> Conflicts:
        """Return whether an unavailable block overlaps another booking of its practitioner.

        Args:
            id: The id of the unavailable block.

        Returns:
            A `Conflicts`, whose `conflicts.exist` says so.

        Raises:
            InvalidRequestError: The id is invalid; nothing was sent.
            NotFoundError: The record does not exist, or is archived or deleted.
            ResponseError: The API refused the request for another reason.
            TransportError: No usable response arrived within `timeout`, `deadline` and the retries. It is safe to try
                again.
            DecodingError: The response is not what the API describes.
        """
        return await self._read(Conflicts, self._member(id, "/conflicts"))
