"""Exports: the CPU time of a row against handwritten code with the same library, and the memory of a long export."""

import csv
import datetime as dt
import gc
import json
import operator
import tempfile
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pyarrow as pa
import pyarrow.parquet

from cliniko_async import AppointmentType, columns
from cliniko_async.export import FORMATS, ExportFormat, ExportProgress, export
from cliniko_async.integrations import arrow

from . import peers
from .data import ENVELOPE, PAGE_SIZE
from .measure import AsyncSide, Measurement, side_by_side_async
from .serving import client, serving

_PAGES = 100
_ROWS = _PAGES * PAGE_SIZE
_LONG = 1000
_CHECKPOINT = 10
"""Pages that an export holds before it writes them."""
_FLAT = 1.25
_BY_HAND = {"ndjson": "msgspec by hand", "csv": "csv by hand", "parquet": "pyarrow by hand"}
_BUDGETS = {"csv": 1.3, "parquet": 1.3}
"""A line of JSON costs so little that the cost of the resumable list decides the ratio."""


async def measure_exports() -> Sequence[Measurement]:
    """Measure the CPU time of a row in each format, against aiohttp, msgspec → attrs and the library of the format."""
    lines: list[Measurement] = []
    with serving(pages=_PAGES) as base_url, tempfile.TemporaryDirectory() as name:
        async with client(base_url) as cliniko, aiohttp.ClientSession() as session:
            for export_format in FORMATS:
                directory = Path(name) / export_format
                by_hand = HANDS[export_format]

                async def ours(to: Path = directory, chosen: ExportFormat = export_format) -> None:
                    manifest = await export(cliniko, [ENVELOPE], to=to, format=chosen)
                    assert manifest.resources[ENVELOPE].rows == _ROWS

                async def theirs(write: "Hand" = by_hand, to: Path = Path(name) / "by_hand") -> None:
                    assert await write(session, base_url, to) == _ROWS

                sides = {"ours": AsyncSide(ours, _ROWS), "theirs": AsyncSide(theirs, _ROWS)}
                taken = await side_by_side_async(sides, rounds=7)
                lines.append(
                    Measurement(
                        what=f"a row exported as {export_format}",
                        against=_BY_HAND[export_format],
                        ours=taken["ours"],
                        theirs=taken["theirs"],
                        unit="µs",
                        budget=_BUDGETS.get(export_format),
                    )
                )
    return [*lines, *await _memory()]


async def _memory() -> list[Measurement]:
    """Measure the memory of 100,000 rows, which must not grow."""
    lines: list[Measurement] = []
    with serving(pages=_LONG) as base_url, tempfile.TemporaryDirectory() as name:
        for export_format in FORMATS:
            early, late = await _peaks(base_url, Path(name), export_format)
            lines.append(
                Measurement(
                    what=f"100,000 records exported as {export_format}",
                    against="its first tenth",
                    ours=[late],
                    theirs=[early],
                    unit="kB",
                    budget=_FLAT,
                )
            )
    return lines


async def _peaks(base_url: str, directory: Path, export_format: ExportFormat) -> tuple[float, float]:
    """Return the peak memory in the first and in the last tenth of an export, including that of Arrow."""
    peaks: list[float] = []

    def report(progress: ExportProgress) -> None:
        if progress.rows % (_LONG * PAGE_SIZE // 10) == 0 and not progress.complete:
            peaks.append((tracemalloc.get_traced_memory()[1] + pa.total_allocated_bytes()) / 1000)
            tracemalloc.reset_peak()

    async with client(base_url) as cliniko:
        gc.collect()
        tracemalloc.start()
        try:
            await export(cliniko, [ENVELOPE], to=directory, format=export_format, on_progress=report)
        finally:
            tracemalloc.stop()
    return peaks[0], peaks[-1]


# By hand: what a careful programmer would write, page by page in bounded memory, but not resumable.

Hand = Callable[[aiohttp.ClientSession, str, Path], Awaitable[int]]


async def _read(session: aiohttp.ClientSession, base_url: str, write: Callable[[Sequence[Any]], object]) -> int:
    decode, count = peers.attrs_page(), 0
    following: str | None = f"{base_url}/{ENVELOPE}?per_page={PAGE_SIZE}"
    while following:
        async with session.get(following) as answer:
            page = decode(await answer.read())
        write(page.appointment_types)
        count += len(page.appointment_types)
        following = page.links["next"]
    return count


async def _ndjson(session: aiohttp.ClientSession, base_url: str, to: Path) -> int:
    encode = msgspec.json.Encoder().encode_lines
    with to.open("wb") as file:
        return await _read(session, base_url, lambda records: file.write(encode(records)))


async def _csv(session: aiohttp.ClientSession, base_url: str, to: Path) -> int:
    with to.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_NAMES)
        return await _read(
            session,
            base_url,
            lambda records: writer.writerows([[_cell(value) for value in _values(each)] for each in records]),
        )


async def _parquet(session: aiohttp.ClientSession, base_url: str, to: Path) -> int:
    schema = arrow.schema(AppointmentType)
    pending: list[dict[str, Any]] = []

    with pyarrow.parquet.ParquetWriter(to, schema, compression="zstd") as writer:

        def write(records: Sequence[Any]) -> None:
            pending.extend(dict(zip(_NAMES, _values(each), strict=True)) for each in records)
            if len(pending) >= _CHECKPOINT * PAGE_SIZE:
                writer.write_table(pa.Table.from_pylist(pending, schema))
                pending.clear()

        return await _read(session, base_url, write)


HANDS: dict[ExportFormat, Hand] = {"ndjson": _ndjson, "csv": _csv, "parquet": _parquet}
_NAMES = list(columns(AppointmentType))
_FIELDS = operator.attrgetter(
    *(name if name in AppointmentType.__annotations__ else name.removesuffix("_id") for name in _NAMES)
)


def _values(record: Any) -> list[Any]:  # noqa: ANN401
    """Return the values of the columns; the value of a link is the id at the end of its URL."""
    return [
        value.links.self.rpartition("/")[2] if isinstance(value, peers.AttrsLink) else value
        for value in _FIELDS(record)
    ]


def _cell(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.isoformat().replace("+00:00", "Z")
    return json.dumps(value) if isinstance(value, tuple) else value
