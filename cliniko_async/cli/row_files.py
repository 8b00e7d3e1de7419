"""Rows of fields from a CSV or NDJSON file, for `cliniko import`."""

import csv
import datetime as dt
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, get_args, get_type_hints

import attrs

from .. import InvalidFieldsError, InvalidRowsError
from .._dates import Real
from .._spelling import did_you_mean
from ..fields import check_fields
from .errors import CommandError, ExitCode
from .values import parse_json, typed_fields

RowFaults: TypeAlias = dict[int, dict[str, str]]

_DELIMITERS = {".csv": ",;\t", ".tsv": "\t", ".txt": "\t,;"}
_NDJSON = (".ndjson", ".jsonl")


@attrs.frozen(repr=False)
class FileRows:
    """The rows of a file, and the line on which each begins."""

    rows: list[dict[str, Any]]
    lines: list[int]


def read_rows(path: Path, fields: type, *, date_format: str | None = None, ignored: Sequence[str] = ()) -> FileRows:
    """Read all rows, and check each by the rules of the fields.

    Args:
        path: The file. Its name ends in .csv, .tsv, .txt, .ndjson or .jsonl.
        fields: The TypedDict of the fields that can be sent.
        date_format: How days are written in a CSV file, as for `strptime`; None if like 1990-12-31.
        ignored: Columns to leave out.

    Raises:
        CommandError: The file is of another kind, or is not in UTF-8.
        InvalidRowsError: Columns or rows are invalid; it has all faults, by their lines.
        OSError: The file cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix not in _DELIMITERS and suffix not in _NDJSON:
        known = ", ".join((*_DELIMITERS, *_NDJSON))
        raise CommandError(f"{path.name}: the name of the file must end in one of {known}")
    text, faults = _decoded(path), RowFaults()
    if suffix in _NDJSON:
        found = list(_json_rows(text, faults))
    else:
        found = list(_csv_rows(text, _DELIMITERS[suffix], set(get_type_hints(fields)), ignored, faults))
        if date_format:
            found = [(line, _with_dates(row, fields, date_format)) for line, row in found]
    rows = FileRows([], [])
    for line, values in found:
        row = typed_fields(fields, values)
        try:
            check_fields(fields, row)
        except InvalidFieldsError as error:
            faults[line] = error.faults
        rows.rows.append(row)
        rows.lines.append(line)
    if not found and not faults:
        faults[0] = {"": f"{path.name} has no rows"}
    if faults:
        raise InvalidRowsError(dict(sorted(faults.items())))
    return rows


def _decoded(path: Path) -> str:
    body = path.read_bytes()
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        hint = 'save it as "CSV UTF-8", or convert it'
        raise CommandError(f"{path.name} is not a text in UTF-8: {hint}", ExitCode.INVALID_DATA)
    return text


def _json_rows(text: str, faults: RowFaults) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found = parse_json(line)
        except ValueError:
            found = None
        if isinstance(found, dict):
            yield number, found
        else:
            faults[number] = {"": "is not a JSON object"}


def _csv_rows(
    text: str, delimiters: str, known: set[str], ignored: Sequence[str], faults: RowFaults
) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text, delimiters), strict=True)
    records = _records(reader, faults)
    first = next(records, None)
    if first is None:
        return
    columns = _columns(first[1], known, {_plain(name) for name in ignored}, faults, first[0])
    for line, cells in records:
        if len(cells) != len(columns):
            faults[line] = {"": f"has {len(cells)} cells, but the first row has {len(columns)}"}
        elif row := _nested({name: cell for name, cell in zip(columns, cells, strict=True) if name and cell.strip()}):
            yield line, row


def _records(reader: Any, faults: RowFaults) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with the line on which it begins."""
    while True:
        line = reader.line_num + 1
        try:
            cells: list[str] = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            faults[line] = {"": f"cannot be read: {error}"}
            return
        if any(cell.strip() for cell in cells):
            yield line, cells


def _delimiter(text: str, delimiters: str) -> str:
    """Return the delimiter that is most frequent in the first line."""
    head = text.lstrip().partition("\n")[0]
    return max(delimiters, key=head.count)


def _columns(names: Sequence[str], known: set[str], ignored: set[str], faults: RowFaults, line: int) -> list[str]:
    """Return the field of each column, which is empty if it is left out.

    A message has the number of a column, not its name: without a row of names, the first row is one of values.
    """
    columns = [_plain(name) for name in names]
    problems: dict[str, str] = {}
    for number, name in enumerate(columns, 1):
        field = name.partition(".")[0]
        if not name:
            problems[f"column {number}"] = "has no name"
        elif name not in ignored and field not in known:
            near = did_you_mean(field, known)
            problems[f"column {number}"] = f"is not a field{near}; to leave it out, use --ignore"
        elif name not in ignored and columns.count(name) > 1:
            problems[f"column {number}"] = f"is another column for {name}"
        elif any(other.startswith(f"{name}.") for other in columns):
            problems[f"column {number}"] = f"is {name}, and another column is a part of it"
    if problems:
        faults[line] = problems
    left_out = {number for number, name in enumerate(columns, 1) if name in ignored or f"column {number}" in problems}
    return ["" if number in left_out else name for number, name in enumerate(columns, 1)]


def _plain(name: str) -> str:
    """Return the name of a column as that of a field: "First Name" is first_name."""
    parts = (re.sub(r"[^a-z0-9]+", "_", part.strip().lower()).strip("_") for part in name.split("."))
    return ".".join(parts)


def _nested(cells: Mapping[str, str]) -> dict[str, Any]:
    """Return the values by their fields; `pronouns.nominative` is a part of `pronouns`."""
    row: dict[str, Any] = {}
    for name, cell in cells.items():
        *outer, last = name.split(".")
        place: dict[str, Any] = row
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = cell
    return row


def _with_dates(row: dict[str, Any], fields: type, date_format: str) -> dict[str, Any]:
    hints = get_type_hints(fields)
    return {name: _day(value, date_format) if _takes_day(hints.get(name)) else value for name, value in row.items()}


def _takes_day(hint: Any) -> bool:
    return hint is Real.date or Real.date in get_args(hint)


def has_day(date_format: str) -> bool:
    """Return whether a format stands for whole days.

    Args:
        date_format: The format, as for `strptime`.
    """
    day = dt.date(2026, 12, 31)
    return bool(_day(day.strftime(date_format), date_format) == day)


def _day(value: Any, date_format: str) -> Any:
    try:
        return dt.datetime.strptime(value, date_format).date()  # noqa: DTZ007  (a day has no zone)
    except (ValueError, TypeError):
        return value
