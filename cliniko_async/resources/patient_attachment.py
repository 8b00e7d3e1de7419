"""Patient attachments: the files kept with a patient."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Never, Unpack

from .._checks import is_seconds
from .._compat import deprecated
from .._dates import DateTime
from .._files.download import Download
from .._files.source import FileSource, Form, Upload, name_of, open_source
from .._frames import HiddenLocals, hides_locals
from .._messages import Request
from .._records.record import Record, Value, record
from ..errors import (
    DecodingError,
    InvalidFieldsError,
    InvalidRequestError,
    OutcomeUnknownError,
    RateLimitedError,
    ServerError,
    TransportError,
)
from ..fields import Fields, Id, MaxLength, check_fields
from ..filters import DateTimeField, Filterable, Filters, IntField, StringField
from ..links import Link, SelfLink
from ..pagination import Paginator
from ._base import ArchivedGetMixin, ArchivedListMixin, ArchiveMixin, DeprecatedDeleteMixin
from ._changes import ChangesMixin
from ._list_options import ArchivedListOptions

if TYPE_CHECKING:
    from .patient import Patient
    from .user import User

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 15.0
_UPLOADED = "{}: the file was uploaded, so look before you upload it again"


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
        return self._list(
            f"/patient_cases/{self._id(patient_case_id, 'patient_case_id')}/patient_attachments", filters, options
        )

    @deprecated("the API gives this path up: use list with a filter on patient_id")
    def list_for_patient(
        self, patient_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedListOptions]
    ) -> Paginator[PatientAttachment]:
        """Stream the attachments of a patient; `list` with a filter on `patient_id` replaced it."""
        return self._list(f"/patients/{self._id(patient_id, 'patient_id')}/patient_attachments", filters, options)

    async def presigned_post(self, patient_id: Id, /) -> AttachmentPresignedPost:
        """Give where a file for a patient can be posted to; `upload` does all the steps."""
        return await self._read(
            AttachmentPresignedPost, f"/patients/{self._id(patient_id, 'patient_id')}/attachment_presigned_post"
        )

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
            InvalidRequestError: it is not a file, or not of the given size.
            ResponseError: the store or the API refused it.
            OutcomeUnknownError: no answer told whether the record was created; or it was, but not processed in time, or
                nobody could ask whether it was. Then the request in it is a GET of the record.
        """
        try:
            upload = self._checked_upload(patient_id, file, filename, description, size)
        finally:
            del file, filename, description
        if not is_seconds(timeout, zero=True):
            raise InvalidRequestError("timeout must be a number of seconds, at least 0", argument="timeout")
        with HiddenLocals():
            async with open_source(upload) as source:
                upload.fields["upload_url"] = await self._api.store.keep(
                    partial(self._form, patient_id), upload, source
                )
        return await self._processed(await self._create(upload.fields), timeout)

    @hides_locals
    def _checked_upload(
        self, patient_id: Id, file: FileSource, filename: str | None, description: str | None, size: int | None
    ) -> Upload:
        name = filename or name_of(file) or ""
        fields = PatientAttachmentCreateFields(patient_id=patient_id, filename=name)
        if description is not None:
            fields["description"] = description
        check_fields(self._sent_fields("create"), fields)
        if not name or not name.isprintable():
            raise InvalidFieldsError({"filename": "is needed, and of characters that can be printed"})
        return Upload(file, size, name, dict(fields))

    async def _form(self, patient_id: Id) -> Form:
        post = await self.presigned_post(patient_id)
        if post.url is None or post.fields is None:
            raise DecodingError(["url and fields are missing"])
        return Form(post.url, post.fields)

    async def _processed(self, attachment: PatientAttachment, seconds: float) -> PatientAttachment:
        """Ask for a record, ever less often, until its file was processed.

        Raises:
            OutcomeUnknownError: it was not, or cannot be asked for. An error that says to repeat the call would make
                its caller upload the file twice.
        """
        clock = asyncio.get_running_loop().time
        end, wait = clock() + seconds, _FIRST_WAIT
        while seconds and not attachment.processing_completed:
            left = end - clock()
            if left <= 0:
                request = Request("GET", self._url(self._member(attachment.id)))
                raise OutcomeUnknownError(_UPLOADED.format(f"was not processed within {seconds:g} s"), request=request)
            await self._api.store.pause(min(wait, left))
            wait = min(2 * wait, _LONGEST_WAIT)
            try:
                attachment = await self.get(attachment.id, archived="include")
            except (TransportError, ServerError, RateLimitedError) as error:
                reason = _UPLOADED.format(error.args[0])
                raise OutcomeUnknownError(
                    reason, request=error.request, attempts=error.attempts, status=error.status
                ) from None
        return attachment

    @asynccontextmanager
    async def download(self, attachment: PatientAttachment | Id, /) -> AsyncGenerator[Download, None]:
        """Open the file of an attachment: `async with …download(id) as file: async for piece in file`.

        Where the API redirects to a store, the key stays behind.

        Raises:
            InvalidRequestError: the attachment has no link to a file on the server of the key.
            DecodingError: the file is at a URL that is not encrypted.
            NotFoundError: it has no file, or none yet.
        """
        if not isinstance(attachment, PatientAttachment):
            attachment = await self.get(attachment, archived="include")
        async with self._api.store.stream(self._content(attachment)) as file:
            yield file

    def _content(self, attachment: PatientAttachment) -> Request:
        url = self._api.server.own(attachment.content.href) if attachment.content else None
        if url is None:
            raise InvalidRequestError(
                "attachment has no link to its file on the server of the key", argument="attachment"
            )
        return Request("GET", url)

    async def create(self, **fields: Unpack[PatientAttachmentCreateFields]) -> PatientAttachment:
        """Create a patient attachment."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[PatientAttachmentUpdateFields]) -> PatientAttachment:
        """Change a patient attachment: a field left out stays as it is, None clears one."""
        return await self._update(id, fields)
