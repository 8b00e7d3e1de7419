"""Rows into DuckDB: the source for dlt against dlt's generic source for REST APIs, and against a handwritten loop."""

import asyncio
import datetime as dt
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import dlt
import msgspec
import pyarrow as pa
from dlt.sources.rest_api import rest_api_source

from cliniko_async.integrations.dlt import cliniko_source

from .data import ENVELOPE, PAGE_SIZE
from .measure import Measurement, Side, side_by_side
from .serving import KEY, roomy, serving

_PAGES = 100
_BATCH = 20
_REST, _HAND = "dlt's REST source", "dlt + pyarrow by hand"
_MERGED: Any = {"disposition": "merge", "strategy": "delete-insert"}


def measure_databases() -> Sequence[Measurement]:
    """Measure the CPU time per row from the first request to the end of the load, with dlt on every side."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    with serving(pages=_PAGES) as base_url, tempfile.TemporaryDirectory() as folder:
        runs: dict[str, Callable[[], object]] = {
            "ours": lambda: _ours(base_url),
            _REST: lambda: _rest(base_url),
            _HAND: lambda: _by_hand(base_url),
        }
        numbers = count()
        sides = {
            name: Side(lambda run=run: _load(Path(folder, str(next(numbers))), run()), _PAGES * PAGE_SIZE)
            for name, run in runs.items()
        }
        taken = side_by_side(sides, rounds=5)
    budgets = {_REST: 1 / 2, _HAND: 1.3}
    what, ours = "rows into DuckDB, a row", taken.pop("ours")
    return [
        Measurement(what=what, against=name, ours=ours, theirs=theirs, unit="µs", budget=budgets[name])
        for name, theirs in taken.items()
    ]


def _load(folder: Path, data: object) -> None:
    folder.mkdir()
    destination = dlt.destinations.duckdb(str(folder / "database.duckdb"))
    pipeline = dlt.pipeline("benchmark", destination=destination, dataset_name="clinic", pipelines_dir=str(folder))
    pipeline.run(data)
    with pipeline.sql_client() as client:
        rows = client.execute_sql(f"SELECT count(DISTINCT id) FROM {ENVELOPE}")  # noqa: S608
    assert rows is not None
    assert rows[0][0] == _PAGES * PAGE_SIZE
    pipeline.deactivate()


def _ours(base_url: str) -> object:
    who = {"app_name": "Benchmarks", "contact_email": "it@example.com"}
    return cliniko_source(KEY, [ENVELOPE], base_url=base_url, rate_limiter=roomy(), **who)


def _rest(base_url: str) -> object:
    """Return the source that the documentation of dlt shows, with Cliniko's paging."""
    config: Any = {
        "client": {
            "base_url": f"{base_url}/",
            "auth": {"type": "http_basic", "username": KEY, "password": ""},
            "paginator": {"type": "json_link", "next_url_path": "links.next"},
        },
        "resources": [
            {
                "name": ENVELOPE,
                "primary_key": "id",
                "write_disposition": _MERGED,
                "max_table_nesting": 0,
                "endpoint": {"path": ENVELOPE, "params": {"per_page": PAGE_SIZE}, "data_selector": ENVELOPE},
            }
        ],
    }
    return rest_api_source(config)


def _by_hand(base_url: str) -> object:
    @dlt.resource(name=ENVELOPE, primary_key="id", write_disposition=_MERGED)
    def rows() -> Iterator[pa.Table]:
        # One after the other, because the table of a batch is made while nothing else is ready.
        pages = asyncio.run(_pages(base_url))
        for start in range(0, len(pages), _BATCH):
            yield pa.Table.from_pylist(
                [_flat(each) for page in pages[start : start + _BATCH] for each in page], _schema()
            )

    return rows


async def _pages(base_url: str) -> list[list[dict[str, Any]]]:
    pages: list[list[dict[str, Any]]] = []
    following: str | None = f"{base_url}/{ENVELOPE}?per_page={PAGE_SIZE}"
    async with aiohttp.ClientSession(auth=aiohttp.BasicAuth(KEY)) as session:
        while following:
            async with session.get(following) as answer:
                page = msgspec.json.decode(await answer.read())
            pages.append(page[ENVELOPE])
            following = page["links"].get("next")
    return pages


_TIMES = ("created_at", "updated_at", "archived_at")
_PLAIN = ("id", "name", "category", "color", "description", "online_payments_mode")
_NUMBERS = ("duration_in_minutes", "max_attendees", "online_bookings_lead_time_hours")
_FLAGS = ("add_deposit_to_account_credit", "online_payments_enabled", "show_in_online_bookings", "telehealth_enabled")
_LINKS = ("billable_item", "product", "treatment_note_template")
_LISTS = tuple(f"appointment_{name}_template_ids" for name in ("confirmation", "follow_up", "reminder"))


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    row = {name: record.get(name) for name in (*_PLAIN, *_NUMBERS, *_FLAGS)}
    for name in _TIMES:
        text = record.get(name)
        row[name] = text and msgspec.convert(text, dt.datetime)
    deposit = record.get("deposit_price")
    row["deposit_price"] = deposit and msgspec.convert(deposit, Decimal)
    for name in _LINKS:
        link = record.get(name)
        row[f"{name}_id"] = link and link["links"]["self"].rpartition("/")[2]
    for name in _LISTS:
        row[name] = msgspec.json.encode(record.get(name)).decode()
    return row


def _schema() -> pa.Schema:
    texts = [*_PLAIN, *(f"{name}_id" for name in _LINKS), *_LISTS]
    kinds = [(name, pa.string()) for name in texts] + [(name, pa.int64()) for name in _NUMBERS]
    kinds += [(name, pa.bool_()) for name in _FLAGS] + [(name, pa.timestamp("us", "UTC")) for name in _TIMES]
    return pa.schema([*kinds, ("deposit_price", pa.decimal128(38, 9))])
