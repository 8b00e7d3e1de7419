"""The limiter for the processes of one machine, whose window is kept in an SQLite file."""

import asyncio
import os
import sqlite3
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .._checks import seconds_option
from .base import BULK_SHARE, LIMIT, PERIOD, check
from .shared import LEASE, SharedLimiter
from .store import StateChange, StepReply, StoreLostError, digest

_inherited: list[sqlite3.Connection] = []
"""Connections of a parent process: SQLite forbids closing them in a forked process, so they are kept open."""


class SqliteLimiter(SharedLimiter):
    """At most `limit` requests in any `period`, for all processes of one machine that use the same file and `name`.

    Pass it to a client as `rate_limiter`. Use it as `async with SqliteLimiter(...) as limiter`, or call `aclose()` at
    the end. A missing file is created, but not its directory. A file that is deleted is created again with an empty
    window. Any number of event loops and threads may use the limiter, but only in the process that used it first. Its
    default clock counts from the start of the machine, so changes of the wall clock do not matter.
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
        """Create with the path of a file, which is opened by the first request.

        Args:
            path: The file, on a disk of this machine.
            limit: The largest number of requests in a period.
            period: The length of the window in seconds.
            bulk_share: The largest share of the window for bulk requests, above 0 and at most 1.
            name: Your name for the Cliniko user whose limit it is; each name has its own window in the file. Only a
                digest of it is stored.
            lease: The longest, in seconds, that a request is in flight; more than the client's `timeout`. What a
                process that died had is free a lease and a period after it was granted.
            busy_timeout: Seconds for which the file may stay locked; then `LimiterUnavailableError` is raised.
            clock: Returns the time in seconds, the same for all processes.

        Raises:
            ConfigurationError: An option is not valid.
        """
        file = os.fspath(path)
        check(file and not file.startswith(":memory:"), "path must be a file that all processes can open")
        store = SqliteStore(Path(file).absolute(), digest(name), seconds_option("busy_timeout", busy_timeout), clock)
        super().__init__(store, limit, period, bulk_share, lease=lease, when_lost="fail", clock=clock)


class SqliteStore:
    """A store that keeps the window in one row of a file, and uses the file in one thread."""

    def __init__(self, path: Path, name: str, busy_timeout: float, clock: Callable[[], float]) -> None:
        self._path = path
        self._name = name
        self._busy_timeout = busy_timeout
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "cliniko-limiter")
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._close: Callable[[], object] = lambda: None

    async def update(self, change: StateChange) -> StepReply:
        """Change the row in one transaction."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._update, change)

    async def close(self) -> None:
        """Close the file and end the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=True)

    def _update(self, change: StateChange) -> StepReply:
        try:
            # If the file was deleted or moved, other processes use a new one, so the old one is no longer shared.
            if self._connection is None or self._identity != _identity(self._path):
                self._connection = self._open()
            execute = self._connection.execute
            execute("BEGIN IMMEDIATE")
            execute("CREATE TABLE IF NOT EXISTS windows (name TEXT PRIMARY KEY, value BLOB NOT NULL)")
            row: tuple[bytes] | None = execute("SELECT value FROM windows WHERE name = ?", (self._name,)).fetchone()
            # The clock is read while the lock is held, so that time never runs backwards between two steps.
            changed = change(row[0] if row else None, self._clock())
            execute("INSERT OR REPLACE INTO windows VALUES (?, ?)", (self._name, changed.value))
            execute("COMMIT")
            return changed.reply
        except BaseException as error:
            # Closing the connection rolls the transaction back.
            self._connection = None
            self._close()
            if not isinstance(error, sqlite3.Error):
                raise
            raise StoreLostError(f"{self._path.name}: {error}") from error

    def _open(self) -> sqlite3.Connection:
        self._close()
        # The last reference may be dropped in any thread, while none uses the connection.
        connection = sqlite3.connect(
            self._path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        # Not in __del__: in a reference cycle, the connection might be collected first, and warn that it is unclosed.
        self._close = finish = weakref.finalize(self, _close, connection, os.getpid())
        finish.atexit = False
        self._identity = _identity(self._path)
        # The journal exists only during a step, so that no second file beside this one could be lost.
        # No write waits for the disk: the window is worthless after the machine has stopped.
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
