"""Individual appointments: one practitioner, one patient."""

from typing import Annotated, Literal, Unpack

from ..fields import AsRead, Fields, Id, Moment, Range
from ..filters import BooleanField, DateTimeField, Filters, IntField
from ._bookings import BookingRepeatRule, CancelFields, Conflicts, IndividualAppointment
from ._changes import ChangesMixin
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
    """The fields of an individual appointment that both a create and an update can send."""

    appointment_type_id: Id
    business_id: Id
    notes: str | None
    patient_case_id: Id
    patient_id: Id
    practitioner_id: Id
    repeat_rule: IndividualAppointmentRepeatRuleFields | AsRead[BookingRepeatRule] | None
    starts_at: Moment


class IndividualAppointmentCreateFields(IndividualAppointmentFields, total=False):
    """The fields that a create of an individual appointment can send."""

    ends_at: Moment


class IndividualAppointmentUpdateFields(IndividualAppointmentFields, total=False):
    """The fields that an update of an individual appointment can send."""

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
        """Update an individual appointment: a field left out is unchanged, None clears it."""
        return await self._update(id, fields)

    async def cancel(self, id: Id, /, **fields: Unpack[CancelFields]) -> None:
        """Cancel an individual appointment.

        This may notify the patient, so it is never repeated automatically.
        """
        await self._done(self._write("cancel", fields, "PATCH", lambda: self._member(id, "/cancel")))

    async def conflicts(self, id: Id, /) -> Conflicts:
        """Return whether an individual appointment overlaps another booking of its practitioner.

        Args:
            id: The id of the individual appointment.

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
