"""A file on its way here."""

from typing import Self

import aiohttp

from .._frames import HiddenLocals
from .._http.session import SessionManager
from .._http.transport import read_before, reason_of
from .._messages import Request
from ..errors import TransportError, TransportTimeoutError


class Download:
    """A file that is being read: `async for piece in download`, in bytes, of any length."""

    def __init__(
        self, manager: SessionManager, request: Request, answer: aiohttp.ClientResponse, timeout: float
    ) -> None:
        """Take the answer, and the seconds that a piece of it may take."""
        self._manager = manager
        self._request = request
        self._answer = answer
        self._timeout = timeout
        self._begun = False

    @property
    def size(self) -> int | None:
        """How many bytes it has, where that is told."""
        return None if "Content-Encoding" in self._answer.headers else self._answer.content_length

    @property
    def content_type(self) -> str:
        """What kind of file it is, as the server says."""
        return self._answer.content_type

    def __aiter__(self) -> Self:
        """Go on with it."""
        return self

    async def __anext__(self) -> bytes:
        """Give the next piece, as it comes.

        Raises:
            TransportError: the connection was lost amid the file.
        """
        if piece := await self._piece():
            return piece
        raise StopAsyncIteration

    async def read(self) -> bytes:
        """Give the whole file; all of it is in memory then."""
        return b"".join([piece async for piece in self])

    async def _piece(self) -> bytes:
        try:
            with HiddenLocals(aiohttp.ClientError):
                async with self._manager.call(self._timeout):
                    return await self._next()
        except TimeoutError:
            kind: type[TransportError] = TransportTimeoutError
            reason = f"made no headway for {self._timeout:g} s"
        except (aiohttp.ClientError, OSError) as error:
            kind, reason = TransportError, f"broke off: {reason_of(error)}"
        self._manager.check_open()
        raise kind(reason, request=self._request, status=self._answer.status)

    async def _next(self) -> bytes:
        begun, self._begun = self._begun, True
        if not self._answer.content.at_eof():
            return await self._answer.content.readany()
        return b"" if begun else await read_before(self._answer)

    def __repr__(self) -> str:
        """Its size; its URL may open it to anybody."""
        return f"Download({self.size} bytes)"
