"""Builds the SQL expression that writes a row as the JSON of its record."""

from collections.abc import Mapping

import attrs

from .columns import ColumnType
from .relations import COMPUTED_PATHS, LIST_LINK_PATHS


@attrs.frozen
class RecordFields:
    """What is written of a record."""

    table: str
    order: tuple[str, ...]
    """Every field in order, links included."""
    columns: Mapping[str, ColumnType]
    """The types of the fields that are not links."""
    single_links: frozenset[str]
    """The links to one record, whose id is a column."""
    targets: Mapping[str, str]
    """The resource that a column of ids refers to."""
    conditions: Mapping[str, str]
    """The SQL condition under which a field is shown, if it is not always."""


def quoted(name: str) -> str:
    """Return the name of a column as an SQL identifier."""
    return f'"{name}"'


def record_sql(record: RecordFields) -> str:
    """Return the SQL expression; `:base` is the base URL and `:own` the path of the resource."""
    own = COMPUTED_PATHS.get((record.table, "links"), ":own || id")
    members = [f"""',"links":{{"self":"' || :base || {own} || '"}}'"""]
    for name in record.order:
        if name == "links":
            continue
        member = _field(record, name) if name in record.columns else _link(record, name)
        condition = record.conditions.get(name)
        members.append(f"CASE WHEN {condition} THEN {member} ELSE '' END" if condition else member)
    return "'{' || substr(" + " || ".join(members) + ", 2) || '}'"


def _field(record: RecordFields, name: str) -> str:
    member = f"""',"{name}":' || {record.columns[name].json(quoted(name))}"""
    # The id of an optional link is left out together with the link.
    is_optional = name.endswith("_id") and name.removesuffix("_id") in record.order
    return f"CASE WHEN {quoted(name)} IS NULL THEN '' ELSE {member} END" if is_optional else member


def _link(record: RecordFields, name: str) -> str:
    if (record.table, name) in COMPUTED_PATHS:
        path = f"' || {COMPUTED_PATHS[record.table, name]} || '"
    elif name in record.single_links:
        path = f"/{record.targets[f'{name}_id']}/' || {quoted(name + '_id')} || '"
    else:
        path = _list_path(record.table, name).replace("{id}", "' || id || '")
    # The whole member is null, and left out, if a column of the path is null.
    return f"""ifnull(',"{name}":{{"links":{{"self":"' || :base || '{path}"}}}}', '')"""


def _list_path(table: str, name: str) -> str:
    path, is_filtered, field = LIST_LINK_PATHS.get((table, name), f"/{table}/{{id}}/{name}").partition("?")
    return f"{path}?q%5B%5D={field}%3A%3D{{id}}" if is_filtered else path
