"""Bookings: the entries in the calendar, of every kind."""

from typing import Unpack

from .._compat import deprecated
from ..fields import Id
from ..filters import ArrayField, BooleanField, DateTimeField, Filterable, Filters, IntField
from ..pagination import Paginator
from ._bookings import Booking
from ._changes import ChangesMixin
from ._list_options import ArchivedCancelledDeletedListOptions
from ._mixins import ArchivedCancelledDeletedGetMixin, ArchivedCancelledDeletedListMixin


class BookingFilters(Filters):
    """The columns that bookings can be filtered and sorted by."""

    appointment_type_id = IntField()
    archived_at = DateTimeField()
    business_id = IntField()
    cancelled_at = DateTimeField()
    created_at = DateTimeField()
    deleted_at = DateTimeField()
    did_not_arrive = BooleanField()
    email_reminder_sent = BooleanField()
    ends_at = DateTimeField()
    id = IntField()
    invoice_status = IntField()
    patient_ids = ArrayField()
    practitioner_id = IntField()
    repeated_from_id = IntField()
    sms_reminder_sent = BooleanField()
    starts_at = DateTimeField()
    treatment_note_status = IntField()
    updated_at = DateTimeField()


class Bookings(
    ChangesMixin[Booking], ArchivedCancelledDeletedListMixin[Booking], ArchivedCancelledDeletedGetMixin[Booking]
):
    """The bookings of an account."""

    name = "bookings"
    record = Booking
    where = BookingFilters()

    @deprecated("the API has deprecated this path")
    def list_for_patient_case(
        self, patient_case_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedCancelledDeletedListOptions]
    ) -> Paginator[Booking]:
        """Return a paginator over the bookings of a patient case."""
        return self._list(f"/patient_cases/{self._id(patient_case_id, 'patient_case_id')}/bookings", filters, options)
