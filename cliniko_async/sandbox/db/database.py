"""The database in memory, and every SQL statement of the sandbox: names come from the tables, values are bound."""

import json
import sqlite3
from collections.abc import Mapping

from .columns import Row, Stored
from .filtering import Conditions
from .json_sql import quoted
from .paging import PageRange
from .relations import UNION_MEMBERS, UNION_SUBSTITUTES
from .schema import Table


class Database:
    """The rows of all tables, until it is closed."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        # With isolation level None, each statement is a transaction of its own.
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._connection.create_function("contains", 2, _contains, deterministic=True)
        self._connection.create_function("matches", 2, _matches, deterministic=True)
        for table in tables.values():
            if table.name in UNION_MEMBERS:
                self._create_view(table)
            else:
                self._create_table(table)

    def close(self) -> None:
        """Delete everything."""
        self._connection.close()

    def insert(self, table: Table, row: Row) -> None:
        """Add a row."""
        self._run(row, *_insertion(table, row))

    def insert_all(self, table: Table, rows: list[Row]) -> None:
        """Add one or more rows that have the same columns."""
        self._connection.executemany(" ".join(_insertion(table, rows[0])), rows)

    def copy_to(self, other: "Database") -> None:
        """Replace the contents of another database with those of this one."""
        self._connection.backup(other._connection)  # noqa: SLF001  (it is of the same class)

    def replace(self, table: Table, row: Row) -> None:
        """Overwrite a row."""
        changes = ", ".join(f"{quoted(name)} = :{name}" for name in row)
        self._run(row, "UPDATE", table.name, "SET", changes, "WHERE id = :id")

    def remove(self, table: Table, record_id: int) -> bool:
        """Remove a row, and return whether there was one."""
        return self._run({"id": record_id}, "DELETE FROM", table.name, "WHERE id = :id").rowcount > 0

    def row(self, table: Table, record_id: int) -> Row | None:
        """Return a row as it is stored, or None if there is none."""
        cursor = self._run({"id": record_id}, "SELECT * FROM", table.name, "WHERE id = :id")
        found = cursor.fetchone()
        return None if found is None else dict(zip((column[0] for column in cursor.description), found, strict=True))

    def column(self, table: Table, name: str) -> dict[int, Stored]:
        """Return the values of a column by the ids of their rows."""
        return dict(self._run({}, "SELECT id,", quoted(name), "FROM", table.name, "ORDER BY id").fetchall())

    def count(self, table: Table, conditions: Conditions) -> int:
        """Return the number of rows that meet the conditions."""
        found = self._run(conditions.values, "SELECT count(*) FROM", table.name, "WHERE", conditions.sql)
        return int(found.fetchone()[0])

    def select_ids(self, table: Table, conditions: Conditions, order: str, page: PageRange) -> list[int]:
        """Return the ids of the rows on a page, in order."""
        values = {**conditions.values, "limit": page.per_page, "offset": page.offset}
        clauses = ("WHERE", conditions.sql, "ORDER BY", order, "LIMIT :limit OFFSET :offset")
        found = self._run(values, "SELECT id FROM", table.name, *clauses)
        return [row[0] for row in found.fetchall()]

    def json_texts(self, table: Table, ids: list[int], base_url: str) -> list[str]:
        """Return the records with these ids as JSON, in the order of the ids."""
        values = {"base": base_url, "own": f"/{table.name}/", "ids": json.dumps(ids)}
        found: dict[int, str] = {}
        for name in UNION_MEMBERS.get(table.name, (table.name,)):
            condition = "WHERE id IN (SELECT value FROM json_each(:ids))"
            found |= dict(self._run(values, "SELECT id,", self._tables[name].json, "FROM", name, condition).fetchall())
        return [found[record_id] for record_id in ids]

    def _run(self, values: Mapping[str, Stored], *words: str) -> sqlite3.Cursor:
        return self._connection.execute(" ".join(words), values)

    def _create_table(self, table: Table) -> None:
        columns = [f"{quoted(name)} {column.sql}" for name, column in table.columns.items() if name != "id"]
        self._run({}, "CREATE TABLE", table.name, "( id INTEGER PRIMARY KEY,", ", ".join(columns), ")")
        for stamp in table.stamps:
            indexed = ", ".join((stamp, "id", *table.visibility_columns))
            self._run({}, "CREATE INDEX", f"{table.name}_{stamp}", "ON", table.name, "(", indexed, ")")

    def _create_view(self, table: Table) -> None:
        """Show the rows of several tables as if they were in one."""
        members = [self._tables[name] for name in UNION_MEMBERS[table.name]]
        selects = [
            " ".join(("SELECT", ", ".join(_view_columns(table, member)), "FROM", member.name)) for member in members
        ]
        self._run({}, "CREATE VIEW", table.name, "AS", " UNION ALL ".join(selects))


def _insertion(table: Table, row: Row) -> tuple[str, ...]:
    names = ", ".join(map(quoted, row))
    values = ", ".join(f":{name}" for name in row)
    return ("INSERT INTO", table.name, "(", names, ") VALUES (", values, ")")


def _view_columns(table: Table, member: Table) -> list[str]:
    own = {name: quoted(name) for name in member.columns} | UNION_SUBSTITUTES.get(member.name, {})
    return [f"{own.get(name, 'NULL')} AS {quoted(name)}" for name in table.columns]


def _contains(text: str | None, part: str) -> bool:
    return text is not None and part.casefold() in text.casefold()


def _matches(text: str | None, pattern: str) -> bool:
    """Return whether a whole text matches a pattern in which each % matches any text."""
    if text is None:
        return False
    first, *others = pattern.casefold().split("%")
    rest = text.casefold()
    if not others:
        return rest == first
    if not rest.startswith(first):
        return False
    rest, last = rest[len(first) :], others.pop()
    for part in others:
        _, found, rest = rest.partition(part) if part else ("", "%", rest)
        if not found:
            return False
    return rest.endswith(last)
