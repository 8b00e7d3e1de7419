"""Patient attachments: they are created from files in the file store, and blank until the files are processed."""

import mimetypes
from collections.abc import Iterator, Mapping
from typing import Any, cast

import attrs

from ..db.files import FileBucket, StoredFile
from ..protocol import NOT_FOUND, RefusedRequest, Reply, json_reply, validation_reply
from ..seed.documents import attachment_file
from .operations import OperationCall, Operations
from .special_operations import Operation, RouteKey

_NAME = "patient_attachments"


@attrs.frozen
class _PendingUpload:
    """A file that is being processed."""

    file: StoredFile
    filename: str | None
    done_at: float
    """In seconds since 1970."""


@attrs.define
class Attachments:
    """The operations of an upload, and the content of each attachment."""

    operations: Operations
    files: FileBucket
    processing: float = 0.2
    """Seconds that a file takes to be processed."""
    redirects: bool = True
    """Whether the content is a redirect to the file store, or the file itself."""
    seeded: Mapping[int, int] = attrs.field(factory=dict[int, int])
    """The number of the file of each attachment that was there from the start."""
    _uploads: dict[int, _PendingUpload] = attrs.field(factory=dict[int, _PendingUpload])
    _content: dict[int, StoredFile] = attrs.field(factory=dict[int, StoredFile])

    def routes(self, others: Mapping[RouteKey, Operation]) -> Iterator[tuple[RouteKey, Operation]]:
        """Return the operations of attachments; those of `others` that read attachments process the files first."""
        yield ("GET", "patients", "{id}", "attachment_presigned_post"), self.presigned_post
        yield ("POST", _NAME), self.create
        yield ("GET", _NAME, "{id}", "content"), self.content
        for key, operation in others.items():
            if key[0] == "GET" and _NAME in key:
                yield key, self._after_processing(operation)

    def presigned_post(self, call: OperationCall) -> Reply:
        """Return a form for one upload."""
        self.operations.required_row("patients", call.ids[0])
        return json_reply(200, self.files.new_form())

    def create(self, call: OperationCall) -> Reply:
        """Create a record for a file in the store; its name, size and type follow when the file is processed."""
        operations, table = self.operations, self.operations.store.tables[_NAME]
        given: Any = call.body
        body = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
        file = self.files.find(body.get("upload_url"))
        if file is None and "upload_url" in body:
            return validation_reply({"temp_attachment_url": "is invalid"})
        if file is None:
            return operations.create(call, table)
        without_name = {name: value for name, value in body.items() if name != "filename"}
        record_id = int(operations.create(attrs.evolve(call, body=without_name), table).json()["id"])
        self._uploads[record_id] = _PendingUpload(file, body.get("filename"), operations.store.now() + self.processing)
        operations.store.change(_NAME, record_id, {"processing_completed": False})
        return operations.record_reply(201, _NAME, record_id)

    def content(self, call: OperationCall) -> Reply:
        """Return the file, or a redirect to it."""
        self._process_uploads()
        file = self._file_of(call.ids[0])
        if self.redirects:
            return Reply(302, b"", {"Location": self.files.url_of(file)})
        file.content.seek(0)
        return Reply(200, file.content.read(), {"Content-Type": "application/octet-stream"})

    def _file_of(self, record_id: int) -> StoredFile:
        if record_id in self.seeded and record_id not in self._content:
            name, _, text = attachment_file(self.seeded[record_id])
            self._content[record_id] = self.files.keep(f"invented/{record_id}/{name}", name, text)
        if record_id not in self._content:
            raise RefusedRequest(NOT_FOUND)
        return self._content[record_id]

    def _after_processing(self, operation: Operation) -> Operation:
        def process_and_operate(call: OperationCall) -> Reply:
            self._process_uploads()
            return operation(call)

        return process_and_operate

    def _process_uploads(self) -> None:
        now = self.operations.store.now()
        for record_id in [each for each, upload in self._uploads.items() if upload.done_at <= now]:
            upload = self._uploads.pop(record_id)
            self._content[record_id] = upload.file
            filename = upload.filename or upload.file.name
            processed = {
                "filename": filename,
                "size": upload.file.size,
                "content_type": mimetypes.guess_type(filename)[0] or "application/octet-stream",
                "processed_at": now,
                "processing_completed": True,
            }
            self.operations.store.change(_NAME, record_id, processed)
