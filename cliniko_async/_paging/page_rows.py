"""Helpers that read the rows of a page: ids, seconds, and whether a page is complete."""

import contextlib
import datetime as dt
import math
import operator
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import msgspec

from .._dates import Real, format_utc
from .._messages import ID_DIGITS
from .._records.page import PageData, valid_records
from ..errors import PaginationError
from .cursor import FIRST_SECOND, LAST_SECOND

_ID = operator.attrgetter("id")
_EPOCH = Real.datetime(1970, 1, 1, tzinfo=dt.UTC)


def second_of(moment: dt.datetime) -> int:
    """Return the Unix time of a moment, rounded down to the second."""
    return math.floor(moment.timestamp())


def created_second(row: Any) -> int:
    """Return the second in which a row was created."""
    return second_of(row.created_at)


def updated_second(row: Any) -> int:
    """Return the second in which a row was last changed."""
    return second_of(row.updated_at)


def id_number(row: Any) -> int | None:
    """Return the id of a row as a number, or None without an id that is one of the API's."""
    text: str | None = getattr(row, "id", None)
    return int(text) if text and len(text) <= ID_DIGITS and text.isascii() and text.isdecimal() else None


def is_keyed(row: Any) -> bool:
    """Return whether a row has both an id and a `created_at`."""
    return getattr(row, "created_at", None) is not None and id_number(row) is not None


def unskipped(rows: Sequence[Any], has_key: Callable[[Any], object], skipped: int) -> Sequence[Any]:
    """Return the rows without the first `skipped` ones that have no key, as those were yielded before."""
    if not skipped:
        return rows
    dropped = set(islice((at for at, row in enumerate(rows) if not has_key(row)), skipped))
    return [row for at, row in enumerate(rows) if at not in dropped]


def is_ascending(rows: Sequence[Any]) -> bool:
    """Return whether rows are in the order of their creation."""
    stamps = [row.created_at for row in rows]
    return stamps == sorted(stamps)


def is_complete(page: PageData[Any], per_page: int) -> bool:
    """Return whether a first page holds all matching records.

    The count and the rows may come from two database queries on the server, so either alone can be misleading. If rows
    are repeated, the count may or may not include the repeats, so there must also be no next link.
    """
    total, sent = page.total_entries, len(page.rows) + page.repeats
    if sent >= per_page:
        return False
    return total is None or total <= len(_by_id(page.rows)) or (total <= sent and page.next is None)


def without_repeats(page: PageData[Any]) -> PageData[Any]:
    """Return the page without rows that repeat an earlier id, and with their count."""
    with contextlib.suppress(AttributeError):  # Some records have no id.
        if len(set(map(_ID, page.rows))) == len(page.rows):
            return page  # The fast path, for nearly all pages.
    rows = list(_by_id(page.rows).values())
    repeats = len(page.rows) - len(rows)
    items = valid_records(rows)
    return msgspec.structs.replace(page, items=items, rows=rows, repeats=repeats)


def _by_id(rows: Sequence[Any]) -> dict[Any, Any]:
    """Return the first row of each id, and every row without one."""
    first: dict[Any, Any] = {}
    for index, row in enumerate(rows):
        first.setdefault(getattr(row, "id", None) or index, row)
    return first


def is_calendar(second: int) -> bool:
    """Return whether a filter can express a second: a timestamp with an offset may lie outside the years 1 to 9999."""
    return FIRST_SECOND <= second <= LAST_SECOND


def stamp_text(second: int) -> str:
    """Return a second in the format of a filter.

    Raises:
        PaginationError: It is outside the years 1 to 9999.
    """
    if not is_calendar(second):
        raise PaginationError("cannot filter by a time outside the years 1 to 9999")
    return format_utc(_EPOCH + dt.timedelta(seconds=second))
