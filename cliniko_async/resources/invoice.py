"""Invoices: what patients were charged."""

from decimal import Decimal
from typing import TYPE_CHECKING, Never, Unpack

from .._compat import deprecated
from .._dates import Date, DateTime
from .._records.record import Record, record
from ..fields import Id
from ..filters import DateField, DateTimeField, Filterable, Filters, IntField
from ..links import Link, ListLink, SelfLink
from ..pagination import Paginator
from ._changes import ChangesMixin
from ._list_options import ArchivedDeletedListOptions
from ._mixins import ArchivedDeletedGetMixin, ArchivedDeletedListMixin

if TYPE_CHECKING:
    from .attendee import Attendee
    from .business import Business
    from .invoice_item import InvoiceItem
    from .patient import Patient
    from .practitioner import Practitioner


@record
class Invoice(Record):
    """A bill for a patient, or for somebody who pays for a patient."""

    id: str
    links: SelfLink
    created_at: DateTime
    issue_date: Date
    number: int
    updated_at: DateTime
    appointment: Link[Never] | None = None
    archived_at: DateTime | None = None
    attendee: Link["Attendee"] | None = None
    business: Link["Business"] | None = None
    calculation_method: int | None = None
    calculation_method_description: str | None = None
    closed_at: DateTime | None = None
    deleted_at: DateTime | None = None
    discounted_amount: Decimal | None = None
    invoice_items: ListLink["InvoiceItem"] | None = None
    invoice_to: str | None = None
    net_amount: Decimal | None = None
    notes: str | None = None
    online_payment_url: str | None = None
    original_invoice: Link["Invoice"] | None = None
    patient: Link["Patient"] | None = None
    patient_extra_information: str | None = None
    practitioner: Link["Practitioner"] | None = None
    reversed_invoices: ListLink["Invoice"] | None = None
    signature: Link[Never] | None = None
    status: int | None = None
    status_description: str | None = None
    tax_amount: Decimal | None = None
    total_amount: Decimal | None = None


class InvoiceFilters(Filters):
    """The columns that invoices can be filtered and sorted by."""

    appointment_id = IntField()
    archived_at = DateTimeField()
    attendee_id = IntField()
    business_id = IntField()
    closed_at = DateTimeField()
    created_at = DateTimeField()
    deleted_at = DateTimeField()
    id = IntField()
    issue_date = DateField()
    number = IntField()
    original_invoice_id = IntField()
    patient_id = IntField()
    practitioner_id = IntField()
    status = IntField()
    updated_at = DateTimeField()


class Invoices(ChangesMixin[Invoice], ArchivedDeletedListMixin[Invoice], ArchivedDeletedGetMixin[Invoice]):
    """The invoices of an account."""

    name = "invoices"
    record = Invoice
    where = InvoiceFilters()

    def list_for_appointment(
        self, appointment_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedDeletedListOptions]
    ) -> Paginator[Invoice]:
        """Return a paginator over the invoices of an appointment."""
        return self._list(f"/appointments/{self._id(appointment_id, 'appointment_id')}/invoices", filters, options)

    @deprecated("the API has deprecated this path; use list with a filter on attendee_id")
    def list_for_attendee(
        self, attendee_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedDeletedListOptions]
    ) -> Paginator[Invoice]:
        """Return a paginator over the invoices of an attendee."""
        return self._list(f"/attendees/{self._id(attendee_id, 'attendee_id')}/invoices", filters, options)

    def list_for_patient_case(
        self, patient_case_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedDeletedListOptions]
    ) -> Paginator[Invoice]:
        """Return a paginator over the invoices of a patient case."""
        return self._list(f"/patient_cases/{self._id(patient_case_id, 'patient_case_id')}/invoices", filters, options)

    @deprecated("the API has deprecated this path; use list with a filter on patient_id")
    def list_for_patient(
        self, patient_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedDeletedListOptions]
    ) -> Paginator[Invoice]:
        """Return a paginator over the invoices of a patient."""
        return self._list(f"/patients/{self._id(patient_id, 'patient_id')}/invoices", filters, options)

    @deprecated("the API has deprecated this path; use list with a filter on practitioner_id")
    def list_for_practitioner(
        self, practitioner_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedDeletedListOptions]
    ) -> Paginator[Invoice]:
        """Return a paginator over the invoices of a practitioner."""
        return self._list(f"/practitioners/{self._id(practitioner_id, 'practitioner_id')}/invoices", filters, options)
