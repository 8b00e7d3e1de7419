"""The lock of a directory, so that two exports at once do not write the same files."""

import contextlib
import sqlite3
from collections.abc import Generator
from pathlib import Path

from ._manifest import ExportError

_LOCK = ".export.lock"


@contextlib.contextmanager
def locked(directory: Path) -> Generator[None]:
    """Hold the lock of a directory, which the system releases if the process dies.

    The lock is that of an SQLite file, because Python has no lock of its own for files on every system.

    Raises:
        ExportError: It is held already.
        OSError: The directory cannot be written to.
    """
    path = directory / _LOCK
    path.open("ab").close()  # Its error says why a file cannot be opened, which that of SQLite does not.
    with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)) as lock:
        try:
            lock.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            raise ExportError(f"another export is writing to {directory}: wait until it ends") from None
        yield
