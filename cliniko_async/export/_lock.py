"""The lock of a directory, so that two exports at once do not write the same files."""

import contextlib
import os
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
        ExportError: It is held already, or the lock file is not one.
        OSError: The directory cannot be written to.
    """
    path = directory / _LOCK
    # Opening an existing file, and closing it again, would end the lock of another export in this process.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    with contextlib.ExitStack() as stack:
        try:
            lock = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
            stack.enter_context(contextlib.closing(lock))
            lock.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            failure = error
        else:
            yield
            return
    if failure.sqlite_errorcode == sqlite3.SQLITE_BUSY:
        raise ExportError(f"another export is writing to {directory}: wait until it ends")
    path.open("ab").close()  # Its error says why a file cannot be opened, which that of SQLite does not.
    raise ExportError(f"{path} cannot be locked: {failure}")
