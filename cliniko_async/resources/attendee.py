"""Attendees: who is booked for an appointment, and whether they came."""

from typing import TYPE_CHECKING, Unpack

import attrs

from .._compat import deprecated
from .._dates import DateTime
from .._records.record import DEPRECATED, Record, record
from ..fields import Fields, Id
from ..filters import DateTimeField, Filterable, Filters, IntField
from ..links import Link, ListLink, SelfLink
from ..pagination import Paginator
from ._bookings import CancelFields
from ._changes import ChangesMixin
from ._list_options import ArchivedCancelledDeletedListOptions
from ._mixins import (
    ArchivedCancelledDeletedGetMixin,
    ArchivedCancelledDeletedListMixin,
    ArchiveMixin,
    DeprecatedDeleteMixin,
)

if TYPE_CHECKING:
    from ._bookings import Booking
    from .invoice import Invoice
    from .patient import Patient
    from .patient_case import PatientCase
    from .patient_form import PatientForm


@record
class Attendee(Record):
    """A patient's attendance of an appointment.

    The API has deprecated `email_reminder_sent` and `sms_reminder_sent`.
    """

    id: str
    links: SelfLink
    created_at: DateTime
    updated_at: DateTime
    archived_at: DateTime | None = None
    arrived: bool | None = None
    booking: Link["Booking"] | None = None
    booking_ip_address: str | None = None
    cancellation_note: str | None = None
    cancellation_reason: int | None = None
    cancellation_reason_description: str | None = None
    cancellation_url: str | None = None
    cancelled_at: DateTime | None = None
    deleted_at: DateTime | None = None
    email_reminder_sent: bool | None = attrs.field(default=None, metadata=DEPRECATED)
    invoice_status: int | None = None
    invoices: ListLink["Invoice"] | None = None
    notes: str | None = None
    online_booking_policy_accepted: bool | None = None
    patient: Link["Patient"] | None = None
    patient_case: Link["PatientCase"] | None = None
    patient_forms: ListLink["PatientForm"] | None = None
    sent_email_follow_ups_count: int | None = None
    sent_email_reminders_count: int | None = None
    sent_sms_follow_ups_count: int | None = None
    sent_sms_reminders_count: int | None = None
    sms_reminder_sent: bool | None = attrs.field(default=None, metadata=DEPRECATED)
    telehealth_url: str | None = None
    treatment_note_status: int | None = None


class AttendeeUpdateFields(Fields, total=False):
    """The fields that can be sent to update an attendee."""

    arrived: bool | None
    notes: str | None
    patient_case_id: Id


class AttendeeCreateFields(AttendeeUpdateFields, total=False):
    """The fields that can be sent to create an attendee."""

    booking_id: Id
    patient_id: Id


class AttendeeFilters(Filters):
    """The columns that attendees can be filtered and sorted by."""

    appointment_id = IntField()
    archived_at = DateTimeField()
    booking_id = IntField()
    cancelled_at = DateTimeField()
    created_at = DateTimeField()
    deleted_at = DateTimeField()
    id = IntField()
    patient_case_id = IntField()
    patient_id = IntField()
    updated_at = DateTimeField()


class Attendees(
    ChangesMixin[Attendee],
    ArchivedCancelledDeletedListMixin[Attendee],
    ArchivedCancelledDeletedGetMixin[Attendee],
    ArchiveMixin[Attendee],
    DeprecatedDeleteMixin[Attendee],
):
    """The attendees of an account."""

    name = "attendees"
    record = Attendee
    where = AttendeeFilters()

    @deprecated("the API has deprecated this path; use list with a filter on booking_id")
    def list_for_group_appointment(
        self, group_appointment_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedCancelledDeletedListOptions]
    ) -> Paginator[Attendee]:
        """Return a paginator over the attendees of a group appointment."""
        return self._list(
            f"/group_appointments/{self._id(group_appointment_id, 'group_appointment_id')}/attendees", filters, options
        )

    @deprecated("the API has deprecated this path; use list with a filter on booking_id")
    def list_for_individual_appointment(
        self,
        individual_appointment_id: Id,
        /,
        *filters: Filterable,
        **options: Unpack[ArchivedCancelledDeletedListOptions],
    ) -> Paginator[Attendee]:
        """Return a paginator over the attendees of an individual appointment."""
        return self._list(
            f"/individual_appointments/{self._id(individual_appointment_id, 'individual_appointment_id')}/attendees",
            filters,
            options,
        )

    @deprecated("the API has deprecated this path; use list with a filter on patient_case_id")
    def list_for_patient_case(
        self, patient_case_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedCancelledDeletedListOptions]
    ) -> Paginator[Attendee]:
        """Return a paginator over the attendees of a patient case."""
        return self._list(f"/patient_cases/{self._id(patient_case_id, 'patient_case_id')}/attendees", filters, options)

    async def create(self, **fields: Unpack[AttendeeCreateFields]) -> Attendee:
        """Create an attendee."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[AttendeeUpdateFields]) -> Attendee:
        """Update an attendee. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)

    async def cancel(self, id: Id, /, **fields: Unpack[CancelFields]) -> None:
        """Cancel an attendance of a group appointment.

        This may notify the patient, so it is never repeated automatically.
        """
        await self._done(self._write("cancel", fields, "PATCH", self._member(id, "/cancel")))
