"""The formats of exported files. Each writes bytes that can be appended to a part file, and then finishes the file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from .._csv import csv_lines
from .._durable import rename
from .._records.converter import to_json_lines
from ..rows import columns, row
from ._sources import ExportFormat


class RowEncoder(Protocol):
    """Writes the records of one class."""

    is_final: bool
    """Whether the part file is the finished file, which only has to be renamed."""

    def header(self) -> bytes:
        """Return the bytes before the first record."""
        ...

    def encode(self, records: Sequence[Any]) -> bytes:
        """Return the bytes of some records, at least one.

        Raises:
            DecodingError: A value cannot be written exactly.
        """
        ...

    def finish(self, part: Path, file: Path) -> None:
        """Turn a part file that has every record into the finished file, in one step."""
        ...


class _Lines:
    """A format whose part file is the finished file."""

    is_final = True

    def finish(self, part: Path, file: Path) -> None:
        rename(part, file)


class NdjsonEncoder(_Lines):
    """One JSON object a line, as the API would send it."""

    def __init__(self, record: type) -> None:
        """Take the class of the records, which does not matter."""

    def header(self) -> bytes:
        """Return nothing."""
        return b""

    def encode(self, records: Sequence[Any]) -> bytes:
        """Return a line for each record."""
        return to_json_lines(records)


class CsvEncoder(_Lines):
    """A line of column names, then one for each record, in UTF-8."""

    def __init__(self, record: type) -> None:
        """Take the class of the records, which determines the columns."""
        self._columns = list(columns(record))

    def header(self) -> bytes:
        """Return the names of the columns."""
        return csv_lines([self._columns])

    def encode(self, records: Sequence[Any]) -> bytes:
        """Return a line for each record."""
        return csv_lines(row(each).values() for each in records)


def encoder_for(export_format: ExportFormat, record: type) -> RowEncoder:
    """Return what writes the records of a class.

    Args:
        export_format: The format.
        record: The class.

    Returns:
        The encoder.

    Raises:
        ImportError: The format needs an extra that is not installed.
    """
    if export_format == "parquet":
        from ._parquet import ParquetEncoder  # noqa: PLC0415  (loads pyarrow)

        return ParquetEncoder(record)
    return NdjsonEncoder(record) if export_format == "ndjson" else CsvEncoder(record)
