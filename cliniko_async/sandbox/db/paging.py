"""Pages: which part of a list is requested, in what order, and the links between pages."""

from collections.abc import Sequence
from typing import TypeAlias
from urllib.parse import quote, urlencode

import attrs

from ..protocol import RefusedRequest, error_reply
from .columns import BOOLEAN, DATE, DECIMAL, ID, INTEGER, MOMENT, TEXT, parsed_integer
from .json_sql import quoted
from .schema import Table

QueryPairs: TypeAlias = Sequence[tuple[str, str]]

_SORTABLE = (BOOLEAN, DATE, DECIMAL, ID, INTEGER, MOMENT, TEXT)
_DEFAULT_PER_PAGE = 50
_MAX_PER_PAGE = 100
_MAX_PAGE = 10**12


@attrs.frozen
class PageRange:
    """The part of a list that one page shows."""

    number: int
    per_page: int

    @classmethod
    def of(cls, pairs: QueryPairs) -> "PageRange":
        """Read it from a query; numbers out of range are moved into it, and other text is ignored."""
        given = dict(pairs)
        number = _integer(given.get("page"), 1)
        per_page = _integer(given.get("per_page"), _DEFAULT_PER_PAGE)
        return cls(max(1, min(_MAX_PAGE, number)), max(1, min(_MAX_PER_PAGE, per_page)))

    @property
    def offset(self) -> int:
        """The number of records before it."""
        return (self.number - 1) * self.per_page

    def links(self, url: str, pairs: QueryPairs, total: int) -> dict[str, str]:
        """Return the links to the page itself and its neighbours, which repeat the rest of the query."""
        numbers = {"self": self.number}
        if self.number > 1:
            numbers["previous"] = self.number - 1
        if self.offset + self.per_page < total:
            numbers["next"] = self.number + 1
        rest = [pair for pair in pairs if pair[0] != "page"]
        return {
            name: f"{url}?{urlencode([*rest, ('page', str(number))], quote_via=quote, safe='')}"
            for name, number in numbers.items()
        }


def order_by(pairs: QueryPairs, table: Table, unsortable: frozenset[str], salt: int | None) -> str:
    """Return the SQL expression to order a list by.

    Args:
        pairs: The query.
        table: The resource.
        unsortable: Columns that may not be sorted by.
        salt: If given, records of one second come in an order that depends on it.

    Raises:
        RefusedRequest: A column or a direction is not valid.
    """
    given = dict(pairs)
    default = given.get("order", "asc")
    columns = [item.partition(":") for item in given.get("sort", "created_at").split(",")]
    # A repeated column has no effect, and the database accepts a limited number.
    terms = {
        column: _order_term(column, direction if colon else default, table, unsortable, salt)
        for column, colon, direction in reversed(columns)
    }
    return ", ".join([*reversed(terms.values()), "id" if salt is None else f"id % 1000003 * {salt} % 1000003"])


def _order_term(column: str, direction: str, table: Table, unsortable: frozenset[str], salt: int | None) -> str:
    column_type = table.columns.get(column)
    if column_type not in _SORTABLE or column in unsortable or direction not in ("asc", "desc"):
        raise RefusedRequest(error_reply(400, "Sort parameter must be a valid column name"))
    name = quoted(column)
    if column_type is DECIMAL:
        name = f"CAST({name} AS REAL)"
    if column_type is MOMENT and salt is not None:
        name = f"{name} / 1000000"
    nulls = "" if table.defaults[column] is not None else " NULLS LAST" if direction == "asc" else " NULLS FIRST"
    return f"{name} {direction}{nulls}"


def _integer(text: str | None, default: int) -> int:
    number = None if text is None else parsed_integer(text)
    return default if number is None else number
