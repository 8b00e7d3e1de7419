"""What a bulk create says of each row, and of all of them before anything is sent."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import attrs

from .._messages import RedactedRepr
from ._journal import DONE, UNRESOLVED, JournalEntry
from ._rows import PreparedRow, RowStatus

T = TypeVar("T")

_SHOWN = 5


@attrs.frozen(kw_only=True, repr=False)
class BulkOutcome(RedactedRepr, Generic[T]):
    """What became of one row.

    Attributes:
        number: The number of the row.
        status: "created", "adopted", "refused", "ambiguous", "open" or "skipped"; `RowStatus` explains them.
        id: The id of its record, or None if it has no record or none is known.
        record: The record, if it was created by this run; otherwise None.
        faults: Of a refused row, the texts of the API by the names of its fields. They may quote what was sent.
        candidates: Of an ambiguous row, the ids of the records that may be its own.
        earlier: Whether an earlier run, or a person, brought it to this status.
    """

    number: int
    status: RowStatus
    id: str | None = None
    record: T | None = None
    faults: Mapping[str, str | None] = attrs.field(factory=dict[str, str | None])
    candidates: tuple[str, ...] = ()
    earlier: bool = False

    def __repr__(self) -> str:
        """Return the number, the status and the id, but nothing that was sent."""
        return f"{type(self).__name__}(number={self.number}, status={self.status!r}, id={self.id!r})"


def earlier_outcome(entry: JournalEntry, number: int) -> BulkOutcome[Any]:
    """Return what an earlier run brought about."""
    return BulkOutcome(
        number=number,
        status=entry.state,
        id=entry.id,
        faults=entry.faults,
        candidates=entry.candidates,
        earlier=True,
    )


@attrs.frozen(kw_only=True)
class BulkPlan:
    """What a run would do. Each attribute has the numbers of rows.

    Attributes:
        new: Rows that the journal does not know yet. They would be created.
        pending: Rows that the journal knows, and that were not sent. They would be created.
        open: Rows whose outcome is unknown. They would be looked up.
        done: Rows whose records exist.
        refused: Rows that the API refused. They would not be sent again, unless with `retry_refused`.
        ambiguous: Rows that a person must decide on.
        skipped: Rows that a person decided not to create.
        missing: Rows that the journal knows, and that are no longer there, by their last numbers.
        problem: Why the run would be refused, and what to do, or None.
        can_allow_new: Whether it would not be refused with `new_rows="create"`.
    """

    new: tuple[int, ...] = ()
    pending: tuple[int, ...] = ()
    open: tuple[int, ...] = ()
    done: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()
    ambiguous: tuple[int, ...] = ()
    skipped: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    problem: str | None = None
    can_allow_new: bool = False


def plan_of(rows: list[PreparedRow], entries: list[JournalEntry], *, allow_new: bool) -> BulkPlan:
    """Compare the rows of a run with the journal.

    Args:
        rows: The rows of the run.
        entries: The journal.
        allow_new: Whether rows may be new although rows with a record are missing.

    Returns:
        The plan.
    """
    known = {entry.key: entry for entry in entries}
    numbers: dict[str, list[int]] = {}
    for row in rows:
        entry = known.pop(row.key, None)
        status = "new" if entry is None else "done" if entry.state in DONE else entry.state
        numbers.setdefault(status, []).append(row.number)
    missing = list(known.values())
    unresolved = sorted(entry.number for entry in missing if entry.state in UNRESOLVED)
    done = sorted(entry.number for entry in missing if entry.state in DONE)
    can_allow_new = bool(done) and "new" in numbers and not allow_new and not unresolved
    problem = _of_unresolved(unresolved) if unresolved else _of_new(done) if can_allow_new else None
    return BulkPlan(
        **{status: tuple(each) for status, each in numbers.items()},
        missing=tuple(sorted(entry.number for entry in missing)),
        problem=problem,
        can_allow_new=can_allow_new,
    )


def _of_unresolved(numbers: list[int]) -> str:
    have, them = ("it has", "it") if len(numbers) == 1 else ("they have", "them")
    return (
        f"the outcome of {_listed(numbers)} is unknown, and {have} been changed or removed; "
        f"restore {them}, or record a decision (`decide`; on the command line `--decide`)"
    )


def _of_new(numbers: list[int]) -> str:
    were, have, them = ("was", "has", "it") if len(numbers) == 1 else ("were", "have", "them")
    return (
        f"{_listed(numbers)} {were} created, and {have} been changed or removed; the new rows may be changed ones, "
        f"which would be created twice: restore {them}, or allow the new rows"
    )


def _listed(numbers: list[int]) -> str:
    shown = [*map(str, numbers[:_SHOWN])]
    if len(numbers) > _SHOWN:
        shown.append(f"{len(numbers) - _SHOWN} more")
    *first, last = shown
    return f"rows {', '.join(first)} and {last}" if first else f"row {last}"
