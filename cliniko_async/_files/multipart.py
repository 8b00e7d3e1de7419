"""A multipart form with a file, encoded in chunks."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Self

from ..errors import InvalidRequestError
from .source import Source


class Multipart:
    """A form whose last field is a file; its size is known before the file is read."""

    def __init__(self, fields: Mapping[str, str], filename: str, source: Source) -> None:
        """Create the body of a form that sends the file as `filename`."""
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self.failure: Exception | None = None
        """The error raised while reading the file."""
        head = "".join(f"--{boundary}\r\n{_disposition(name)}\r\n\r\n{value}\r\n" for name, value in fields.items())
        file = f'{_disposition("file")}; filename="{_quoted(filename)}"\r\nContent-Type: application/octet-stream'
        self._head = f"{head}--{boundary}\r\n{file}\r\n\r\n".encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._source = source
        self._left = source.size
        self.size = len(self._head) + source.size + len(self._tail)
        self._guard = asyncio.timeout(None)
        self._seconds = 0.0

    @asynccontextmanager
    async def guarded(self, seconds: float) -> AsyncGenerator[None, None]:
        """Return a context manager that times out when no chunk is read for this many seconds."""
        self._seconds = seconds
        self._guard = asyncio.timeout(seconds)
        async with self._guard:
            yield

    def __aiter__(self) -> Self:
        """Return the body itself."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next chunk to send."""
        self._keep_going()
        if self._head:
            head, self._head = self._head, b""
            return head
        if not self._tail:
            raise StopAsyncIteration
        try:
            piece = await self._piece()
        except Exception as error:
            # Kept because aiohttp raises its own error instead.
            self.failure = error
            raise
        self._keep_going()
        if piece:
            return piece
        tail, self._tail = self._tail, b""
        return tail

    async def _piece(self) -> bytes:
        piece = await self._source.read()
        self._left -= len(piece)
        if self._left < 0 or (self._left and not piece):
            raise InvalidRequestError("size is not the number of bytes of the file", argument="size")
        return piece

    def _keep_going(self) -> None:
        # The timeout may have just expired.
        with suppress(RuntimeError):
            self._guard.reschedule(asyncio.get_running_loop().time() + self._seconds)


def _disposition(name: str) -> str:
    return f'Content-Disposition: form-data; name="{_quoted(name)}"'


def _quoted(text: str) -> str:
    """Escape a form field name as browsers do."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
