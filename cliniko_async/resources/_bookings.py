"""Booking records: the fields that they share, and the three variants."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal, Required

import attrs

from .._dates import DateTime
from .._messages import as_object
from .._records.record import Part, Record, Value, record
from ..fields import Fields
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
    """Whether a booking overlaps others."""

    exist: bool | None = None


@record
class Conflicts(Value):
    """The conflicts of a booking with others of its practitioner."""

    conflicts: ConflictsFound


class CancelFields(Fields, total=False):
    """The fields that a cancellation of an appointment or an attendance can send; the reason is required.

    The reasons: 10 feeling better, 20 condition worse, 30 sick, 40 away, 50 other, 60 work.
    """

    apply_to_repeats: bool
    cancellation_note: str | None
    cancellation_reason: Required[Literal[10, 20, 30, 40, 50, 60]]


@record
class BookingRepeatRule(Part):
    """How often a booking is repeated."""

    number_of_repeats: int | None = None
    repeat_type: str | None = None
    repeating_interval: int | None = None


@record
class Booking(Record):
    """An entry in the calendar. Every record is one of the three variants."""

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
    def variant(found: Mapping[str, Any]) -> "type[Booking]":
        """Return the variant of a booking. The API sends no type, but each variant has its own keys and its own link.

        Args:
            found: The booking as the API sent it.

        Returns:
            The class of the variant.
        """
        for key, kind in _SURE_KEYS.items():
            if found.get(key) is not None:
                return kind
        given = {key for key, value in found.items() if value is not None}
        if kinds := _kinds_with(given) or _kinds_of_path(found):
            return kinds[0]
        if not given.isdisjoint(_OF_APPOINTMENTS):
            return IndividualAppointment
        kinds = _kinds_with(found.keys())
        return kinds[0] if len(kinds) == 1 else UnavailableBlock


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


_KINDS: tuple[Any, ...] = (GroupAppointment, UnavailableBlock, IndividualAppointment)
_PATHS = {
    "/group_appointments/": GroupAppointment,
    "/unavailable_blocks/": UnavailableBlock,
    "/individual_appointments/": IndividualAppointment,
}
_SURE_KEYS = {
    "max_attendees": GroupAppointment,
    "unavailable_block_type": UnavailableBlock,
    "patient": IndividualAppointment,
}
"""Present in nearly every record, so they are looked for first."""
_OF_APPOINTMENTS = {"appointment_type", "attendees", "telehealth_url"}


_KEYS = {kind: {field.name for field in attrs.fields(kind)} for kind in _KINDS}
_OWN = {kind: keys.difference(*(_KEYS[each] for each in _KINDS if each is not kind)) for kind, keys in _KEYS.items()}
"""The keys that only one variant has."""


def _kinds_with(keys: Collection[str]) -> list[type[Booking]]:
    """Return the variants that are the only ones to have some of these keys, the most certain first."""
    return [kind for kind, own in _OWN.items() if not own.isdisjoint(keys)]


def _kinds_of_path(found: Mapping[str, Any]) -> list[type[Booking]]:
    """Return the variant whose path is in the link to the conflicts."""
    links = as_object((as_object(found.get("conflicts")) or {}).get("links")) or {}
    return [kind for path, kind in _PATHS.items() if path in str(links.get("self"))]
