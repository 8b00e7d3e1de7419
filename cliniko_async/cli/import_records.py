"""`cliniko import`."""

import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, cast

from cyclopts import Parameter
from cyclopts.validators import Number

from .. import BulkOutcome, InvalidRowsError, JournalError, OutcomeUnknownError, bulk_create
from ..bulk import BulkCreate, BulkPlan, decide, read_journal
from ..fields import id_text
from .context import CommandContext, Context, Flag
from .errors import CommandError, ExitCode
from .names import Repeated, ResourceName, class_with
from .output import write_bytes
from .row_files import FileRows, has_day, read_rows
from .words import DAY, plain

_Decision: TypeAlias = tuple[int, Literal["created", "resend", "skip"], str | None]
"""The number of a row, what was decided, and the id of its record."""
Decisions: TypeAlias = Annotated[Repeated, Parameter(name="--decide")]

_DECISION = re.compile(r"(\d+)=(?:(created):(\d+)|(resend|skip))", re.ASCII)
_HAVE_RECORDS = ("created", "adopted")
_DONE = (*_HAVE_RECORDS, "skipped")


async def import_records(
    resource: ResourceName,
    /,
    *,
    source: Annotated[Path, Parameter(name="--from")],
    journal: Path | None = None,
    dry_run: Flag = False,
    yes: Flag = False,
    decisions: Decisions = (),
    ignore: Repeated = (),
    date_format: str | None = None,
    retry_refused: Flag = False,
    create_new: Flag = False,
    settle: Annotated[float, Parameter(validator=Number(gte=0))] = 300.0,
    context: Context,
) -> ExitCode | None:
    """Create a record for each row of a spreadsheet, without duplicates.

    All rows are checked first. A journal beside the file knows what became of each row: if the command is interrupted
    in any way, run it again, and it continues. It writes the rows that need a person to stdout, one JSON object each.

    Args:
        resource: What to create, such as patients.
        source: A CSV file in UTF-8 whose first row has the names of fields, or an NDJSON file.
        journal: The journal; by default, the name of the file with .journal at its end.
        dry_run: Check everything and say what would be done, but send nothing.
        yes: Do not ask.
        decisions: What you decided about a row: --decide 5=created:ID if its record is there, --decide 5=resend if it
            is not, or --decide 5=skip. Repeat it.
        ignore: A column to leave out. Repeat it.
        date_format: How days are written, such as %d/%m/%Y; by default like 1990-12-31.
        retry_refused: Send rows again that Cliniko refused, although they are unchanged.
        create_new: Create new rows although rows that were created are missing from the file.
        settle: Seconds after which a request without a response can no longer have an effect. If a row has no response
            and no record, the command waits that long, and then sends it again.
        context: The options of the command line.
    """
    fields = class_with("create", resource).sent_fields("create")
    wanted = [_decision(text) for text in decisions]
    if date_format and not has_day(date_format):
        raise CommandError("--date-format must have a day, a month and a year, such as %d/%m/%Y")
    place = journal or source.with_name(f"{source.name}.journal")
    rows = _checked(source, fields, date_format, ignore)
    async with context.client() as cliniko:
        run = bulk_create(
            cast("Any", cliniko.resources[resource]),
            rows.rows,
            journal=place,
            numbers=rows.lines,
            new_rows="create" if create_new else "refuse",
            retry_refused=retry_refused,
            settle=settle,
        )
        if wanted and not dry_run:
            await _decide(place, wanted, context)
        if not await _confirm(run, source.name, context, retry_refused=retry_refused, dry_run=dry_run, yes=yes):
            return None
        context.interrupt_message = "interrupted: run the same command again, and it continues"
        outcomes = await _run(run, context, resource, len(rows.rows))
    return _report(outcomes, context)


async def _confirm(
    run: BulkCreate[Any], name: str, context: CommandContext, *, retry_refused: bool, dry_run: bool, yes: bool
) -> bool:
    """Say what would be done, and ask; return whether to do it.

    Raises:
        CommandError: The answer was no, or the file does not fit the journal.
    """
    plan = await run.plan()
    context.note(f"{name}: {_described(plan)}")
    if plan.problem:
        raise CommandError(f"{plan.problem} (--create-new)" if plan.can_allow_new else plan.problem)
    if dry_run:
        context.note("nothing was sent")
        return False
    sends = len(plan.new) + len(plan.pending) + len(plan.open) + (len(plan.refused) if retry_refused else 0)
    if sends:
        context.confirm(f"Create {sends:,} record{'s' * (sends != 1)}?", yes=yes)
    return True


async def _decide(journal: Path, decisions: Sequence[_Decision], context: CommandContext) -> None:
    """Record what a person decided, apart from what an earlier run of the same command recorded.

    Raises:
        CommandError: A decision does not apply to its row.
        JournalError: The journal cannot be used.
    """
    rows = await read_journal(journal)
    for number, decision, record_id in decisions:
        found = [row for row in rows if row.number == number]
        if found and all(_is_in_effect(decision, record_id, row) for row in found):
            context.note(f"line {number}: the decision is not needed, as the row is {found[0].status}")
            continue
        try:
            await decide(journal, number, decision, id=record_id)
        except JournalError as error:
            raise CommandError(f"--decide {number}: {error}") from None


def _is_in_effect(decision: str, record_id: str | None, row: BulkOutcome[Any]) -> bool:
    """Return whether a row is what a decision makes of it, or further.

    A row that was sent again, and whose outcome is open, must not be sent a third time for the same decision.
    """
    if decision == "created":
        return row.status in _HAVE_RECORDS and row.id == record_id
    return decision == "resend" and row.status in (*_HAVE_RECORDS, "pending", "open")


def _decision(text: str) -> _Decision:
    match = _DECISION.fullmatch(text)
    if match is None or (match[3] is not None and id_text(match[3]) is None):
        raise CommandError("--decide must be like 5=created:123, 5=resend or 5=skip, with the line of the row")
    number, created, record_id, other = match.groups()
    return int(number), cast("Literal['created', 'resend', 'skip']", created or other), record_id


def _checked(source: Path, fields: type, date_format: str | None, ignore: Any) -> FileRows:
    try:
        return read_rows(source, fields, date_format=date_format, ignored=ignore)
    except InvalidRowsError as error:
        plainly = {number: _plainly(texts, date_format) for number, texts in error.faults.items()}
        lines = list(InvalidRowsError(plainly).lines(f"{source.name}: line"))
    # Outside the handler, as a chained error would show the values.
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    raise CommandError(f"faults in {source.name}: {len(lines)}; nothing was sent", ExitCode.INVALID_DATA)


def _plainly(faults: Mapping[str, str], date_format: str | None) -> dict[str, str]:
    """Return the faults of a row without the words of Python, and with days as the file should have them."""
    day = DAY.strftime(date_format) if date_format else str(DAY)
    return {field: plain(text).replace(str(DAY), day) for field, text in faults.items()}


def _described(plan: BulkPlan) -> str:
    counts = {
        "to create": len(plan.new) + len(plan.pending),
        "created already": len(plan.done),
        "to look up": len(plan.open),
        "refused": len(plan.refused),
        "to decide": len(plan.ambiguous),
        "skipped": len(plan.skipped),
        "no longer in the file": len(plan.missing),
    }
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count) or "no rows"


async def _run(run: Any, context: CommandContext, resource: str, total: int) -> list[BulkOutcome[Any]]:
    outcomes: list[BulkOutcome[Any]] = []
    try:
        with context.progress() as display:
            task = display.add(resource, total)
            async for outcome in run:
                task.advance(1, pages=0)
                outcomes.append(outcome)
    except OutcomeUnknownError as error:
        text = f"{error}; run the same command again, and it looks up what was created"
        raise CommandError(text, ExitCode.UNAVAILABLE) from None
    return outcomes


def _report(outcomes: list[BulkOutcome[Any]], context: CommandContext) -> ExitCode | None:
    """Write the rows that need a person, in their order, and return the exit code."""
    counts = Counter(outcome.status for outcome in outcomes)
    context.note(", ".join(f"{count:,} {status}" for status, count in counts.items()))
    for outcome in sorted(outcomes, key=lambda each: each.number):
        if outcome.status not in _DONE:
            write_bytes(json.dumps(_entry(outcome), ensure_ascii=False).encode() + b"\n")
    if counts["ambiguous"]:
        decisions = "--decide LINE=created:ID, LINE=resend or LINE=skip"
        context.note(f"look for the candidates in Cliniko, and run it again with {decisions}")
    if counts["ambiguous"] or counts["open"]:
        return ExitCode.OUTCOME_UNKNOWN
    return ExitCode.INVALID_DATA if counts["refused"] else None


def _entry(outcome: BulkOutcome[Any]) -> Mapping[str, Any]:
    details = {"candidates": list(outcome.candidates), "faults": dict(outcome.faults)}
    return {"line": outcome.number, "status": outcome.status, **{name: each for name, each in details.items() if each}}
