"""Cursors in an SQLite file, optionally saved in one transaction with rows of the user."""

import contextlib
import os
import sqlite3
from collections.abc import Callable

from .._checks import seconds_option
from .._loops import in_thread
from ..errors import ConfigurationError, UsageError
from ._base import Cursors, StateUpdate, StreamState, saving

Write = Callable[[sqlite3.Connection], object]

_TABLE = """
CREATE TABLE IF NOT EXISTS cliniko_async_cursors (
    account TEXT, stream TEXT, token INTEGER NOT NULL, cursor TEXT, PRIMARY KEY (account, stream)
)
"""
_SELECT = "SELECT token, cursor FROM cliniko_async_cursors WHERE account = ? AND stream = ?"
_REPLACE = "INSERT OR REPLACE INTO cliniko_async_cursors VALUES (?, ?, ?, ?)"


class SqliteCursors(Cursors):
    """A cursor store in an SQLite file, in the table `cliniko_async_cursors`, for the processes of one machine.

    `save` can write rows of your own to the same file in the same transaction, so that rows and cursor are saved
    together or not at all. Each call opens the file in a thread and closes it again, so threads, event loops and forks
    may share an instance, and you need not close it. A call that is cancelled ends only after its transaction was
    committed or rolled back. Errors of SQLite are raised as those of the module `sqlite3`.

    Args:
        path: A file on a disk of this machine; it is created if it is missing.
        timeout: Seconds to wait while another process has the file locked.

    Raises:
        ConfigurationError: An option is not valid.
    """

    def __init__(self, path: str | os.PathLike[str], *, timeout: float = 5.0) -> None:
        self._path = os.fspath(path)
        if not self._path or self._path.startswith(":memory:"):
            raise ConfigurationError("path must be a file that all processes can open")
        self._timeout = seconds_option("timeout", timeout)

    async def save(
        self,
        account: str,
        stream: str,
        cursor: str,
        *,
        token: int | None = None,
        write: Write | None = None,
    ) -> None:
        """Replace the cursor, together with rows of your own.

        Args:
            account: Your name for the account.
            stream: Your name for what is read from the account.
            cursor: The `cursor` of an iterator, a page or an error.
            token: The token that `begin` returned, or None to save regardless of which run began last.
            write: Called with the connection, in a thread and inside the transaction that saves the cursor. If it
                raises, nothing is saved. It must not commit.

        Raises:
            UsageError: A later run has begun, the cursor was cleared, the file lost its data, or `write` ended the
                transaction. `write` was not called, except in the last case.
        """
        await self._change(account, stream, saving(cursor, token), write)

    async def _read(self, account: str, stream: str) -> StreamState:
        return await self._change(account, stream, lambda entry: entry)

    async def _change(self, account: str, stream: str, change: StateUpdate, write: Write | None = None) -> StreamState:
        return await in_thread(lambda: self._step((account, stream), change, write))

    def _step(self, key: tuple[str, str], change: StateUpdate, write: Write | None) -> StreamState:
        with contextlib.closing(sqlite3.connect(self._path, timeout=self._timeout, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_TABLE)
            row = connection.execute(_SELECT, key).fetchone()
            before = StreamState(*row) if row else StreamState()
            after = change(before)
            if write is not None:
                write(connection)
                if not connection.in_transaction:
                    raise UsageError("write ended the transaction: its rows are kept, and the cursor is not saved")
            if after != before:
                connection.execute(_REPLACE, (*key, after.token, after.cursor))
            connection.execute("COMMIT")
            return after
