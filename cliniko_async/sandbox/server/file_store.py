"""The file store beside the API, in the style of S3: it accepts a form with a file, and serves the file."""

import hashlib
import tempfile
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import IO
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

import attrs
from aiohttp import BodyPartReader, MultipartReader, web

from ..db.files import FileBucket, StoredFile
from ..protocol import Reply, SandboxRequest
from .faults import Exchange
from .headers import received_request
from .listener import UNREADABLE, ConnectionHandle, Listener, ReplyStyle
from .scripting import Faults

_BUCKET = "patient-files"
_CHUNK = 64 * 1024
_MAX_IN_MEMORY = 1024 * 1024
_MALFORMED = (*UNREADABLE, web.HTTPException, AssertionError, LookupError, RuntimeError, ValueError)
"""What aiohttp raises while it reads a body that is not a form."""


@attrs.define(repr=False)
class FileServer(FileBucket):
    """A file bucket that is served over HTTP.

    `authorized` of a request is True if it brought credentials, which no request should.
    """

    host: str = "127.0.0.1"
    wall: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    keep_alive: bool = True
    """Whether a connection stays open after its reply."""
    requests: list[SandboxRequest] = attrs.field(factory=list[SandboxRequest])
    """What was received, in order of arrival; the body of a form is its fields, without the file."""
    faults: Faults = attrs.field(factory=Faults)
    _listener: Listener = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Prepare to listen."""
        self._listener = Listener(_S3_STYLE, self._handle, self.keep_alive, self.host)

    async def start(self) -> None:
        """Listen on any free port."""
        self.url = f"{await self._listener.start()}/"

    async def close(self) -> None:
        """Close every connection and delete the files."""
        await self._listener.close()
        self.forget()

    async def _handle(self, request: web.BaseRequest) -> Reply | None:
        connection = ConnectionHandle.of(request)
        received, _ = received_request(request, self.clock())
        self.requests.append(received)

        async def proceed() -> Reply:
            return await self._answer(request, received)

        reply = await self.faults.act(Exchange(received, proceed, connection.write, connection.close, self.wall))
        received.status = None if reply is None else reply.status
        return reply

    async def _answer(self, request: web.BaseRequest, received: SandboxRequest) -> Reply:
        if received.authorized:
            return _error(400, "InvalidArgument")
        if request.method == "POST" and received.path == "/":
            return await self._accept(request, received)
        file = self.files.get(unquote(received.path.removeprefix("/")))
        if request.method not in ("GET", "HEAD") or file is None:
            return _error(404, "NoSuchKey")
        if self.url + received.url.removeprefix("/") != self.url_of(file):
            return _error(403, "AccessDenied")
        file.content.seek(0)
        return Reply(200, file.content.read(), {"Content-Type": "application/octet-stream", "ETag": file.etag})

    async def _accept(self, request: web.BaseRequest, received: SandboxRequest) -> Reply:
        """Accept a form with exactly the fields that were issued, followed by the file."""
        if request.content_type != "multipart/form-data":
            return _error(412, "PreconditionFailed")
        if "content-length" not in received.headers:
            return _error(411, "MissingContentLength")
        fields: dict[str, str] = {}
        received.body = fields
        try:
            return await self._read_form(await request.multipart(), fields)
        except _MALFORMED:
            return _error(400, "MalformedPOSTRequest")

    async def _read_form(self, reader: MultipartReader, fields: dict[str, str]) -> Reply:
        while isinstance(part := await reader.next(), BodyPartReader) and part.name != "file":
            fields[part.name or ""] = await part.text()
        if not isinstance(part, BodyPartReader) or not self.is_permitted(fields):
            return _error(403, "AccessDenied")
        file = await _read_file(part)
        if await reader.next() is not None:
            file.content.close()
            return _error(400, "InvalidArgument")
        key = fields["key"].replace("${filename}", file.name)
        self.files[key] = file
        return self._receipt(key, file)

    def _receipt(self, key: str, file: StoredFile) -> Reply:
        location = f"{self.url}{quote(key, safe='')}"
        values = {"Location": location, "Bucket": _BUCKET, "Key": key, "ETag": file.etag}
        elements = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in values.items())
        return _xml(201, f"<PostResponse>{elements}</PostResponse>")


async def _read_file(part: BodyPartReader) -> StoredFile:
    # Closed when the bucket forgets the file.
    content = tempfile.SpooledTemporaryFile(_MAX_IN_MEMORY)  # noqa: SIM115
    try:
        etag, size = await _copy(part, content)
    except BaseException:
        content.close()
        raise
    name = (part.filename or "").replace("\\", "/").rpartition("/")[2]
    return StoredFile(name, content, size, etag)


async def _copy(part: BodyPartReader, content: IO[bytes]) -> tuple[str, int]:
    digest, size = hashlib.md5(usedforsecurity=False), 0
    while chunk := await part.read_chunk(_CHUNK):
        content.write(chunk)
        digest.update(chunk)
        size += len(chunk)
    return f'"{digest.hexdigest()}"', size


def _xml(status: int, text: str) -> Reply:
    declaration = '<?xml version="1.0" encoding="UTF-8"?>'
    return Reply(status, f"{declaration}\n{text}".encode(), {"Content-Type": "application/xml"})


def _error(status: int, code: str) -> Reply:
    return _xml(status, f"<Error><Code>{code}</Code></Error>")


_S3_STYLE = ReplyStyle("AmazonS3", lambda status: _error(status, HTTPStatus(status).phrase.replace(" ", "")))
