"""The files of the sandbox: which uploads are permitted, and what was uploaded."""

import hashlib
import io
import uuid
from typing import IO, Any
from urllib.parse import quote

import attrs


@attrs.frozen(repr=False)
class StoredFile:
    """A file in the bucket."""

    name: str
    content: IO[bytes]
    size: int
    etag: str


@attrs.define(repr=False)
class FileBucket:
    """The files by their keys, and the forms with which more may be uploaded."""

    url: str = ""
    """Where files are posted to; known once the file store has started."""
    files: dict[str, StoredFile] = attrs.field(factory=dict[str, StoredFile])
    _forms: dict[str, dict[str, str]] = attrs.field(factory=dict[str, dict[str, str]])

    def new_form(self) -> dict[str, Any]:
        """Permit one upload, and return its URL and its form fields."""
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

    def is_permitted(self, fields: dict[str, str]) -> bool:
        """Return whether form fields are exactly those of a form that was issued."""
        return fields == self._forms.get(fields.get("x-amz-signature", ""))

    def keep(self, key: str, name: str, content: bytes) -> StoredFile:
        """Store a file without an upload."""
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        self.files[key] = StoredFile(name, io.BytesIO(content), len(content), f'"{digest}"')
        return self.files[key]

    def find(self, upload_url: object) -> StoredFile | None:
        """Return the file whose exact URL this is, if there is one."""
        text = upload_url if isinstance(upload_url, str) else ""
        return self.files.get(text.removeprefix(self.url)) if text.startswith(self.url) else None

    def url_of(self, file: StoredFile) -> str:
        """Return the signed URL of a file."""
        key = next(key for key, stored in self.files.items() if stored is file)
        return f"{self.url}{quote(key)}?X-Amz-Signature={hashlib.sha256(key.encode()).hexdigest()}"

    def forget(self) -> None:
        """Delete every file."""
        for file in self.files.values():
            file.content.close()
        self.files.clear()
