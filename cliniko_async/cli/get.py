"""`cliniko get`: one record."""

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from .. import NotFoundError
from ..filters import Visibility
from .context import Context
from .errors import CommandError, ExitCode, describe
from .names import ResourceName, class_with, visibility_options
from .output import FormatOption, default_format, write_record


async def get(
    resource: ResourceName,
    /,
    *ids: Annotated[str, Parameter(name="ID")],
    archived: Visibility | None = None,
    cancelled: Visibility | None = None,
    deleted: Visibility | None = None,
    columns: str | None = None,
    form: FormatOption = None,
    context: Context,
) -> None:
    """Show one record.

    Args:
        resource: What it is, such as patients. `cliniko resources` shows all names.
        ids: The number of the record in Cliniko. The settings have none; signatures need that of the patient form, too.
        archived: Whether to find it if it is archived: include or only.
        cancelled: Whether to find it if it is cancelled: include or only.
        deleted: Whether to find it if it is deleted: include or only.
        columns: The columns to show, with commas between them, such as id,name.
        form: A table is for people, and the default on a terminal; it leaves out fields without a value. json and
            ndjson are one JSON object, csv a header and a row.
        context: The options of the command line.
    """
    kind = class_with("get", resource)
    visible = visibility_options(kind, archived=archived, cancelled=cancelled, deleted=deleted)
    wanted = kind.required_arguments("get")
    if len(ids) != len(wanted):
        raise CommandError(" ".join(["the command is: cliniko get", resource, *map(str.upper, wanted)]))
    async with context.client() as cliniko:
        found: Any = cliniko.resources[resource]
        try:
            record = await found.get(*ids, **visible)
        except NotFoundError as error:
            hidden = [name for name in kind.visibilities() if name not in visible]
            raise CommandError(_not_found(error, hidden), ExitCode.NOT_FOUND) from error
    write_record(default_format(form), record, columns, resource)


def _not_found(error: NotFoundError, hidden: Sequence[str]) -> str:
    """Return the line for a record that was not found, with the options that would include hidden ones."""
    line, _ = describe(error)
    if not hidden:
        return line
    options = " ".join(f"--{name} include" for name in hidden)
    return f"{line}; if it is {' or '.join(hidden)}, add {options}"
