"""A file that is being downloaded."""

from typing import Self

import aiohttp

from .._frames import HiddenLocals
from .._http.calls import CallScope
from .._http.reasons import reason_of
from .._http.session import SessionManager
from .._http.transport import read_before
from .._messages import Request
from ..errors import TransportError, TransportTimeoutError


class Download:
    """A file that is being read. `async for chunk in download` yields bytes of any length."""

    def __init__(
        self, manager: SessionManager, request: Request, response: aiohttp.ClientResponse, timeout: float
    ) -> None:
        """Create the download.

        Args:
            manager: The owner of the session.
            request: The request, for error messages.
            response: The response, with its body unread.
            timeout: Seconds to wait for a chunk.
        """
        self._manager = manager
        self._request = request
        self._response = response
        self._timeout = timeout
        self._begun = False

    @property
    def size(self) -> int | None:
        """The number of bytes, or None if the server did not say or the response is compressed."""
        return None if "Content-Encoding" in self._response.headers else self._response.content_length

    @property
    def content_type(self) -> str:
        """The content type according to the server, such as "application/pdf"."""
        return self._response.content_type

    def __aiter__(self) -> Self:
        """Return the download itself."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next chunk as it arrives.

        Raises:
            TransportError: The connection was lost before the end of the file.
        """
        if piece := await self._piece():
            return piece
        raise StopAsyncIteration

    async def read(self) -> bytes:
        """Read the whole file into memory.

        Returns:
            The bytes.

        Raises:
            TransportError: The connection was lost before the end of the file.
        """
        return b"".join([piece async for piece in self])

    async def _piece(self) -> bytes:
        try:
            with HiddenLocals(aiohttp.ClientError):
                async with CallScope(self._manager.calls, self._timeout):
                    return await self._next()
        except TimeoutError:
            kind: type[TransportError] = TransportTimeoutError
            reason = f"made no progress for {self._timeout:g} s"
        except (aiohttp.ClientError, OSError) as error:
            kind, reason = TransportError, f"broke off: {reason_of(error)}"
        self._manager.calls.check_open()
        raise kind(reason, request=self._request, status=self._response.status)

    async def _next(self) -> bytes:
        begun, self._begun = self._begun, True
        if not self._response.content.at_eof():
            return await self._response.content.readany()
        return b"" if begun else await read_before(self._response)

    def __repr__(self) -> str:
        """Return the size, but not the URL, which may give anyone access to the file."""
        return f"Download({self.size} bytes)"
