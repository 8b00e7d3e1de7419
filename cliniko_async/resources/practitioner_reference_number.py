"""Practitioner reference numbers: the numbers that insurers and authorities give to practitioners."""

from typing import TYPE_CHECKING, Unpack

from .._compat import deprecated
from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Fields, Id
from ..filters import Column, DateTimeField, Filterable, Filters, IntField, StringField
from ..links import Link, SelfLink
from ..pagination import Paginator
from ._changes import ChangesMixin
from ._list_options import ListOptions
from ._mixins import DeleteMixin, GetMixin, ListMixin

if TYPE_CHECKING:
    from .business import Business
    from .practitioner import Practitioner


@record
class PractitionerReferenceNumber(Record):
    """A number that an insurer or authority has given to a practitioner."""

    id: str
    links: SelfLink
    created_at: DateTime
    updated_at: DateTime
    business: Link["Business"] | None = None
    name: str | None = None
    practitioner: Link["Practitioner"] | None = None
    reference_number: str | None = None


class PractitionerReferenceNumberFields(Fields, total=False):
    """The fields of a practitioner reference number that can be sent."""

    business_id: Id
    name: str | None
    practitioner_id: Id
    reference_number: str | None


class PractitionerReferenceNumberFilters(Filters):
    """The columns that practitioner reference numbers can be filtered and sorted by."""

    business_id = IntField()
    created_at = DateTimeField()
    id = IntField()
    name = Column()
    practitioner_id = IntField()
    reference_number = StringField()
    updated_at = DateTimeField()


class PractitionerReferenceNumbers(
    ChangesMixin[PractitionerReferenceNumber],
    ListMixin[PractitionerReferenceNumber],
    GetMixin[PractitionerReferenceNumber],
    DeleteMixin[PractitionerReferenceNumber],
):
    """The practitioner reference numbers of an account."""

    name = "practitioner_reference_numbers"
    record = PractitionerReferenceNumber
    where = PractitionerReferenceNumberFilters()

    @deprecated("the API has deprecated this path; use list with a filter on practitioner_id")
    def list_for_practitioner(
        self, practitioner_id: Id, /, *filters: Filterable, **options: Unpack[ListOptions]
    ) -> Paginator[PractitionerReferenceNumber]:
        """Return a paginator over the reference numbers of a practitioner."""
        return self._list(
            f"/practitioners/{self._id(practitioner_id, 'practitioner_id')}/practitioner_reference_numbers",
            filters,
            options,
        )

    async def create(self, **fields: Unpack[PractitionerReferenceNumberFields]) -> PractitionerReferenceNumber:
        """Create a practitioner reference number."""
        return await self._create(fields)

    async def update(
        self, id: Id, /, **fields: Unpack[PractitionerReferenceNumberFields]
    ) -> PractitionerReferenceNumber:
        """Update a practitioner reference number. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
