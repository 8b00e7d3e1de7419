"""`cliniko resources`: what can be listed, and its columns, filters and fields."""

import json
from typing import Any

from .. import columns as columns_of
from .._csv import csv_lines
from ..fields import describe_fields
from ..resources._names import RESOURCES
from ..resources._registry import resource_class
from .context import Context
from .names import VERBS, ResourceName, filter_examples
from .output import Format, FormatOption, default_format, write_bytes, write_lines
from .tables import print_table
from .words import plain, type_in_words


def resources(
    resource: ResourceName | None = None,
    /,
    *,
    form: FormatOption = None,
    context: Context,
) -> None:
    """Show what can be listed; of one resource, its columns, filters and fields.

    Args:
        resource: The resource to describe, such as patients. Without it, all are listed.
        form: A table is for people, and the default on a terminal. csv and the JSON formats are for programs.
        context: The options of the command line.
    """
    rows = [_summary(name) for name in sorted(RESOURCES)] if resource is None else _description(resource)
    _write(default_format(form), rows)
    if resource is None:
        context.note("cliniko resources NAME shows its columns, filters and fields")


def _write(form: Format, rows: list[dict[str, str]]) -> None:
    names = list(rows[0])
    if form == "table":
        print_table(rows, names, names)
    elif form == "csv":
        write_bytes(csv_lines([names, *(row.values() for row in rows)]))
    elif form == "json":
        write_bytes(json.dumps(rows, ensure_ascii=False, indent=2).encode() + b"\n")
    else:
        write_lines(json.dumps(row, ensure_ascii=False) for row in rows)


def _summary(name: str) -> dict[str, str]:
    kind = resource_class(name)
    methods = {command: getattr(kind, command, None) for command in VERBS}
    # A deprecated delete only archives.
    offered = [command for command, method in methods.items() if method and not hasattr(method, "__deprecated__")]
    return {"resource": name, "commands": ", ".join(offered)}


def _description(resource: str) -> list[dict[str, str]]:
    """Return a row for each name: what a column holds, how it is filtered by, and what a field may be set to."""
    kind: Any = resource_class(resource)
    holds = {name: type_in_words(of) for name, of in columns_of(kind.record).items()}
    filters = {name: filter_examples(name, column) for name, column in kind.searchable().items()}
    fields = {command: _fields(kind, command) for command in ("create", "update")}
    return [
        {
            "name": name,
            "column": holds.get(name, ""),
            "filter": filters.get(name, ""),
            "field": " ".join(command for command, known in fields.items() if name in known),
            "value": next((plain(known[name]) for known in fields.values() if name in known), ""),
        }
        for name in dict.fromkeys([*holds, *filters, *fields["create"], *fields["update"]])
    ]


def _fields(kind: Any, command: str) -> dict[str, str]:
    return describe_fields(kind.sent_fields(command)) if hasattr(kind, command) else {}
