"""Writes records to stdout, as a table for people or as JSON or CSV for programs.

CSV and the JSON formats are written page by page, in UTF-8. Nothing is changed on the way: a text that begins with "="
stays as it is, although a spreadsheet takes it for a formula.
"""

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter

from .. import columns as columns_of
from .. import row as row_of
from .. import to_json
from .._csv import cell_text, csv_lines
from .errors import CommandError
from .names import check_columns
from .tables import print_record, print_table

Format: TypeAlias = Literal["table", "json", "ndjson", "csv"]
FormatOption: TypeAlias = Annotated[Format | None, Parameter(name="--format")]


def write_bytes(data: bytes) -> None:
    """Write bytes to stdout, at once.

    Args:
        data: The bytes.
    """
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def write_lines(lines: Iterable[str]) -> None:
    """Write lines of text to stdout, at once.

    Args:
        lines: The lines, without their ends.
    """
    write_bytes("".join(f"{line}\n" for line in lines).encode())


def default_format(given: Format | None) -> Format:
    """Return the format to write: the value of --format, or else a table for a terminal, and NDJSON for the rest."""
    return given or ("table" if sys.stdout.isatty() else "ndjson")


class RecordWriter(ABC):
    """Writes records in one format.

    Args:
        columns: The columns to write; None for whole records.
        known: All columns of the class of records.
    """

    def __init__(self, columns: Sequence[str] | None, known: Sequence[str]) -> None:
        self._columns = columns
        self._known = known

    def begin(self) -> None:  # noqa: B027  (most formats begin with nothing)
        """Write what comes before the first record."""

    @abstractmethod
    def write(self, records: Sequence[object]) -> None:
        """Write records.

        Args:
            records: A page of them.
        """

    def end(self) -> None:  # noqa: B027  (most formats end with nothing)
        """Write what comes after the last record."""

    def _json(self, record: object) -> bytes:
        if self._columns is None:
            return to_json(record)
        values = row_of(record)
        return to_json({name: values[name] for name in self._columns})


class _NdjsonWriter(RecordWriter):
    def write(self, records: Sequence[object]) -> None:
        write_bytes(b"".join(self._json(record) + b"\n" for record in records))


class _JsonWriter(RecordWriter):
    _before = b"[\n"

    def write(self, records: Sequence[object]) -> None:
        for record in records:
            write_bytes(self._before + self._json(record))
            self._before = b",\n"

    def end(self) -> None:
        write_bytes(b"[]\n" if self._before == b"[\n" else b"\n]\n")


class _CsvWriter(RecordWriter):
    def begin(self) -> None:
        write_bytes(csv_lines([self._columns or self._known]))

    def write(self, records: Sequence[object]) -> None:
        names = self._columns or self._known
        write_bytes(csv_lines([row[name] for name in names] for row in map(row_of, records)))


class _TableWriter(RecordWriter):
    def begin(self) -> None:
        self._rows: list[dict[str, str]] = []

    def write(self, records: Sequence[object]) -> None:
        self._rows += [{name: cell_text(value) for name, value in row_of(record).items()} for record in records]

    def end(self) -> None:
        print_table(self._rows, self._columns, self._known)


_WRITERS: Mapping[Format, type[RecordWriter]] = {
    "table": _TableWriter,
    "json": _JsonWriter,
    "ndjson": _NdjsonWriter,
    "csv": _CsvWriter,
}


def record_writer(form: Format, record: type, columns: str | None, resource: str) -> RecordWriter:
    """Return a writer.

    Args:
        form: The format.
        record: The class of the records.
        columns: The value of --columns: names with commas between them, or None for all.
        resource: The name of the resource, for messages.

    Raises:
        CommandError: A column does not exist.
    """
    known = list(columns_of(record))
    chosen = None if columns is None else check_columns(_names(columns), known, resource)
    return _WRITERS[form](chosen, known)


def write_record(form: Format, record: object, columns: str | None, resource: str) -> None:
    """Write one record: a table of its fields, a JSON object, or CSV with one row.

    Args:
        form: The format.
        record: The record.
        columns: As for `record_writer`.
        resource: The name of the resource, for messages.

    Raises:
        CommandError: A column does not exist.
    """
    writer = record_writer("ndjson" if form == "json" else form, type(record), columns, resource)
    if form == "table":
        values = row_of(record)
        names = list(values) if columns is None else _names(columns)
        print_record({name: cell_text(values[name]) for name in names}, whole=columns is not None)
        return
    writer.begin()
    writer.write([record])
    writer.end()


def _names(columns: str) -> list[str]:
    names = [name for each in columns.split(",") if (name := each.strip())]
    if not names:
        raise CommandError("--columns takes names with commas between them, such as id,name")
    return list(dict.fromkeys(names))
