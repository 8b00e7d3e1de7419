"""Tables for people."""

import sys
from collections.abc import Iterator, Mapping, Sequence

from rich.box import ROUNDED
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_FIRST = ("id", "name", "first_name", "last_name", "title", "label", "subject", "number", "starts_at", "ends_at")
"""The columns that say most about a record, where it has them."""
_LAST = ("created_at", "updated_at")
_UNLIMITED = 100_000
_WIDEST = 40
_BORDER = 3


def print_table(rows: Sequence[Mapping[str, str]], columns: Sequence[str] | None, known: Sequence[str]) -> None:
    """Print rows. If no columns are chosen, print those that fit the terminal, and say so on stderr.

    Args:
        rows: The rows, as text.
        columns: The columns, or None for those that fit.
        known: All columns.
    """
    console = stdout_console()
    names = list(columns or _fitting(rows, known, console.width))
    table = Table(box=ROUNDED, header_style="bold")
    for name in names:
        least = _least(name, rows, console.width - _BORDER * len(names))
        table.add_column(Text(name), overflow="fold", min_width=least)
    for row in rows:
        table.add_row(*(Text(row[name]) for name in names))
    console.print(table)


def print_record(values: Mapping[str, str], *, whole: bool) -> None:
    """Print one record, with a line for each field.

    Args:
        values: The fields, as text.
        whole: Whether to print fields without a value, too.
    """
    table = Table(box=ROUNDED, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in values.items():
        if text or whole:
            table.add_row(Text(name), Text(text))
    stdout_console().print(table)


def stdout_console() -> Console:
    """Return a console on stdout. In a pipe nothing is wrapped, because the width of the reader's window is unknown."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else _UNLIMITED, highlight=False)


def _least(name: str, rows: Sequence[Mapping[str, str]], width: int) -> int | None:
    """Return the least width of a column: an id stays on one line, to be copied, if the other columns have room."""
    widest = max((cell_len(row[name]) for row in rows), default=0) if name == "id" else 0
    return widest if widest <= width // 2 else None


def _fitting(rows: Sequence[Mapping[str, str]], known: Sequence[str], width: int) -> Iterator[str]:
    """Yield the most useful columns that fit; a column without any value is left out."""
    left = width - 1
    for name in sorted(known, key=lambda name: _rank(name, rows[0][name] if rows else "")):
        widest = min(_WIDEST, max((cell_len(row[name]) for row in rows), default=0))
        if not widest and rows:
            continue
        left -= max(widest, len(name)) + _BORDER
        if left < 0:
            return
        yield name


def _rank(name: str, value: str) -> tuple[int, int]:
    if name in _FIRST:
        return 0, _FIRST.index(name)
    says_little = name.endswith(("_id", "_ids")) or value in {"true", "false"} or value.startswith(("{", "["))
    return (3 if name in _LAST else 2 if says_little else 1), 0
