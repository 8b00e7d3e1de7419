"""Patient attachments: the files kept with a patient."""

from typing import TYPE_CHECKING, Annotated, Never, TypedDict, Unpack

from .._compat import deprecated
from .._fields import Id, MaxLength
from .._record import DateTime, Record, record
from .._resource import (
    ArchivedGetMixin,
    ArchivedListMixin,
    ArchivedListOptions,
    ArchiveMixin,
    DeprecatedDeleteMixin,
)
from ..filters import DateTimeField, Filterable, Filters, IntField, StringField
from ..links import Link, SelfLink

if TYPE_CHECKING:
    from ..pagination import Paginator
    from .patient import Patient
    from .user import User


@record
class PatientAttachment(Record):
    """A file kept with a patient; it is one of the two kinds below it."""

    id: str
    links: SelfLink
    created_at: DateTime
    updated_at: DateTime
    archived_at: DateTime | None = None
    content: Link["PatientAttachment"] | None = None
    content_type: str | None = None
    description: str | None = None
    filename: str | None = None
    patient: Link["Patient"] | None = None
    pinned_at: DateTime | None = None
    processed_at: DateTime | None = None
    processing_completed: bool | None = None
    size: int | None = None
    user: Link["User"] | None = None

    @staticmethod
    def variant() -> "type[PatientAttachment]":
        """Take it for an uploaded file: the API tells the two kinds apart by nothing, and they have the same fields."""
        return UploadedPatientAttachment


@record
class FullPatientExport(PatientAttachment):
    """A file with everything that is known of a patient."""

    content: Link[Never] | None = None


@record
class UploadedPatientAttachment(PatientAttachment):
    """A file that somebody uploaded."""


@record
class AttachmentPresignedPost(Record):
    """Where a file can be uploaded to, and the form fields to send along with it."""

    fields: dict[str, str] | None = None
    url: str | None = None


class PatientAttachmentUpdateFields(TypedDict, total=False):
    """What may be sent to change a patient attachment."""

    description: Annotated[str, MaxLength(255)] | None


class PatientAttachmentCreateFields(PatientAttachmentUpdateFields, total=False):
    """What may be sent to create a patient attachment."""

    filename: str | None
    patient_id: Id
    upload_url: str


class PatientAttachmentFilters(Filters):
    """What patient attachments can be searched by."""

    archived_at = DateTimeField()
    content_type = StringField()
    created_at = DateTimeField()
    description = StringField()
    filename = StringField()
    id = IntField()
    patient_id = IntField()
    processed_at = DateTimeField()
    size = IntField()
    updated_at = DateTimeField()
    user_id = IntField()


class PatientAttachments(
    ArchivedListMixin[PatientAttachment],
    ArchivedGetMixin[PatientAttachment],
    ArchiveMixin[PatientAttachment],
    DeprecatedDeleteMixin[PatientAttachment],
):
    """The patient attachments of an account."""

    name = "patient_attachments"
    record = PatientAttachment
    where = PatientAttachmentFilters()

    def list_for_patient_case(
        self, patient_case_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedListOptions]
    ) -> "Paginator[PatientAttachment]":
        """Stream the attachments of a patient case."""
        return self._list(f"/patient_cases/{self._id(patient_case_id)}/patient_attachments", filters, options)

    @deprecated("the API gives this path up: use list with a filter on patient_id")
    def list_for_patient(
        self, patient_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedListOptions]
    ) -> "Paginator[PatientAttachment]":
        """Stream the attachments of a patient."""
        return self._list(f"/patients/{self._id(patient_id)}/patient_attachments", filters, options)

    async def create(self, **fields: Unpack[PatientAttachmentCreateFields]) -> PatientAttachment:
        """Create a patient attachment."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[PatientAttachmentUpdateFields]) -> PatientAttachment:
        """Change a patient attachment: a field left out stays as it is, None clears one."""
        return await self._update(id, fields)
