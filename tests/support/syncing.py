"""Databases that tests load, their expected contents, and a program to kill: `python -m tests.support.syncing`."""

import asyncio
import contextlib
import datetime as dt
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import duckdb
import msgspec

from cliniko_async import Cliniko, SlidingWindowLimiter, from_dict, row
from cliniko_async.integrations.dlt import cliniko_source, sync
from cliniko_async.sandbox import Sandbox

from .paths import ROOT

Query = Callable[[str], list[tuple[Any, ...]]]
Rows = dict[str, dict[str, Any]]
OF_THE_LOAD = {"_read_at", "_removed"}


def roomy() -> SlidingWindowLimiter:
    """Return a limiter that makes nobody wait."""
    return SlidingWindowLimiter(limit=100_000)


def duckdb_query(path: object) -> Query:
    """Return a function that runs a statement in a DuckDB file."""

    def query(statement: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(statement).fetchall()

    return query


def loaded(query: Query, dataset: str, table: str) -> Rows:
    """Return the rows of a table by id, without the columns that dlt adds."""
    where = f"table_schema = '{dataset}' AND table_name = '{table}' ORDER BY ordinal_position"
    names = [name for (name,) in query(f"SELECT column_name FROM information_schema.columns WHERE {where}")]
    rows = query(f'SELECT * FROM "{dataset}"."{table}"')
    by_id = {values[0]: dict(zip(names, values, strict=True)) for values in rows}
    assert len(by_id) == len(rows), f"{table} has a row twice"
    return {key: {name: _comparable(value) for name, value in each.items()} for key, each in by_id.items()}


def expected(sandbox: Sandbox, cls: Any, table: str) -> Rows:
    """Return the expected rows of a table: those of every record, including archived, cancelled and deleted ones."""
    return {record["id"]: _expected_row(from_dict(cls, record)) for record in sandbox.all(table)}


def assert_equal(query: Query, sandbox: Sandbox, resources: Mapping[str, Any], *, dataset: str = "cliniko") -> None:
    """Compare every row of every table with its record."""
    for name, resource in resources.items():
        found = {
            key: {name: value for name, value in each.items() if name not in OF_THE_LOAD}
            for key, each in loaded(query, dataset, name).items()
        }
        assert found == expected(sandbox, resource.record, name), name


def _expected_row(record: object) -> dict[str, Any]:
    return {name.rstrip("_"): _comparable(value) for name, value in row(record).items()}


def _comparable(value: Any) -> Any:
    """Return the value of a column, with JSON in one format, whether it is a text or parsed."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        value = json.loads(value)
    if isinstance(value, dict | list | tuple):
        return json.loads(msgspec.json.encode(value), parse_float=Decimal)
    return value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value


async def run_sync(to: str, resources: Iterable[str]) -> None:
    async with Cliniko.from_env(rate_limiter=roomy()) as cliniko:
        await sync(cliniko, to, resources=resources)


def run_pipeline(path: str, resources: Iterable[str]) -> None:
    """Run a pipeline as a user of dlt does; its folder keeps what it had extracted when it was killed."""
    pipeline = dlt.pipeline("of_a_user", destination=dlt.destinations.duckdb(path), dataset_name="cliniko")
    pipeline.run()
    pipeline.run(cliniko_source(resources=resources, rate_limiter=roomy()))


def start(
    sandbox: Sandbox, folder: Path, kind: str, to: str, resources: Iterable[str], **variables: str
) -> subprocess.Popen[bytes]:
    """Start this module as a program that syncs into a database of a folder."""
    account = {"CLINIKO_API_KEY": sandbox.api_key, "CLINIKO_BASE_URL": sandbox.base_url, "PYTHONPATH": str(ROOT)}
    who = {"CLINIKO_APP_NAME": "Tests", "CLINIKO_CONTACT_EMAIL": "it@example.com"}
    quiet = {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(folder / "dlt")}
    command = [sys.executable, "-m", __spec__.name if __name__ == "__main__" else __name__, kind, to, *resources]
    return subprocess.Popen(command, cwd=folder, env=os.environ | account | who | quiet | variables)


def kill_syncs(
    folder: Path, kind: str, *, times: int, seed: int, to: str | None = None, query: Query | None = None
) -> None:
    """Kill syncs at random, each of which continues the previous one; at the end the database equals the account."""
    names = ("appointment_types", "patients", "practitioners", "taxes")
    to = to or ("duckdb:///clinic.duckdb" if kind == "sync" else "clinic.duckdb")
    with Sandbox(limit=100_000) as sandbox:
        killed_at_random(sandbox, folder, (kind, to, *names), times=times, seed=seed)
        client = Cliniko(sandbox.api_key, base_url=sandbox.base_url, app_name="Tests", contact_email="it@example.com")
        resources = {name: client.resources[name] for name in names}
        assert_equal(query or duckdb_query(folder / "clinic.duckdb"), sandbox, resources)


def killed_at_random(sandbox: Sandbox, folder: Path, arguments: tuple[str, ...], *, times: int, seed: int) -> None:
    """Change records, start a sync and kill it, again and again; then let one end."""
    rng = random.Random(seed)
    kind, to, *resources = arguments
    for _ in range(times):
        _change(sandbox, rng)
        # During the requests, or after the last one, while the rows are written.
        reached = threading.Event()
        at = rng.randrange(len(resources) + 4)
        sandbox.faults.clear()
        sandbox.faults.between(reached.set, after=at)
        running = start(sandbox, folder, kind, to, resources)
        while not reached.wait(0.02) and running.poll() is None:
            pass
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(rng.uniform(0.0, 1.5))
        running.kill()
        running.wait()
    sandbox.faults.clear()
    assert start(sandbox, folder, kind, to, resources).wait(120) == 0


def _change(sandbox: Sandbox, rng: random.Random) -> None:
    patients = [record["id"] for record in sandbox.all("patients")]
    sandbox.update("patients", rng.choice(patients), last_name=f"Changed {rng.random()}")
    sandbox.archive("patients", rng.choice(patients))
    sandbox.add("taxes", name=f"New {rng.random()}")


if __name__ == "__main__":
    kind, place, *names = sys.argv[1:]
    if kind == "sync":
        asyncio.run(run_sync(place, names))
    else:
        run_pipeline(place, names)
