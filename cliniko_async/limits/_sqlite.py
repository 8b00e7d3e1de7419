"""The limiter for the processes of one machine, whose window is kept in an SQLite file."""

import asyncio
import os
import sqlite3
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import ConfigurationError
from ._sqlite_step import SCHEMA, Window
from ._store import Answer, Rules, Step, StoreLostError, check_seconds, digest
from ._stored import LEASE, Options, StoredLimiter
from ._window import BULK_SHARE, LIMIT, PERIOD

_inherited: list[sqlite3.Connection] = []
"""What SQLite forbids to close in a process that was forked off, as the parent goes on to use it."""


class SqliteLimiter(StoredLimiter):
    """At most `limit` requests in any `period`, for all processes of one machine that name the same file.

    `name` tells apart the windows of one file, one for each user of Cliniko; only a digest of it is kept. `lease` is
    the longest, in seconds, that a request is in flight: what a process holds that was killed is free a lease and a
    period after it was given, so it must be longer than the client's `timeout`. A file that stays locked for
    `busy_timeout` seconds is an error; one that was deleted is made anew, and its window starts empty. Any number of
    event loops and threads may use it, but only in the process that used it first. Time is that of the machine since
    it was started, so it does not matter whether somebody sets its wall clock.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        limit: int = LIMIT,
        period: float = PERIOD,
        bulk_share: float = BULK_SHARE,
        *,
        name: str = "",
        lease: float = LEASE,
        busy_timeout: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the file, on a disk of this machine, and the size of the window; nothing is opened before its first use.

        Raises:
            ConfigurationError: an option cannot work.
        """
        check_seconds("busy_timeout", busy_timeout)
        file = os.fspath(path)
        if not file or file.startswith(":memory:"):
            raise ConfigurationError("path is a file that all processes can open")
        options = Options(limit=limit, period=period, bulk_share=bulk_share, lease=lease, when_lost="fail", clock=clock)
        super().__init__(options, lambda rules: SqliteStore(file, digest(name), rules, busy_timeout, clock))


class SqliteStore:
    """A file, and the one thread that works on it."""

    def __init__(self, path: str, name: str, rules: Rules, busy_timeout: float, clock: Callable[[], float]) -> None:
        self._path = Path(path).absolute()
        self._name = name
        self._rules = rules
        self._busy_timeout = busy_timeout
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "cliniko-limiter")
        self._file: _File | None = None
        self._ended = False

    async def step(self, step: Step) -> Answer:
        """Take what is told and give what is free, in one transaction.

        Raises:
            StoreLostError: the file cannot be used.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._step, step)

    async def close(self) -> None:
        """Close the file and end the thread, unless that was done before."""
        if self._ended:
            return
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._ended = True
        self._thread.shutdown(wait=True)

    def _step(self, step: Step) -> Answer:
        try:
            return self._opened().step(self._name, self._rules, self._clock, step)
        except BaseException as error:
            self._close()
            if not isinstance(error, sqlite3.Error):
                raise
            raise StoreLostError(f"{self._path.name}: {error}") from error

    def _opened(self) -> "_File":
        # Another process makes a new file where one was deleted, or moved: to go on with the old one is to be alone.
        if self._file is not None and not self._file.is_at(self._path):
            self._close()
        if self._file is None:
            self._file = _File.open(self._path, self._busy_timeout)
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _File:
    """A connection to the file that was at a path when it was opened."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._identity = _identity(path)
        # Not by __del__: in a circle of garbage the connection might go first, and warn that nobody closed it.
        self._finish = weakref.finalize(self, _close, connection, os.getpid())
        self._finish.atexit = False

    @classmethod
    def open(cls, path: Path, busy_timeout: float) -> "_File":
        """Open a file and see that it has the tables."""
        # The last reference may go in any thread, while none uses it.
        connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None, check_same_thread=False)
        file = cls(connection, path)
        file.prepare()
        return file

    def prepare(self) -> None:
        """Make the tables, if there are none."""
        execute = self._connection.execute
        # The journal lives as long as one step, so that there is no second file beside this one that could be lost.
        # Neither waits for the disk: what a window holds is worth nothing after the machine has stopped.
        execute("PRAGMA synchronous=OFF")
        execute("BEGIN IMMEDIATE")
        for statement in SCHEMA:
            execute(statement)
        execute("COMMIT")

    def is_at(self, path: Path) -> bool:
        """Whether the path still leads to it."""
        return self._identity == _identity(path)

    def step(self, name: str, rules: Rules, clock: Callable[[], float], step: Step) -> Answer:
        """Do a step as one transaction; one that fails is undone as the file is closed."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        # The clock is read when the lock is there, so that no two steps see it in another order.
        answer = Window(connection, name, rules, clock()).step(step)
        connection.execute("COMMIT")
        return answer

    def close(self) -> None:
        """Close it."""
        self._finish()


def _close(connection: sqlite3.Connection, process: int) -> None:
    if process == os.getpid():
        connection.close()
    else:
        _inherited.append(connection)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
