"""Files to upload, read in chunks from a path, from bytes or from a stream."""

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
"""The largest chunk to read at once, in bytes."""


@runtime_checkable
class AsyncReader(Protocol):
    """A stream of bytes with an asynchronous `read`."""

    async def read(self, n: int, /) -> bytes:
        """Return at most `n` bytes; empty bytes mean the end of the stream."""
        ...


FileSource: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | AsyncReader | AsyncIterable[bytes]
"""A file to upload: its path, its bytes, or a stream of them."""


@attrs.frozen(repr=False)
class Upload(RedactedRepr):
    """A file to upload, with its size in bytes if known, its name and the fields of its record."""

    file: FileSource
    size: int | None
    filename: str
    fields: dict[str, Any]


@attrs.frozen(repr=False)
class Form(RedactedRepr):
    """Where to post a file and with which fields; together they grant write access."""

    url: str
    fields: Mapping[str, str]


class Source(Protocol):
    """A file that is being uploaded."""

    @property
    def size(self) -> int:
        """The size in bytes."""
        ...

    @property
    def again(self) -> bool:
        """Whether it can be read more than once."""
        ...

    async def start(self) -> None:
        """Go to the first byte."""
        ...

    async def read(self) -> bytes:
        """Return the next chunk, which is empty at the end."""
        ...


@attrs.define(repr=False)
class Bytes:
    """A file in memory."""

    data: bytes
    place: int = 0
    again: bool = True

    @property
    def size(self) -> int:
        """The size in bytes."""
        return len(self.data)

    async def start(self) -> None:
        """Go to the first byte."""
        self.place = 0

    async def read(self) -> bytes:
        """Return the next piece."""
        start, self.place = self.place, self.place + CHUNK
        return self.data[start : self.place]


@attrs.define(repr=False)
class Disk:
    """A file on disk, read in worker threads."""

    file: BinaryIO
    size: int
    again: bool = True

    async def start(self) -> None:
        """Go to the first byte."""
        await asyncio.to_thread(self.file.seek, 0)

    async def read(self) -> bytes:
        """Return the next piece."""
        return await asyncio.to_thread(self.file.read, CHUNK)


@attrs.define(repr=False)
class Stream:
    """A stream of known size, which can be read only once."""

    pieces: AsyncIterator[bytes]
    size: int
    again: bool = False

    async def start(self) -> None:
        """Do nothing: a stream starts at its first chunk."""

    async def read(self) -> bytes:
        """Return the next piece."""
        async for piece in self.pieces:
            if piece:
                return piece
        return b""


@attrs.define(repr=False)
class _Pieces:
    """The chunks of a stream with `read`. Iterating over the stream itself might yield lines of any length."""

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
    """Return the name of a file given by its path, or None for anything else."""
    return os.path.basename(file) if isinstance(file, str | os.PathLike) else None  # noqa: PTH119  (also of a PathLike)


@asynccontextmanager
async def open_source(upload: Upload) -> AsyncGenerator[Source, None]:
    """Open a file for an upload; a stream of unknown size is first written to a temporary file.

    Raises:
        InvalidRequestError: `file` is not a valid source, or the size is not a number of bytes.
        OSError: It cannot be read.
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
    # A separate function, so that `piece` is not kept in memory while the file is uploaded.
    async for piece in _pieces_of(file):
        await asyncio.to_thread(spool.write, piece)


async def _disk(file: BinaryIO) -> Disk:
    await asyncio.to_thread(file.flush)
    found = await asyncio.to_thread(os.fstat, file.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise InvalidRequestError("file must be the path of a regular file", argument="file")
    return Disk(file, found.st_size)
