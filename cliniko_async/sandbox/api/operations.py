"""The operations that most resources have: each returns the reply to a call."""

import random
from collections.abc import Sequence
from typing import Any, cast

import attrs

from ..db.filtering import Conditions, add_filters, hide_records, list_contains, list_values
from ..db.json_sql import quoted
from ..db.paging import PageRange, QueryPairs, order_by
from ..db.relations import PARENT_COLUMNS, SCOPES, parent_of
from ..db.row_store import RowStore
from ..db.schema import VISIBILITY_COLUMNS, ListRoute, Table
from ..protocol import (
    NOT_AN_OBJECT,
    NOT_FOUND,
    RefusedRequest,
    Reply,
    json_reply,
    json_text_reply,
    validation_reply,
)
from .validation import check_body


@attrs.frozen
class OperationCall:
    """A parsed request."""

    path: str
    """The path below the base URL."""
    pairs: QueryPairs
    """The decoded query."""
    body: Any
    ids: tuple[int, ...]
    """The ids in the path."""


@attrs.frozen
class Operations:
    """The operations on the rows of a store."""

    store: RowStore
    rng: random.Random
    unsortable: frozenset[str] = frozenset()
    shuffle_ties: bool = False
    archiving_touches: bool = True
    strict: bool = False

    def list(self, call: OperationCall, table: Table, route: ListRoute) -> Reply:
        """Return a page of a list, of all records or of a parent's."""
        conditions = Conditions(strict=self.strict)
        self._restrict_to_parent(conditions, call, table, route)
        filtered = add_filters(conditions, _filters_of(call), table.filters)
        hide_records(conditions, table, filtered)
        _restrict_to_scope(conditions, table, route, filtered)
        salt = self.rng.randrange(1, 1_000_003) if self.shuffle_ties else None
        order = order_by(call.pairs, table, self.unsortable, salt)
        page, database = PageRange.of(call.pairs), self.store.database
        total, ids = database.count(table, conditions), database.select_ids(table, conditions, order, page)
        links = json_reply(200, page.links(self.store.base_url + call.path, call.pairs, total)).body.decode()
        records = ",".join(self.store.json_texts(table.name, ids))
        return json_text_reply(200, f'{{"{table.name}":[{records}],"total_entries":{total},"links":{links}}}')

    def page_of(self, call: OperationCall, name: str, items: Sequence[Any]) -> Reply:
        """Return a page of a list whose items are not rows."""
        page = PageRange.of(call.pairs)
        links = page.links(self.store.base_url + call.path, call.pairs, len(items))
        shown = items[page.offset : page.offset + page.per_page]
        return json_reply(200, {name: shown, "total_entries": len(items), "links": links})

    def _restrict_to_parent(self, conditions: Conditions, call: OperationCall, table: Table, route: ListRoute) -> None:
        """Add the condition that a record belongs to the parent, by the column of whichever side has one."""
        if route.parent is None:
            return
        parent = parent_of(route.parent)
        row = self.required_row(parent, call.ids[0])
        column = PARENT_COLUMNS.get((table.name, route.parent), f"{route.parent}_id")
        if column in table.columns:
            conditions.add(f"{quoted(column)} = {conditions.bind(call.ids[0])}")
        elif f"{route.parent}_ids" in table.columns:
            conditions.add(list_contains(f"{route.parent}_ids", conditions.bind(str(call.ids[0]))))
        else:
            conditions.add(f"CAST(id AS TEXT) IN {list_values(conditions.bind(row[f'{table.singular}_ids']))}")

    def required_row(self, resource: str, record_id: int) -> dict[str, Any]:
        """Return a row, hidden or not.

        Raises:
            RefusedRequest: There is none.
        """
        row = self.store.row(resource, record_id)
        if row is None:
            raise RefusedRequest(NOT_FOUND)
        return row

    def get(self, call: OperationCall, table: Table) -> Reply:
        """Return a record."""
        return self.record_reply(200, table.name, self._find(call, table))

    def create(self, call: OperationCall, table: Table) -> Reply:
        """Create a record."""
        values = self._checked_values(call, table, "create")
        return self.record_reply(201, table.name, self.store.insert(table.name, values))

    def update(self, call: OperationCall, table: Table) -> Reply:
        """Change the fields that were sent."""
        record_id = self._find(call, table)
        self.store.change(table.name, record_id, self._checked_values(call, table, "update"))
        return self.record_reply(200, table.name, record_id)

    def archive(self, call: OperationCall, table: Table) -> Reply:
        """Archive a record, or reply 404 if it is already archived."""
        values = {"archived_at": self.store.now()}
        self.store.change(table.name, self._find(call, table), values, touch=self.archiving_touches)
        return Reply(204)

    def delete(self, call: OperationCall, table: Table) -> Reply:
        """Remove a record, or archive it if its resource can be archived."""
        if "archive" in table.operations:
            return self.archive(call, table)
        if not self.store.database.remove(table, call.ids[-1]):
            raise RefusedRequest(NOT_FOUND)
        return Reply(204)

    def unarchive(self, call: OperationCall, table: Table) -> Reply:
        """Restore an archived record."""
        if not self.store.change(table.name, call.ids[-1], {"archived_at": None}, touch=self.archiving_touches):
            raise RefusedRequest(NOT_FOUND)
        return self.record_reply(200, table.name, call.ids[-1])

    def cancel(self, call: OperationCall, table: Table) -> Reply:
        """Cancel an appointment or an attendee."""
        record_id = self._find(call, table)
        values = self._checked_values(call, table, "cancel")
        if table.name == "attendees" and self._is_individual(record_id):
            raise RefusedRequest(validation_reply({"base": "Cancel the individual appointment instead"}))
        self.store.change(table.name, record_id, {**values, "cancelled_at": self.store.now()})
        return Reply(204)

    def _is_individual(self, attendee_id: int) -> bool:
        """Return whether an attendee belongs to an individual appointment."""
        booking_id = self.required_row("attendees", attendee_id)["booking_id"]
        return self.store.row("individual_appointments", booking_id) is not None

    def _find(self, call: OperationCall, table: Table) -> int:
        """Return the id at the end of the path, if there is such a record and the filters do not exclude it."""
        conditions = Conditions(strict=self.strict)
        conditions.add(f"id = {conditions.bind(call.ids[-1])}")
        searchable = {name: column_type for name, column_type in table.filters.items() if name in VISIBILITY_COLUMNS}
        hide_records(conditions, table, add_filters(conditions, _filters_of(call), searchable))
        if not self.store.database.count(table, conditions):
            raise RefusedRequest(NOT_FOUND)
        return call.ids[-1]

    def _checked_values(self, call: OperationCall, table: Table, operation: str) -> dict[str, Any]:
        body: Any = call.body
        if not isinstance(body, dict):
            raise RefusedRequest(NOT_AN_OBJECT)
        checked = check_body(cast("dict[str, Any]", body), table, self.store, operation, strict=self.strict)
        if checked.errors:
            raise RefusedRequest(validation_reply(checked.errors))
        return checked.values

    def record_reply(self, status: int, resource: str, record_id: int) -> Reply:
        """Return a reply with a record as its body."""
        return json_text_reply(status, self.store.json_texts(resource, [record_id])[0])


def _filters_of(call: OperationCall) -> Sequence[str]:
    """Return every `q[]`, and the last `q` without brackets."""
    bare = [value for name, value in call.pairs if name == "q"]
    return [value for name, value in call.pairs if name == "q[]"] + bare[-1:]


def _restrict_to_scope(conditions: Conditions, table: Table, route: ListRoute, filtered: set[str]) -> None:
    """Add the condition of a list that shows only some records, such as the active practitioners."""
    scope = SCOPES.get(table.name)
    if scope is None:
        return
    if route.variant is not None:
        conditions.add(f"{quoted(scope.column)} = {conditions.bind(scope.variants[route.variant])}")
    elif scope.value is not None and scope.column not in filtered:
        conditions.add(f"{quoted(scope.column)} = {conditions.bind(scope.value)}")
