"""Finds the operation that a method and a path name."""

from collections.abc import Callable, Iterator

import attrs

from ..api.attachments import Attachments
from ..api.operations import OperationCall, Operations
from ..api.special_operations import Operation, RouteKey, special_operations
from ..db.columns import parsed_id
from ..db.relations import LEGACY_LISTS, plural
from ..db.schema import ListRoute, Table
from ..protocol import Reply

_ID = "{id}"


class Routes:
    """The operations of every table, by method and path."""

    def __init__(self, operations: Operations, attachments: Attachments) -> None:
        self._operations: dict[RouteKey, Operation] = {}
        for table in operations.store.tables.values():
            self._operations |= dict(_list_routes(operations, table))
            self._operations |= dict(_record_routes(operations, table))
            self._operations |= {} if operations.strict else dict(_legacy_list_routes(operations, table))
        self._operations |= special_operations(operations)
        self._operations |= dict(attachments.routes(self._operations))

    def find(self, method: str, path: str) -> tuple[Operation, tuple[int, ...]] | None:
        """Return the operation of a path below the base URL, and the ids in the path; None if there is none."""
        parts = [(part, parsed_id(part)) for part in path.removeprefix("/").split("/")]
        operation = self._operations.get((method, *(part if number is None else _ID for part, number in parts)))
        return None if operation is None else (operation, tuple(number for _, number in parts if number is not None))


def _list_routes(operations: Operations, table: Table) -> Iterator[tuple[RouteKey, Operation]]:
    for route in table.lists:
        yield ("GET", *_path_of(table, route)), _list_operation(operations, table, route)


def _path_of(table: Table, route: ListRoute) -> Iterator[str]:
    if route.parent is not None:
        yield from (plural(route.parent), _ID)
    yield table.name
    if route.variant is not None:
        yield route.variant


def _list_operation(operations: Operations, table: Table, route: ListRoute) -> Operation:
    return lambda call: operations.list(call, table, route)


def _legacy_list_routes(operations: Operations, table: Table) -> Iterator[tuple[RouteKey, Operation]]:
    for word in [word for word, names in LEGACY_LISTS.items() if table.name in names]:
        everything = _list_operation(operations, table, ListRoute(None, None))
        yield ("GET", table.name, word), _with_filter(everything, f"{word}_at:?")


def _with_filter(operation: Operation, text: str) -> Operation:
    return lambda call: operation(attrs.evolve(call, pairs=[*call.pairs, ("q[]", text)]))


def _record_routes(operations: Operations, table: Table) -> Iterator[tuple[RouteKey, Operation]]:
    record = (table.name, _ID)
    routes: dict[str, tuple[RouteKey, Callable[[OperationCall, Table], Reply]]] = {
        "create": (("POST", table.name), operations.create),
        "get": (("GET", *record), operations.get),
        "update": (("PATCH", *record), operations.update),
        "delete": (("DELETE", *record), operations.delete),
        "archive": (("POST", *record, "archive"), operations.archive),
        "unarchive": (("POST", *record, "unarchive"), operations.unarchive),
        "cancel": (("PATCH", *record, "cancel"), operations.cancel),
    }
    for name in table.operations:
        key, operation = routes[name]
        yield key, _bound_to(operation, table)


def _bound_to(operation: Callable[[OperationCall, Table], Reply], table: Table) -> Operation:
    return lambda call: operation(call, table)
