"""The tables of the sandbox, read off the tables of the library."""

import re
import sys
import types
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, Required, Union, get_args, get_origin, get_type_hints

import attrs

from ...resources._names import RESOURCES
from ...resources._registry import resource_class
from .columns import DECIMAL, ID, IDS, MOMENT, NUMBER, OBJECT, OF_FILTER, OF_TYPE, Kind
from .relations import (
    ALSO_SEARCHED,
    ELSEWHERE,
    FIXED_LINKS,
    HIDDEN,
    OWN_PATHS,
    STAND_INS,
    VARIANTS,
    plural,
    snake,
)

_LIST = re.compile(r"list(?:_(active|inactive))?(?:_for_(\w+))?")
_OPERATIONS = ("create", "update", "archive", "unarchive", "delete", "cancel", "get")
HIDING = ("archived_at", "cancelled_at", "deleted_at")


_OF_SEVERAL: tuple[tuple[set[Any], Kind], ...] = (({Decimal}, DECIMAL), ({str, int}, ID), ({str}, OF_TYPE[str]))
_NO_IDS = frozenset({"old_reference_id"})
"""Texts that are named like the id of a record."""


@attrs.frozen
class Hint:
    """An annotation taken apart."""

    base: Any
    """The type; None where a value is of one of several."""
    rules: tuple[Any, ...]
    nullable: bool
    several: tuple[Any, ...] = ()

    @classmethod
    def of(cls, annotation: Any) -> "Hint":
        """Take None, metadata and the type apart, in whatever order they were put together."""
        if get_origin(annotation) is Annotated:
            inner = cls.of(get_args(annotation)[0])
            return attrs.evolve(inner, rules=inner.rules + get_args(annotation)[1:])
        if get_origin(annotation) is Required:
            return cls.of(get_args(annotation)[0])
        if get_origin(annotation) not in (Union, types.UnionType):
            return cls(annotation, (), nullable=False)
        members = [member for member in get_args(annotation) if member is not types.NoneType]
        nullable = len(members) < len(get_args(annotation))
        if len(members) > 1:
            return cls(None, (), nullable, tuple(members))
        inner = cls.of(members[0])
        return attrs.evolve(inner, nullable=nullable or inner.nullable)

    @property
    def kind(self) -> Kind:
        """How such a value is stored."""
        if self.several:
            return next((kind for types, kind in _OF_SEVERAL if types <= set(self.several)), OBJECT)
        if NUMBER.name in self.rules:
            return NUMBER
        if get_origin(self.base) is Literal:
            return OF_TYPE[type(get_args(self.base)[0])]
        if get_origin(self.base) in (tuple, Sequence):
            return IDS if Hint.of(get_args(self.base)[0]).kind in (ID, OF_TYPE[str]) else OBJECT
        return OF_TYPE.get(self.base, OBJECT)


@attrs.frozen
class ParentList:
    """A list that a path names, of everything or of a parent's."""

    variant: str | None
    parent: str | None
    """The singular name of the parent."""


@attrs.frozen
class Table:
    """One resource: its columns, its JSON, and what may be done with it."""

    name: str
    singular: str
    columns: Mapping[str, Kind]
    blank: Mapping[str, Any]
    """What a row has where nothing is given."""
    json: str
    """The SQL expression that writes a row as JSON; `:base` is the base URL."""
    filters: Mapping[str, Kind]
    lists: tuple[ParentList, ...]
    operations: frozenset[str]
    sent: Mapping[str, Mapping[str, Any]]
    """What each operation takes: the annotations of its fields."""
    targets: Mapping[str, str]
    """The resource that a column of ids refers to."""

    @property
    def stamps(self) -> tuple[str, ...]:
        """The columns that say when a record was written."""
        return tuple(name for name in ("created_at", "updated_at") if name in self.columns)

    @property
    def hiding(self) -> tuple[str, ...]:
        """The columns that hide a record from its list when they are set."""
        return tuple(name for name in HIDING if name in self.filters)


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return f'"{name}"'


def load() -> dict[str, Table]:
    """Read every table of the library that is a list of records with ids."""
    classes: list[Any] = [resource_class(name) for name in RESOURCES]
    classes = [cls for cls in classes if hasattr(cls, "list") and hasattr(cls.record, "id")]
    records = {cls.record.__name__: cls.name for cls in classes}
    return {cls.name: _table(cls, records) for cls in classes}


def _table(cls: Any, records: Mapping[str, str]) -> Table:
    kinds = _variant_fields(cls)
    fields = _record_fields(cls.record) | {name: hint for each in kinds.values() for name, hint in each.items()}
    links = {name: hint for name, hint in fields.items() if _is_link(hint)}
    searchable: dict[str, Any] = cls.searchable()
    filters = {name: OF_FILTER[column.kind] for name, column in searchable.items()} | ALSO_SEARCHED.get(cls.name, {})
    sent = {name: _sent(cls, name) for name in ("create", "update", "cancel")}
    columns = _columns(cls.name, fields, links, {**sent["create"], **sent["update"], **sent["cancel"]}, filters)
    ones = {name: hint for name, hint in links.items() if _is_one(cls.name, name, hint)}
    targets = {f"{name}_id": _target(name, hint, records) for name, hint in ones.items()}
    targets |= {name: _owner(name, links, records) for name in columns if name.endswith("_ids")}
    return Table(
        name=cls.name,
        singular=snake(cls.record.__name__),
        columns=columns,
        blank=_blank(cls.name, columns, fields),
        json=_json(cls.name, fields, targets, _shown_if(cls.name, kinds)),
        filters=filters,
        lists=tuple(_lists(cls)),
        operations=frozenset(name for name in _OPERATIONS if hasattr(cls, name)) - ELSEWHERE.get(cls.name, set()),
        sent=sent,
        targets=targets,
    )


def _record_fields(record: type) -> dict[str, Hint]:
    """The fields of a record under the names that they have in JSON."""
    hints = get_type_hints(record, include_extras=True)
    return {
        field.metadata.get("wire", field.name): Hint.of(
            Annotated[hints[field.name], NUMBER.name] if "number" in field.metadata else hints[field.name]
        )
        for field in attrs.fields(record)
    }


def _variant_fields(cls: Any) -> dict[str, dict[str, Hint]]:
    """The fields that only the records of one kind or another have, by the class of the kind."""
    shared = attrs.fields_dict(cls.record)
    variants = {name: getattr(sys.modules[cls.record.__module__], name) for name in VARIANTS.get(cls.name, {})}
    return {
        variant: {name: hint for name, hint in _record_fields(record).items() if name.removesuffix("_") not in shared}
        for variant, record in variants.items()
    }


def _shown_if(table: str, kinds: Mapping[str, Mapping[str, Hint]]) -> dict[str, str]:
    """The SQL that says of which rows a field is shown, for the fields of one kind or another."""
    names = {name for fields in kinds.values() for name in fields}
    return {
        name: " OR ".join(f"({VARIANTS[table][kind]})" for kind, fields in kinds.items() if name in fields)
        for name in names
    }


def _is_link(hint: Hint) -> bool:
    return getattr(hint.base, "__name__", "") in ("Link", "ListLink")


def _sent(cls: Any, operation: str) -> dict[str, Any]:
    """What an operation takes, from the annotation of its keyword arguments."""
    if not hasattr(cls, operation):
        return {}
    (fields,) = get_args(get_type_hints(getattr(cls, operation))["fields"])
    return {name.removesuffix("_"): hint for name, hint in get_type_hints(fields, include_extras=True).items()}


def _columns(
    table: str,
    fields: Mapping[str, Hint],
    links: Mapping[str, Hint],
    sent: Mapping[str, Any],
    filters: Mapping[str, Kind],
) -> dict[str, Kind]:
    """One column for each field that is no link to many, and for whatever else may be sent or searched."""
    columns = {name: _kind(name, hint) for name, hint in fields.items() if name != "links" and name not in links}
    ones = [name for name in links if _is_one(table, name, links[name])]
    columns |= {f"{name}_id": ID for name in ones}
    columns |= {name: _kind(name, Hint.of(hint)) for name, hint in sent.items() if name not in columns}
    columns |= {name: kind for name, kind in filters.items() if name not in columns}
    # Some can be archived and do not show it.
    return {"archived_at": MOMENT, **columns, **HIDDEN.get(table, {})}


def _kind(name: str, hint: Hint) -> Kind:
    named = (name == "id" or name.endswith("_id")) and name not in _NO_IDS
    return ID if named and hint.kind is OF_TYPE[str] else hint.kind


def _is_one(table: str, name: str, hint: Hint) -> bool:
    return hint.base.__name__ == "Link" and (table, name) not in FIXED_LINKS


def _target(name: str, hint: Hint, records: Mapping[str, str]) -> str:
    """The resource a link leads to; by the name of the field where no table has such a record."""
    named = str(hint.rules[0]).partition(" | ")[0] if hint.rules else ""
    return records.get(named) or plural(name)


def _owner(name: str, links: Mapping[str, Hint], records: Mapping[str, str]) -> str:
    many = plural(name.removesuffix("_ids"))
    return _target(many, links[many], records) if many in links else many


def _blank(table: str, columns: Mapping[str, Kind], fields: Mapping[str, Hint]) -> dict[str, Any]:
    needed = {name for name, hint in fields.items() if not hint.nullable}
    # What is referred to can only be given.
    blank = {name: kind.least if name in needed and kind is not ID else None for name, kind in columns.items()}
    given = STAND_INS.get(table, {})
    return blank | {name: columns[name].store(value) for name, value in given.items() if name in columns}


def _json(table: str, fields: Mapping[str, Hint], targets: Mapping[str, str], shown_if: Mapping[str, str]) -> str:
    # A record of a resource that has members is read under another path than its own.
    own = OWN_PATHS.get((table, "links"), ":own || id")
    parts = [f"""',"links":{{"self":"' || :base || {own} || '"}}'"""]
    for name, hint in fields.items():
        if name == "links":
            continue
        optional = name.endswith("_id") and name.removesuffix("_id") in fields
        part = _link_json(table, name, hint, targets) if _is_link(hint) else _field_json(name, hint, optional=optional)
        parts.append(f"CASE WHEN {shown_if[name]} THEN {part} ELSE '' END" if name in shown_if else part)
    return "'{' || substr(" + " || ".join(parts) + ", 2) || '}'"


def _field_json(name: str, hint: Hint, *, optional: bool) -> str:
    """The text of a field; the id that a link has beside it is left out with the link."""
    text = f"""',"{name}":' || {_kind(name, hint).json(quoted(name))}"""
    return f"CASE WHEN {quoted(name)} IS NULL THEN '' ELSE {text} END" if optional else text


def _link_json(table: str, name: str, hint: Hint, targets: Mapping[str, str]) -> str:
    if (table, name) in OWN_PATHS:
        path = f"' || {OWN_PATHS[table, name]} || '"
    elif _is_one(table, name, hint):
        path = f"/{targets[f'{name}_id']}/' || {quoted(name + '_id')} || '"
    else:
        path = _path_of_many(table, name).replace("{id}", "' || id || '")
    text = f"""',"{name}":{{"links":{{"self":"' || :base || '{path}"}}}}'"""
    return f"ifnull({text}, '')"


def _path_of_many(table: str, name: str) -> str:
    path, asked, field = FIXED_LINKS.get((table, name), f"/{table}/{{id}}/{name}").partition("?")
    return f"{path}?q%5B%5D={field}%3A%3D{{id}}" if asked else path


def _lists(cls: Any) -> list[ParentList]:
    found = [_LIST.fullmatch(name) for name in dir(cls)]
    return [ParentList(match[1], match[2]) for match in found if match]
