"""Availability blocks: times outside the usual hours when a practitioner can be booked."""

from typing import TYPE_CHECKING, Annotated, Literal, Unpack

from .._dates import DateTime
from .._records.record import Part, Record, record
from ..fields import AsRead, Fields, Id, Moment, Range
from ..filters import DateTimeField, Filters, IntField
from ..links import Link, SelfLink
from ._changes import ChangesMixin
from ._mixins import GetMixin, ListMixin

if TYPE_CHECKING:
    from .business import Business
    from .practitioner import Practitioner


@record
class AvailabilityBlockRepeatRule(Part):
    """How often an availability block is repeated."""

    number_of_repeats: int | None = None
    repeat_type: str | None = None
    repeating_interval: int | None = None


@record
class AvailabilityBlock(Record):
    """A span of time in which a practitioner can be booked."""

    id: str
    links: SelfLink
    created_at: DateTime
    ends_at: DateTime
    starts_at: DateTime
    updated_at: DateTime
    business: Link["Business"] | None = None
    practitioner: Link["Practitioner"] | None = None
    repeat_rule: AvailabilityBlockRepeatRule | None = None


class AvailabilityBlockRepeatRuleFields(Fields, total=False):
    """The fields of a repeat rule that can be sent."""

    number_of_repeats: Annotated[int, Range(0, 100, low_excluded=True)] | None
    repeat_type: Literal["Daily", "Monthly", "Weekly"] | None
    repeating_interval: Annotated[int, Range(0, 100, low_excluded=True)] | None


class AvailabilityBlockFields(Fields, total=False):
    """The fields of an availability block that can be sent."""

    business_id: Id
    ends_at: Moment
    practitioner_id: Id
    repeat_rule: AvailabilityBlockRepeatRuleFields | AsRead[AvailabilityBlockRepeatRule] | None
    starts_at: Moment


class AvailabilityBlockFilters(Filters):
    """The columns that availability blocks can be filtered and sorted by."""

    business_id = IntField()
    created_at = DateTimeField()
    id = IntField()
    practitioner_id = IntField()
    starts_at = DateTimeField()
    updated_at = DateTimeField()


class AvailabilityBlocks(ChangesMixin[AvailabilityBlock], ListMixin[AvailabilityBlock], GetMixin[AvailabilityBlock]):
    """The availability blocks of an account."""

    name = "availability_blocks"
    record = AvailabilityBlock
    where = AvailabilityBlockFilters()

    async def create(self, **fields: Unpack[AvailabilityBlockFields]) -> AvailabilityBlock:
        """Create an availability block."""
        return await self._create(fields)
