"""Individual appointments: one practitioner, one patient."""

from typing import Annotated, Literal, Unpack

from ..fields import AsRead, Fields, Id, Moment, Range
from ..filters import BooleanField, DateTimeField, Filters, IntField
from ._bookings import BookingRepeatRule, CancelFields, IndividualAppointment
from ._changes import ChangesMixin
from ._conflicts import ConflictsMixin
from ._mixins import (
    ArchivedCancelledDeletedGetMixin,
    ArchivedCancelledDeletedListMixin,
    ArchiveMixin,
    DeprecatedDeleteMixin,
)


class IndividualAppointmentRepeatRuleFields(Fields, total=False):
    """The fields of a repeat rule that can be sent."""

    number_of_repeats: Annotated[int, Range(0, 51, low_excluded=True)] | None
    repeat_type: Literal["Daily", "Monthly", "Weekly"] | None
    repeating_interval: Annotated[int, Range(0, 100, low_excluded=True)] | None


class IndividualAppointmentFields(Fields, total=False):
    """The fields of an individual appointment that can be sent to create or to update it."""

    appointment_type_id: Id
    business_id: Id
    notes: str | None
    patient_case_id: Id
    patient_id: Id
    practitioner_id: Id
    repeat_rule: IndividualAppointmentRepeatRuleFields | AsRead[BookingRepeatRule] | None
    starts_at: Moment


class IndividualAppointmentCreateFields(IndividualAppointmentFields, total=False):
    """The fields that can be sent to create an individual appointment."""

    ends_at: Moment


class IndividualAppointmentUpdateFields(IndividualAppointmentFields, total=False):
    """The fields that can be sent to update an individual appointment."""

    ends_at: Moment | None


class IndividualAppointmentFilters(Filters):
    """The columns that individual appointments can be filtered and sorted by."""

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
    ConflictsMixin[IndividualAppointment],
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
        """Update an individual appointment. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)

    async def cancel(self, id: Id, /, **fields: Unpack[CancelFields]) -> None:
        """Cancel an individual appointment.

        This may notify the patient, so it is never repeated automatically.
        """
        await self._done(self._write("cancel", fields, "PATCH", self._member(id, "/cancel")))
