"""Patient attachments: the files kept with a patient."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Never, Unpack

from .._checks import seconds_argument
from .._compat import deprecated
from .._dates import DateTime
from .._files.download import Download
from .._files.source import FileSource, Form, Upload, name_of, open_source
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
from ._changes import ChangesMixin
from ._list_options import ArchivedListOptions
from ._mixins import ArchivedGetMixin, ArchivedListMixin, ArchiveMixin, DeprecatedDeleteMixin

if TYPE_CHECKING:
    from .patient import Patient
    from .user import User

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 15.0
_UPLOADED = "{}: the file was uploaded, so look before you upload it again"


@record
class PatientAttachment(Record):
    """A file kept with a patient. Every record is one of the two variants."""

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
        """Return the variant for uploaded files, always: the API does not distinguish the two variants.

        Args:
            _: The attachment as the API sent it.

        Returns:
            The class of the variant.
        """
        return UploadedPatientAttachment


@record
class FullPatientExport(PatientAttachment):
    """A file with everything that the account holds about a patient."""

    content: Link[Never] | None = None


@record
class UploadedPatientAttachment(PatientAttachment):
    """A file that a user uploaded."""


@record
class AttachmentPresignedPost(Value):
    """The URL to upload a file to, and the form fields to send with it."""

    fields: dict[str, str] | None = None
    url: str | None = None


class PatientAttachmentUpdateFields(Fields, total=False):
    """The fields that can be sent to update a patient attachment."""

    description: Annotated[str, MaxLength(255)] | None


class PatientAttachmentCreateFields(PatientAttachmentUpdateFields, total=False):
    """The fields that can be sent to create a patient attachment."""

    filename: str | None
    patient_id: Id
    upload_url: str


class PatientAttachmentFilters(Filters):
    """The columns that patient attachments can be filtered and sorted by."""

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
        """Return a paginator over the attachments of a patient case."""
        return self._list(
            f"/patient_cases/{self._id(patient_case_id, 'patient_case_id')}/patient_attachments", filters, options
        )

    @deprecated("the API has deprecated this path; use list with a filter on patient_id")
    def list_for_patient(
        self, patient_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedListOptions]
    ) -> Paginator[PatientAttachment]:
        """Return a paginator over the attachments of a patient."""
        return self._list(f"/patients/{self._id(patient_id, 'patient_id')}/patient_attachments", filters, options)

    async def presigned_post(self, patient_id: Id, /) -> AttachmentPresignedPost:
        """Return the URL that a file of a patient can be posted to. `upload` performs this and the other steps.

        Args:
            patient_id: The id of the patient.

        Returns:
            The URL, and the form fields to send with the file.

        Raises:
            InvalidRequestError: The id is invalid; nothing was sent.
            NotFoundError: The patient does not exist, or is archived or deleted.
            ResponseError: The API refused the request for another reason.
            TransportError: No usable response arrived within `timeout`, `deadline` and the retries. It is safe to try
                again.
            DecodingError: The response does not have the documented form.
        """
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
        timeout: float = 300.0,  # noqa: ASYNC109  (how long to wait for the server's processing)
    ) -> PatientAttachment:
        """Upload a file for a patient, and wait until the API has processed it.

        The file is never held in memory as a whole.

        Args:
            patient_id: The id of the patient.
            file: A path, bytes, or an asynchronous stream of bytes.
            filename: The name of the file; None, the default, uses the path's. Bytes and most streams need one.
            description: A text of at most 255 characters, or None.
            size: The size of a stream in bytes. With it, the stream is sent directly and only once; without it, the
                stream is first written to a temporary file.
            timeout: Seconds to wait for the API to process the file; 300 by default. With 0, the record is returned
                without waiting.

        Returns:
            The record of the attachment.

        Raises:
            InvalidFieldsError: The name or the description is invalid.
            InvalidRequestError: The file cannot be read, or does not have the given size.
            ResponseError: The file store or the API refused a request.
            OutcomeUnknownError: The record may or may not have been created, or it was created and not processed in
                time. In the latter case, `request` is a GET of the record.
            TransportError: No usable response arrived, and no record was created. It is safe to try again.
        """
        upload = self._checked_upload(patient_id, file, filename, description, size)
        timeout = seconds_argument("timeout", timeout, zero=True)
        async with open_source(upload) as source:
            upload.fields["upload_url"] = await self._api.file_store.keep(
                partial(self._form, patient_id), upload, source
            )
        return await self._processed(await self._create(upload.fields), timeout)

    def _checked_upload(
        self, patient_id: Id, file: FileSource, filename: str | None, description: str | None, size: int | None
    ) -> Upload:
        name = filename or name_of(file) or ""
        fields = PatientAttachmentCreateFields(patient_id=patient_id, filename=name)
        if description is not None:
            fields["description"] = description
        check_fields(self.sent_fields("create"), fields)
        if not name or not name.isprintable():
            raise InvalidFieldsError({"filename": "is required, and must consist of printable characters"})
        return Upload(file, size, name, dict(fields))

    async def _form(self, patient_id: Id) -> Form:
        post = await self.presigned_post(patient_id)
        if post.url is None or post.fields is None:
            raise DecodingError(["url and fields are missing"])
        return Form(post.url, post.fields)

    async def _processed(self, attachment: PatientAttachment, seconds: float) -> PatientAttachment:
        """Request the record, at growing intervals, until the API has processed its file.

        Raises:
            OutcomeUnknownError: The file was not processed, or the record could not be read. An error which allows
                a repeated call would make the caller upload the file twice.
        """
        clock = asyncio.get_running_loop().time
        end, wait = clock() + seconds, _FIRST_WAIT
        while seconds and not attachment.processing_completed:
            left = end - clock()
            if left <= 0:
                request = Request("GET", self._url(self._member(attachment.id)))
                raise OutcomeUnknownError(_UPLOADED.format(f"was not processed within {seconds:g} s"), request=request)
            await self._api.file_store.pause(min(wait, left))
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
        """Open the file of an attachment: `async with attachments.download(id) as file: async for chunk in file`.

        If the API redirects to a file store, the API key is not sent there.

        Args:
            attachment: The attachment, or its id.

        Yields:
            The file, whose bytes can be iterated or read.

        Raises:
            InvalidRequestError: The attachment has no link to a file on the server that the key belongs to.
            NotFoundError: The attachment does not exist, or has no file yet.
            ResponseError: The API or the file store refused the request for another reason.
            TransportError: No usable response arrived. It is safe to try again.
            DecodingError: The redirect leads to a URL without encryption.
        """
        if not isinstance(attachment, PatientAttachment):
            attachment = await self.get(attachment, archived="include")
        async with self._api.file_store.stream(self._content(attachment)) as file:
            yield file

    def _content(self, attachment: PatientAttachment) -> Request:
        url = self._api.server.own_url(attachment.content.href) if attachment.content else None
        if url is None:
            raise InvalidRequestError(
                "attachment has no link to its file on the server of the key", argument="attachment"
            )
        return Request("GET", url)

    async def create(self, **fields: Unpack[PatientAttachmentCreateFields]) -> PatientAttachment:
        """Create a patient attachment."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[PatientAttachmentUpdateFields]) -> PatientAttachment:
        """Update a patient attachment. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
