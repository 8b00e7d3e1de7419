"""Which operation a method and a path stand for."""

import re
from collections.abc import Callable, Iterator

import attrs

from ..api.attachments import Attachments
from ..api.operations import Api, Call
from ..api.special_operations import Key, Operation, odd_operations
from ..db.relations import BELOW_PARENTS, OLDER_LISTS, plural
from ..db.schema import ParentList, Table
from ..protocol import Reply

_ID = re.compile(r"\d{1,19}", re.ASCII)
_LARGEST_ID = 2**63 - 1
_ANY = "{id}"


class Routes:
    """The operations of every table, found by method and path."""

    def __init__(self, api: Api, attachments: Attachments) -> None:
        self._operations: dict[Key, Operation] = {}
        for table in api.store.tables.values():
            self._operations |= dict(_lists(api, table))
            self._operations |= dict(_records(api, table))
            self._operations |= {} if api.strict else dict(_older_lists(api, table))
        self._operations |= odd_operations(api)
        self._operations |= dict(attachments.operations(self._operations))

    def find(self, method: str, path: str) -> tuple[Operation, tuple[int, ...]] | None:
        """The operation behind a path below the base URL, with the ids in it."""
        parts = path.removeprefix("/").split("/")
        ids = tuple(int(part) for part in parts if _ID.fullmatch(part))
        key = (method, *(_ANY if _ID.fullmatch(part) else part for part in parts))
        operation = self._operations.get(key)
        # An id that the database cannot hold belongs to nothing.
        return None if operation is None or any(one > _LARGEST_ID for one in ids) else (operation, ids)


def _lists(api: Api, table: Table) -> Iterator[tuple[Key, Operation]]:
    for asked in table.lists:
        yield ("GET", *_path_of(table, asked)), _listing(api, table, asked)


def _older_lists(api: Api, table: Table) -> Iterator[tuple[Key, Operation]]:
    for word in [word for word, names in OLDER_LISTS.items() if table.name in names]:
        hidden, everything = ("q[]", f"{word}_at:?"), _listing(api, table, ParentList(None, None))
        yield ("GET", table.name, word), _with(everything, hidden)


def _with(operation: Operation, pair: tuple[str, str]) -> Operation:
    """The same operation with a parameter more."""
    return lambda call: operation(attrs.evolve(call, pairs=[*call.pairs, pair]))


def _path_of(table: Table, asked: ParentList) -> Iterator[str]:
    if asked.parent is not None:
        yield from (plural(asked.parent), _ANY)
    yield table.name
    if asked.variant is not None:
        yield asked.variant


def _records(api: Api, table: Table) -> Iterator[tuple[Key, Operation]]:
    if table.name in BELOW_PARENTS:
        return
    one = (table.name, _ANY)
    shapes: dict[str, tuple[Key, Callable[[Call, Table], Reply]]] = {
        "create": (("POST", table.name), api.create),
        "get": (("GET", *one), api.get),
        "update": (("PATCH", *one), api.update),
        "delete": (("DELETE", *one), api.delete),
        "archive": (("POST", *one, "archive"), api.archive),
        "unarchive": (("POST", *one, "unarchive"), api.unarchive),
        "cancel": (("PATCH", *one, "cancel"), api.cancel),
    }
    for name in table.operations:
        key, operation = shapes[name]
        yield key, _of_table(operation, table)


def _listing(api: Api, table: Table, asked: ParentList) -> Operation:
    return lambda call: api.listing(call, table, asked)


def _of_table(operation: Callable[[Call, Table], Reply], table: Table) -> Operation:
    return lambda call: operation(call, table)
