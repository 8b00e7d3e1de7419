"""Contacts: doctors, payers and others outside the clinic."""

from collections.abc import Sequence
from typing import Annotated, Literal, Unpack

import attrs

from .._dates import DateTime
from .._records.record import Part, Record, record
from ..fields import AsRead, Fields, Id, MaxLength
from ..filters import DateTimeField, Filters, IntField, StringField
from ..links import SelfLink
from ._changes import ChangesMixin
from ._mixins import ArchivedDeletedGetMixin, ArchivedDeletedListMixin, ArchiveMixin, DeprecatedDeleteMixin


@record
class ContactPhoneNumber(Part):
    """A phone number and its type."""

    normalized_number: str | None = attrs.field(default=None, metadata={"read_only": True})
    number: str | None = None
    phone_type: str | None = None


@record
class Contact(Record):
    """A person or company that is not a patient."""

    id: str
    links: SelfLink
    created_at: DateTime
    updated_at: DateTime
    address_1: str | None = None
    address_2: str | None = None
    address_3: str | None = None
    archived_at: DateTime | None = None
    city: str | None = None
    company_name: str | None = None
    country: str | None = None
    country_code: str | None = None
    deleted_at: DateTime | None = None
    doctor_type: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    notes: str | None = None
    occupation: str | None = None
    phone_numbers: tuple[ContactPhoneNumber, ...] | None = None
    post_code: str | None = None
    preferred_name: str | None = None
    provider_number: str | None = None
    state: str | None = None
    title: str | None = None
    type: str | None = None
    type_code: int | None = None


class ContactPhoneNumberFields(Fields, total=False):
    """The fields of a phone number that can be sent."""

    number: str
    phone_type: Literal["Mobile", "Home", "Work", "Other", "Fax"]


class ContactFields(Fields, total=False):
    """The fields of a contact that can be sent."""

    address_1: Annotated[str, MaxLength(255)] | None
    address_2: Annotated[str, MaxLength(255)] | None
    address_3: Annotated[str, MaxLength(255)] | None
    city: Annotated[str, MaxLength(255)] | None
    company_name: Annotated[str, MaxLength(255)] | None
    country_code: Annotated[str, MaxLength(2)] | None
    doctor_type: Literal["general_practitioner", "specialist"] | None
    email: Annotated[str, MaxLength(255)] | None
    first_name: Annotated[str, MaxLength(255)] | None
    last_name: Annotated[str, MaxLength(255)] | None
    notes: str | None
    occupation: Annotated[str, MaxLength(255)] | None
    phone_numbers: Sequence[ContactPhoneNumberFields | AsRead[ContactPhoneNumber]]
    post_code: Annotated[str, MaxLength(255)] | None
    preferred_name: str | None
    provider_number: Annotated[str, MaxLength(255)] | None
    state: Annotated[str, MaxLength(255)] | None
    title: str | None
    type_code: Literal[0, 1, 2] | None


class ContactFilters(Filters):
    """The columns that contacts can be filtered and sorted by."""

    archived_at = DateTimeField()
    company_name = StringField()
    created_at = DateTimeField()
    deleted_at = DateTimeField()
    email = StringField()
    first_name = StringField()
    id = IntField()
    last_name = StringField()
    occupation = StringField()
    type_code = IntField()
    updated_at = DateTimeField()


class Contacts(
    ChangesMixin[Contact],
    ArchivedDeletedListMixin[Contact],
    ArchivedDeletedGetMixin[Contact],
    ArchiveMixin[Contact],
    DeprecatedDeleteMixin[Contact],
):
    """The contacts of an account."""

    name = "contacts"
    record = Contact
    where = ContactFilters()

    async def create(self, **fields: Unpack[ContactFields]) -> Contact:
        """Create a contact."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[ContactFields]) -> Contact:
        """Update a contact. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
