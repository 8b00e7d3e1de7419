"""The journal of a bulk create: an SQLite file that says of each row what became of it.

It holds digests and ids, and what the API said about refused fields, but no fields. A journal is locked while it is
open, by SQLite's own lock, which ends with the process.
"""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import attrs

from .._file_lock import create_file
from ..errors import JournalError
from ._rows import PreparedRow, RowKey, RowStatus

DONE: tuple[RowStatus, ...] = ("created", "adopted")
UNRESOLVED: tuple[RowStatus, ...] = ("open", "ambiguous")

_FORMAT = 2
_APPLICATION = 0x636C696E
_BUSY = 5
_NOT_A_DATABASE = 26
_SCHEMA = """
CREATE TABLE owner (account BLOB NOT NULL, resource TEXT NOT NULL);
CREATE TABLE rows (
    digest BLOB NOT NULL, occurrence INTEGER NOT NULL, number INTEGER NOT NULL, present INTEGER NOT NULL,
    state TEXT NOT NULL, sent_at REAL, id TEXT UNIQUE, faults TEXT NOT NULL, candidates TEXT NOT NULL,
    PRIMARY KEY (digest, occurrence)
) WITHOUT ROWID;
"""
_ADD = """
INSERT INTO rows VALUES (?, ?, ?, 1, 'pending', NULL, NULL, '{}', '[]')
ON CONFLICT (digest, occurrence) DO UPDATE SET number = excluded.number, present = 1
"""
# The first time counts, as an earlier attempt may have had an effect, too.
_MARK = "UPDATE rows SET state = 'open', sent_at = coalesce(sent_at, ?) WHERE digest = ? AND occurrence = ?"
_RECORD = "UPDATE rows SET state = ?, id = ?, faults = ?, candidates = ? WHERE digest = ? AND occurrence = ?"


@attrs.frozen(repr=False)
class JournalEntry:
    """What the journal knows of one row."""

    key: RowKey
    number: int
    present: bool
    """Whether the row was among those of the last run."""
    state: RowStatus
    sent_at: float | None
    """The server's time at which it was first about to be sent, in seconds since 1970."""
    id: str | None
    faults: dict[str, str | None]
    candidates: tuple[str, ...]


@attrs.frozen
class Owner:
    """The account and the resource that a journal belongs to."""

    account_digest: bytes
    resource: str


class RowJournal:
    """An open journal. Its methods block, and may be called from any thread."""

    def __init__(self, path: Path, owner: Owner | None, *, create: bool = False) -> None:
        """Open and lock a journal.

        Args:
            path: The file.
            owner: The account and the resource that it must belong to; None accepts any.
            create: Whether to create a missing file, which only its user can read.

        Raises:
            JournalError: It is in use, belongs to another account or resource, or is not a journal.
        """
        self._path = path
        self._lock = threading.Lock()
        with self._translated():
            if create:
                create_file(path, 0o600)
            self._identity = _identity(path)
            uri = f"{path.absolute().as_uri()}?mode=rw"
            self._connection = sqlite3.connect(uri, timeout=0, isolation_level=None, check_same_thread=False, uri=True)
        try:
            with self._translated():
                self._begin(owner)
        except BaseException:
            self.close()
            raise

    def _begin(self, owner: Owner | None) -> None:
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._connection.execute("BEGIN EXCLUSIVE")
        if self._pragma("application_id") == self._pragma("user_version") == 0 and owner and not self._tables():
            for statement in _SCHEMA.split(";"):
                self._connection.execute(statement)
            self._connection.execute("INSERT INTO owner VALUES (?, ?)", attrs.astuple(owner))
            self._connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            self._connection.execute(f"PRAGMA user_version = {_FORMAT}")
        if self._pragma("application_id") != _APPLICATION:
            raise JournalError(f"{self._path.name} is not a journal")
        if self._pragma("user_version") != _FORMAT:
            raise JournalError(f"{self._path.name} is a journal of another version of this library")
        (found,) = self._connection.execute("SELECT account, resource FROM owner")
        if owner is not None and owner != Owner(*found):
            whose = "resource" if owner.account_digest == found[0] else "account"
            raise JournalError(f"the journal {self._path.name} belongs to another {whose}")
        self._connection.execute("COMMIT")

    def _pragma(self, name: str) -> int:
        (value,) = self._connection.execute(f"PRAGMA {name}").fetchone()
        return int(value)

    def _tables(self) -> list[Any]:
        return self._connection.execute("SELECT name FROM sqlite_master").fetchall()

    def close(self) -> None:
        """Close and unlock it. Closing twice is allowed."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def __enter__(self) -> Self:
        """Return the journal, which closes at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def entries(self) -> list[JournalEntry]:
        """Return what it knows of all rows, by their numbers."""
        with self._used() as connection:
            rows = connection.execute("SELECT * FROM rows ORDER BY number").fetchall()
        return [_entry(*row) for row in rows]

    def enter(self, rows: Iterable[PreparedRow]) -> None:
        """Add the rows of a run that it does not have yet, and note the present numbers of all of them."""
        with self._used() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.execute("UPDATE rows SET present = 0")
                connection.executemany(_ADD, [(*row.key, row.number) for row in rows])
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def mark_sent(self, key: RowKey, at: float) -> None:
        """Record that a row is about to be sent.

        Args:
            key: The row.
            at: The server's time.
        """
        with self._used() as connection:
            self._check_changed(connection.execute(_MARK, (at, *key)))

    def record(
        self,
        key: RowKey,
        state: RowStatus,
        *,
        id: str | None = None,
        faults: Mapping[str, str | None] | None = None,
        candidates: Sequence[str] = (),
    ) -> None:
        """Record what became of a row.

        Args:
            key: The row.
            state: Its new state.
            id: The id of its record.
            faults: What the API refused.
            candidates: The ids of records that may be the row's.

        Raises:
            JournalError: The record is that of another row.
        """
        texts = json.dumps(dict(faults or {})), json.dumps(list(candidates))
        with self._used() as connection:
            try:
                self._check_changed(connection.execute(_RECORD, (state, id, *texts, *key)))
            except sqlite3.IntegrityError:
                raise JournalError(f"record {id} already belongs to another row of {self._path.name}") from None

    def _check_changed(self, cursor: sqlite3.Cursor) -> None:
        if cursor.rowcount != 1:
            raise JournalError(f"the journal {self._path.name} is missing a row")

    @contextlib.contextmanager
    def _used(self) -> Generator[sqlite3.Connection]:
        with self._lock, self._translated():
            # What is written to a deleted file is lost when the process ends.
            if _identity(self._path) != self._identity:
                raise JournalError(f"the journal {self._path.name} was moved or deleted")
            yield self._connection

    @contextlib.contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(_reason(self._path.name, error)) from None
        except OSError as error:
            raise JournalError(f"the journal {self._path.name} cannot be used: {error.strerror}") from None


def _entry(digest: bytes, occurrence: int, number: int, present: int, state: RowStatus, *rest: Any) -> JournalEntry:
    sent_at, record_id, faults, candidates = rest
    key = digest, occurrence
    return JournalEntry(
        key, number, bool(present), state, sent_at, record_id, json.loads(faults), tuple(json.loads(candidates))
    )


def _reason(name: str, error: sqlite3.Error) -> str:
    # A closed connection has no code.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == _BUSY:
        return f"the journal {name} is in use by another run"
    if code == _NOT_A_DATABASE:
        return f"{name} is not a journal"
    return f"the journal {name} cannot be used: {error}"


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
