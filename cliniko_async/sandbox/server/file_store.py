"""The store beside the API that holds the files: it takes a form with a file, and gives the file back."""

import hashlib
import io
import tempfile
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import IO, Any
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

import attrs
from aiohttp import BodyPartReader, MultipartReader, web

from ..protocol import Reply, SandboxRequest, readable
from .faults import Exchange, Faults
from .listener import UNREADABLE, Form, Listener, Outlet

_BUCKET = "patient-files"
_PIECE = 64 * 1024
_IN_MEMORY = 1024 * 1024
_MALFORMED = (*UNREADABLE, web.HTTPException, LookupError, RuntimeError, ValueError)
"""What reading a form raises that is not one."""


@attrs.frozen(repr=False)
class StoredFile:
    """A file in the store."""

    name: str
    content: IO[bytes]
    size: int
    digest: str


@attrs.define(repr=False)
class FileStore:
    """A store with one bucket; `authorized` of its requests says whether one brought credentials, which none should."""

    wall: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    keep_alive: bool = True
    """Whether a connection stays open after its answer."""
    url: str = ""
    """Where files are posted to; known once it has started."""
    files: dict[str, StoredFile] = attrs.field(factory=dict[str, StoredFile])
    requests: list[SandboxRequest] = attrs.field(factory=list[SandboxRequest])
    """What was received, in order; the body of a form is its fields, without the file."""
    faults: Faults = attrs.field(factory=Faults)
    _forms: dict[str, dict[str, str]] = attrs.field(factory=dict[str, dict[str, str]])
    _listener: Listener = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Prepare to listen."""
        self._listener = Listener(_FORM, self._handle, self.keep_alive)

    async def start(self, host: str) -> None:
        """Listen on any port that is free."""
        self.url = f"{await self._listener.start(host)}/"

    async def close(self) -> None:
        """Close every connection and forget the files."""
        await self._listener.close()
        self.forget()

    def forget(self) -> None:
        """Forget the files."""
        for file in self.files.values():
            file.content.close()
        self.files.clear()

    def new_form(self) -> dict[str, Any]:
        """Permit one file, and give where and with which fields it is to be posted."""
        signature = uuid.uuid4().hex
        fields = {
            "key": f"uploads/{uuid.uuid4()}/${{filename}}",
            "success_action_status": "201",
            "acl": "private",
            "policy": uuid.uuid4().hex,
            "x-amz-credential": "SANDBOX/20250801/ap-southeast-2/s3/aws4_request",
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "x-amz-date": "20250801T000000Z",
            "x-amz-signature": signature,
        }
        self._forms[signature] = fields
        return {"url": self.url, "fields": fields}

    def keep(self, key: str, name: str, content: bytes) -> StoredFile:
        """Put a file into the store without a form."""
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        self.files[key] = StoredFile(name, io.BytesIO(content), len(content), f'"{digest}"')
        return self.files[key]

    def found(self, upload_url: object) -> StoredFile | None:
        """Give the file that a URL is the exact name of."""
        text = upload_url if isinstance(upload_url, str) else ""
        return self.files.get(text.removeprefix(self.url)) if text.startswith(self.url) else None

    def url_of(self, file: StoredFile) -> str:
        """Give the signed URL of a file."""
        key = next(key for key, one in self.files.items() if one is file)
        return f"{self.url}{quote(key)}?X-Amz-Signature={hashlib.sha256(key.encode()).hexdigest()}"

    async def _handle(self, request: web.BaseRequest) -> Reply | None:
        outlet = Outlet.of(request)
        received = self._received(request)
        self.requests.append(received)

        async def proceed() -> Reply:
            return await self._answer(request, received)

        reply = await self.faults.act(Exchange(received, proceed, outlet.write, outlet.close, self.wall))
        received.status = None if reply is None else reply.status
        return reply

    def _received(self, request: web.BaseRequest) -> SandboxRequest:
        headers = {name.lower(): value for name, value in request.headers.items()}
        authorization = headers.pop("authorization", None)
        return SandboxRequest(
            method=request.method,
            path=readable(request.rel_url.raw_path),
            url=readable(request.rel_url.raw_path_qs),
            query={},
            headers={name: readable(value) for name, value in headers.items()},
            authorized=authorization is not None,
            time=self.clock(),
        )

    async def _answer(self, request: web.BaseRequest, received: SandboxRequest) -> Reply:
        if received.authorized:
            return _refused(400, "InvalidArgument")
        if request.method == "POST" and received.path == "/":
            return await self._take(request, received)
        file = self.files.get(unquote(received.path.removeprefix("/")))
        if request.method not in ("GET", "HEAD") or file is None:
            return _refused(404, "NoSuchKey")
        if self.url + received.url.removeprefix("/") != self.url_of(file):
            return _refused(403, "AccessDenied")
        file.content.seek(0)
        return Reply(200, file.content.read(), {"Content-Type": "application/octet-stream", "ETag": file.digest})

    async def _take(self, request: web.BaseRequest, received: SandboxRequest) -> Reply:
        """Take a form: its fields as they were given, and the file behind all of them."""
        if request.content_type != "multipart/form-data":
            return _refused(412, "PreconditionFailed")
        if "content-length" not in received.headers:
            return _refused(411, "MissingContentLength")
        fields: dict[str, str] = {}
        received.body = fields
        try:
            return await self._read(await request.multipart(), fields)
        except _MALFORMED:
            return _refused(400, "MalformedPOSTRequest")

    async def _read(self, reader: MultipartReader, fields: dict[str, str]) -> Reply:
        while isinstance(part := await reader.next(), BodyPartReader) and part.name != "file":
            fields[part.name or ""] = await part.text()
        if not isinstance(part, BodyPartReader) or fields != self._forms.get(fields.get("x-amz-signature", "")):
            return _refused(403, "AccessDenied")
        file = await _kept(part)
        if await reader.next() is not None:
            file.content.close()
            return _refused(400, "InvalidArgument")
        key = fields["key"].replace("${filename}", file.name)
        self.files[key] = file
        return self._receipt(key, file)

    def _receipt(self, key: str, file: StoredFile) -> Reply:
        location = f"{self.url}{quote(key, safe='')}"
        parts = {"Location": location, "Bucket": _BUCKET, "Key": key, "ETag": file.digest}
        inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in parts.items())
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>{inner}</PostResponse>'
        return Reply(201, text.encode(), {"Content-Type": "application/xml"})


async def _kept(part: BodyPartReader) -> StoredFile:
    # Closed when the store forgets the file.
    content = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
    try:
        digest, size = await _copied(part, content)
    except BaseException:
        content.close()
        raise
    name = (part.filename or "").replace("\\", "/").rpartition("/")[2]
    return StoredFile(name, content, size, digest)


async def _copied(part: BodyPartReader, content: IO[bytes]) -> tuple[str, int]:
    digest, size = hashlib.md5(usedforsecurity=False), 0
    while piece := await part.read_chunk(_PIECE):
        content.write(piece)
        digest.update(piece)
        size += len(piece)
    return f'"{digest.hexdigest()}"', size


def _refused(status: int, code: str) -> Reply:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'
    return Reply(status, text.encode(), {"Content-Type": "application/xml"})


_FORM = Form("AmazonS3", lambda status: _refused(status, HTTPStatus(status).phrase.replace(" ", "")))
