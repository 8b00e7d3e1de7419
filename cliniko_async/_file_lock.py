"""A lock that two programs cannot hold at once, and that the system releases if a program dies."""

import contextlib
import os
import sqlite3
from collections.abc import Generator
from pathlib import Path


@contextlib.contextmanager
def file_lock(path: Path) -> Generator[None]:
    """Hold the lock of a file, which is created if it is missing and stays.

    The lock is that of an SQLite file, because Python has no lock of its own for files on every system.

    Args:
        path: The file.

    Raises:
        BlockingIOError: The lock is held already, by this program or another.
        OSError: The file cannot be opened.
        sqlite3.Error: The file is of another kind.
    """
    create_file(path, 0o666)
    with contextlib.ExitStack() as stack:
        try:
            lock = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
            stack.enter_context(contextlib.closing(lock))
            lock.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise BlockingIOError from None
            path.open("ab").close()  # Its error says why a file cannot be opened, which that of SQLite does not.
            raise
        yield


def create_file(path: Path, mode: int) -> None:
    """Create an empty file, unless there is one.

    Opening an existing file, and closing it again, would end the locks that this process holds on it.

    Args:
        path: The file.
        mode: Its permissions.

    Raises:
        OSError: It cannot be created.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode))
