"""Group appointments: one practitioner, several patients."""

from typing import Annotated, Literal, Unpack

from ..fields import AsRead, Fields, Id, Moment, Range
from ..filters import ArrayField, DateTimeField, Filters, IntField
from ._base import ArchivedDeletedGetMixin, ArchivedDeletedListMixin, ArchiveMixin, DeprecatedDeleteMixin
from ._bookings import BookingRepeatRule, Conflicts, GroupAppointment
from ._changes import ChangesMixin


class GroupAppointmentRepeatRuleFields(Fields, total=False):
    """What may be sent of a repeat rule."""

    number_of_repeats: Annotated[int, Range(0, 51, low_excluded=True)] | None
    repeat_type: Literal["Daily", "Monthly", "Weekly"] | None
    repeating_interval: Annotated[int, Range(0, 100, low_excluded=True)] | None


class GroupAppointmentFields(Fields, total=False):
    """What may be sent of a group appointment, new or not."""

    appointment_type_id: Id
    business_id: Id
    max_attendees: Annotated[int, Range(1, 100, low_excluded=True, high_excluded=True)]
    notes: str | None
    practitioner_id: Id
    repeat_rule: GroupAppointmentRepeatRuleFields | AsRead[BookingRepeatRule] | None
    starts_at: Moment


class GroupAppointmentCreateFields(GroupAppointmentFields, total=False):
    """What may be sent to create a group appointment."""

    ends_at: Moment


class GroupAppointmentUpdateFields(GroupAppointmentFields, total=False):
    """What may be sent to change a group appointment."""

    ends_at: Moment | None


class GroupAppointmentFilters(Filters):
    """What group appointments can be searched by."""

    appointment_type_id = IntField()
    archived_at = DateTimeField()
    business_id = IntField()
    created_at = DateTimeField()
    deleted_at = DateTimeField()
    ends_at = DateTimeField()
    id = IntField()
    patient_ids = ArrayField()
    practitioner_id = IntField()
    repeated_from_id = IntField()
    starts_at = DateTimeField()
    updated_at = DateTimeField()


class GroupAppointments(
    ChangesMixin[GroupAppointment],
    ArchivedDeletedListMixin[GroupAppointment],
    ArchivedDeletedGetMixin[GroupAppointment],
    ArchiveMixin[GroupAppointment],
    DeprecatedDeleteMixin[GroupAppointment],
):
    """The group appointments of an account."""

    name = "group_appointments"
    record = GroupAppointment
    where = GroupAppointmentFilters()

    async def create(self, **fields: Unpack[GroupAppointmentCreateFields]) -> GroupAppointment:
        """Create a group appointment."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[GroupAppointmentUpdateFields]) -> GroupAppointment:
        """Change a group appointment: a field left out stays as it is, None clears one."""
        return await self._update(id, fields)

    async def conflicts(self, id: Id, /) -> Conflicts:
        """Tell whether a group appointment overlaps with others."""
        return await self._read(Conflicts, self._member(id, "/conflicts"))
