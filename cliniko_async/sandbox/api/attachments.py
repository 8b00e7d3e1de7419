"""The attachments of the sandbox: made of files in its store, blank until they were processed."""

import mimetypes
from collections.abc import Iterator, Mapping
from typing import Any, cast

import attrs

from ..protocol import NOT_FOUND, Refused, Reply, invalid, json_reply, text_reply
from ..seed.documents import file_of
from ..server.file_store import FileStore, StoredFile
from .operations import Api, Call
from .special_operations import Key, Operation

_NAME = "patient_attachments"


@attrs.define
class Attachments:
    """The steps of an upload, and the way back to the file."""

    api: Api
    files: FileStore
    processing: float = 0.2
    """How many seconds a file is being processed."""
    redirects: bool = True
    """Whether the link to the content answers a redirect to the store, or the file itself."""
    invented: Mapping[int, int] = attrs.field(factory=dict[int, int])
    """The number of the file of each attachment that was there from the start."""
    _pending: dict[int, tuple[StoredFile, str | None, float]] = attrs.field(
        factory=dict[int, tuple[StoredFile, str | None, float]]
    )
    _kept: dict[int, StoredFile] = attrs.field(factory=dict[int, StoredFile])

    def operations(self, others: Mapping[Key, Operation]) -> Iterator[tuple[Key, Operation]]:
        """Give the operations of its own, and those of the table that it stands before."""
        yield ("GET", "patients", "{id}", "attachment_presigned_post"), self.presigned_post
        yield ("POST", _NAME), self.create
        yield ("GET", _NAME, "{id}", "content"), self.content
        for key, operation in others.items():
            if key[0] == "GET" and _NAME in key:
                yield key, self._behind(operation)

    def presigned_post(self, call: Call) -> Reply:
        """Give a form for one file."""
        if not self.api.store.rows.has("patients", call.ids[0]):
            raise Refused(NOT_FOUND)
        return json_reply(200, self.files.new_form())

    def create(self, call: Call) -> Reply:
        """Make a record of a file in the store; its name, size and kind come when it was processed."""
        given: Any = call.body
        body: dict[str, Any] = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
        table = self.api.store.tables[_NAME]
        file = self.files.found(body.get("upload_url"))
        if file is None and "upload_url" in body:
            return invalid({"temp_attachment_url": "is invalid"})
        if file is None:
            return self.api.create(call, table)
        bare = {name: value for name, value in body.items() if name != "filename"}
        record_id = int(self.api.create(attrs.evolve(call, body=bare), table).json()["id"])
        self._pending[record_id] = (file, body.get("filename"), self.api.store.now() + self.processing)
        self.api.store.change(table, record_id, {"processing_completed": False})
        return text_reply(201, self.api.store.texts(table, [record_id])[0])

    def content(self, call: Call) -> Reply:
        """Give the file, or the way to it."""
        self._process()
        if call.ids[0] in self.invented and call.ids[0] not in self._kept:
            name, _, text = file_of(self.invented[call.ids[0]])
            self._kept[call.ids[0]] = self.files.keep(f"invented/{call.ids[0]}/{name}", name, text)
        file = self._kept.get(call.ids[0])
        if file is None:
            raise Refused(NOT_FOUND)
        if self.redirects:
            return Reply(302, b"", {"Location": self.files.url_of(file)})
        file.content.seek(0)
        return Reply(200, file.content.read(), {"Content-Type": "application/octet-stream"})

    def _behind(self, operation: Operation) -> Operation:
        def processed(call: Call) -> Reply:
            self._process()
            return operation(call)

        return processed

    def _process(self) -> None:
        now = self.api.store.now()
        for record_id, (file, name, due) in tuple(self._pending.items()):
            if due > now:
                continue
            del self._pending[record_id]
            self._kept[record_id] = file
            filename = name or file.name
            processed = {
                "filename": filename,
                "size": file.size,
                "content_type": mimetypes.guess_type(filename)[0] or "application/octet-stream",
                "processed_at": now,
                "processing_completed": True,
            }
            self.api.store.change(self.api.store.tables[_NAME], record_id, processed)
