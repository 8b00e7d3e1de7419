"""Pages: what part of a list is asked for, in what order, and the links from one to the next."""

import re
from collections.abc import Sequence
from decimal import Decimal
from urllib.parse import quote, urlencode

import attrs

from ..protocol import Refused, refusal
from .columns import BOOLEAN, DAY, DECIMAL, ID, INTEGER, MOMENT, TEXT
from .schema import Table, quoted

Pairs = Sequence[tuple[str, str]]

_SORTABLE = (BOOLEAN, DAY, DECIMAL, ID, INTEGER, MOMENT, TEXT)
_DEFAULT_PER_PAGE = 50
_MOST_PER_PAGE = 100
_LARGEST_PAGE = 10**12
_NUMBER = re.compile(r"-?\d+", re.ASCII)


@attrs.frozen
class Page:
    """A part of a list."""

    number: int
    per_page: int

    @classmethod
    def of(cls, pairs: Pairs) -> "Page":
        """Read it off a query; what is out of range is moved into it."""
        given = dict(pairs)
        number = _whole(given.get("page"), 1)
        per_page = _whole(given.get("per_page"), _DEFAULT_PER_PAGE)
        return cls(max(1, min(_LARGEST_PAGE, number)), max(1, min(_MOST_PER_PAGE, per_page)))

    @property
    def offset(self) -> int:
        """How many records come before it."""
        return (self.number - 1) * self.per_page

    def links(self, url: str, pairs: Pairs, total: int) -> dict[str, str]:
        """Links to itself and its neighbours, which repeat whatever else was asked for."""
        neighbours = {"self": self.number}
        if self.number > 1:
            neighbours["previous"] = self.number - 1
        if self.offset + self.per_page < total:
            neighbours["next"] = self.number + 1
        rest = [pair for pair in pairs if pair[0] != "page"]
        return {
            name: f"{url}?{urlencode([*rest, ('page', str(number))], quote_via=quote, safe='')}"
            for name, number in neighbours.items()
        }


def order_by(pairs: Pairs, table: Table, unsortable: frozenset[str], salt: int | None) -> str:
    """The SQL behind ORDER BY; with a salt, records of one second come in an order of its own."""
    given = dict(pairs)
    default = given.get("order", "asc")
    columns = [item.partition(":") for item in given.get("sort", "created_at").split(",")]
    # A column that is named again changes nothing, and the database takes only so many.
    terms = {
        column: _term(column, direction if colon else default, table, unsortable, salt)
        for column, colon, direction in reversed(columns)
    }
    return ", ".join([*reversed(terms.values()), "id" if salt is None else f"id % 1000003 * {salt} % 1000003"])


def _term(column: str, direction: str, table: Table, unsortable: frozenset[str], salt: int | None) -> str:
    kind = table.columns.get(column)
    if kind not in _SORTABLE or column in unsortable or direction not in ("asc", "desc"):
        raise Refused(refusal(400, "Sort parameter must be a valid column name"))
    name = quoted(column)
    if kind is DECIMAL:
        name = f"CAST({name} AS REAL)"
    if kind is MOMENT and salt is not None:
        name = f"{name} / 1000000"
    empty = "" if table.blank[column] is not None else " NULLS LAST" if direction == "asc" else " NULLS FIRST"
    return f"{name} {direction}{empty}"


def _whole(text: str | None, default: int) -> int:
    """A whole number of any length, from 0 to the largest page; the default for anything else."""
    if text is None or not _NUMBER.fullmatch(text):
        return default
    return int(max(Decimal(0), min(Decimal(_LARGEST_PAGE), Decimal(text))))
