"""Writes rows as CSV that every common reader accepts, and converts their values to text."""

import csv
from collections.abc import Callable, Iterable
from typing import Any

from ._dates import Real
from ._records.unstructure import encode


def csv_lines(rows: Iterable[Iterable[Any]]) -> bytes:
    """Return rows as CSV in UTF-8, whose lines end in a line feed.

    Args:
        rows: The values of each row.

    Returns:
        The bytes.
    """
    lines = _RowTexts()
    # Before Python 3.13, `csv` quotes a carriage return only if lines end in one; readers end a row at one without
    # quotes.
    csv.writer(lines, lineterminator="\r\n").writerows(map(cell_text, row) for row in rows)
    return "".join(f"{line[:-2]}\n" for line in lines).encode()


class _RowTexts(list[str]):
    """A list that `csv.writer` can write to, as to a file."""

    write = list[str].append


def cell_text(value: Any) -> str:
    """Return a value of a row as text: nothing for None, JSON for a part or a list, and times in UTC.

    Args:
        value: The value.
    """
    return _TEXTS.get(value.__class__, str)(value)


def _json(value: Any) -> str:
    return encode(value).decode()


def _json_string(value: Any) -> str:
    return _json(value).strip('"')


_TEXTS: dict[Any, Callable[[Any], str]] = {
    type(None): lambda _: "",
    bool: _json,
    Real.datetime: _json_string,
    Real.date: _json_string,
    dict: _json,
    list: _json,
    tuple: _json,
}
