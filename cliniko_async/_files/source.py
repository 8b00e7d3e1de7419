"""Files to be sent, read piece by piece: from a path, from bytes, or from a stream."""

import asyncio
import io
import os
import stat
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import IO, Any, BinaryIO, Protocol, Self, TypeAlias, cast, runtime_checkable

import attrs

from .._messages import RedactedRepr
from ..errors import InvalidRequestError

CHUNK = 256 * 1024
"""The most that is read from a disk at once, in bytes."""


@runtime_checkable
class AsyncReader(Protocol):
    """A stream that gives at most so many bytes at a time, and none at its end."""

    async def read(self, n: int, /) -> bytes:
        """Give what is there, at least one byte unless it is the end."""
        ...


FileSource: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | AsyncReader | AsyncIterable[bytes]
"""A file to be sent: its path, its bytes, or a stream of them."""


@attrs.frozen(repr=False)
class Upload(RedactedRepr):
    """A file to be sent, and what is to be said of it: its size where the caller knows it, its name, its fields."""

    file: FileSource
    size: int | None
    filename: str
    fields: dict[str, Any]


@attrs.frozen(repr=False)
class Form(RedactedRepr):
    """Where to post a file to, and the fields that go with it: whoever has both may write there."""

    url: str
    fields: Mapping[str, str]


class Source(Protocol):
    """A file that is being sent."""

    @property
    def size(self) -> int:
        """How many bytes it has."""
        ...

    @property
    def again(self) -> bool:
        """Whether it can be read more than once."""
        ...

    async def start(self) -> None:
        """Go to its first byte."""
        ...

    async def read(self) -> bytes:
        """Give its next piece, or nothing at its end."""
        ...


@attrs.define(repr=False)
class Bytes:
    """What is in memory already."""

    data: bytes
    place: int = 0
    again: bool = True

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return len(self.data)

    async def start(self) -> None:
        """Go to its first byte."""
        self.place = 0

    async def read(self) -> bytes:
        """Give its next piece."""
        start, self.place = self.place, self.place + CHUNK
        return self.data[start : self.place]


@attrs.define(repr=False)
class Disk:
    """What lies on a disk, read by other threads than the loop's."""

    file: BinaryIO
    size: int
    again: bool = True

    async def start(self) -> None:
        """Go to its first byte."""
        await asyncio.to_thread(self.file.seek, 0)

    async def read(self) -> bytes:
        """Give its next piece."""
        return await asyncio.to_thread(self.file.read, CHUNK)


@attrs.define(repr=False)
class Stream:
    """What comes only once, and whose size was told."""

    pieces: AsyncIterator[bytes]
    size: int
    again: bool = False

    async def start(self) -> None:
        """Begin with what comes first."""

    async def read(self) -> bytes:
        """Give its next piece."""
        async for piece in self.pieces:
            if piece:
                return piece
        return b""


@attrs.define(repr=False)
class _Pieces:
    """The pieces of a stream that can be read; its own iterator gives lines, which may be of any length."""

    stream: AsyncReader

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if piece := await self.stream.read(CHUNK):
            return piece
        raise StopAsyncIteration


def _pieces_of(stream: AsyncReader | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    return _Pieces(stream) if isinstance(stream, AsyncReader) else aiter(stream)


def name_of(file: FileSource) -> str | None:
    """Give the name that a file has on its disk."""
    return os.path.basename(file) if isinstance(file, str | os.PathLike) else None  # noqa: PTH119  (also of a PathLike)


@asynccontextmanager
async def open_source(upload: Upload) -> AsyncGenerator[Source, None]:
    """Open a file for as long as it is being sent; a stream of unknown size is first written to a temporary file.

    Raises:
        InvalidRequestError: it is not a file, or the size is not one.
        OSError: it cannot be read.
    """
    size = upload.size
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
        raise InvalidRequestError("size must be a number of bytes, at least 0", argument="size")
    if isinstance(upload.file, bytes | bytearray | memoryview):
        yield Bytes(bytes(upload.file))
    elif isinstance(upload.file, str | os.PathLike):
        with await asyncio.to_thread(open, upload.file, "rb") as opened:
            yield await _disk(opened)
    elif isinstance(upload.file, io.IOBase) or not isinstance(upload.file, AsyncReader | AsyncIterable):
        raise InvalidRequestError("file must be a path, bytes, or an asynchronous stream of bytes", argument="file")
    elif size is not None:
        yield Stream(_pieces_of(upload.file), size)
    else:
        with await asyncio.to_thread(tempfile.TemporaryFile) as spool:
            await _spool(upload.file, spool)
            yield await _disk(cast("BinaryIO", spool))


async def _spool(file: AsyncReader | AsyncIterable[bytes], spool: IO[bytes]) -> None:
    # No variable of the block above, which goes on while the file is sent.
    async for piece in _pieces_of(file):
        await asyncio.to_thread(spool.write, piece)


async def _disk(file: BinaryIO) -> Disk:
    await asyncio.to_thread(file.flush)
    found = await asyncio.to_thread(os.fstat, file.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise InvalidRequestError("file must be the path of a regular file", argument="file")
    return Disk(file, found.st_size)
