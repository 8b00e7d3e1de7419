"""Loading an account into a database: every record once, with few requests, whatever fails."""

import asyncio
import contextlib
import datetime as dt
import importlib
import math
import os
import re
import socketserver
import subprocess
import sys
import textwrap
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest

from cliniko_async import (
    AccountPool,
    Cliniko,
    ConfigurationError,
    DecodingError,
    ForbiddenError,
    InvalidRequestError,
    UsageError,
)
from cliniko_async.integrations.dlt import SyncError, cliniko_source, sync
from cliniko_async.sandbox import Sandbox
from tests.support.clients import KEY, WHO
from tests.support.frames import assert_own_frames_hidden
from tests.support.paths import ROOT
from tests.support.postgres_server import PASSWORD, PostgresServer
from tests.support.syncing import assert_equal, duckdb_query, kill_syncs, loaded, roomy, start

SOME = ["appointment_types", "patients", "practitioners", "taxes"]
PAGE = 100


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limit=100_000) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


def client_for(sandbox: Sandbox, **options: Any) -> Cliniko:
    return Cliniko(sandbox.api_key, base_url=sandbox.base_url, rate_limiter=roomy(), **WHO, **options)


async def synced(sandbox: Sandbox, resources: list[str] | None = None, **options: Any) -> list[str]:
    """Sync into a DuckDB file, and return the requested paths."""
    sandbox.requests.clear()
    async with client_for(sandbox) as cliniko:
        await sync(cliniko, "duckdb:///clinic.duckdb", resources=resources, **options)
    return [request.path.removeprefix("/v1/") for request in sandbox.requests]


def stamp(seconds: float) -> dt.datetime:
    return dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)


def without_records(page: dict[str, Any]) -> dict[str, Any]:
    return {"total_entries": 0, "links": {}, **{name: [] for name, value in page.items() if isinstance(value, list)}}


def some(sandbox: Sandbox, names: list[str]) -> dict[str, Any]:
    client = client_for(sandbox)
    return {name: client.resources[name] for name in names}


def listable(sandbox: Sandbox) -> dict[str, Any]:
    """Every resource with a list of records; services have no id, and available times are not records."""
    everything = client_for(sandbox).resources
    return {
        name: each
        for name, each in everything.items()
        if "list" in each.operations and "id" in each.record.__annotations__
    }


async def test_every_resource_arrives_whole_in_duckdb_with_few_requests(sandbox: Sandbox):
    """At first, a request for each page and one for each resource; without changes, one for each list."""
    for number in range(2100):
        sandbox.add("patients", first_name=f"P{number}", last_name="X", created_at=stamp(number // 300))
    names = list(listable(sandbox))
    asked = await synced(sandbox, names)
    assert len(asked) <= 1.01 * sum(math.ceil(len(sandbox.all(name)) / PAGE) for name in names) + len(names)
    assert_equal(duckdb_query("clinic.duckdb"), sandbox, listable(sandbox))
    # The inactive practitioners are a list of their own.
    assert sorted(await synced(sandbox, names)) == sorted([*names, "practitioners/inactive"])
    assert_equal(duckdb_query("clinic.duckdb"), sandbox, listable(sandbox))


async def test_services_have_no_id_and_are_replaced_as_a_whole(sandbox: Sandbox):
    async with client_for(sandbox) as cliniko:
        services = await cliniko.services.list().collect()
    for _ in range(2):
        await synced(sandbox, ["services"])
        rows = duckdb_query("clinic.duckdb")("SELECT appointment_type_id, business_id FROM cliniko.services")
        assert Counter(rows) == Counter((each.appointment_type.id, each.business.id) for each in services)


async def test_every_resource_arrives_whole_in_postgresql(
    sandbox: Sandbox, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with postgres.connect() as connection, connection.cursor() as cursor:

        def query(statement: str) -> list[tuple[Any, ...]]:
            cursor.execute(statement)
            return cursor.fetchall()

        for change in (lambda: None, lambda: sandbox.remove("taxes", sandbox.add("taxes", name="Gone"))):
            change()
            async with client_for(sandbox) as cliniko:
                await sync(cliniko, postgres.url, dataset="north")
            connection.rollback()
            assert_equal(query, sandbox, listable(sandbox), dataset="north")
    connection.close()


async def test_a_sync_costs_a_request_more_for_each_hundred_changes(sandbox: Sandbox):
    ids = [sandbox.add("patients", first_name=f"P{number}", created_at=stamp(number)) for number in range(300)]
    await synced(sandbox, SOME)
    await synced(sandbox, SOME)
    now = dt.datetime.now(dt.UTC)
    for number, key in enumerate(ids[:250]):
        sandbox.update("patients", key, last_name="Changed", updated_at=now - dt.timedelta(seconds=300 - number))
    asked = await synced(sandbox, SOME)
    assert len(asked) <= len(SOME) + 1 + math.ceil(250 / PAGE)
    assert_equal(duckdb_query("clinic.duckdb"), sandbox, some(sandbox, SOME))


async def test_changed_archived_cancelled_and_new_records_arrive(sandbox: Sandbox):
    names = [*SOME, "attendees"]
    await synced(sandbox, names)
    first, second = (record["id"] for record in sandbox.all("patients")[:2])
    sandbox.update("patients", first, first_name="Changed", notes=None)
    sandbox.archive("patients", second)
    sandbox.update("attendees", sandbox.all("attendees")[0]["id"], cancelled_at=dt.datetime.now(dt.UTC))
    sandbox.add("taxes", name="New", rate="12.5")
    await synced(sandbox, names)
    assert_equal(duckdb_query("clinic.duckdb"), sandbox, some(sandbox, names))


async def test_a_practitioner_who_becomes_inactive_is_updated(sandbox: Sandbox):
    await synced(sandbox, SOME)
    key = next(record["id"] for record in sandbox.all("practitioners") if record["active"])
    # Without a new stamp, which the API does not promise.
    sandbox.update("practitioners", key, active=False, updated_at=stamp(0))
    await synced(sandbox, SOME)
    assert loaded(duckdb_query("clinic.duckdb"), "cliniko", "practitioners")[key]["active"] is False


async def test_only_reconcile_finds_what_was_deleted_without_a_trace(sandbox: Sandbox):
    await synced(sandbox, SOME)
    gone = sandbox.all("patients")[3]["id"]
    sandbox.remove("patients", gone)
    sandbox.remove("practitioners", next(each["id"] for each in sandbox.all("practitioners") if not each["active"]))
    sandbox.archive("patients", sandbox.all("patients")[0]["id"])
    query = duckdb_query("clinic.duckdb")
    await synced(sandbox, SOME)
    assert gone in loaded(query, "cliniko", "patients")
    await synced(sandbox, SOME, reconcile=True)
    assert_equal(query, sandbox, some(sandbox, SOME))
    await synced(sandbox, SOME)
    assert_equal(query, sandbox, some(sandbox, SOME))


async def test_reconcile_deletes_nothing_that_the_server_still_has(sandbox: Sandbox):
    """A record that a list missed is requested by its id before its row is deleted."""
    await synced(sandbox, ["taxes"])

    fault = sandbox.faults.edit(without_records, path="/taxes")
    await synced(sandbox, ["taxes"], reconcile=True)
    assert fault.hits == 1
    assert_equal(duckdb_query("clinic.duckdb"), sandbox, some(sandbox, ["taxes"]))


async def test_a_record_that_changes_during_the_sync_is_there_once_in_its_last_version(sandbox: Sandbox):
    keys = [sandbox.add("taxes", name=f"T{number}", created_at=stamp(number)) for number in range(250)]
    await synced(sandbox, ["taxes"])
    for key in keys[:150]:
        sandbox.update("taxes", key, name="Once")
    sandbox.faults.between(lambda: sandbox.update("taxes", keys[0], name="Twice"), path="updated_at", after=1)
    await synced(sandbox, ["taxes"])
    assert_equal(duckdb_query("clinic.duckdb"), sandbox, some(sandbox, ["taxes"]))


async def test_empty_resources_have_the_tables_that_full_ones_have(sandbox: Sandbox):
    names = list(
        client_for(sandbox).resources.keys() - {"available_times", "settings", "public_settings", "signatures"}
    )
    await synced(sandbox, names)
    types = (
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = '{}' ORDER BY 1"
    )
    with Sandbox(limit=100_000) as empty:
        empty.faults.edit(without_records, times=None)
        async with client_for(empty) as cliniko:
            result = await sync(cliniko, "duckdb:///clinic.duckdb", dataset="empty")
    assert result.rows == {}
    query = duckdb_query("clinic.duckdb")
    full, bare = (Counter(query(types.format(name))) for name in ("cliniko", "empty"))
    assert {row for row in full if not row[0].startswith("_dlt")} == {
        row for row in bare if not row[0].startswith("_dlt")
    }


async def test_a_server_that_does_not_sort_by_updated_at_is_still_read_completely():
    with Sandbox(limit=100_000, unsortable={"updated_at"}) as sandbox:
        for change in (lambda: None, lambda: sandbox.add("taxes", name="New")):
            change()
            await synced(sandbox, SOME)
            assert_equal(duckdb_query("clinic.duckdb"), sandbox, some(sandbox, SOME))


async def test_a_record_from_the_future_hides_no_change(sandbox: Sandbox):
    sandbox.add("taxes", name="Tomorrow", updated_at=dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
    await synced(sandbox, ["taxes"])
    sandbox.add("taxes", name="Today")
    await synced(sandbox, ["taxes"])
    assert_equal(duckdb_query("clinic.duckdb"), sandbox, some(sandbox, ["taxes"]))


async def test_another_key_in_the_same_dataset_replaces_the_rows(sandbox: Sandbox, caplog: pytest.LogCaptureFixture):
    """After a key was renewed everything is read again; rows of two clinics are never mixed."""
    await synced(sandbox, SOME)
    with Sandbox(seed=2, limit=100_000) as other:
        await synced(other, SOME)
        assert_equal(duckdb_query("clinic.duckdb"), other, some(other, SOME))
    assert "belongs to another API key" in caplog.text


async def test_two_accounts_of_a_pool_have_a_dataset_each(sandbox: Sandbox):
    names = ["patients", "taxes"]

    async def job(account: str, cliniko: Cliniko) -> None:
        await sync(cliniko, "duckdb:///clinics.duckdb", dataset=account, resources=names)

    with Sandbox(seed=2, limit=100_000) as other:
        clinics = {"north": sandbox, "south": other}
        for _ in range(2):
            async with AccountPool(limiter=lambda _: roomy(), **WHO) as pool:
                jobs = [pool.client(each.api_key, base_url=each.base_url) for each in clinics.values()]
                await asyncio.gather(*(job(name, client) for name, client in zip(clinics, jobs, strict=True)))
        for name, each in clinics.items():
            assert_equal(duckdb_query("clinics.duckdb"), each, some(each, names), dataset=name)


async def test_a_dataset_is_synced_by_one_program_at_a_time(sandbox: Sandbox):
    waiting, going_on = threading.Event(), threading.Event()

    def hold() -> None:
        waiting.set()
        going_on.wait(30)

    sandbox.faults.between(hold, path="/taxes")
    async with client_for(sandbox) as cliniko:
        first = asyncio.ensure_future(sync(cliniko, "duckdb:///clinic.duckdb", resources=["taxes"]))
        await asyncio.to_thread(waiting.wait, 30)
        try:
            with pytest.raises(UsageError, match="cliniko is being synced by another program"):
                await sync(cliniko, "duckdb:///clinic.duckdb", resources=["taxes"])
        finally:
            going_on.set()
        await first


async def test_a_sync_that_is_cancelled_ends_and_the_next_one_completes_it(sandbox: Sandbox):
    reading = threading.Event()
    sandbox.faults.slow(30.0, path="/patients")
    sandbox.faults.between(reading.set, path="/taxes")
    async with client_for(sandbox) as cliniko:
        running = asyncio.ensure_future(sync(cliniko, "duckdb:///clinic.duckdb", resources=SOME))
        await asyncio.to_thread(reading.wait, 30)
        running.cancel()
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    await synced(sandbox, SOME)
    assert_equal(duckdb_query("clinic.duckdb"), sandbox, some(sandbox, SOME))


async def test_an_error_of_the_api_is_raised_as_it_is_and_nothing_is_loaded(sandbox: Sandbox):
    # The other lists are still being read when it arrives.
    sandbox.faults.slow(5.0, path="/taxes")
    sandbox.faults.status(403, path="/patients")
    with pytest.raises(ForbiddenError, match="/v1/patients answered 403") as caught:
        await synced(sandbox, SOME)
    assert caught.value.__cause__ is None
    assert "patients" not in str(duckdb_query("clinic.duckdb")("SHOW ALL TABLES"))
    await synced(sandbox, SOME)
    assert_equal(duckdb_query("clinic.duckdb"), sandbox, some(sandbox, SOME))


@pytest.mark.parametrize("value", ["1.0123456789", "1" * 40, "0." + "0" * 60 + "1"])
async def test_a_decimal_that_does_not_fit_is_an_error_that_does_not_show_it(sandbox: Sandbox, value: str):
    sandbox.faults.edit(lambda page: page["taxes"][0].update(rate=value), path="/taxes")
    with pytest.raises(DecodingError, match=r"a value of Tax\.rate does not fit decimal128") as caught:
        await synced(sandbox, ["taxes"])
    assert value not in "".join(traceback.format_exception(caught.value))


async def test_an_error_of_the_database_shows_no_row(sandbox: Sandbox, capfd: pytest.CaptureFixture[str]):
    await synced(sandbox, ["patients"])
    with duckdb.connect("clinic.duckdb") as connection:
        connection.execute("ALTER TABLE cliniko.patients ALTER COLUMN first_name TYPE BOOLEAN USING NULL")
    name = sandbox.all("patients")[0]["first_name"]
    sandbox.update("patients", sandbox.all("patients")[0]["id"], last_name="Changed")
    with pytest.raises(SyncError, match="the step 'load' failed") as caught:
        await synced(sandbox, ["patients"])
    assert name not in str(caught.value)
    assert_own_frames_hidden(caught.value, name, sandbox.api_key)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("duckdb:////nowhere/at/all/x.duckdb", "the database cannot be used: IO Error"),
        ("postgresql://ann@127.0.0.1:1/clinic", "the database cannot be used: connection to server"),
    ],
)
async def test_a_database_that_cannot_be_reached_says_why(sandbox: Sandbox, url: str, reason: str):
    async with client_for(sandbox) as cliniko:
        with pytest.raises(SyncError, match=re.escape(reason)):
            await sync(cliniko, url, resources=["taxes"])


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:///x.db", "written duckdb:///FILE or postgresql://"),
        ("http://[", "written duckdb:///FILE or postgresql://"),
        ("duckdb://clinic.duckdb", "written duckdb:///clinic.duckdb"),
        ("duckdb:///data/cliniko.duckdb", "DuckDB cannot have a schema cliniko in a file of the same name"),
        ("postgresql:///clinic", "written postgresql://USER@HOST/DATABASE"),
        ("postgresql://ann:hush@localhost/clinic", "put the password into PGPASSWORD"),
        ("postgresql://ann@localhost/clinic?password=hush", "put the password into PGPASSWORD"),
    ],
)
async def test_a_url_that_cannot_be_used_is_refused_without_showing_it(sandbox: Sandbox, url: str, reason: str):
    async with client_for(sandbox) as cliniko:
        with pytest.raises(ConfigurationError, match=re.escape(reason)) as caught:
            await sync(cliniko, url)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("dataset", ["", "North", "a b", "a__b", "1st", "x_staging", "x" * 41, 'x"; DROP'])
async def test_a_dataset_that_dlt_would_rename_is_refused(sandbox: Sandbox, dataset: str):
    async with client_for(sandbox) as cliniko:
        with pytest.raises(ConfigurationError, match="dataset must have"):
            await sync(cliniko, "duckdb:///clinic.duckdb", dataset=dataset)


def test_an_unknown_resource_is_refused_with_the_nearest_name():
    with pytest.raises(InvalidRequestError, match="no resource 'patient' can be synced; did you mean 'patients'"):
        cliniko_source("key-au1", ["patient"], **WHO)
    with pytest.raises(InvalidRequestError, match="resources must be a list of names"):
        cliniko_source("key-au1", "patients", **WHO)


async def test_only_the_user_can_read_the_rows_on_their_way(sandbox: Sandbox, tmp_path: Path):
    pipelines = tmp_path / "dlt" / "pipelines"
    pipelines.mkdir(parents=True, mode=0o755)
    modes: list[set[str]] = []

    def look(_: object) -> None:
        modes.append({oct(each.stat().st_mode & 0o777) for each in pipelines.iterdir() if each.is_dir()})

    async with client_for(sandbox, observers=[look]) as cliniko:
        for _ in range(2):  # The second time, dlt begins with what it finds in the database.
            await sync(cliniko, "duckdb:///clinic.duckdb", resources=["patients"])
    assert len(modes) > 1
    assert all(each == {"0o700"} for each in modes)


async def test_nothing_is_left_on_this_machine_or_in_the_staging_schema(sandbox: Sandbox, tmp_path: Path):
    await synced(sandbox, SOME)
    left = [path for path in (tmp_path / "dlt").rglob("*") if path.is_file()]
    assert [path.suffix for path in left] == [".lock"]
    schemas = duckdb_query("clinic.duckdb")("SELECT schema_name FROM information_schema.schemata")
    assert ("cliniko_staging",) not in schemas


def test_a_pipeline_of_a_user_loads_the_source_and_takes_its_settings_from_dlt(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    settings = {
        "API_KEY": sandbox.api_key,
        "BASE_URL": sandbox.base_url,
        "APP_NAME": "T",
        "CONTACT_EMAIL": "it@example.com",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"SOURCES__CLINIKO__{name}", value)
    pipeline = dlt.pipeline("own", destination=dlt.destinations.duckdb("own.duckdb"), dataset_name="cliniko")
    for change in (lambda: None, lambda: sandbox.remove("taxes", sandbox.all("taxes")[0]["id"])):
        change()
        pipeline.run(cliniko_source(resources=SOME, reconcile=True, rate_limiter=roomy()))
        assert_equal(duckdb_query("own.duckdb"), sandbox, some(sandbox, SOME))
    pipeline.deactivate()
    assert not any(
        path for path in Path("dlt").rglob("*") if path.is_file() and sandbox.api_key.encode() in path.read_bytes()
    )


def test_a_source_without_a_key_or_a_name_says_what_is_missing(monkeypatch: pytest.MonkeyPatch):
    for name in ("CLINIKO_API_KEY", "CLINIKO_APP_NAME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="CLINIKO_API_KEY"):
        cliniko_source(**WHO)
    with pytest.raises(ConfigurationError, match="CLINIKO_APP_NAME") as caught:
        cliniko_source(KEY, contact_email="it@example.com")
    assert_own_frames_hidden(caught.value)


def test_dlt_reports_nothing_from_a_program_that_syncs(sandbox: Sandbox, tmp_path: Path):
    reported = threading.Event()
    with socketserver.TCPServer(("127.0.0.1", 0), lambda *_: reported.set()) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{collector.server_address[1]}"
        options = {"RUNTIME__DLTHUB_TELEMETRY": "true", "RUNTIME__DLTHUB_TELEMETRY_ENDPOINT": url}
        assert start(sandbox, tmp_path, "sync", "duckdb:///clinic.duckdb", ["taxes"], **options).wait(60) == 0
        assert not reported.is_set()
        assert start(sandbox, tmp_path, "pipeline", "own.duckdb", ["taxes"], **options).wait(60) == 0
        assert reported.wait(30)
        collector.shutdown()


@pytest.mark.parametrize(("kind", "times"), [("sync", 5), ("pipeline", 2)])
def test_a_run_killed_at_any_moment_and_started_again_leaves_the_database_equal(tmp_path: Path, kind: str, times: int):
    kill_syncs(tmp_path, kind, times=times, seed=1)


def test_a_sync_into_postgresql_can_be_killed_at_any_moment_too(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)

    def query(statement: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(postgres.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    kill_syncs(tmp_path, "sync", times=2, seed=2, to=postgres.url, query=query)


async def test_in_postgresql_a_sync_of_another_machine_is_seen(
    sandbox: Sandbox, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    async with client_for(sandbox) as cliniko:
        with contextlib.closing(postgres.connect()) as other:
            other.cursor().execute("SELECT pg_advisory_lock(hashtext('cliniko_async west'))")
            with pytest.raises(UsageError, match="west is being synced by another program"):
                await sync(cliniko, postgres.url, dataset="west", resources=["taxes"])
        await sync(cliniko, postgres.url, dataset="west", resources=["taxes"])


async def test_any_destination_of_dlt_can_be_given(sandbox: Sandbox):
    async with client_for(sandbox) as cliniko:
        await sync(cliniko, dlt.destinations.duckdb("other.duckdb"), resources=["taxes"])
    assert_equal(duckdb_query("other.duckdb"), sandbox, some(sandbox, ["taxes"]))


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "cliniko_async.integrations.dlt")
    monkeypatch.setitem(sys.modules, "dlt", None)
    with pytest.raises(ImportError, match=r'pip install "cliniko-async\[dlt\]"'):
        importlib.import_module("cliniko_async.integrations.dlt")


def test_the_example_loads_a_clinic_and_answers_a_question(sandbox: Sandbox, tmp_path: Path):
    variables = {"CLINIKO_API_KEY": sandbox.api_key, "CLINIKO_BASE_URL": sandbox.base_url, "CLINIKO_APP_NAME": "T"}
    command = [sys.executable, str(ROOT / "examples" / "sync_clinic.py"), "clinic.duckdb"]
    for _ in range(2):
        environment = os.environ | variables | {"CLINIKO_CONTACT_EMAIL": "it@example.com"}
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        busiest = [int(line.split()[0]) for line in done.stdout.splitlines() if "appointments of" in line]
        assert busiest == sorted(busiest, reverse=True)
        kept = [
            each
            for each in sandbox.all("individual_appointments")
            if not (each["cancelled_at"] or each["archived_at"] or each["deleted_at"])
        ]
        assert sum(busiest) == len(kept)


def test_frozen_time_changes_no_column():
    """In a new process, because the columns of a class are computed once."""
    code = """
        import freezegun
        with freezegun.freeze_time("2026-01-01"):
            from cliniko_async import Tax
            from cliniko_async.integrations._dlt_columns import column_hints
            hints = column_hints(Tax, merged=True)
        print(hints["created_at"]["data_type"], hints["_read_at"]["data_type"])
    """
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)], capture_output=True, check=True, text=True
    )
    assert found.stdout.split() == ["timestamp", "timestamp"]
