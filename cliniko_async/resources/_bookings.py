"""The records of bookings: what all share, and the three kinds."""

from typing import TYPE_CHECKING, Literal, Required

from .._dates import DateTime
from .._fields import Fields
from .._record import Part, Record, Value, record
from ..links import Link, ListLink, SelfLink

if TYPE_CHECKING:
    from .appointment_type import AppointmentType
    from .attendee import Attendee
    from .business import Business
    from .patient import Patient
    from .patient_case import PatientCase
    from .practitioner import Practitioner
    from .unavailable_block_type import UnavailableBlockType


@record
class ConflictsFound(Part):
    """Whether there are any."""

    exist: bool | None = None


@record
class Conflicts(Value):
    """Whether a booking overlaps with others of its practitioner."""

    conflicts: ConflictsFound


class CancelFields(Fields, total=False):
    """What may be sent to cancel an appointment or an attendance; the reason must be.

    The reasons: 10 feeling better, 20 condition worse, 30 sick, 40 away, 50 other, 60 work.
    """

    apply_to_repeats: bool
    cancellation_note: str | None
    cancellation_reason: Required[Literal[10, 20, 30, 40, 50, 60]]


@record
class BookingRepeatRule(Part):
    """How often something is repeated."""

    number_of_repeats: int | None = None
    repeat_type: str | None = None
    repeating_interval: int | None = None


@record
class Booking(Record):
    """An entry of the calendar; it is one of the three kinds below it."""

    id: str
    links: SelfLink
    created_at: DateTime
    ends_at: DateTime
    starts_at: DateTime
    updated_at: DateTime
    archived_at: DateTime | None = None
    business: Link["Business"] | None = None
    conflicts: Link["Conflicts"] | None = None
    deleted_at: DateTime | None = None
    notes: str | None = None
    practitioner: Link["Practitioner"] | None = None
    repeat_rule: BookingRepeatRule | None = None
    repeated_from: Link["Booking"] | None = None
    repeats: ListLink["Booking"] | None = None

    @staticmethod
    def variant(
        *,
        max_attendees: object = None,
        patient_ids: object = None,
        patient: object = None,
        patient_name: object = None,
        appointment_type: object = None,
    ) -> "type[Booking]":
        """Tell which kind it is by the keys that only that kind has: the API gives it no type."""
        if max_attendees is not None or patient_ids is not None:
            return GroupAppointment
        if patient is not None or patient_name is not None or appointment_type is not None:
            return IndividualAppointment
        return UnavailableBlock


@record
class GroupAppointment(Booking):
    """An appointment that several patients attend."""

    max_attendees: int
    appointment_type: Link["AppointmentType"] | None = None
    attendees: ListLink["Attendee"] | None = None
    patient_ids: tuple[str, ...] | None = None
    repeated_from: Link["GroupAppointment"] | None = None
    repeats: ListLink["GroupAppointment"] | None = None
    telehealth_url: str | None = None


@record
class IndividualAppointment(Booking):
    """An appointment of one patient."""

    appointment_type: Link["AppointmentType"] | None = None
    attendees: ListLink["Attendee"] | None = None
    booking_ip_address: str | None = None
    cancellation_note: str | None = None
    cancellation_reason: int | None = None
    cancellation_reason_description: str | None = None
    cancelled_at: DateTime | None = None
    did_not_arrive: bool | None = None
    email_reminder_sent: bool | None = None
    has_patient_appointment_notes: bool | None = None
    invoice_status: int | None = None
    online_booking_policy_accepted: bool | None = None
    patient: Link["Patient"] | None = None
    patient_arrived: bool | None = None
    patient_case: Link["PatientCase"] | None = None
    patient_name: str | None = None
    repeated_from: Link["IndividualAppointment"] | None = None
    repeats: ListLink["IndividualAppointment"] | None = None
    sms_reminder_sent: bool | None = None
    telehealth_url: str | None = None
    treatment_note_status: int | None = None


@record
class UnavailableBlock(Booking):
    """A span of time in which a practitioner cannot be booked."""

    repeated_from: Link["UnavailableBlock"] | None = None
    repeats: ListLink["UnavailableBlock"] | None = None
    unavailable_block_type: Link["UnavailableBlockType"] | None = None
