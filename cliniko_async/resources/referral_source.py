"""Referral sources: how patients came to the clinic."""

from typing import TYPE_CHECKING, Unpack

from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Fields, Id
from ..filters import DateTimeField, Filters, IntField
from ..links import Link, SelfLink
from ._changes import ChangesMixin
from ._list_options import Archived
from ._mixins import ArchivedListMixin

if TYPE_CHECKING:
    from .contact import Contact
    from .patient import Patient
    from .referral_source_type import ReferralSourceType


@record
class ReferralSource(Record):
    """How one patient came to the clinic."""

    id: str
    links: SelfLink
    created_at: DateTime
    updated_at: DateTime
    archived_at: DateTime | None = None
    notes: str | None = None
    patient: Link["Patient"] | None = None
    referral_source_type: Link["ReferralSourceType"] | None = None
    referrer: Link["Patient | Contact"] | None = None
    referrer_type: str | None = None
    subcategory: str | None = None


class ReferralSourceFields(Fields, total=False):
    """The fields of a referral source that can be sent."""

    notes: str | None
    referral_source_type_id: Id
    referrer_id: Id
    subcategory: str | None


class ReferralSourceFilters(Filters):
    """The columns that referral sources can be filtered and sorted by."""

    archived_at = DateTimeField()
    created_at = DateTimeField()
    id = IntField()
    referral_source_type_id = IntField()
    referrer_id = IntField()
    updated_at = DateTimeField()


class ReferralSources(ChangesMixin[ReferralSource], ArchivedListMixin[ReferralSource]):
    """The referral sources of an account."""

    name = "referral_sources"
    record = ReferralSource
    where = ReferralSourceFilters()

    async def get(self, patient_id: Id, /, **visibility: Unpack[Archived]) -> ReferralSource:
        """Return the referral source of a patient, or raise `NotFoundError` if there is none."""
        return await self._get(self._of(patient_id), visibility)

    async def update(self, patient_id: Id, /, **fields: Unpack[ReferralSourceFields]) -> ReferralSource:
        """Update the referral source of a patient. Omitted fields stay unchanged; None clears a field."""
        return await self._record_for(self._write("update", fields, "PATCH", self._of(patient_id)))

    def _of(self, patient_id: Id) -> str:
        return f"/patients/{self._id(patient_id, 'patient_id')}/referral_source"
