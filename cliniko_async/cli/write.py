"""`cliniko create`, `update`, `archive` and `delete`."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import attrs
from cyclopts import Parameter

from .. import row as row_of
from .. import to_json
from .._csv import cell_text
from ..fields import check_fields
from .context import CommandContext, Context, Flag
from .errors import CommandError
from .names import Repeated, ResourceName, class_with
from .output import Format, FormatOption, default_format, write_bytes, write_record
from .values import assigned, json_fields, typed_fields

Assignments: TypeAlias = Annotated[Repeated, Parameter(name="--set")]
Cleared: TypeAlias = Annotated[Repeated, Parameter(name="--clear")]
JsonSource: TypeAlias = Annotated[str | None, Parameter(name="--json", allow_leading_hyphen=True)]
RecordId: TypeAlias = Annotated[str, Parameter(name="ID")]

_LABELS = ("label", "name", "title", "subject", "number", "starts_at")
"""The columns by which somebody recognises a record."""


async def create(
    resource: ResourceName,
    /,
    *,
    assignments: Assignments = (),
    source: JsonSource = None,
    yes: Flag = False,
    dry_run: Flag = False,
    form: FormatOption = None,
    context: Context,
) -> None:
    """Create a record.

    It shows what will be sent, and asks before it sends anything. `cliniko resources patients` lists the fields of a
    patient.

    Args:
        resource: What to create, such as patients.
        assignments: A field and its value, such as --set first_name=Ann. Repeat it. Ids of a list have commas between
            them; a time is written like 2026-01-31T09:00:00+10:00.
        source: A file with one JSON object of fields, or - to read it from stdin.
        yes: Do not ask.
        dry_run: Check everything and write what would be sent, as JSON, but send nothing.
        form: As for `cliniko get`.
        context: The options of the command line.
    """
    unsent = _UnsentRecord.of(resource, None, source, assigned(assignments))
    await _send(unsent, form, context, yes=yes, dry_run=dry_run)


async def update(
    resource: ResourceName,
    id: RecordId,
    /,
    *,
    assignments: Assignments = (),
    cleared: Cleared = (),
    source: JsonSource = None,
    yes: Flag = False,
    dry_run: Flag = False,
    form: FormatOption = None,
    context: Context,
) -> None:
    """Change fields of a record. All others stay as they are.

    It shows the old and the new values, and asks before it sends anything.

    Args:
        resource: What to change, such as patients.
        id: The number of the record in Cliniko.
        assignments: A field and its new value, such as --set first_name=Ann. Repeat it.
        cleared: A field to empty. Repeat it.
        source: A file with one JSON object of fields, or - to read it from stdin.
        yes: Do not ask.
        dry_run: Check everything and write what would be sent, as JSON, but send nothing.
        form: As for `cliniko get`.
        context: The options of the command line.
    """
    unsent = _UnsentRecord.of(resource, id, source, assigned(assignments, cleared))
    await _send(unsent, form, context, yes=yes, dry_run=dry_run)


async def archive(
    resource: ResourceName,
    id: RecordId,
    /,
    *,
    yes: Flag = False,
    dry_run: Flag = False,
    context: Context,
) -> None:
    """Archive a record. It shows which one, and asks first.

    Args:
        resource: What to archive, such as patients.
        id: The number of the record in Cliniko.
        yes: Do not ask.
        dry_run: Show which record it would be, but send nothing.
        context: The options of the command line.
    """
    await _remove("archive", resource, id, context, yes=yes, dry_run=dry_run)


async def delete(
    resource: ResourceName,
    id: RecordId,
    /,
    *,
    yes: Flag = False,
    dry_run: Flag = False,
    context: Context,
) -> None:
    """Delete a record for good. It shows which one, and asks first.

    Args:
        resource: What to delete, such as taxes. Most records can only be archived.
        id: The number of the record in Cliniko.
        yes: Do not ask.
        dry_run: Show which record it would be, but send nothing.
        context: The options of the command line.
    """
    if hasattr(class_with("delete", resource).delete, "__deprecated__"):
        raise CommandError(f"{resource} cannot be deleted, only archived: cliniko archive {resource} {id}")
    await _remove("delete", resource, id, context, yes=yes, dry_run=dry_run)


@attrs.frozen
class _UnsentRecord:
    """Checked fields to send: of a new record, or of the record with the id."""

    resource: str
    id: str | None
    fields: Mapping[str, Any]
    body: Mapping[str, Any]
    """The fields under the API's names."""

    @classmethod
    def of(cls, resource: str, id: str | None, source: str | None, options: dict[str, Any]) -> "_UnsentRecord":
        """Check the fields from a file and from options.

        Raises:
            CommandError: No field is given, or one is given twice.
            InvalidFieldsError: A field is invalid.
        """
        verb = "create" if id is None else "update"
        fields_type = class_with(verb, resource).sent_fields(verb)
        fields = typed_fields(fields_type, _given(source, options))
        return cls(resource, id, fields, check_fields(fields_type, fields))


async def _send(
    unsent: _UnsentRecord, form: Format | None, context: CommandContext, *, yes: bool, dry_run: bool
) -> None:
    """Show what is to be sent, ask, and send it."""
    if dry_run:
        write_bytes(to_json(dict(unsent.body)) + b"\n")
        return context.note("nothing was sent")
    resource = unsent.resource
    what, lookup = f"Create a record in {resource}", f"cliniko list {resource} --sort created_at:desc --limit 5"
    if unsent.id is not None:
        what, lookup = f"Change {resource} {unsent.id}", f"cliniko get {resource} {unsent.id}"
    async with context.client() as cliniko:
        found: Any = cliniko.resources[resource]
        _show(f"{what}:", unsent.body, {} if unsent.id is None else await _current(found, unsent.id))
        context.confirm(f"{what}?", yes=yes)
        with context.writing(lookup):
            call = found.create if unsent.id is None else partial(found.update, unsent.id)
            record = await call(**unsent.fields)
    return write_record(default_format(form), record, None, resource)


async def _remove(verb: str, resource: str, id: str, context: CommandContext, *, yes: bool, dry_run: bool) -> None:
    class_with(verb, resource)
    async with context.client() as cliniko:
        found: Any = cliniko.resources[resource]
        current = await _current(found, id)
        label = next((current[name] for name in _LABELS if current.get(name)), "")
        named = f"{resource} {id}" + (f" ({label})" if label and sys.stderr.isatty() else "")
        if dry_run:
            return context.note(f"would {verb} {named}; nothing was sent")
        context.confirm(f"{verb.capitalize()} {named}?", yes=yes)
        with context.writing(f"cliniko get {resource} {id}"):
            await getattr(found, verb)(id)
    return context.note(f"{verb}d {named}")


def _given(source: str | None, options: dict[str, Any]) -> dict[str, Any]:
    values = _from_json(source) if source is not None else {}
    if twice := values.keys() & options.keys():
        raise CommandError(f"the field {min(twice)} is given twice, in {source} and by an option")
    values |= options
    if not values:
        raise CommandError("no field is given: use --set name=value or --json FILE")
    return values


def _from_json(source: str) -> dict[str, Any]:
    if source == "-":
        return json_fields(sys.stdin.buffer.read(), "stdin")
    return json_fields(Path(source).read_bytes(), source)


async def _current(resource: Any, id: str) -> dict[str, str]:
    """Return the values of a record as it is now, archived or not."""
    seen = {name: "include" for name in resource.visibilities() if name == "archived"}
    return {name: cell_text(value) for name, value in row_of(await resource.get(id, **seen)).items()}


def _show(title: str, body: Mapping[str, Any], current: Mapping[str, str]) -> None:
    """Show on the terminal what will be sent; in a log, values of records have no place."""
    if sys.stderr.isatty():
        lines = [f"  {name}: {_change(current.get(name, ''), value)}\n" for name, value in body.items()]
        sys.stderr.write("".join([f"{title}\n", *lines]))


def _change(old: str, value: Any) -> str:
    new = "(nothing)" if value is None else value if isinstance(value, str) else to_json(value).decode()
    return f"{old} → {new}" if old else new
