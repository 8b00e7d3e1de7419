"""`cliniko list`: the records of a resource."""

import contextlib
from typing import Annotated, Any

from .. import Paginator
from ..filters import Visibility
from .context import Context
from .names import (
    AT_LEAST_1,
    Repeated,
    ResourceName,
    check_filters,
    check_listable,
    check_sort,
    class_with,
    visibility_options,
)
from .output import FormatOption, RecordWriter, default_format, record_writer
from .progress import ProgressTask

_TABLE_ROWS = 100
"""Rows of a table without --limit: more than anybody reads on a terminal."""


async def list_records(
    resource: ResourceName,
    /,
    *,
    where: Repeated = (),
    sort: Repeated = (),
    limit: Annotated[int | None, AT_LEAST_1] = None,
    archived: Visibility | None = None,
    cancelled: Visibility | None = None,
    deleted: Visibility | None = None,
    columns: str | None = None,
    form: FormatOption = None,
    context: Context,
) -> None:
    """List records, such as patients.

    Args:
        resource: What to list, such as patients. `cliniko resources` shows all names.
        where: A filter as the API writes it, such as 'category:=Osteo' or 'updated_at:>=2026-01-31T00:00:00Z'. Repeat
            it: a record must match all. `cliniko resources patients` shows what patients can be filtered by.
        sort: A column to sort by, such as name or created_at:desc. Repeat it for several.
        limit: The largest number of records. A table without it ends after 100, and says so.
        archived: Whether to include archived records, or list only those.
        cancelled: Whether to include cancelled records, or list only those.
        deleted: Whether to include deleted records, or list only those.
        columns: The columns to show, with commas between them, such as id,name.
        form: A table is for people, and the default on a terminal. ndjson is a line of JSON for each record, and the
            default otherwise. json is one JSON array. csv is for spreadsheets; it is written as it is, so a text that
            begins with = is a formula to a spreadsheet.
        context: The options of the command line.
    """
    kind = class_with("list", resource)
    chosen = default_format(form)
    writer = record_writer(chosen, kind.record, columns, resource)
    check_listable(kind)
    check_filters(where, kind)
    check_sort(sort, kind)
    visible = visibility_options(kind, archived=archived, cancelled=cancelled, deleted=deleted)
    rows = _TABLE_ROWS if chosen == "table" and limit is None else limit
    async with context.client() as cliniko:
        found: Any = cliniko.resources[resource]
        paginator = found.list(*where, sort=list(sort) or None, limit=rows, **visible)
        with context.progress(beside_output=chosen != "table") as display:
            written, total = await _write(paginator, writer, display.add(resource), rows)
        writer.end()
    if chosen == "table":
        more = "; --limit shows more, --format csv or ndjson writes all" if limit is None and written < total else ""
        context.note(f"{written:,} of {max(total, written):,} {resource}{more}")


async def _write(
    paginator: Paginator[Any], writer: RecordWriter, task: ProgressTask, limit: int | None
) -> tuple[int, int]:
    """Write the records of a list; return how many were written, and how many there are."""
    written, total = 0, 0
    writer.begin()
    async with contextlib.aclosing(paginator.pages()) as pages:
        async for page in pages:
            writer.write(page.items)
            written, total = written + len(page.items), page.total_entries or 0
            task.advance(len(page.items), total=min(total, limit or total))
    return written, total
