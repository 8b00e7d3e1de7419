"""What the API does: one function an operation, from a call to its answer."""

import random
from typing import Any, cast

import attrs

from ..db.filtering import Conditions, add_filters, contains, hide, listed
from ..db.paging import Page, Pairs, order_by
from ..db.relations import PARENT_COLUMNS, SCOPES, parent_of
from ..db.rows import Store
from ..db.schema import HIDING, ParentList, Table, quoted
from ..protocol import NO_OBJECT, NOT_FOUND, Refused, Reply, invalid, json_reply, text_reply
from .validation import check_body


@attrs.frozen
class Call:
    """One request, read."""

    path: str
    """Below the base URL."""
    pairs: Pairs
    """The query, decoded."""
    body: Any
    ids: tuple[int, ...]
    """The ids in the path."""


@attrs.frozen
class Api:
    """The operations over a store."""

    store: Store
    rng: random.Random
    unsortable: frozenset[str] = frozenset()
    shuffle_ties: bool = False
    archiving_touches: bool = True
    strict: bool = False

    def listing(self, call: Call, table: Table, asked: ParentList) -> Reply:
        """A page of a list, of everything or of a parent's."""
        conditions = Conditions(strict=self.strict)
        self._belong(conditions, call, table, asked)
        filtered = add_filters(conditions, _filters_of(call), dict(table.filters))
        hide(conditions, table, filtered)
        _divide(conditions, table, asked, filtered)
        salt = self.rng.randrange(1, 1_000_003) if self.shuffle_ties else None
        order = order_by(call.pairs, table, self.unsortable, salt)
        page, total = Page.of(call.pairs), self.store.rows.count(table, conditions)
        texts = self.store.texts(table, self.store.rows.choose(table, conditions, order, page))
        links = json_reply(200, page.links(self.store.base_url + call.path, call.pairs, total)).body.decode()
        return text_reply(200, f'{{"{table.name}":[{",".join(texts)}],"total_entries":{total},"links":{links}}}')

    def _belong(self, conditions: Conditions, call: Call, table: Table, asked: ParentList) -> None:
        """Ask for the records of a parent, by whichever side has the column for it."""
        if asked.parent is None:
            return
        parent = self.store.tables[parent_of(asked.parent)]
        (parent_id,) = call.ids
        if not self.store.rows.has(parent.name, parent_id):
            raise Refused(NOT_FOUND)
        column = PARENT_COLUMNS.get((table.name, asked.parent), f"{asked.parent}_id")
        if column in table.columns:
            conditions.add(f"{quoted(column)} = {conditions.bind(parent_id)}")
        elif f"{asked.parent}_ids" in table.columns:
            conditions.add(contains(f"{asked.parent}_ids", conditions.bind(str(parent_id))))
        else:
            row = self.store.rows.row(parent, parent_id) or {}
            conditions.add(f"CAST(id AS TEXT) IN {listed(conditions.bind(row[f'{table.singular}_ids']))}")

    def get(self, call: Call, table: Table) -> Reply:
        """One record."""
        return self._record(200, table, self._found(call, table))

    def create(self, call: Call, table: Table) -> Reply:
        """Create a record."""
        values = self._values(call, table, "create")
        return self._record(201, table, self.store.insert(table, values))

    def update(self, call: Call, table: Table) -> Reply:
        """Change the fields that were sent."""
        record_id = self._found(call, table)
        self.store.change(table, record_id, self._values(call, table, "update"))
        return self._record(200, table, record_id)

    def archive(self, call: Call, table: Table) -> Reply:
        """Archive a record; one that is archived is not found again."""
        record_id = self._found(call, table)
        self.store.change(table, record_id, {"archived_at": self.store.now()}, touch=self.archiving_touches)
        return Reply(204)

    def delete(self, call: Call, table: Table) -> Reply:
        """Remove a record, or archive it where records can be archived."""
        if "archive" in table.operations:
            return self.archive(call, table)
        if not self.store.rows.remove(table, call.ids[-1]):
            raise Refused(NOT_FOUND)
        return Reply(204)

    def unarchive(self, call: Call, table: Table) -> Reply:
        """Bring an archived record back."""
        if not self.store.change(table, call.ids[-1], {"archived_at": None}, touch=self.archiving_touches):
            raise Refused(NOT_FOUND)
        return self._record(200, table, call.ids[-1])

    def cancel(self, call: Call, table: Table) -> Reply:
        """Cancel an appointment or an attendance."""
        record_id = self._found(call, table)
        values = self._values(call, table, "cancel")
        if table.name == "attendees" and self._is_individual(record_id, table):
            raise Refused(invalid({"base": "Cancel the individual appointment instead"}))
        self.store.change(table, record_id, {**values, "cancelled_at": self.store.now()})
        return Reply(204)

    def _is_individual(self, record_id: int, attendees: Table) -> bool:
        """Whether an attendee belongs to an individual appointment."""
        booking = (self.store.rows.row(attendees, record_id) or {})["booking_id"]
        return booking is not None and self.store.rows.has("individual_appointments", int(booking))

    def _found(self, call: Call, table: Table) -> int:
        """The id in the path, of a record that the filters let through."""
        conditions = Conditions(strict=self.strict)
        conditions.add(f"id = {conditions.bind(call.ids[-1])}")
        searchable = {name: kind for name, kind in table.filters.items() if name in HIDING}
        hide(conditions, table, add_filters(conditions, _filters_of(call), searchable))
        if not self.store.rows.count(table, conditions):
            raise Refused(NOT_FOUND)
        return call.ids[-1]

    def _values(self, call: Call, table: Table, operation: str) -> dict[str, Any]:
        body: Any = call.body
        if not isinstance(body, dict):
            raise Refused(NO_OBJECT)
        checked = check_body(cast("dict[str, Any]", body), table, self.store, operation, strict=self.strict)
        if checked.errors:
            raise Refused(invalid(checked.errors))
        return checked.values

    def _record(self, status: int, table: Table, record_id: int) -> Reply:
        return text_reply(status, self.store.texts(table, [record_id])[0])


def _filters_of(call: Call) -> list[str]:
    """Every `q[]`, and of the bare `q` the last."""
    bare = [value for name, value in call.pairs if name == "q"]
    return [value for name, value in call.pairs if name == "q[]"] + bare[-1:]


def _divide(conditions: Conditions, table: Table, asked: ParentList, filtered: set[str]) -> None:
    """Give only the part that a path stands for, such as the active practitioners."""
    scope = SCOPES.get(table.name)
    if scope is None:
        return
    if asked.variant is not None:
        conditions.add(f"{quoted(scope.column)} = {conditions.bind(scope.variants[asked.variant])}")
    elif scope.value is not None and scope.column not in filtered:
        conditions.add(f"{quoted(scope.column)} = {conditions.bind(scope.value)}")
