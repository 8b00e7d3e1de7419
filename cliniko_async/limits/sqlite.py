"""The limiter for the processes of one machine, whose window is kept in an SQLite file."""

import asyncio
import os
import sqlite3
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .base import BULK_SHARE, LIMIT, PERIOD, check, check_seconds
from .shared import LEASE, SharedLimiter
from .store import Change, StepReply, StoreLostError, digest

_inherited: list[sqlite3.Connection] = []
"""SQLite forbids to close these in a forked process, as the parent goes on to use them."""


class SqliteLimiter(SharedLimiter):
    """At most `limit` requests in any `period`, for all processes of one machine that name the same file.

    A file that was deleted is created again, and its window starts empty. Any number of event loops and threads may use
    the limiter, but only in the process that used it first. It measures the time since the machine was started, so it
    does not matter whether somebody sets the wall clock.
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
        """Use a file, which is opened by the first request.

        Args:
            path: The file, on a disk of this machine.
            limit: Requests in a period.
            period: The length of the window in seconds.
            bulk_share: The share of the window that bulk holds at most, above 0 and at most 1.
            name: Which window of the file: one for each user of Cliniko. Only a digest of it is kept.
            lease: The longest, in seconds, that a request is in flight. What a process holds that was killed is free a
                lease and a period after it was granted, so it must exceed the client's `timeout`.
            busy_timeout: Seconds for which the file may stay locked; then `LimiterUnavailableError` is raised.
            clock: Returns the time in seconds, the same for all processes.

        Raises:
            ConfigurationError: An option cannot work.
        """
        check_seconds("busy_timeout", busy_timeout)
        file = os.fspath(path)
        check(file and not file.startswith(":memory:"), "path must be a file that all processes can open")
        store = SqliteStore(Path(file).absolute(), digest(name), busy_timeout, clock)
        super().__init__(store, limit, period, bulk_share, lease=lease, when_lost="fail", clock=clock)


class SqliteStore:
    """One row of a file, and the one thread that works on it."""

    def __init__(self, path: Path, name: str, busy_timeout: float, clock: Callable[[], float]) -> None:
        self._path = path
        self._name = name
        self._busy_timeout = busy_timeout
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "cliniko-limiter")
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._close: Callable[[], object] = lambda: None

    async def update(self, change: Change) -> StepReply:
        """Change the row in one transaction."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._update, change)

    async def close(self) -> None:
        """Close the file and end the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=True)

    def _update(self, change: Change) -> StepReply:
        try:
            # Where the file was deleted or moved, another process creates a new one: to keep the old is to be alone.
            if self._connection is None or self._identity != _identity(self._path):
                self._connection = self._open()
            execute = self._connection.execute
            execute("BEGIN IMMEDIATE")
            execute("CREATE TABLE IF NOT EXISTS windows (name TEXT PRIMARY KEY, value BLOB NOT NULL)")
            row: tuple[bytes] | None = execute("SELECT value FROM windows WHERE name = ?", (self._name,)).fetchone()
            # The clock is read when the lock is there, so that no two steps see it in another order.
            changed = change(row[0] if row else None, self._clock())
            execute("INSERT OR REPLACE INTO windows VALUES (?, ?)", (self._name, changed.value))
            execute("COMMIT")
            return changed.reply
        except BaseException as error:
            # What a transaction has begun is undone with the connection.
            self._connection = None
            self._close()
            if not isinstance(error, sqlite3.Error):
                raise
            raise StoreLostError(f"{self._path.name}: {error}") from error

    def _open(self) -> sqlite3.Connection:
        self._close()
        # The last reference may go in any thread, while none uses it.
        connection = sqlite3.connect(
            self._path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        # Not by __del__: in a circle of garbage the connection might go first, and warn that nobody closed it.
        self._close = finish = weakref.finalize(self, _close, connection, os.getpid())
        finish.atexit = False
        self._identity = _identity(self._path)
        # The journal lives as long as one step, so that there is no second file beside this one that could be lost.
        # Neither waits for the disk: what a window holds is worth nothing after the machine has stopped.
        connection.execute("PRAGMA synchronous=OFF")
        return connection


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
