"""The reference in Markdown: every resource with its operations, fields, filters and the fields that can be sent."""

import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, get_type_hints

import attrs

from cliniko_async import filters
from cliniko_async._compat import is_typeddict
from cliniko_async._records.record import is_union
from cliniko_async.fields import wire_name
from cliniko_async.resources._list_options import ListOptions

from .operations import Operation, record_of
from .registration import Table
from .wording import code, in_words, is_deprecated, may_be_none, parts_of, table

_HEAD = """\
# Reference

Every resource is an attribute of the client: `cliniko.appointment_types`. Its page lists what it can do, what its
records hold, what a list of it can be filtered by, and what may be sent. The pages are made from the code by `make
docs`.

- An **operation** is shown with the request that it sends. A `Paginator` sends nothing before it is used.
- A **field** is `None` at times where the table says so. `Link` and `ListLink` are followed with `cliniko.follow`. The
  API may drop one that is marked as deprecated.
- A **filter** is an attribute of `where`, as `cliniko.patients.where.email`; it has the operators of its row, and
  `asc()` and `desc()` to sort by.
- What is **sent** is a keyword argument; one that is left out stays as it is. An id may be a `str` or an `int`.
- `archived=`, `cancelled=` and `deleted=` are `"exclude"` (the default), `"include"` or `"only"`.
"""
_OPERATORS = {"__eq__": "==", "__ne__": "!=", "__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="}
_ORDERS = {"asc", "desc"}
_KINDS = {
    "": "to sort by, only",
    "int64": "number or id",
    "string": "text",
    "date-time": "moment",
    "date": "day",
    "boolean": "yes or no",
    "array": "list of ids",
}


def reference(tables: Mapping[str, Table], offered: Mapping[str, list[Operation]]) -> dict[str, str]:
    """Return the text of each page by its name: the index, and a page for each resource."""
    pages = {record_of(resource).__name__: f"{name}.md" for name, resource in tables.items()}
    index = [_HEAD, *_list_options(), "", "## Resources", "", *(f"- [{name}]({name}.md)" for name in tables)]
    texts = {name: _page(name, resource, offered[name], pages) for name, resource in tables.items()}
    return {name: "\n".join(lines) + "\n" for name, lines in {"index": index, **texts}.items()}


def _list_options() -> list[str]:
    shown = ", ".join(code(f"{name}=") for name in get_type_hints(ListOptions))
    text = f"Every `**options` of a list means {shown}; [Lists and filters](../lists.md) explains them."
    return textwrap.wrap(text, 120)


def _page(name: str, resource: Table, offered: list[Operation], pages: dict[str, str]) -> list[str]:
    blocks = [
        [f"# {name}"],
        [resource.__doc__ or ""],
        _operations(offered),
        *_records(record_of(resource), pages),
        *(block for kind in _given(offered) for block in _records(kind, pages)),
        *_filters(resource),
        *_sent(offered, pages),
    ]
    return _spaced(blocks)


def _spaced(blocks: Iterable[Sequence[str]]) -> list[str]:
    """Put an empty line between blocks."""
    lines: list[str] = []
    for block in blocks:
        lines += ["", *block] if lines else block
    return lines


def _operations(offered: list[Operation]) -> list[str]:
    if not offered:
        return ["It has no method; `cliniko.request` sends what is not modelled."]
    return table(("operation", "request", ""), (_operation(each) for each in offered))


def _operation(operation: Operation) -> tuple[str, str, str]:
    what = f"**Deprecated**: {operation.deprecated}." if operation.deprecated else operation.sentence
    request = code(" ".join(operation.request)) if operation.request else "several"
    return code(operation.signature), request, what


def _given(offered: list[Operation]) -> list[type]:
    return list(dict.fromkeys(kind for each in offered for kind in each.gives))


def _records(record: type, pages: dict[str, str]) -> Iterator[list[str]]:
    """Yield the fields of a record, the further fields of its variants, and those of its parts."""
    hints = get_type_hints(record, include_extras=True)
    yield [f"Fields of {code(record.__name__)}:"]
    yield _fields(record, hints, pages)
    shown = dict(hints)
    for variant in _variants(record):
        own = {
            name: hint for name, hint in get_type_hints(variant, include_extras=True).items() if hint != hints.get(name)
        }
        if own:
            yield [f"Fields that {code(variant.__name__)} has of its own:"]
            yield _fields(variant, own, pages)
        else:
            yield [f"{code(variant.__name__)} has no fields of its own."]
        shown |= {f"{variant.__name__}.{name}": hint for name, hint in own.items()}
    for part in parts_of(shown.values()).values():
        if part.__name__ != "SelfLink":
            yield [f"Fields of {code(part.__name__)}, a part:"]
            yield _fields(part, get_type_hints(part, include_extras=True), pages)


def _variants(record: type) -> list[type]:
    """Return the variants of a record; attrs leaves a second class of the same name until it is collected."""
    kinds: list[type] = record.__subclasses__() if is_union(record) else []
    return [kind for kind in kinds if getattr(sys.modules[kind.__module__], kind.__name__) is kind]


def _fields(cls: type, hints: dict[str, Any], pages: dict[str, str]) -> list[str]:
    known = {field.name: field.metadata for field in attrs.fields(cls)}
    return table(
        ("field", "type", "may be None"),
        (
            (
                _named(name, known[name].get("wire", name), deprecated="deprecated" in known[name]),
                in_words(hint, pages),
                "yes" if may_be_none(hint) else "",
            )
            for name, hint in hints.items()
        ),
    )


def _named(attribute: str, wire: str, *, deprecated: bool) -> str:
    named = code(attribute) if attribute == wire else f"{code(attribute)} (the API's {code(wire)})"
    return f"{named} (deprecated)" if deprecated else named


def _filters(resource: Table) -> Iterator[list[str]]:
    by_kind: dict[type, list[str]] = {}
    for base in type(vars(resource)["where"]).__mro__:
        for column in vars(base).values():
            if isinstance(column, filters.Column):
                by_kind.setdefault(type(column), []).append(column.name)
    if by_kind:
        yield ["Filters:"]
        yield table(("of", "fields", "operators"), (_filter_row(kind, names) for kind, names in by_kind.items()))


def _filter_row(kind: type, names: list[str]) -> tuple[str, str, str]:
    listed = ", ".join(map(code, sorted(names)))
    return _KINDS[getattr(kind, "kind", "")], listed, " ".join(map(code, operators(kind)))


def operators(kind: type) -> Iterator[str]:
    """Yield the operators of a type of column: those that it does not inherit from `Column`."""
    refused = vars(filters.Column)
    yield from (sign for name, sign in _OPERATORS.items() if getattr(kind, name) is not refused.get(name))
    methods = (name for name in dir(kind) if not name.startswith("_") and callable(getattr(kind, name)))
    yield from (f"{name}()" for name in methods if name not in _ORDERS)


def _sent(offered: list[Operation], pages: dict[str, str]) -> Iterator[list[str]]:
    bodies = {each.name: each.sends for each in offered if each.sends is not None}
    if not bodies:
        return
    hints = {name: get_type_hints(fields, include_extras=True) for name, fields in bodies.items()}
    yield ["May be sent:"]
    yield table(("field", "type", *bodies), _sent_rows(bodies, hints, pages))
    nested = parts_of(hint for each in hints.values() for hint in each.values())
    for part in filter(is_typeddict, nested.values()):
        yield [f"In {code(part.__name__)}:"]
        yield table(
            ("field", "type", ""), _sent_rows({"": part}, {"": get_type_hints(part, include_extras=True)}, pages)
        )


def _sent_rows(bodies: dict[str, type], hints: dict[str, dict[str, Any]], pages: dict[str, str]) -> list[list[str]]:
    """Return a row for each field, and another one if an operation takes another type."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    deprecated = {name for each in hints.values() for name, hint in each.items() if is_deprecated(hint)}
    for operation, fields in hints.items():
        required: frozenset[str] = getattr(bodies[operation], "__required_keys__", frozenset())
        for name, hint in fields.items():
            taken = ("required" if name in required else "yes") + (" or None" if may_be_none(hint) else "")
            rows.setdefault((name, in_words(hint, pages)), {})[operation] = taken
    return [
        [
            _named(name, wire_name(name), deprecated=name in deprecated),
            kind,
            *(taken.get(operation, "") for operation in bodies),
        ]
        for (name, kind), taken in sorted(rows.items())
    ]
