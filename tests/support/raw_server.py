"""A server on bare sockets, which counts the requests it has read, and answers or fails as scripted, turn by turn."""

import asyncio
import contextlib
import itertools
import json
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Self

import attrs


@attrs.frozen
class RawRequest:
    """A request that was read completely."""

    method: str
    target: str
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes
    connection: int
    """The number of its connection, from 1."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@attrs.frozen
class Connection:
    """The server's end of one connection, on which a turn acts."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def write(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        # With a linger time of 0, the system sends a reset instead of closing normally.
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


Turn = Callable[[Connection], Awaitable[None]]
"""What to do once a request was read; the connection stays open unless the turn closes it."""


def head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode()


def answer(status: int = 200, body: bytes | Mapping[str, Any] = b"", headers: Mapping[str, str] | None = None) -> Turn:
    """Answer in full."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def turn(line: Connection) -> None:
        await line.write(head(status, {"Content-Length": str(len(data)), **(headers or {})}) + data)

    return turn


def cut(status: int = 200, body: bytes = b'{"id": "1"', headers: Mapping[str, str] | None = None) -> Turn:
    """Declare a longer body than is sent, and close."""

    async def turn(line: Connection) -> None:
        await line.write(head(status, {"Content-Length": str(len(body) + 100), **(headers or {})}) + body)
        line.close()

    return turn


def raw(data: bytes) -> Turn:
    """Send these bytes and close."""

    async def turn(line: Connection) -> None:
        await line.write(data)
        line.close()

    return turn


def close() -> Turn:
    """Close the connection without an answer."""

    async def turn(line: Connection) -> None:
        line.close()

    return turn


def reset() -> Turn:
    """Reset the connection."""

    async def turn(line: Connection) -> None:
        line.reset()

    return turn


def silence() -> Turn:
    """Never answer; the client has to close the connection."""

    async def turn(line: Connection) -> None:
        await line.reader.read()
        line.close()

    return turn


def stall(status: int = 200, body: bytes = b'{"id": "1"') -> Turn:
    """Begin to answer, and never finish."""

    async def turn(line: Connection) -> None:
        await line.write(head(status, {"Content-Length": str(len(body) + 100)}) + body)
        await silence()(line)

    return turn


def flood(status: int = 200, chunk: bytes = b"x" * 65536, counter: list[int] | None = None) -> Turn:
    """Send an endless body, until the client closes the connection."""

    async def turn(line: Connection) -> None:
        await line.write(head(status, {"Content-Type": "application/json"}))
        while not line.writer.transport.is_closing():
            await line.write(chunk)
            if counter is not None:
                counter[0] += len(chunk)
            await asyncio.sleep(0)

    return turn


class RawServer:
    """Performs one turn for each request that it has read, and repeats the last one at the end."""

    def __init__(self, *turns: Turn) -> None:
        self.turns = deque(turns or (answer(),))
        self.requests: list[RawRequest] = []
        self.port = 0
        self._numbers = itertools.count(1)
        self._news = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def arrived(self) -> list[str]:
        """Method and path of each request, without the base path."""
        return [f"{one.method} {one.path.removeprefix('/v1')}" for one in self.requests]

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._lines)

    async def read(self, count: int = 1) -> None:
        """Wait until this many requests were read."""
        while len(self.requests) < count:
            self._news.clear()
            await self._news.wait()

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, backlog=1000)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._lines:
            task.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        number = next(self._numbers)
        try:
            # A cancelled handler would be reported by the loop.
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                while not writer.is_closing() and await self._take_turn(Connection(reader, writer), number):
                    pass
        finally:
            writer.transport.abort()
            self._lines.discard(task)

    async def _take_turn(self, line: Connection, number: int) -> bool:
        request = await read_request(line.reader, number)
        if request is None:
            return False
        self.requests.append(request)
        self._news.set()
        turn = self.turns.popleft() if len(self.turns) > 1 else self.turns[0]
        await turn(line)
        return True


async def read_request(reader: asyncio.StreamReader, number: int) -> RawRequest | None:
    """Read one request completely; return None if there is none."""
    try:
        raw_head = await reader.readuntil(b"\r\n\r\n")
        start, *lines = raw_head.decode().split("\r\n")[:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    except asyncio.IncompleteReadError:
        return None
    method, target, _ = start.split(" ")
    return RawRequest(method, target, headers, body, number)


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """Yield a port on which connections are neither accepted nor refused, because its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        yield listener.getsockname()[1]
