"""Medical alerts: warnings for everybody who treats a patient."""

from typing import TYPE_CHECKING, Annotated, Unpack

from .._compat import deprecated
from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Fields, Id, MaxLength, MinLength
from ..filters import Column, DateTimeField, Filterable, Filters, IntField
from ..links import Link, SelfLink
from ..pagination import Paginator
from ._changes import ChangesMixin
from ._list_options import ArchivedDeletedListOptions
from ._mixins import ArchivedDeletedGetMixin, ArchivedDeletedListMixin, ArchiveMixin, DeprecatedDeleteMixin

if TYPE_CHECKING:
    from .patient import Patient


@record
class MedicalAlert(Record):
    """A warning about a patient's health."""

    id: str
    links: SelfLink
    created_at: DateTime
    name: str
    updated_at: DateTime
    archived_at: DateTime | None = None
    deleted_at: DateTime | None = None
    patient: Link["Patient"] | None = None


class MedicalAlertFields(Fields, total=False):
    """The fields of a medical alert that can be sent."""

    name: Annotated[str, MinLength(1), MaxLength(255)]
    patient_id: Id


class MedicalAlertFilters(Filters):
    """The columns that medical alerts can be filtered and sorted by."""

    archived_at = DateTimeField()
    created_at = DateTimeField()
    deleted_at = DateTimeField()
    id = IntField()
    name = Column()
    patient_id = IntField()
    updated_at = DateTimeField()


class MedicalAlerts(
    ChangesMixin[MedicalAlert],
    ArchivedDeletedListMixin[MedicalAlert],
    ArchivedDeletedGetMixin[MedicalAlert],
    ArchiveMixin[MedicalAlert],
    DeprecatedDeleteMixin[MedicalAlert],
):
    """The medical alerts of an account."""

    name = "medical_alerts"
    record = MedicalAlert
    where = MedicalAlertFilters()

    @deprecated("the API has deprecated this path; use list with a filter on patient_id")
    def list_for_patient(
        self, patient_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedDeletedListOptions]
    ) -> Paginator[MedicalAlert]:
        """Return a paginator over the medical alerts of a patient."""
        return self._list(f"/patients/{self._id(patient_id, 'patient_id')}/medical_alerts", filters, options)

    async def create(self, **fields: Unpack[MedicalAlertFields]) -> MedicalAlert:
        """Create a medical alert."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[MedicalAlertFields]) -> MedicalAlert:
        """Update a medical alert. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
