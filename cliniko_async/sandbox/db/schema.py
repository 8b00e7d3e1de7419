"""The tables of the sandbox, derived from the resources of the library."""

import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_type_hints

import attrs

from ... import Link, ListLink
from ...fields import wire_name
from ...resources._names import RESOURCES
from ...resources._registry import resource_class
from .annotations import FieldAnnotation
from .columns import BY_FILTER_TYPE, ID, MOMENT, TEXT, ColumnType
from .defaults import DEFAULT_VALUES
from .json_sql import RecordFields, record_sql
from .relations import (
    EXTRA_COLUMNS,
    EXTRA_FILTERS,
    LIST_LINK_PATHS,
    OPERATIONS_ELSEWHERE,
    VARIANTS,
    plural,
    snake_case,
)

VISIBILITY_COLUMNS = ("archived_at", "cancelled_at", "deleted_at")

_LIST_METHOD = re.compile(r"list(?:_(active|inactive))?(?:_for_(\w+))?")
_OPERATIONS = ("create", "update", "archive", "unarchive", "delete", "cancel", "get")
_TEXTS_NAMED_LIKE_IDS = frozenset({"old_reference_id"})

Annotations = Mapping[str, FieldAnnotation]


@attrs.frozen
class ListRoute:
    """A list that has a path of its own: of all records or of a parent's."""

    variant: str | None
    """The last word of the path, such as `inactive`."""
    parent: str | None
    """The singular name of the parent."""


@attrs.frozen
class Table:
    """One resource: its columns, its JSON, and its operations."""

    name: str
    singular: str
    columns: Mapping[str, ColumnType]
    defaults: Mapping[str, Any]
    """The values of a row where nothing is given."""
    json: str
    """The SQL expression that writes a row as JSON; `:base` is the base URL, `:own` the path of the resource."""
    filters: Mapping[str, ColumnType]
    lists: tuple[ListRoute, ...]
    operations: frozenset[str]
    body_fields: Mapping[str, Mapping[str, Any]]
    """The annotations of the fields that each operation accepts."""
    targets: Mapping[str, str]
    """The resource that a column of ids refers to."""

    @property
    def stamps(self) -> tuple[str, ...]:
        """The columns for the times when a record was created and changed."""
        return tuple(name for name in ("created_at", "updated_at") if name in self.columns)

    @property
    def visibility_columns(self) -> tuple[str, ...]:
        """The columns that, when they are set, hide a record from its list."""
        return tuple(name for name in VISIBILITY_COLUMNS if name in self.filters)


def load_tables() -> dict[str, Table]:
    """Return a table for every resource that lists records with ids."""
    classes: list[Any] = [resource_class(name) for name in RESOURCES]
    classes = [cls for cls in classes if hasattr(cls, "list") and hasattr(cls.record, "id")]
    resources = {cls.record.__name__: cls.name for cls in classes}
    return {cls.name: _table(cls, resources) for cls in classes}


@attrs.frozen
class _RecordShape:
    """The fields of a resource's record, variants included."""

    resource: str
    fields: Annotations
    links: Annotations
    """The fields that are links."""
    single_links: frozenset[str]
    """The links to one record, whose id is a column."""
    conditions: Mapping[str, str]
    """The SQL condition under which a field is shown, for the fields of variants."""

    @classmethod
    def of(cls, resource: Any) -> "_RecordShape":
        """Read it from the class of a resource."""
        name: str = resource.name
        variants = _variant_fields(resource)
        fields = _record_fields(resource.record)
        for variant in variants.values():
            fields |= variant
        links = {field: annotation for field, annotation in fields.items() if annotation.type in (Link, ListLink)}
        single = {field for field, link in links.items() if link.type is Link and (name, field) not in LIST_LINK_PATHS}
        return cls(name, fields, links, frozenset(single), _conditions(name, variants))


def _table(cls: Any, resources: Mapping[str, str]) -> Table:
    shape, name = _RecordShape.of(cls), cls.name
    searchable: dict[str, Any] = cls.searchable()
    filters = {field: BY_FILTER_TYPE[column.kind] for field, column in searchable.items()} | EXTRA_FILTERS.get(name, {})
    body_fields = {operation: _body_fields(cls, operation) for operation in ("create", "update", "cancel")}
    columns = _columns(shape, body_fields, filters)
    targets = _targets(shape, columns, resources)
    shown = {field: _column_type(field, shape.fields[field]) for field in shape.fields if field not in shape.links}
    record = RecordFields(name, tuple(shape.fields), shown, shape.single_links, targets, shape.conditions)
    return Table(
        name=name,
        singular=snake_case(cls.record.__name__),
        columns=columns,
        defaults=_defaults(shape, columns),
        json=record_sql(record),
        filters=filters,
        lists=tuple(_lists(cls)),
        operations=frozenset(each for each in _OPERATIONS if hasattr(cls, each))
        - OPERATIONS_ELSEWHERE.get(name, set()),
        body_fields=body_fields,
        targets=targets,
    )


def _record_fields(record: type) -> dict[str, FieldAnnotation]:
    """Return the fields of a record by their names in JSON."""
    hints = get_type_hints(record, include_extras=True)
    return {
        field.metadata.get("wire", field.name): attrs.evolve(
            FieldAnnotation.of(hints[field.name]), is_number="number" in field.metadata
        )
        for field in attrs.fields(record)
    }


def _variant_fields(cls: Any) -> dict[str, dict[str, FieldAnnotation]]:
    """Return the fields that only one variant of the record has, by the class name of the variant."""
    shared = attrs.fields_dict(cls.record)
    variants = {name: getattr(sys.modules[cls.record.__module__], name) for name in VARIANTS.get(cls.name, {})}
    return {
        variant: {name: field for name, field in _record_fields(record).items() if name not in shared}
        for variant, record in variants.items()
    }


def _conditions(table: str, variants: Mapping[str, Annotations]) -> dict[str, str]:
    """Return the SQL condition under which a row shows a field, for the fields of variants."""
    names = {name for fields in variants.values() for name in fields}
    return {
        name: " OR ".join(f"({VARIANTS[table][variant]})" for variant, fields in variants.items() if name in fields)
        for name in names
    }


def _body_fields(cls: Any, operation: str) -> dict[str, Any]:
    """Return the annotations of an operation's keyword arguments, by their names in JSON."""
    if not hasattr(cls, operation):
        return {}
    (fields,) = get_args(get_type_hints(getattr(cls, operation))["fields"])
    return {wire_name(name): hint for name, hint in get_type_hints(fields, include_extras=True).items()}


def _columns(
    shape: _RecordShape, body_fields: Mapping[str, Mapping[str, Any]], filters: Mapping[str, ColumnType]
) -> dict[str, ColumnType]:
    """Return a column for every field and link to one record, and for whatever else may be sent or filtered."""
    plain = {name: field for name, field in shape.fields.items() if name != "links" and name not in shape.links}
    sent = {name: FieldAnnotation.of(hint) for fields in body_fields.values() for name, hint in fields.items()}
    columns = {name: _column_type(name, field) for name, field in plain.items()}
    columns |= {f"{name}_id": ID for name in shape.links if name in shape.single_links}
    columns |= {name: _column_type(name, field) for name, field in sent.items() if name not in columns}
    columns |= {name: column_type for name, column_type in filters.items() if name not in columns}
    # Some records can be archived without showing it.
    return {"archived_at": MOMENT, **columns, **EXTRA_COLUMNS.get(shape.resource, {})}


def _column_type(name: str, annotation: FieldAnnotation) -> ColumnType:
    is_id = (name == "id" or name.endswith("_id")) and name not in _TEXTS_NAMED_LIKE_IDS
    return ID if is_id and annotation.column_type is TEXT else annotation.column_type


def _targets(shape: _RecordShape, columns: Iterable[str], resources: Mapping[str, str]) -> dict[str, str]:
    """Return the resource that each column of ids refers to.

    It is the target of the link, or implied by the name of the field if no table has such records.
    """

    def target(field: str) -> str:
        link = shape.links.get(field)
        record = str(link.metadata[0]).partition(" | ")[0] if link is not None and link.metadata else ""
        return resources.get(record) or plural(field)

    targets = {f"{field}_id": target(field) for field in shape.links if field in shape.single_links}
    return targets | {name: target(plural(name.removesuffix("_ids"))) for name in columns if name.endswith("_ids")}


def _defaults(shape: _RecordShape, columns: Mapping[str, ColumnType]) -> dict[str, Any]:
    required = {name for name, field in shape.fields.items() if not field.nullable}
    # A reference has no default.
    empty = {name: column.empty if name in required and column is not ID else None for name, column in columns.items()}
    given = DEFAULT_VALUES.get(shape.resource, {})
    return empty | {name: columns[name].store(value) for name, value in given.items() if name in columns}


def _lists(cls: Any) -> list[ListRoute]:
    found = [_LIST_METHOD.fullmatch(name) for name in dir(cls)]
    return [ListRoute(match[1], match[2]) for match in found if match]
