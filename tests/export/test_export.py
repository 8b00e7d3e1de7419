"""Exports: the files have exactly the records of the account, and the manifest says what they are."""

import datetime as dt
import json
import sys
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pyarrow import parquet

from cliniko_async import Cliniko, InvalidRequestError, Tax, integrations, to_dict, to_json
from cliniko_async.export import (
    FORMATS,
    ExportedResource,
    ExportError,
    ExportProgress,
    Manifest,
    export,
    exportable,
    read_manifest,
)
from cliniko_async.integrations import arrow
from cliniko_async.resources._registry import RESOURCES, resource_class
from cliniko_async.sandbox import Sandbox
from tests.support.exporting import as_csv, csv_rows, differences, expected, exporter_of, ndjson_rows, records_of

WITHOUT_IDS = {"services", "settings", "public_settings"}
UNLISTED = {"available_times", "signatures"}


@pytest.fixture(scope="module")
def clinic() -> Iterator[Sandbox]:
    """A clinic with records that lists leave out, in every resource that has such records."""
    with Sandbox(seed=3, appointment_types=120, limit=1_000_000) as sandbox:
        for name in RESOURCES:
            hidden = {"archived_at", "cancelled_at", "deleted_at"} & resource_class(name).searchable().keys()
            ids = [each["id"] for each in sandbox.all(name)] if hidden and name != "bookings" else []
            for column, identity in zip(sorted(hidden), ids, strict=False):
                sandbox.update(name, identity, **{column: dt.datetime(2026, 1, 5, tzinfo=dt.UTC)})
        sandbox.add("practitioners", active=False)
        yield sandbox


@pytest.fixture
async def cliniko(clinic: Sandbox) -> AsyncIterator[Cliniko]:
    clinic.requests.clear()
    async with exporter_of(clinic) as client:
        yield client


def named(manifest: Manifest) -> set[str]:
    return {each.file for each in manifest.resources.values()} | {"manifest.json", ".export.lock"}


def files(directory: Path) -> set[str]:
    return {each.name for each in directory.iterdir()}


# The rows


@pytest.mark.parametrize("archived", ["exclude", "include"])
async def test_ndjson_has_every_record_as_to_json_writes_it(clinic, cliniko, tmp_path, archived):
    manifest = await export(cliniko, exportable(cliniko), to=tmp_path, archived=archived)
    listed = [name for name in manifest.resources if name not in WITHOUT_IDS]
    assert len(listed) > 30
    found = {name: ndjson_rows(tmp_path / f"{name}.ndjson") for name in listed}
    wanted = {name: [to_dict(each) for each in records_of(clinic, name, archived)] for name in listed}
    assert {name for name in listed if by_id(found[name]) != by_id(wanted[name])} == set()
    assert {name: manifest.resources[name].rows for name in listed} == {name: len(found[name]) for name in listed}
    assert files(tmp_path) == named(manifest)


def by_id(rows: list[dict]) -> list[dict]:
    return sorted(rows, key=lambda each: int(each["id"]))


async def test_archived_include_adds_records_that_lists_leave_out(clinic, cliniko):
    listed = [name for name in exportable(cliniko) if name not in WITHOUT_IDS]
    more = {name for name in listed if len(expected(clinic, name, "include")) > len(expected(clinic, name))}
    assert {"appointment_types", "attendees", "bookings", "practitioners"} < more


async def test_csv_has_every_value_exactly(clinic, cliniko, tmp_path):
    """Except for the difference between an empty text and None, which CSV does not have."""
    names = [name for name in exportable(cliniko) if name not in WITHOUT_IDS]
    await export(cliniko, names, to=tmp_path, format="csv", archived="include")
    different = {
        name
        for name in names
        if by_id(csv_rows(tmp_path / f"{name}.csv", resource_class(name).record))
        != as_csv(records_of(clinic, name, "include"))
    }
    assert different == set()


async def test_parquet_has_the_table_of_the_records(clinic, cliniko, tmp_path):
    names = exportable(cliniko)
    await export(cliniko, names, to=tmp_path, format="parquet", archived="include")
    assert differences(clinic, tmp_path, "parquet", names) == set()
    assert files(tmp_path) == {f"{name}.parquet" for name in names} | {"manifest.json", ".export.lock"}


async def test_a_parquet_file_without_records_has_the_schema(clinic, cliniko, tmp_path):
    await export(cliniko, ["taxes"], to=tmp_path, format="parquet", filters={"taxes": ["id:=1"]})
    assert parquet.read_table(tmp_path / "taxes.parquet").equals(arrow.table([], Tax))


async def test_parquet_has_few_row_groups(clinic, cliniko, tmp_path):
    """However many pages and checkpoints there are, because each row group has a cost."""
    await export(cliniko, ["appointment_types"], to=tmp_path, format="parquet")
    assert parquet.ParquetFile(tmp_path / "appointment_types.parquet").num_row_groups == 1


async def test_large_records_end_a_row_group_early(clinic, cliniko, tmp_path):
    """So that the memory to write and to read one is bounded."""
    notes = {clinic.add("patients", last_name="Long", notes="x" * 1_000_000): "x" * 1_000_000 for _ in range(17)}
    await export(cliniko, ["patients"], to=tmp_path, format="parquet", filters={"patients": ["last_name:=Long"]})
    found = parquet.read_table(tmp_path / "patients.parquet", columns=["id", "notes"]).to_pylist()
    assert {each["id"]: each["notes"] for each in found} == notes
    for identity in notes:  # The clinic serves other tests, too.
        clinic.remove("patients", identity)


async def test_a_decimal_that_does_not_fit_fails_its_resource(clinic, cliniko, tmp_path):
    def enlarge(page: dict) -> None:
        page["taxes"][0]["rate"] = "1" * 40

    clinic.faults.edit(enlarge, path="/taxes")
    with pytest.raises(ExportError, match=r"1 of 2 .* taxes: .*: rate "):
        await export(cliniko, ["taxes", "users"], to=tmp_path, format="parquet")
    assert read_manifest(tmp_path).resources["taxes"].rows == 0
    assert read_manifest(tmp_path).resources["users"].state == "complete"
    manifest = await export(cliniko, ["taxes", "users"], to=tmp_path, format="parquet")
    assert manifest.resources["taxes"].rows == len(clinic.all("taxes"))


async def test_parquet_without_pyarrow_names_the_extra(cliniko, tmp_path, monkeypatch):
    monkeypatch.delattr(integrations, "arrow")
    monkeypatch.delitem(sys.modules, arrow.__name__)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"cliniko-async\[arrow\]"):
        await export(cliniko, ["taxes"], to=tmp_path / "new", format="parquet")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("text", ['Line "one",\nline two; ünïcode\r\n=1+1', "one\rtwo", "\r"])
async def test_money_times_and_texts_with_quotes_and_line_ends_survive_csv(clinic, cliniko, tmp_path, text):
    made = dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC)
    identity = clinic.add("products", name=text, cost_price="12.75", created_at=made)
    await export(cliniko, ["products"], to=tmp_path, format="csv")
    (found,) = (
        each
        for each in csv_rows(tmp_path / "products.csv", resource_class("products").record)
        if each["id"] == identity
    )
    assert (found["name"], found["cost_price"], found["created_at"]) == (text, Decimal("12.75"), made)
    assert b",12.75," in (tmp_path / "products.csv").read_bytes()


@pytest.mark.parametrize("kind", ["ndjson", "csv"])
async def test_a_resource_without_records_is_a_file_without_rows(clinic, cliniko, tmp_path, kind):
    where = cliniko.taxes.where
    manifest = await export(cliniko, ["taxes"], to=tmp_path, format=kind, filters={"taxes": [where.id == 1]})
    assert (manifest.state, manifest.resources["taxes"].rows) == ("complete", 0)
    lines = (tmp_path / f"taxes.{kind}").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["id"] * (kind == "csv")


async def test_resources_without_ids_are_exported_too(clinic, cliniko, tmp_path):
    await export(cliniko, sorted(WITHOUT_IDS), to=tmp_path)
    settings = to_dict(await cliniko.settings.get())
    assert ndjson_rows(tmp_path / "settings.ndjson") == [settings]
    services = [json.loads(to_json(each)) for each in await cliniko.services.list().collect()]
    assert ndjson_rows(tmp_path / "services.ndjson") == services


async def test_filters_are_those_of_the_list_and_in_the_manifest(clinic, cliniko, tmp_path):
    where = cliniko.appointment_types.where
    filters = {"appointment_types": [where.category.contains("osteo"), "show_in_online_bookings:=true"]}
    manifest = await export(cliniko, ["appointment_types", "taxes"], to=tmp_path, filters=filters)
    wanted = await cliniko.appointment_types.list(*filters["appointment_types"]).collect()
    assert {each["id"] for each in ndjson_rows(tmp_path / "appointment_types.ndjson")} == {each.id for each in wanted}
    assert manifest.filters == {"appointment_types": ("category:~osteo", "show_in_online_bookings:=true")}


async def test_a_practitioner_who_leaves_or_returns_meanwhile_is_exported_once(clinic, cliniko, tmp_path):
    """The two lists of practitioners are requested one after the other, and each may have what the other lost."""
    leaves, returns = clinic.add("practitioners", active=True), clinic.add("practitioners", active=False)
    clinic.faults.between(lambda: clinic.update("practitioners", leaves, active=False), path="/practitioners?")
    clinic.faults.between(
        lambda: clinic.update("practitioners", returns, active=True), path="/practitioners/inactive", before=True
    )
    manifest = await export(cliniko, ["practitioners"], to=tmp_path, archived="include")
    found = [each["id"] for each in ndjson_rows(tmp_path / "practitioners.ndjson")]
    assert sorted(found, key=int) == [each["id"] for each in clinic.all("practitioners")]
    assert manifest.resources["practitioners"].rows == len(found)


# What it costs


async def test_an_export_costs_a_request_for_every_hundred_records_and_one_for_every_resource(
    clinic, cliniko, tmp_path
):
    names = exportable(cliniko)
    manifest = await export(cliniko, names, to=tmp_path, archived="include")
    rows = [each.rows for each in manifest.resources.values()]
    assert len(clinic.requests) <= 1.01 * sum(-(-count // 100) for count in rows) + len(names)


async def test_a_long_list_costs_a_request_for_every_hundred_records(clinic, cliniko, tmp_path):
    await export(cliniko, ["appointment_types"], to=tmp_path, archived="include")
    assert len(clinic.requests) == 2


# The manifest


async def test_the_manifest_on_the_disk_is_the_one_returned(clinic, cliniko, tmp_path):
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    manifest = await export(cliniko, ["taxes", "users"], to=tmp_path, format="csv")
    assert read_manifest(tmp_path) == manifest
    assert manifest.library.startswith("cliniko-async ")
    assert (manifest.state, manifest.format, manifest.archived) == ("complete", "csv", "exclude")
    assert manifest.finished_at >= manifest.started_at >= before
    assert list(manifest.resources) == ["taxes", "users"]
    taxes = manifest.resources["taxes"]
    assert taxes.size == (tmp_path / "taxes.csv").stat().st_size
    assert taxes.server_time >= before
    assert (taxes.error, taxes.skipped) == (None, ())
    assert clinic.api_key not in (tmp_path / "manifest.json").read_text()


async def test_the_cursor_of_the_manifest_continues_after_the_last_row(clinic, cliniko, tmp_path):
    manifest = await export(cliniko, ["taxes"], to=tmp_path)
    added = clinic.add("taxes", name="New")
    later = await cliniko.taxes.list(stable=True, cursor=manifest.resources["taxes"].cursor).collect()
    assert [each.id for each in later] == [added]


async def test_changes_from_the_server_time_of_the_manifest_are_all_later_changes(clinic, cliniko, tmp_path):
    manifest = await export(cliniko, ["contacts"], to=tmp_path)
    changed = clinic.all("contacts")[-1]["id"]
    clinic.update("contacts", changed, first_name="Changed")
    since = manifest.resources["contacts"].server_time
    assert changed in {change.record.id async for change in cliniko.contacts.changes(since)}


def test_a_directory_without_an_export_has_no_manifest(tmp_path):
    assert read_manifest(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", '{"name": "an extension", "version": 3}', '{"format":'])
async def test_a_manifest_of_something_else_is_left_alone(cliniko, tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ExportError, match="is not the manifest of an export"):
        await export(cliniko, ["taxes"], to=tmp_path, restart=True)
    assert (tmp_path / "manifest.json").read_text() == text


# Progress


async def test_progress_is_reported_after_every_page_and_at_the_end(cliniko, tmp_path):
    reported: list[ExportProgress] = []
    await export(cliniko, ["appointment_types"], to=tmp_path, archived="include", on_progress=reported.append)
    assert reported == [
        ExportProgress("appointment_types", 100, 120),
        ExportProgress("appointment_types", 120, 120),
        ExportProgress("appointment_types", 120, 120, complete=True),
    ]


# Again


async def test_an_export_over_a_complete_one_replaces_it(clinic, cliniko, tmp_path):
    await export(cliniko, ["taxes"], to=tmp_path)
    clinic.add("taxes", name="Newer")
    await export(cliniko, ["taxes"], to=tmp_path, archived="include")
    assert by_id(ndjson_rows(tmp_path / "taxes.ndjson")) == expected(clinic, "taxes", "include")


# What is refused before anything is sent


@pytest.mark.parametrize(
    ("options", "argument", "message"),
    [
        ({"resources": ["patient"]}, "resources", "there is no resource 'patient'; did you mean 'patients'"),
        ({"resources": []}, "resources", "at least one"),
        ({"resources": "taxes"}, "resources", "a list of names"),
        ({"resources": ["signatures"]}, "resources", "signatures can only be read for one record at a time"),
        ({"format": "xlsx"}, "format", "ndjson, csv, parquet"),
        ({"archived": "only"}, "archived", "exclude"),
        ({"filters": {"users": []}}, "filters", "'users', which is not exported"),
        ({"filters": {"taxes": [1]}}, "filters", "a filter must be made with"),
        ({"resources": ["settings"], "filters": {"settings": ["a:=b"]}}, "filters", "settings cannot be filtered"),
    ],
)
async def test_an_invalid_argument_is_refused_before_anything_is_sent_or_written(
    cliniko, tmp_path, options, argument, message
):
    with pytest.raises(InvalidRequestError, match=message) as caught:
        await export(cliniko, **{"resources": ["taxes"], "to": tmp_path / "new", **options})
    assert caught.value.argument == argument
    assert not (tmp_path / "new").exists()


def test_every_list_can_be_exported_unless_it_is_read_for_one_record(cliniko):
    assert set(RESOURCES) - set(exportable(cliniko)) == UNLISTED


async def test_where_files_cannot_be_written_an_error_names_the_path(cliniko, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file/below"):
        await export(cliniko, ["taxes"], to=tmp_path / "file" / "below")


def test_formats_and_defaults_are_public():
    assert FORMATS == ("ndjson", "csv", "parquet")
    assert ExportedResource(file="taxes.csv").state == "unfinished"
