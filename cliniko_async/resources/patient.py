"""Patients: the people whom a clinic treats."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Never, Required, Unpack
from zoneinfo import ZoneInfo

import attrs

from .._dates import Date, DateTime
from .._records.record import DEPRECATED, Part, Record, record
from ..fields import AsRead, Fields, Id, MaxLength, Pattern
from ..filters import BooleanField, DateField, DateTimeField, Filters, IntField, StringField
from ..links import Link, ListLink, SelfLink
from ._changes import ChangesMixin
from ._custom_fields import PatientCustomFields, PatientCustomFieldsFields
from ._enums import TimeZoneIdentifier
from ._mixins import ArchivedGetMixin, ArchivedListMixin, ArchiveMixin, DeprecatedDeleteMixin, UnarchiveMixin
from ._zones import zone_of

if TYPE_CHECKING:
    from ._bookings import Booking
    from .attendee import Attendee
    from .concession_type import ConcessionType
    from .contact import Contact
    from .invoice import Invoice
    from .medical_alert import MedicalAlert
    from .patient_attachment import PatientAttachment
    from .relationship import Relationship


@record
class PatientPhoneNumber(Part):
    """A phone number and its type."""

    normalized_number: str | None = attrs.field(default=None, metadata={"read_only": True})
    number: str | None = None
    phone_type: str | None = None


@record
class PatientPronouns(Part):
    """The pronouns of a patient."""

    accusative: str | None = None
    nominative: str | None = None
    predicative_possessive: str | None = None
    pronominal_possessive: str | None = None
    reflexive: str | None = None


@record
class Patient(Record):
    """A person whom a clinic treats.

    The API has deprecated `country` and `gender`.
    """

    id: str
    links: SelfLink
    created_at: DateTime
    first_name: str
    last_name: str
    updated_at: DateTime
    accepted_email_marketing: bool | None = None
    accepted_privacy_policy: bool | None = None
    accepted_sms_marketing: bool | None = None
    address_1: str | None = None
    address_2: str | None = None
    address_3: str | None = None
    appointment_notes: str | None = None
    appointments: ListLink[Never] | None = None
    archived_at: DateTime | None = None
    attendees: ListLink["Attendee"] | None = None
    city: str | None = None
    concession_type: Link["ConcessionType"] | None = None
    country: str | None = attrs.field(default=None, metadata=DEPRECATED)
    country_code: str | None = None
    custom_fields: PatientCustomFields | None = None
    date_of_birth: Date | None = None
    deleted_at: DateTime | None = None
    dva_card_number: str | None = None
    email: str | None = None
    emergency_contact: str | None = None
    gender: str | None = attrs.field(default=None, metadata=DEPRECATED)
    gender_identity: str | None = None
    invoice_default_to: str | None = None
    invoice_email: str | None = None
    invoice_extra_information: str | None = None
    invoices: ListLink["Invoice"] | None = None
    label: str | None = None
    latest_booking: Link["Booking"] | None = None
    medical_alerts: ListLink["MedicalAlert"] | None = None
    medicare: str | None = None
    medicare_reference_number: str | None = None
    merged_at: DateTime | None = None
    merged_with_patient: Link["Patient"] | None = None
    notes: str | None = None
    occupation: str | None = None
    old_reference_id: str | None = None
    patient_attachments: ListLink["PatientAttachment"] | None = None
    patient_phone_numbers: tuple[PatientPhoneNumber, ...] | None = None
    post_code: str | None = None
    preferred_first_name: str | None = None
    pronouns: PatientPronouns | None = None
    receives_cancellation_emails: bool | None = None
    receives_confirmation_emails: bool | None = None
    referral_source: str | None = None
    referring_doctor: Link["Contact"] | None = None
    relationships: ListLink["Relationship"] | None = None
    reminder_type: str | None = None
    sex: str | None = None
    state: str | None = None
    time_zone: str | None = None
    title: str | None = None

    @property
    def zone(self) -> ZoneInfo | None:
        """The time zone with the record's IANA name, or None if it has none.

        Raises:
            zoneinfo.ZoneInfoNotFoundError: The time zone data of this Python does not contain it.
        """
        return zone_of(self.time_zone)


class PatientPronounsFields(Fields, total=False):
    """The fields of the pronouns that can be sent."""

    accusative: Required[Annotated[str, MaxLength(50)]]
    nominative: Required[Annotated[str, MaxLength(50)]]
    predicative_possessive: Required[Annotated[str, MaxLength(50)]]
    pronominal_possessive: Required[Annotated[str, MaxLength(50)]]
    reflexive: Required[Annotated[str, MaxLength(50)]]


class PatientPhoneNumberFields(Fields, total=False):
    """The fields of a phone number that can be sent."""

    number: str
    phone_type: Literal["Fax", "Home", "Mobile", "Other", "Work"]


class PatientFields(Fields, total=False):
    """The fields of a patient that can be sent."""

    accepted_email_marketing: bool | None
    accepted_privacy_policy: bool | None
    address_1: Annotated[str, MaxLength(255)] | None
    address_2: Annotated[str, MaxLength(255)] | None
    address_3: Annotated[str, MaxLength(255)] | None
    appointment_notes: str | None
    city: Annotated[str, MaxLength(255)] | None
    concession_type_id: Id
    country: str | None
    country_code: str | None
    custom_fields: PatientCustomFieldsFields | AsRead[PatientCustomFields] | None
    date_of_birth: Date | None
    dva_card_number: (
        Annotated[str, Pattern(r"^[NVQSWT]([A-Z ][0-9]{1,6}|[A-Z]{2}[0-9]{1,5}|[A-Z]{3}[0-9]{1,4})[A-Z]?$")] | None
    )
    email: (
        Annotated[str, MaxLength(255), Pattern(r"(?i)^[A-Z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Z0-9.-]+\.[A-Z]{2,63}$")] | None
    )
    emergency_contact: Annotated[str, MaxLength(255)] | None
    first_name: Annotated[str, MaxLength(255)]
    gender_identity: str | None
    invoice_default_to: str | None
    invoice_email: Annotated[str, Pattern(r"(?i)^[A-Z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Z0-9.-]+\.[A-Z]{2,63}$")] | None
    invoice_extra_information: str | None
    last_name: Annotated[str, MaxLength(255)]
    medicare: Annotated[str, MaxLength(255)] | None
    medicare_reference_number: Annotated[str, MaxLength(255)] | None
    notes: str | None
    occupation: Annotated[str, MaxLength(255)] | None
    old_reference_id: Annotated[str, MaxLength(255)] | None
    patient_phone_numbers: Sequence[PatientPhoneNumberFields | AsRead[PatientPhoneNumber]]
    post_code: str | None
    preferred_first_name: Annotated[str, MaxLength(255)] | None
    pronouns: PatientPronounsFields | AsRead[PatientPronouns] | None
    receives_cancellation_emails: bool | None
    receives_confirmation_emails: bool | None
    referral_source: Annotated[str, MaxLength(255)] | None
    referring_doctor_id: Id
    reminder_type: Literal["None", "SMS", "Email", "SMS & Email"] | None
    sex: str | None
    state: str | None
    time_zone: TimeZoneIdentifier | None
    title: Annotated[str, MaxLength(255)] | None
    unsubscribe_sms_marketing: bool


class PatientFilters(Filters):
    """The columns that patients can be filtered and sorted by."""

    accepted_privacy_policy = BooleanField()
    archived_at = DateTimeField()
    created_at = DateTimeField()
    date_of_birth = DateField()
    email = StringField()
    first_name = StringField()
    id = IntField()
    last_name = StringField()
    old_reference_id = StringField()
    preferred_first_name = StringField()
    updated_at = DateTimeField()


class Patients(
    ChangesMixin[Patient],
    ArchivedListMixin[Patient],
    ArchivedGetMixin[Patient],
    ArchiveMixin[Patient],
    UnarchiveMixin[Patient],
    DeprecatedDeleteMixin[Patient],
):
    """The patients of an account."""

    name = "patients"
    record = Patient
    where = PatientFilters()

    async def create(self, **fields: Unpack[PatientFields]) -> Patient:
        """Create a patient."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[PatientFields]) -> Patient:
        """Update a patient. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
