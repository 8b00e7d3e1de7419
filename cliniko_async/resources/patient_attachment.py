"""Patient attachments: the files kept with a patient."""

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Never, Unpack

from .._compat import deprecated
from .._dates import DateTime
from .._download import Download
from .._fields import Fields, Id, MaxLength, check_fields
from .._files import FileSource, name_of, open_source
from .._http import Request
from .._record import Record, Value, record
from .._resource import (
    ArchivedGetMixin,
    ArchivedListMixin,
    ArchivedListOptions,
    ArchiveMixin,
    DeprecatedDeleteMixin,
)
from ..errors import ConfigurationError, DeadlineExceededError, DecodingError, InvalidFieldsError
from ..filters import DateTimeField, Filterable, Filters, IntField, StringField
from ..links import Link, SelfLink
from ..pagination import Paginator
from ._changes import ChangesMixin

if TYPE_CHECKING:
    from .patient import Patient
    from .user import User

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 15.0


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
    def variant(_: Mapping[str, object]) -> "type[PatientAttachment]":
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
class AttachmentPresignedPost(Value):
    """Where a file can be uploaded to, and the form fields to send along with it."""

    fields: dict[str, str] | None = None
    url: str | None = None


class PatientAttachmentUpdateFields(Fields, total=False):
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
    ChangesMixin[PatientAttachment],
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
    ) -> Paginator[PatientAttachment]:
        """Stream the attachments of a patient case."""
        return self._list(f"/patient_cases/{self._id(patient_case_id)}/patient_attachments", filters, options)

    @deprecated("the API gives this path up: use list with a filter on patient_id")
    def list_for_patient(
        self, patient_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedListOptions]
    ) -> Paginator[PatientAttachment]:
        """Stream the attachments of a patient; `list` with a filter on `patient_id` replaced it."""
        return self._list(f"/patients/{self._id(patient_id)}/patient_attachments", filters, options)

    async def presigned_post(self, patient_id: Id, /) -> AttachmentPresignedPost:
        """Give where a file for a patient can be posted to; `upload` does all the steps."""
        return await self._read(AttachmentPresignedPost, f"/patients/{self._id(patient_id)}/attachment_presigned_post")

    async def upload(
        self,
        patient_id: Id,
        file: FileSource,
        /,
        *,
        filename: str | None = None,
        description: str | None = None,
        size: int | None = None,
        timeout: float = 300.0,  # noqa: ASYNC109  (of a work of the server, not of this one)
    ) -> PatientAttachment:
        """Upload a file for a patient and give its record, once the file was processed.

        The file is a path, bytes, or an asynchronous stream of bytes, and is never whole in memory. A stream whose
        `size` in bytes is given goes straight to the store and is sent once only; without it, the stream is written to
        a temporary file first. What has no name of its own needs a `filename`. `timeout` is how many seconds the
        processing may take; with 0 the record is given as it is before.

        Raises:
            InvalidFieldsError: the name or the description cannot be sent.
            ConfigurationError: it is no file, or not of the given size.
            ResponseError: the store or the API refused it.
            OutcomeUnknownError: no answer told whether the record was created.
            DeadlineExceededError: it was not processed in time; the request in it names the record.
        """
        if isinstance(timeout, bool) or not 0 <= timeout < math.inf:
            raise ConfigurationError("timeout is a number of seconds")
        name = filename or name_of(file) or ""
        fields = PatientAttachmentCreateFields(patient_id=patient_id, filename=name)
        if description is not None:
            fields["description"] = description
        check_fields(self._sent_fields("create"), fields)
        if not name or not name.isprintable():
            raise InvalidFieldsError({"filename": "is needed, and of characters that can be printed"})
        async with open_source(file, size) as source:
            fields["upload_url"] = await self._api.store.keep(partial(self._form, patient_id), name, source)
        return await self._processed(await self.create(**fields), timeout)

    async def _form(self, patient_id: Id) -> tuple[str, dict[str, str]]:
        post = await self.presigned_post(patient_id)
        if post.url is None or post.fields is None:
            raise DecodingError(["url and fields are missing"])
        return post.url, post.fields

    async def _processed(self, attachment: PatientAttachment, seconds: float) -> PatientAttachment:
        """Ask for a record, ever less often, until its file was processed."""
        clock = asyncio.get_running_loop().time
        end, wait = clock() + seconds, _FIRST_WAIT
        while seconds and not attachment.processing_completed:
            left = end - clock()
            if left <= 0:
                request = Request("GET", self._url(self._member(attachment.id)))
                raise DeadlineExceededError(f"was not processed within {seconds:g} s", request=request)
            await self._api.store.pause(min(wait, left))
            wait = min(2 * wait, _LONGEST_WAIT)
            attachment = await self.get(attachment.id, archived="include")
        return attachment

    @asynccontextmanager
    async def download(self, attachment: PatientAttachment | Id, /) -> AsyncGenerator[Download, None]:
        """Open the file of an attachment: `async with …download(id) as file: async for piece in file`.

        Where the API redirects to a store, the key stays behind.

        Raises:
            ConfigurationError: the link to the file leads away from the server of the key, or is not encrypted.
            NotFoundError: it has no file, or none yet.
        """
        if not isinstance(attachment, PatientAttachment):
            attachment = await self.get(attachment, archived="include")
        url = self._api.server.own(attachment.content.href) if attachment.content else None
        if url is None:
            raise ConfigurationError("the attachment has no link to its file on the server of the key")
        async with self._api.store.stream(url) as file:
            yield file

    async def create(self, **fields: Unpack[PatientAttachmentCreateFields]) -> PatientAttachment:
        """Create a patient attachment."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[PatientAttachmentUpdateFields]) -> PatientAttachment:
        """Change a patient attachment: a field left out stays as it is, None clears one."""
        return await self._update(id, fields)
