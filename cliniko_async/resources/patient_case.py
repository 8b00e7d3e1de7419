"""Patient cases: courses of treatment, with their limits."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal, Unpack

import attrs

from .._dates import Date, DateTime
from .._records.record import DEPRECATED, Record, record
from ..fields import Fields, Id, Money, Range
from ..filters import DateField, DateTimeField, Filterable, Filters, IntField, StringField
from ..links import Link, ListLink, SelfLink
from ..pagination import Paginator
from ._changes import ChangesMixin
from ._list_options import ArchivedListOptions
from ._mixins import ArchivedGetMixin, ArchivedListMixin, ArchiveMixin

if TYPE_CHECKING:
    from ._bookings import Booking
    from .attendee import Attendee
    from .contact import Contact
    from .invoice import Invoice
    from .patient import Patient
    from .patient_attachment import PatientAttachment


@record
class PatientCase(Record):
    """A course of treatment, often on a referral.

    The API has deprecated `closed`.
    """

    id: str
    links: SelfLink
    created_at: DateTime
    name: str
    updated_at: DateTime
    archived_at: DateTime | None = None
    attendee_ids: tuple[str, ...] | None = None
    attendees: ListLink["Attendee"] | None = None
    bookings: ListLink["Booking"] | None = None
    closed: bool | None = attrs.field(default=None, metadata=DEPRECATED)
    closed_at: DateTime | None = None
    contact: Link["Contact"] | None = None
    expiry_date: Date | None = None
    include_cancelled_attendees: bool | None = None
    include_dna_attendees: bool | None = None
    invoices: ListLink["Invoice"] | None = None
    issue_date: Date | None = None
    max_invoiceable_amount: Decimal | None = None
    max_sessions: int | None = None
    notes: str | None = None
    patient: Link["Patient"] | None = None
    patient_attachments: ListLink["PatientAttachment"] | None = None
    referral: bool | None = None
    referral_type: str | None = None


class PatientCaseFields(Fields, total=False):
    """The fields of a patient case that can be sent."""

    attendee_ids: Sequence[Id] | None
    closed: bool | None
    contact_id: Id
    expiry_date: Date | None
    include_cancelled_attendees: bool | None
    include_dna_attendees: bool | None
    issue_date: Date | None
    max_invoiceable_amount: Annotated[Money, Range(0, None, low_excluded=True)] | None
    max_sessions: Annotated[int, Range(1, 200)] | None
    name: str
    notes: str | None
    patient_attachment_ids: Sequence[Id]
    patient_id: Id
    referral: bool | None
    referral_type: Literal["dva", "medicare"] | None


class PatientCaseFilters(Filters):
    """The columns that patient cases can be filtered and sorted by."""

    archived_at = DateTimeField()
    closed_at = DateTimeField()
    created_at = DateTimeField()
    expiry_date = DateField()
    id = IntField()
    issue_date = DateField()
    name = StringField()
    patient_id = IntField()
    referral_type = StringField()
    updated_at = DateTimeField()


class PatientCases(
    ChangesMixin[PatientCase], ArchivedListMixin[PatientCase], ArchivedGetMixin[PatientCase], ArchiveMixin[PatientCase]
):
    """The patient cases of an account."""

    name = "patient_cases"
    record = PatientCase
    where = PatientCaseFilters()

    def list_active(self, *filters: Filterable, **options: Unpack[ArchivedListOptions]) -> Paginator[PatientCase]:
        """Return a paginator over the patient cases that are active."""
        return self._list("/patient_cases/active", filters, options)

    async def create(self, **fields: Unpack[PatientCaseFields]) -> PatientCase:
        """Create a patient case."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[PatientCaseFields]) -> PatientCase:
        """Update a patient case. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
