"""Records as rows of Parquet: the cost of a row, and the memory of a million rows."""

import gc
import resource
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from cliniko_async import AppointmentType, Cliniko
from cliniko_async._messages import Request, Response
from cliniko_async._records.page import decode_page
from cliniko_async.integrations.arrow import batches, schema, table
from cliniko_async.links import Link

from .data import ENVELOPE, PAGE_SIZE, one_page
from .measure import AsyncSide, Measurement, Side, side_by_side, side_by_side_async
from .serving import client, serving

_SCHEMA: Any = schema(AppointmentType)
_LINKS = {"billable_item_id": "billable_item", "product_id": "product"} | {
    "treatment_note_template_id": "treatment_note_template"
}
_ROWS = 10_000
_MILLION = 1_000_000
_FLAT = 1.25
"""How much more memory a stream may hold after ten times as many rows: it remembers a hash of each link."""


def measure_tables() -> Sequence[Measurement]:
    """Measure records to a table against the same columns by hand."""
    answer = Response(200, {}, one_page())
    records = list(decode_page(AppointmentType, ENVELOPE, Request("GET", ""), answer).items) * 10
    sides: dict[str, Callable[[], Any]] = {
        "ours": lambda: table(records),
        "pyarrow, columns by hand": lambda: pa.table(_columns(records), schema=_SCHEMA),
        "pyarrow, rows by hand": lambda: pa.Table.from_pylist(list(map(_row, records)), schema=_SCHEMA),
    }
    assert all(run().equals(table(records)) for run in sides.values())
    taken = side_by_side({name: Side(run, len(records)) for name, run in sides.items()}, rounds=31)
    ours = taken.pop("ours")
    common = {"what": "a record to a row of a table", "ours": ours, "unit": "µs", "budget": 1.3}
    return [Measurement(against=name, theirs=theirs, **common) for name, theirs in taken.items()]


async def measure_parquet() -> Sequence[Measurement]:
    """Measure a list over loopback into a Parquet file, from request to file, against the same by hand."""
    with serving(pages=_ROWS // PAGE_SIZE) as base_url, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "appointment_types.parquet"
        async with client(base_url) as cliniko:
            sides = {"ours": partial(_by_library, cliniko, file), "by hand": partial(_by_hand, cliniko, file)}
            taken = await side_by_side_async({name: AsyncSide(run, _ROWS) for name, run in sides.items()}, rounds=15)
    hand = "async for + pyarrow, rows by hand"
    return [
        Measurement(
            what="a row over loopback into Parquet",
            against=hand,
            ours=taken["ours"],
            theirs=taken["by hand"],
            unit="µs",
            budget=1.3,
        )
    ]


async def measure_million() -> Sequence[Measurement]:
    """Measure the memory of the process while a million rows are written to a Parquet file."""
    held: list[float] = []
    with serving(pages=_MILLION // PAGE_SIZE) as base_url, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "appointment_types.parquet"
        async with client(base_url) as cliniko:
            with parquet.ParquetWriter(file, _SCHEMA) as writer:
                async for batch in batches(cliniko.appointment_types.list()):
                    writer.write_batch(batch)
                    held.append(_resident())
        assert parquet.read_metadata(file).num_rows == _MILLION
    early, late = max(held[: len(held) // 10]), max(held[-len(held) // 10 :])
    what = "1,000,000 rows into Parquet, memory of the process"
    return [Measurement(what=what, against="its first tenth", ours=[late], theirs=[early], unit="kB", budget=_FLAT)]


def _resident() -> float:
    """Return the kilobytes that the process has in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1000


async def _by_library(cliniko: Cliniko, file: Path) -> None:
    with parquet.ParquetWriter(file, _SCHEMA) as writer:
        async for batch in batches(cliniko.appointment_types.list()):
            writer.write_batch(batch)


async def _by_hand(cliniko: Cliniko, file: Path) -> None:
    with parquet.ParquetWriter(file, _SCHEMA) as writer:
        rows = [_row(record) async for record in cliniko.appointment_types.list()]
        writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=_SCHEMA))


def _id(link: Link[Any] | None) -> str | None:
    return link.id if link else None


def _columns(records: Sequence[AppointmentType]) -> dict[str, Any]:
    """Return the columns, made by one comprehension each."""
    values = {
        name: [_id(getattr(record, _LINKS[name])) for record in records]
        if name in _LINKS
        else [getattr(record, name) for record in records]
        for name in _SCHEMA.names
    }
    return {field.name: pa.array(values[field.name], field.type) for field in _SCHEMA}


def _row(one: AppointmentType) -> dict[str, Any]:
    """Return the row, written out field by field."""
    return {
        "id": one.id,
        "color": one.color,
        "created_at": one.created_at,
        "duration_in_minutes": one.duration_in_minutes,
        "max_attendees": one.max_attendees,
        "name": one.name,
        "updated_at": one.updated_at,
        "add_deposit_to_account_credit": one.add_deposit_to_account_credit,
        "appointment_confirmation_template_ids": one.appointment_confirmation_template_ids,
        "appointment_follow_up_template_ids": one.appointment_follow_up_template_ids,
        "appointment_reminder_template_ids": one.appointment_reminder_template_ids,
        "archived_at": one.archived_at,
        "billable_item_id": _id(one.billable_item),
        "category": one.category,
        "deposit_price": one.deposit_price,
        "description": one.description,
        "online_bookings_lead_time_hours": one.online_bookings_lead_time_hours,
        "online_payments_enabled": one.online_payments_enabled,
        "online_payments_mode": one.online_payments_mode,
        "product_id": _id(one.product),
        "show_in_online_bookings": one.show_in_online_bookings,
        "telehealth_enabled": one.telehealth_enabled,
        "treatment_note_template_id": _id(one.treatment_note_template),
    }
