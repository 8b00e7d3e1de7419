"""Group appointments: one practitioner, several patients."""

from typing import Annotated, Literal, Unpack

from ..fields import AsRead, Fields, Id, Moment, Range
from ..filters import ArrayField, DateTimeField, Filters, IntField
from ._bookings import BookingRepeatRule, GroupAppointment
from ._changes import ChangesMixin
from ._conflicts import ConflictsMixin
from ._mixins import ArchivedDeletedGetMixin, ArchivedDeletedListMixin, ArchiveMixin, DeprecatedDeleteMixin


class GroupAppointmentRepeatRuleFields(Fields, total=False):
    """The fields of a repeat rule that can be sent."""

    number_of_repeats: Annotated[int, Range(0, 51, low_excluded=True)] | None
    repeat_type: Literal["Daily", "Monthly", "Weekly"] | None
    repeating_interval: Annotated[int, Range(0, 100, low_excluded=True)] | None


class GroupAppointmentFields(Fields, total=False):
    """The fields of a group appointment that can be sent to create or to update it."""

    appointment_type_id: Id
    business_id: Id
    max_attendees: Annotated[int, Range(1, 100, low_excluded=True, high_excluded=True)]
    notes: str | None
    practitioner_id: Id
    repeat_rule: GroupAppointmentRepeatRuleFields | AsRead[BookingRepeatRule] | None
    starts_at: Moment


class GroupAppointmentCreateFields(GroupAppointmentFields, total=False):
    """The fields that can be sent to create a group appointment."""

    ends_at: Moment


class GroupAppointmentUpdateFields(GroupAppointmentFields, total=False):
    """The fields that can be sent to update a group appointment."""

    ends_at: Moment | None


class GroupAppointmentFilters(Filters):
    """The columns that group appointments can be filtered and sorted by."""

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
    ConflictsMixin[GroupAppointment],
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
        """Update a group appointment. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
