"""Individual appointments: one practitioner, one patient."""

from typing import Annotated, Literal, Unpack

from ..fields import AsRead, Fields, Id, Moment, Range
from ..filters import BooleanField, DateTimeField, Filters, IntField
from ._base import (
    ArchivedCancelledDeletedGetMixin,
    ArchivedCancelledDeletedListMixin,
    ArchiveMixin,
    DeprecatedDeleteMixin,
)
from ._bookings import BookingRepeatRule, CancelFields, Conflicts, IndividualAppointment
from ._changes import ChangesMixin


class IndividualAppointmentRepeatRuleFields(Fields, total=False):
    """What may be sent of a repeat rule."""

    number_of_repeats: Annotated[int, Range(0, 51, low_excluded=True)] | None
    repeat_type: Literal["Daily", "Monthly", "Weekly"] | None
    repeating_interval: Annotated[int, Range(0, 100, low_excluded=True)] | None


class IndividualAppointmentFields(Fields, total=False):
    """What may be sent of an individual appointment, new or not."""

    appointment_type_id: Id
    business_id: Id
    notes: str | None
    patient_case_id: Id
    patient_id: Id
    practitioner_id: Id
    repeat_rule: IndividualAppointmentRepeatRuleFields | AsRead[BookingRepeatRule] | None
    starts_at: Moment


class IndividualAppointmentCreateFields(IndividualAppointmentFields, total=False):
    """What may be sent to create an individual appointment."""

    ends_at: Moment


class IndividualAppointmentUpdateFields(IndividualAppointmentFields, total=False):
    """What may be sent to change an individual appointment."""

    ends_at: Moment | None


class IndividualAppointmentFilters(Filters):
    """What individual appointments can be searched by."""

    appointment_type_id = IntField()
    archived_at = DateTimeField()
    business_id = IntField()
    cancelled_at = DateTimeField()
    created_at = DateTimeField()
    deleted_at = DateTimeField()
    did_not_arrive = BooleanField()
    ends_at = DateTimeField()
    id = IntField()
    patient_id = IntField()
    practitioner_id = IntField()
    repeated_from_id = IntField()
    starts_at = DateTimeField()
    updated_at = DateTimeField()


class IndividualAppointments(
    ChangesMixin[IndividualAppointment],
    ArchivedCancelledDeletedListMixin[IndividualAppointment],
    ArchivedCancelledDeletedGetMixin[IndividualAppointment],
    ArchiveMixin[IndividualAppointment],
    DeprecatedDeleteMixin[IndividualAppointment],
):
    """The individual appointments of an account."""

    name = "individual_appointments"
    record = IndividualAppointment
    where = IndividualAppointmentFilters()

    async def create(self, **fields: Unpack[IndividualAppointmentCreateFields]) -> IndividualAppointment:
        """Create an individual appointment."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[IndividualAppointmentUpdateFields]) -> IndividualAppointment:
        """Change an individual appointment: a field left out stays as it is, None clears one."""
        return await self._update(id, fields)

    async def cancel(self, id: Id, /, **fields: Unpack[CancelFields]) -> None:
        """Cancel an individual appointment, which may notify the patient; never sent twice by itself.

        Raises:
            OutcomeUnknownError: no answer told whether it was done.
        """
        await self._done(self._write("cancel", fields, "PATCH", lambda: self._member(id, "/cancel")))

    async def conflicts(self, id: Id, /) -> Conflicts:
        """Tell whether an individual appointment overlaps with others."""
        return await self._read(Conflicts, self._member(id, "/conflicts"))
