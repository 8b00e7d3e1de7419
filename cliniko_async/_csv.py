"""Writes CSV as every reader reads it."""

import csv
from collections.abc import Iterable, Sequence
from typing import Any


def csv_lines(rows: Iterable[Sequence[Any]]) -> bytes:
    """Return rows as CSV in UTF-8, whose lines end in a line feed.

    Args:
        rows: The rows, of texts, numbers and None.

    Returns:
        The bytes.
    """
    lines = _RowTexts()
    # Before Python 3.13, `csv` quotes a carriage return only if lines end in one; readers end a row at one without
    # quotes.
    csv.writer(lines, lineterminator="\r\n").writerows(rows)
    return "".join(f"{line[:-2]}\n" for line in lines).encode()


class _RowTexts(list[str]):
    """A file, as `csv` writes each row to it."""

    write = list[str].append
