"""`cliniko export`: resources to files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ..export import ExportError, ExportFormat, ExportProgress, Manifest, export, exportable
from ..resources._registry import resource_class
from .context import Context, Flag
from .errors import CommandError, ExitCode
from .names import Repeated, ResourceName, check_filters
from .progress import ProgressDisplay, ProgressTask
from .signals import terminate_like_ctrl_c

_STOPPED = "interrupted; what was read is kept, and the same command continues there"


async def export_resources(
    *resources: ResourceName,
    to: Path,
    form: Annotated[ExportFormat, Parameter(name="--format")] = "ndjson",
    everything: Annotated[Flag, Parameter(name="--all")] = False,
    archived: Literal["exclude", "include"] = "exclude",
    where: Repeated = (),
    skip_invalid: Flag = False,
    restart: Flag = False,
    context: Context,
) -> None:
    """Write resources to files, one for each.

    If it is interrupted in any way, run the same command again: it continues, and each file has every record once. A
    file gets its name when it is complete. manifest.json says what was exported and when.

    Args:
        resources: What to export, such as patients and invoices. `cliniko resources` shows all names.
        to: The directory to write to. It is created if it is missing.
        form: Use ndjson for one line of JSON per record. csv is for spreadsheets; it is written as it is, so text that
            begins with = is a formula to a spreadsheet. parquet, for data frames and DuckDB, needs
            cliniko-async[arrow].
        everything: Export every resource.
        archived: Whether to include archived, cancelled and deleted records, and practitioners who have left.
        where: A filter as the API writes it, such as 'updated_at:>=2026-01-31T00:00:00Z'. Repeat it: a record must
            match all. It needs exactly one resource.
        skip_invalid: Leave out records that the API does not send as it describes them, and list them in manifest.json.
            Without it, such a record stops its resource.
        restart: Begin again if the directory has an unfinished export.
        context: The options of the command line.
    """
    names = _checked(resources, where, everything=everything)
    context.interrupt_message = _STOPPED
    with terminate_like_ctrl_c(), context.progress() as display:
        async with context.client() as cliniko:
            try:
                manifest = await export(
                    cliniko,
                    names or exportable(cliniko),
                    to=to,
                    format=form,
                    archived=archived,
                    filters=dict.fromkeys(names, where) if where else None,
                    skip_invalid=skip_invalid,
                    restart=restart,
                    on_progress=_ProgressReport(display),
                )
            except ExportError as error:
                raise CommandError(*_line(error)) from None
    context.note(_summary(manifest, to))


def _checked(resources: Sequence[str], where: Sequence[str], *, everything: bool) -> Sequence[str]:
    """Return the names of the resources to export; none means all.

    Raises:
        CommandError: It is not clear what to export.
    """
    if bool(resources) == everything:
        raise CommandError("name the resources to export, such as patients, or use --all instead")
    if where:
        if len(resources) != 1:
            raise CommandError("--where needs exactly one resource; export the others into another directory")
        check_filters(where, resource_class(resources[0]))
    return resources


class _ProgressReport:
    """Shows the progress of an export, with a line for each resource."""

    def __init__(self, display: ProgressDisplay) -> None:
        self._display = display
        self._tasks: dict[str, ProgressTask] = {}
        self._rows: dict[str, int] = {}

    def __call__(self, progress: ExportProgress) -> None:
        name = progress.resource
        if name not in self._tasks:
            self._tasks[name] = self._display.add(name, progress.total)
        more = progress.rows - self._rows.get(name, 0)
        self._rows[name] = progress.rows
        self._tasks[name].advance(more, pages=0 if progress.complete else 1, total=progress.total)


def _line(error: ExportError) -> tuple[str, ExitCode]:
    """Return the line and the exit code for an export that did not begin, or that could not read every resource."""
    if error.manifest is None:
        return f"{error.advice}, or add --{error.option}" if error.option else error.advice, ExitCode.USAGE
    return f"{error}; the same command tries again", ExitCode.INCOMPLETE


def _summary(manifest: Manifest, to: Path) -> str:
    rows = sum(each.rows for each in manifest.resources.values())
    skipped = sum(len(each.skipped) for each in manifest.resources.values())
    left_out = f"; {skipped:,} invalid records were left out, see manifest.json" if skipped else ""
    count = len(manifest.resources)
    return f"{rows:,} records of {count} resource{'s' * (count != 1)} are in {to}{left_out}"
