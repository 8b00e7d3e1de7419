"""The rows of a sandbox, and what happens when one is written: its id, its stamps, and what follows from its fields."""

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias

from .columns import Row, Stored, stored_moment
from .database import Database
from .derived import DERIVED_FIELDS, RowWrite
from .schema import Table
from .side_effects import SIDE_EFFECTS

IdOrder: TypeAlias = Literal["rising", "random"]
IdState: TypeAlias = tuple[bool, int, tuple[Any, ...]]

_FIRST_ID = 1_412_345_678_901_000_000
_MAX_STEP = 4096


class RowStore:
    """The rows of all tables.

    Args:
        tables: The table of each resource.
        wall: Returns seconds since 1970.
        rng: Draws the ids.
        ids: Whether a new record has a larger id than older ones, or a random one.
    """

    def __init__(
        self, tables: Mapping[str, Table], wall: Callable[[], float], rng: random.Random, ids: IdOrder
    ) -> None:
        self.tables = tables
        self.base_url = ""
        self.rising = ids == "rising"
        self._wall = wall
        self._rng = rng
        self._last_id = _FIRST_ID
        self._database: Database | None = None

    def open(self) -> None:
        """Create the tables, empty."""
        self._database = Database(self.tables)

    def close(self) -> None:
        """Delete everything."""
        if self._database is not None:
            self._database.close()
        self._database = None

    @property
    def id_state(self) -> IdState:
        """What the next ids depend on."""
        return self.rising, self._last_id, self._rng.getstate()

    @id_state.setter
    def id_state(self, state: IdState) -> None:
        self.rising, self._last_id, random_state = state
        self._rng.setstate(random_state)

    @property
    def database(self) -> Database:
        """The database.

        Raises:
            RuntimeError: The sandbox is not running.
        """
        if self._database is None:
            raise RuntimeError("the sandbox is not running: use `async with Sandbox() as sandbox`")
        return self._database

    def now(self) -> float:
        """Return the current time in seconds since 1970."""
        return self._wall()

    def row(self, resource: str, record_id: Stored) -> Row | None:
        """Return a row as it is stored; None if there is none, or if the id is None."""
        return None if record_id is None else self.database.row(self.tables[resource], int(record_id))

    def column(self, resource: str, name: str) -> dict[int, Stored]:
        """Return the values of a column by the ids of their rows."""
        return self.database.column(self.tables[resource], name)

    def json_texts(self, resource: str, ids: list[int]) -> list[str]:
        """Return the records with these ids as JSON, in the order of the ids."""
        return self.database.json_texts(self.tables[resource], ids, self.base_url)

    def insert(self, resource: str, values: Mapping[str, Any]) -> int:
        """Add a row and return its id."""
        table = self.tables[resource]
        given = _stored(table, values)
        record_id = int(given.get("id") or self.new_id())
        now = given.get("created_at", stored_moment(self.now()))
        row: Row = {**table.defaults, **dict.fromkeys(table.stamps, now), **given, "id": record_id}
        row |= self._derived(table, row, given)
        self.database.insert(table, row)
        self._apply_side_effects(table, row, given)
        return record_id

    def insert_all(self, resource: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add one or more rows that have ids and stamps, without changes to other rows."""
        table = self.tables[resource]
        given = [_stored(table, values) for values in rows]
        complete: list[Row] = [{**table.defaults, **each} for each in given]
        derived = [self._derived(table, row, each) for row, each in zip(complete, given, strict=True)]
        self.database.insert_all(table, [row | more for row, more in zip(complete, derived, strict=True)])

    def change(self, resource: str, record_id: int, values: Mapping[str, Any], *, touch: bool = True) -> bool:
        """Change fields of a row, and return whether there was one.

        Args:
            resource: The resource.
            record_id: The id of the row.
            values: The new values.
            touch: Whether `updated_at` moves, unless it is given.
        """
        table = self.tables[resource]
        before = self.database.row(table, record_id)
        if before is None:
            return False
        given = _stored(table, values)
        touched = {"updated_at": stored_moment(self.now())} if touch and "updated_at" in table.stamps else {}
        row: Row = {**before, **touched, **given}
        row |= self._derived(table, row, given)
        self.database.replace(table, row)
        self._apply_side_effects(table, row, given)
        return True

    def new_id(self) -> int:
        """Return an id that no row has."""
        if self.rising:
            self._last_id += self._rng.randint(1, _MAX_STEP)
            return self._last_id
        # From a range so large that no id is drawn twice.
        return self._rng.randint(10**17, 9 * 10**18)

    def _derived(self, table: Table, row: Row, given: Row) -> Row:
        return DERIVED_FIELDS[table.name](RowWrite(row, given, self)) if table.name in DERIVED_FIELDS else {}

    def _apply_side_effects(self, table: Table, row: Row, given: Row) -> None:
        if table.name in SIDE_EFFECTS:
            SIDE_EFFECTS[table.name](RowWrite(row, given, self))


def _stored(table: Table, values: Mapping[str, Any]) -> Row:
    unknown = sorted(set(values) - table.columns.keys())
    if unknown:
        raise TypeError(f"{table.name} has no field {', '.join(unknown)}")
    return {name: None if value is None else table.columns[name].store(value) for name, value in values.items()}
