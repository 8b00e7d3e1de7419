"""Practitioners: the users who treat patients."""

from typing import TYPE_CHECKING, Never, Unpack

from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Id
from ..filters import BooleanField, DateTimeField, Filterable, Filters, IntField
from ..links import Link, ListLink, SelfLink
from ..pagination import Paginator
from ._changes import ChangesMixin
from ._list_options import ListOptions
from ._mixins import GetMixin, ListMixin

if TYPE_CHECKING:
    from .appointment_type import AppointmentType
    from .invoice import Invoice
    from .practitioner_reference_number import PractitionerReferenceNumber
    from .user import User


@record
class Practitioner(Record):
    """A user who treats patients."""

    id: str
    links: SelfLink
    created_at: DateTime
    updated_at: DateTime
    active: bool | None = None
    appointment_types: ListLink["AppointmentType"] | None = None
    appointments: ListLink[Never] | None = None
    default_appointment_type: Link["AppointmentType"] | None = None
    description: str | None = None
    designation: str | None = None
    display_name: str | None = None
    first_name: str | None = None
    invoices: ListLink["Invoice"] | None = None
    label: str | None = None
    last_name: str | None = None
    practitioner_reference_numbers: ListLink["PractitionerReferenceNumber"] | None = None
    show_in_online_bookings: bool | None = None
    title: str | None = None
    user: Link["User"] | None = None


class PractitionerFilters(Filters):
    """The columns that practitioners can be filtered and sorted by."""

    active = BooleanField()
    created_at = DateTimeField()
    id = IntField()
    show_in_online_bookings = BooleanField()
    updated_at = DateTimeField()
    user_id = IntField()


class Practitioners(ChangesMixin[Practitioner], ListMixin[Practitioner], GetMixin[Practitioner]):
    """The practitioners of an account."""

    name = "practitioners"
    record = Practitioner
    where = PractitionerFilters()

    def list_inactive(self, *filters: Filterable, **options: Unpack[ListOptions]) -> Paginator[Practitioner]:
        """Return a paginator over the practitioners who no longer work here."""
        return self._list("/practitioners/inactive", filters, options)

    def list_for_appointment_type(
        self, appointment_type_id: Id, /, *filters: Filterable, **options: Unpack[ListOptions]
    ) -> Paginator[Practitioner]:
        """Return a paginator over the practitioners who offer an appointment type."""
        return self._list(
            f"/appointment_types/{self._id(appointment_type_id, 'appointment_type_id')}/practitioners", filters, options
        )

    def list_for_business(
        self, business_id: Id, /, *filters: Filterable, **options: Unpack[ListOptions]
    ) -> Paginator[Practitioner]:
        """Return a paginator over the practitioners who work at a business."""
        return self._list(f"/businesses/{self._id(business_id, 'business_id')}/practitioners", filters, options)

    def list_inactive_for_appointment_type(
        self, appointment_type_id: Id, /, *filters: Filterable, **options: Unpack[ListOptions]
    ) -> Paginator[Practitioner]:
        """Return a paginator over the inactive practitioners who offered an appointment type."""
        return self._list(
            f"/appointment_types/{self._id(appointment_type_id, 'appointment_type_id')}/practitioners/inactive",
            filters,
            options,
        )

    def list_inactive_for_business(
        self, business_id: Id, /, *filters: Filterable, **options: Unpack[ListOptions]
    ) -> Paginator[Practitioner]:
        """Return a paginator over the inactive practitioners who worked at a business."""
        return self._list(
            f"/businesses/{self._id(business_id, 'business_id')}/practitioners/inactive", filters, options
        )
