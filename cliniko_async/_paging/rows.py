"""What the strategies read from the rows of a page: ids, seconds, and whether a page is complete."""

import contextlib
import datetime as dt
import math
import operator
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import msgspec

from .._dates import Real
from .._records.page import PageData, valid_records
from ..errors import PaginationError
from ..filters import format_utc

_TOO_LONG = 20
_ID = operator.attrgetter("id")
_EPOCH = Real.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FIRST_SECOND = -62_135_596_800
_LAST_SECOND = 253_402_300_799
"""Filters can name no second before the year 1 or after the year 9999 in UTC; a stamp with an offset can lie there."""


def second_of(moment: dt.datetime) -> int:
    """Return the second in which a moment lies, counted from 1970."""
    return math.floor(moment.timestamp())


def created_second(row: Any) -> int:
    """Return the second in which a row was created, as the API shows it."""
    return second_of(row.created_at)


def updated_second(row: Any) -> int:
    """Return the second in which a row was last changed, as the API shows it."""
    return second_of(row.updated_at)


def id_number(row: Any) -> int | None:
    """Return the id of a row as a number, or None without an id of up to 19 digits."""
    text: str | None = getattr(row, "id", None)
    return int(text) if text and len(text) < _TOO_LONG and text.isascii() and text.isdecimal() else None


def all_stamps(rows: Sequence[Any]) -> "dict[int, dt.datetime | None] | None":
    """Return the ids of rows as numbers, each with its `created_at`, if all rows have ids and no two the same.

    It does for a whole page what `id_number` does for a row, at a third of the cost.
    """
    try:
        texts = [row.id for row in rows]
        stamps = dict(zip(map(int, texts), [row.created_at for row in rows], strict=True))
        joined = "".join(texts)
        plain = not texts or (joined.isascii() and joined.isdecimal() and max(map(len, texts)) < _TOO_LONG)
    except (AttributeError, TypeError, ValueError):
        return None
    return stamps if plain and len(stamps) == len(rows) else None


def is_keyed(row: Any) -> bool:
    """Tell whether a row has both an id and a `created_at`."""
    return getattr(row, "created_at", None) is not None and id_number(row) is not None


def unskipped(rows: Sequence[Any], has_key: Callable[[Any], object], skipped: int) -> Sequence[Any]:
    """Return the rows without the first so many that have no key, which were yielded before."""
    if not skipped:
        return rows
    dropped = set(islice((at for at, row in enumerate(rows) if not has_key(row)), skipped))
    return [row for at, row in enumerate(rows) if at not in dropped]


def is_ascending(rows: Sequence[Any]) -> bool:
    """Tell whether rows are in the order of their creation."""
    stamps = [row.created_at for row in rows]
    return stamps == sorted(stamps)


def is_complete(page: PageData[Any], per_page: int) -> bool:
    """Tell whether a first page holds all records that match.

    The count and the rows may come from two statements of the server, so either alone can mislead. Where rows are
    repeated, the count may include the repetitions or not: then the server must also say that no page follows.
    """
    total, sent = page.total_entries, len(page.rows) + page.repeats
    if sent >= per_page:
        return False
    return total is None or total <= len(_by_id(page.rows)) or (total <= sent and page.next is None)


def without_repeats(page: PageData[Any]) -> PageData[Any]:
    """Drop the rows with the id of a row before them, and count them."""
    with contextlib.suppress(AttributeError):  # Some records have no id.
        if len(set(map(_ID, page.rows))) == len(page.rows):
            return page  # As nearly all do, at a fraction of the cost.
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
    """Tell whether a filter can name a second."""
    return _FIRST_SECOND <= second <= _LAST_SECOND


def stamp_text(second: int) -> str:
    """Return a second as the text of a filter.

    Raises:
        PaginationError: it is outside the calendar.
    """
    if not is_calendar(second):
        raise PaginationError("a stamp outside of the years 1 to 9999 cannot be filtered by")
    return format_utc(_EPOCH + dt.timedelta(seconds=second))
