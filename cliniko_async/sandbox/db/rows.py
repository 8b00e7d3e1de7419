"""The rows, and what happens to a row when it is written: ids, stamps, and what follows from other fields."""

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from .columns import Row, stored_moment
from .database import Database
from .derived import AFTER, DERIVED
from .schema import Table

Ids = Literal["rising", "random"]
Position = tuple[bool, int, tuple[Any, ...]]

_FIRST_ID = 1_412_345_678_901_000_000
_LARGEST_STEP = 4096


class Store:
    """All rows of all tables."""

    def __init__(self, tables: Mapping[str, Table], wall: Callable[[], float], rng: random.Random, ids: Ids) -> None:
        self.tables = tables
        self.base_url = ""
        self.rising = ids == "rising"
        self._wall = wall
        self._rng = rng
        self._last_id = _FIRST_ID
        self._database: Database | None = None

    def open(self) -> None:
        """Make the tables, empty."""
        self._database = Database(self.tables)

    def close(self) -> None:
        """Forget everything."""
        if self._database is not None:
            self._database.close()
        self._database = None

    @property
    def position(self) -> Position:
        """What the next ids follow from."""
        return self.rising, self._last_id, self._rng.getstate()

    @position.setter
    def position(self, position: Position) -> None:
        self.rising, self._last_id, state = position
        self._rng.setstate(state)

    @property
    def rows(self) -> Database:
        """What is there.

        Raises:
            RuntimeError: the sandbox does not run.
        """
        if self._database is None:
            raise RuntimeError("the sandbox does not run: use `async with Sandbox() as sandbox`")
        return self._database

    def now(self) -> float:
        """The moment, in seconds since 1970."""
        return self._wall()

    def texts(self, table: Table, ids: list[int]) -> list[str]:
        """The records with these ids as JSON, in the order of the ids."""
        return self.rows.texts(table, ids, self.base_url)

    def insert(self, table: Table, values: Mapping[str, Any]) -> int:
        """Add a row and give its id."""
        given = _stored(table, values)
        record_id = int(given.get("id") or self.new_id())
        now = given.get("created_at", stored_moment(self.now()))
        row: Row = {**table.blank, **dict.fromkeys(table.stamps, now), **given, "id": record_id}
        row |= self._derived(table, row, given)
        self.rows.insert(table, row)
        self._after(table, row, given)
        return record_id

    def insert_all(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows that have ids and stamps; nothing follows from them in other rows."""
        stored = [_stored(table, values) for values in rows]
        whole: list[Row] = [{**table.blank, **given} for given in stored]
        self.rows.insert_all(
            table, [row | self._derived(table, row, given) for row, given in zip(whole, stored, strict=True)]
        )

    def change(self, table: Table, record_id: int, values: Mapping[str, Any], *, touch: bool = True) -> bool:
        """Change a row and say whether there was one; moves `updated_at` unless it is given or not to be touched."""
        before = self.rows.row(table, record_id)
        if before is None:
            return False
        given = _stored(table, values)
        touched = {"updated_at": stored_moment(self.now())} if touch and "updated_at" in table.stamps else {}
        row: Row = {**before, **touched, **given}
        row |= self._derived(table, row, given)
        self.rows.replace(table, row)
        self._after(table, row, given)
        return True

    def _derived(self, table: Table, row: Row, given: Row) -> Row:
        return DERIVED[table.name](row, given, self) if table.name in DERIVED else {}

    def _after(self, table: Table, row: Row, given: Row) -> None:
        if table.name in AFTER:
            AFTER[table.name](row, given, self)

    def new_id(self) -> int:
        """An id that no row has."""
        if self.rising:
            self._last_id += self._rng.randint(1, _LARGEST_STEP)
            return self._last_id
        # Of so many that none comes twice.
        return self._rng.randint(10**17, 9 * 10**18)


def _stored(table: Table, values: Mapping[str, Any]) -> Row:
    unknown = sorted(set(values) - table.columns.keys())
    if unknown:
        raise TypeError(f"{table.name} has no {', '.join(unknown)}")
    return {name: None if value is None else table.columns[name].store(value) for name, value in values.items()}
