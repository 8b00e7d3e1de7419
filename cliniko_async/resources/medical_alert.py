"""Medical alerts: what everybody who treats a patient must know."""

from typing import TYPE_CHECKING, Annotated, Unpack

from .._compat import deprecated
from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Fields, Id, MaxLength, MinLength
from ..filters import Column, DateTimeField, Filterable, Filters, IntField
from ..links import Link, SelfLink
from ..pagination import Paginator
from ._base import ArchivedDeletedGetMixin, ArchivedDeletedListMixin, ArchiveMixin, DeprecatedDeleteMixin
from ._changes import ChangesMixin
from ._list_options import ArchivedDeletedListOptions

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
    """What may be sent of a medical alert."""

    name: Annotated[str, MinLength(1), MaxLength(255)]
    patient_id: Id


class MedicalAlertFilters(Filters):
    """What medical alerts can be searched by."""

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

    @deprecated("the API gives this path up: use list with a filter on patient_id")
    def list_for_patient(
        self, patient_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedDeletedListOptions]
    ) -> Paginator[MedicalAlert]:
        """Stream the medical alerts of a patient; `list` with a filter on `patient_id` replaced it."""
        return self._list(f"/patients/{self._id(patient_id, 'patient_id')}/medical_alerts", filters, options)

    async def create(self, **fields: Unpack[MedicalAlertFields]) -> MedicalAlert:
        """Create a medical alert."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[MedicalAlertFields]) -> MedicalAlert:
        """Change a medical alert: a field left out stays as it is, None clears one."""
        return await self._update(id, fields)
