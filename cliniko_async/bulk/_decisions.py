"""Reads a journal, and records what a person decided."""

import os
from pathlib import Path
from typing import Any, Literal

from .._frames import hides_locals
from .._loops import in_thread
from ..errors import InvalidRequestError, JournalError
from ..fields import id_text
from ._journal import UNRESOLVED, JournalEntry, RowJournal
from ._outcome import BulkOutcome, earlier_outcome

_DECISIONS = ("created", "resend", "skip")


@hides_locals
async def read_journal(path: str | os.PathLike[str]) -> list[BulkOutcome[Any]]:
    """Read what a journal knows.

    Args:
        path: The file, which must not be in use.

    Returns:
        The status of each row of the last run, in the order of their numbers, and of each row that is no longer among
        them but about which a person must decide.

    Raises:
        JournalError: It is not a journal, or is in use.
    """

    def read() -> list[BulkOutcome[Any]]:
        with RowJournal(Path(path), None) as journal:
            return [
                earlier_outcome(entry, entry.number)
                for entry in journal.entries()
                if entry.present or entry.state in UNRESOLVED
            ]

    return await in_thread(read)


@hides_locals
async def decide(
    path: str | os.PathLike[str],
    number: int,
    decision: Literal["created", "resend", "skip"],
    *,
    id: str | int | None = None,
) -> None:
    """Record what a person decided about a row, for the next run.

    Args:
        path: The journal, which must not be in use.
        number: The number of a row that is "ambiguous", "open", "refused" or "skipped".
        decision: "created": its record is the one with this `id`; only for a row that is "ambiguous" or "open".
            "resend": it has no record, and is to be sent again. "skip": it is not to be created.
        id: The id of its record, with "created"; otherwise None.

    Raises:
        InvalidRequestError: The decision is not one of these, or does not fit the `id`.
        JournalError: There is no such row, or its record is that of another row, or the journal cannot be used.
    """
    if decision not in _DECISIONS:
        raise InvalidRequestError('decision must be "created", "resend" or "skip"', argument="decision")
    record_id = None if id is None else id_text(id)
    if (record_id is None) == (decision == "created") or (id is not None and record_id is None):
        raise InvalidRequestError('id must be that of a record with "created", and None otherwise', argument="id")

    def record() -> None:
        with RowJournal(Path(path), None) as journal:
            entry = _entry(journal.entries(), number, can_exist=decision == "created")
            if decision == "created":
                journal.record(entry.key, "adopted", id=record_id)
            else:
                journal.record(entry.key, "pending" if decision == "resend" else "skipped")

    await in_thread(record)


def _entry(entries: list[JournalEntry], number: int, *, can_exist: bool) -> JournalEntry:
    states = UNRESOLVED if can_exist else (*UNRESOLVED, "refused", "skipped")
    found = [entry for entry in entries if entry.number == number and entry.state in states]
    if not found:
        raise JournalError(f"this decision does not apply to row {number}")
    if len(found) > 1:
        raise JournalError(
            f"the journal has {len(found)} rows numbered {number}, from different files: restore the earlier one"
        )
    return found[0]
