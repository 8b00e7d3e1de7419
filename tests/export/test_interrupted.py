"""Exports that were interrupted: the next call continues, and no record is missing or comes twice."""

import asyncio
import errno
import itertools
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cliniko_async import Cliniko, RetryPolicy, TransportError, UnauthorizedError
from cliniko_async.export import ExportError, ExportProgress, export, read_manifest
from cliniko_async.sandbox import Sandbox
from tests.support import exporting
from tests.support.exporting import child, ended, expected, exporter_of, ndjson_rows
from tests.support.frames import assert_frames_hidden

TAXES = 2_150
PAGES = 22
RESOURCES = ("users", "practitioners", "taxes", "services", "settings", "patients")


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox(seed=4, limit=1_000_000) as sandbox:
        for number in range(TAXES - len(sandbox.all("taxes"))):
            sandbox.add("taxes", name=f"Tax {number}", rate="10.5")
        sandbox.add("practitioners", active=False)
        yield sandbox


@pytest.fixture
def clinic(shared: Sandbox) -> Iterator[Sandbox]:
    shared.requests.clear()
    yield shared
    shared.faults.clear()


@pytest.fixture
async def cliniko(clinic: Sandbox) -> AsyncIterator[Cliniko]:
    async with exporter_of(clinic) as client:
        yield client


class StoppedError(Exception):
    """What a program raises to stop an export."""


def raise_stopped() -> None:
    raise StoppedError


def after(pages: int, stop: Callable[[], object]) -> Callable[[ExportProgress], None]:
    """Stop an export after the given number of pages of taxes."""
    left = pages

    def report(progress: ExportProgress) -> None:
        nonlocal left
        left -= progress.resource == "taxes"
        if not left:
            stop()

    return report


async def stop_export(cliniko: Cliniko, directory: Path, pages: int = 12) -> None:
    with pytest.raises(StoppedError):
        await export(cliniko, ["taxes"], to=directory, on_progress=after(pages, raise_stopped))
    await cliniko.users.list().count()  # When it is answered, the server has seen a page that was being read ahead.


def assert_complete(clinic: Sandbox, directory: Path) -> None:
    assert ndjson_rows(directory / "taxes.ndjson") == expected(clinic, "taxes")
    manifest = read_manifest(directory)
    assert manifest is not None
    assert (manifest.state, manifest.resources["taxes"].rows) == ("complete", TAXES)
    assert [each.name for each in directory.iterdir() if each.suffix in {".part", ".tmp"}] == []


# Killed


@pytest.mark.parametrize(("export_format", "kills"), [("ndjson", 2), ("csv", 1), ("parquet", 2)])
def test_an_export_that_is_killed_continues_with_exactly_the_rows_of_one(clinic, tmp_path, export_format, kills):
    """At any moment, with SIGKILL, while the server fails now and then."""
    exporting.fail_now_and_then(clinic, times=5)
    where, names = tmp_path / "files", RESOURCES
    for _ in exporting.killed_exports(clinic, where, export_format, names, kills=kills, seed=kills):
        assert exporting.differences(clinic, where, export_format, names) == set()
        assert read_manifest(where).state == "complete"


def test_a_full_disk_raises_one_error_and_loses_nothing(clinic, tmp_path):
    code, line = exporting.ended(exporting.child(clinic, tmp_path, "ndjson", ["taxes"], largest_file=300_000))
    assert (code, line) == (1, f"OSError: [Errno 27] File too large: '{tmp_path / 'taxes.ndjson.part'}'")
    assert 0 < read_manifest(tmp_path).resources["taxes"].rows < TAXES
    assert exporting.ended(exporting.child(clinic, tmp_path, "ndjson", ["taxes"])) == (0, "")
    assert_complete(clinic, tmp_path)


@pytest.mark.parametrize("call", range(1, 8))
async def test_a_disk_that_is_full_for_a_moment_loses_nothing(clinic, cliniko, tmp_path, monkeypatch, call):
    """Whichever file is written, and also while an error is handled."""
    calls, sync = itertools.count(1), os.fsync

    def full(descriptor: int) -> None:
        if next(calls) in {call, call + 1}:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left on device"):
            await export(cliniko, ["taxes"], to=tmp_path)
    await export(cliniko, ["taxes"], to=tmp_path)
    assert_complete(clinic, tmp_path)


async def test_where_directories_cannot_be_opened_files_are_renamed_all_the_same(
    clinic, cliniko, tmp_path, monkeypatch
):
    """As on Windows."""
    monkeypatch.delattr(os, "O_DIRECTORY")
    await export(cliniko, ["taxes"], to=tmp_path)
    assert_complete(clinic, tmp_path)


# Stopped in order


async def test_an_export_that_is_stopped_keeps_every_page_that_arrived(clinic, cliniko, tmp_path):
    """The next call requests the other pages only."""
    await stop_export(cliniko, tmp_path, pages=12)
    assert read_manifest(tmp_path).resources["taxes"].rows == 1_200
    assert not (tmp_path / "taxes.ndjson").exists()
    clinic.requests.clear()
    await export(cliniko, ["taxes"], to=tmp_path)
    assert len(clinic.requests) == PAGES - 12
    assert_complete(clinic, tmp_path)


async def test_progress_continues_where_it_was(clinic, cliniko, tmp_path):
    await stop_export(cliniko, tmp_path, pages=12)
    reported: list[ExportProgress] = []
    await export(cliniko, ["taxes"], to=tmp_path, on_progress=reported.append)
    assert reported[0] == ExportProgress("taxes", 1_300, TAXES)
    assert reported[-1] == ExportProgress("taxes", TAXES, TAXES, complete=True)


async def test_an_export_that_is_cancelled_keeps_every_page_that_arrived(clinic, cliniko, tmp_path):
    task = asyncio.current_task()
    assert task
    with pytest.raises(asyncio.CancelledError):
        await export(cliniko, ["taxes"], to=tmp_path, on_progress=after(7, task.cancel))
    task.uncancel()
    assert read_manifest(tmp_path).resources["taxes"].rows == 700
    await export(cliniko, ["taxes"], to=tmp_path)
    assert_complete(clinic, tmp_path)


@pytest.mark.parametrize("turns", [0, 9, 21, 33, 58])
async def test_an_export_may_be_cancelled_at_any_turn_of_the_event_loop(clinic, cliniko, tmp_path, turns):
    task = asyncio.create_task(export(cliniko, ["users", "taxes"], to=tmp_path))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await export(cliniko, ["users", "taxes"], to=tmp_path)
    assert_complete(clinic, tmp_path)


async def test_complete_resources_are_not_read_again(clinic, cliniko, tmp_path):
    with pytest.raises(StoppedError):
        await export(cliniko, ["users", "taxes"], to=tmp_path, on_progress=after(1, raise_stopped))
    clinic.requests.clear()
    await export(cliniko, ["taxes", "users"], to=tmp_path)
    assert {each.path for each in clinic.requests} == {"/v1/taxes"}
    assert_complete(clinic, tmp_path)


async def test_an_export_that_cannot_be_continued_starts_over(clinic, cliniko, tmp_path):
    """Practitioners are in two lists, and services have no ids."""
    names = ["services", "practitioners"]
    for _ in range(2):
        with pytest.raises(StoppedError):
            await export(cliniko, names, to=tmp_path, archived="include", on_progress=lambda _: raise_stopped())
    await export(cliniko, names, to=tmp_path, archived="include")
    assert len(ndjson_rows(tmp_path / "services.ndjson")) == await cliniko.services.list().count()
    assert exporting.differences(clinic, tmp_path, "ndjson", names) == set()


async def test_records_created_meanwhile_do_not_move_others(clinic, cliniko, tmp_path):
    """Those that existed at the start come once; a new one comes once as well, as it has the last id."""
    await stop_export(cliniko, tmp_path, pages=12)
    added = clinic.add("taxes", name="New")
    try:
        await export(cliniko, ["taxes"], to=tmp_path)
        assert ndjson_rows(tmp_path / "taxes.ndjson") == expected(clinic, "taxes")
    finally:
        clinic.remove("taxes", added)


@pytest.mark.parametrize(
    "options", [{"ids": "random"}, {"unsortable": {"id"}}, {"unsortable": {"id"}, "shuffle_ties": True}], ids=str
)
async def test_it_continues_on_a_server_that_sorts_otherwise(tmp_path, options):
    """One whose ids do not rise, or that refuses to sort by them, so that many records share a second."""
    with Sandbox(limit=1_000_000, **options) as sandbox:
        for number in range(700):
            sandbox.add("taxes", name=f"Tax {number}")
        async with exporter_of(sandbox) as cliniko:
            for pages in (2, 3, 1):
                await stop_export(cliniko, tmp_path, pages)
            await export(cliniko, ["taxes"], to=tmp_path)
        found = sorted(ndjson_rows(tmp_path / "taxes.ndjson"), key=lambda each: int(each["id"]))
        assert found == expected(sandbox, "taxes")


# After a crash


async def test_bytes_after_the_recorded_size_are_cut_off(clinic, cliniko, tmp_path):
    await stop_export(cliniko, tmp_path)
    with (tmp_path / "taxes.ndjson.part").open("ab") as part:
        part.write(b'{"id": "1", "half a')
    await export(cliniko, ["taxes"], to=tmp_path)
    assert_complete(clinic, tmp_path)


@pytest.mark.parametrize("left", [0, 1_000, None])
async def test_a_part_file_that_lost_bytes_or_is_gone_starts_the_resource_over(clinic, cliniko, tmp_path, left):
    await stop_export(cliniko, tmp_path)
    part = tmp_path / "taxes.ndjson.part"
    if left is None:
        part.unlink()
    else:
        with part.open("rb+") as file:
            file.truncate(left)
    await export(cliniko, ["taxes"], to=tmp_path)
    assert_complete(clinic, tmp_path)


def rewrite(directory: Path, **changes: object) -> None:
    """Set the clock of a manifest back: the resource taxes, and the whole export, are not complete."""
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest |= {"state": "unfinished", "finished_at": None}
    manifest["resources"]["taxes"] |= changes
    path.write_text(json.dumps(manifest))


async def test_a_crash_after_the_rename_needs_no_request(clinic, cliniko, tmp_path):
    await export(cliniko, ["taxes"], to=tmp_path)
    rewrite(tmp_path, state="read", finished_at=None)
    clinic.requests.clear()
    await export(cliniko, ["taxes"], to=tmp_path)
    assert clinic.requests == []
    assert_complete(clinic, tmp_path)


async def test_a_crash_before_the_rename_needs_no_request(clinic, cliniko, tmp_path):
    await export(cliniko, ["taxes"], to=tmp_path)
    (tmp_path / "taxes.ndjson").rename(tmp_path / "taxes.ndjson.part")
    rewrite(tmp_path, state="read", finished_at=None)
    clinic.requests.clear()
    await export(cliniko, ["taxes"], to=tmp_path)
    assert clinic.requests == []
    assert_complete(clinic, tmp_path)


async def test_a_file_of_another_size_is_not_taken_for_the_renamed_one(clinic, cliniko, tmp_path):
    await export(cliniko, ["taxes"], to=tmp_path)
    (tmp_path / "taxes.ndjson").write_text("of an older export")
    rewrite(tmp_path, state="read", finished_at=None)
    await export(cliniko, ["taxes"], to=tmp_path)
    assert_complete(clinic, tmp_path)


async def test_a_crash_before_the_last_manifest_needs_no_request(clinic, cliniko, tmp_path):
    await export(cliniko, ["taxes"], to=tmp_path)
    (tmp_path / "taxes.ndjson.part").touch()
    rewrite(tmp_path)
    clinic.requests.clear()
    await export(cliniko, ["taxes"], to=tmp_path)
    assert clinic.requests == []
    assert_complete(clinic, tmp_path)


# Errors


async def test_one_resource_that_cannot_be_read_does_not_stop_the_others(clinic, cliniko, tmp_path):
    clinic.faults.status(403, path="/users")
    with pytest.raises(ExportError, match=r"1 of 2 .* could not be exported: users: the user") as caught:
        await export(cliniko, ["users", "taxes"], to=tmp_path)
    states = {name: each.state for name, each in caught.value.manifest.resources.items()}
    assert states == {"users": "unfinished", "taxes": "complete"}
    assert "not allowed" in read_manifest(tmp_path).resources["users"].error
    clinic.requests.clear()
    manifest = await export(cliniko, ["users", "taxes"], to=tmp_path)
    assert {each.path for each in clinic.requests} == {"/v1/users"}
    assert (manifest.state, manifest.resources["users"].error) == ("complete", None)


async def test_a_rejected_key_stops_the_export(clinic, cliniko, tmp_path):
    clinic.faults.status(401, path="/users")
    with pytest.raises(UnauthorizedError):
        await export(cliniko, ["users", "taxes"], to=tmp_path)
    assert {each.path for each in clinic.requests} == {"/v1/users"}


async def test_a_lost_connection_stops_the_export_and_keeps_what_arrived(clinic, cliniko, tmp_path):
    clinic.faults.drop("answer", after=12, times=None)
    with pytest.raises(TransportError):
        await export(cliniko.with_options(retry=RetryPolicy(attempts=1)), ["taxes", "users"], to=tmp_path)
    clinic.faults.clear()
    assert read_manifest(tmp_path).resources["taxes"].rows == 1_200
    await export(cliniko, ["taxes", "users"], to=tmp_path)
    assert_complete(clinic, tmp_path)


def spoil(page: dict) -> None:
    page["taxes"][3]["created_at"] = "yesterday"


async def test_a_record_that_does_not_fit_fails_its_resource(clinic, cliniko, tmp_path):
    clinic.faults.edit(spoil, after=4, path="/taxes")
    with pytest.raises(ExportError, match=r"taxes: .* created_at expected"):
        await export(cliniko, ["taxes"], to=tmp_path)
    assert read_manifest(tmp_path).resources["taxes"].rows == 400
    await export(cliniko, ["taxes"], to=tmp_path)
    assert_complete(clinic, tmp_path)


async def test_skip_invalid_lists_the_records_that_it_leaves_out(clinic, cliniko, tmp_path):
    clinic.faults.edit(spoil, after=4, path="/taxes")
    reported: list[ExportProgress] = []
    manifest = await export(cliniko, ["taxes"], to=tmp_path, skip_invalid=True, on_progress=reported.append)
    everything = expected(clinic, "taxes")
    left_out = everything.pop(403)
    assert ndjson_rows(tmp_path / "taxes.ndjson") == everything
    (skipped,) = manifest.resources["taxes"].skipped
    assert left_out["id"] in skipped
    assert "created_at" in skipped
    assert "yesterday" not in (tmp_path / "manifest.json").read_text()
    assert [(each.rows, each.total) for each in reported[4:6]] == [(499, None), (599, TAXES)]


async def test_skip_invalid_does_not_skip_a_malformed_page(clinic, cliniko, tmp_path):
    clinic.faults.edit(lambda page: page.update(taxes=None), after=4, path="/taxes")
    with pytest.raises(ExportError, match=r"taxes: .* taxes expected a list"):
        await export(cliniko, ["taxes"], to=tmp_path, skip_invalid=True)
    await export(cliniko, ["taxes"], to=tmp_path)
    assert_complete(clinic, tmp_path)


async def test_no_frame_of_an_error_shows_a_record(clinic, cliniko, tmp_path):
    patient = clinic.all("patients")[0]["last_name"]
    (tmp_path / "patients.ndjson.part").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        await export(cliniko, ["patients"], to=tmp_path)
    assert_frames_hidden(caught.value, patient, clinic.api_key)


# Two at once, and other choices


async def test_two_exports_at_once_into_one_directory_are_refused(clinic, cliniko, tmp_path):
    results = await asyncio.gather(*(export(cliniko, ["taxes"], to=tmp_path) for _ in range(2)), return_exceptions=True)
    (refused,) = (each for each in results if isinstance(each, ExportError))
    assert str(refused) == f"another export is writing to {tmp_path}: wait until it ends"
    assert_complete(clinic, tmp_path)


async def test_an_export_that_is_refused_does_not_let_another_program_in(clinic, cliniko, tmp_path):
    refused: list[str] = []

    async def export_here() -> None:
        async with exporter_of(clinic) as other:
            await export(other, ["taxes"], to=tmp_path)

    def try_here_and_in_another_program(_: object) -> None:
        if not refused:
            with ThreadPoolExecutor() as threads, pytest.raises(ExportError) as caught:
                threads.submit(asyncio.run, export_here()).result()
            code, line = ended(child(clinic, tmp_path, "ndjson", ["taxes"]))
            refused.extend((str(caught.value), f"{code}: {line}"))

    await export(cliniko, ["taxes"], to=tmp_path, on_progress=try_here_and_in_another_program)
    message = f"another export is writing to {tmp_path}: wait until it ends"
    assert refused == [message, f"1: cliniko_async.export._manifest.ExportError: {message}"]


async def test_a_lock_that_cannot_be_used_says_why(cliniko, tmp_path):
    lock = tmp_path / ".export.lock"
    lock.write_text("something else, which is not a database" * 99)
    with pytest.raises(ExportError, match=r"export.lock cannot be locked: file is not a database"):
        await export(cliniko, ["taxes"], to=tmp_path)
    lock.unlink()
    lock.mkdir()
    with pytest.raises(IsADirectoryError, match=r"export\.lock"):
        await export(cliniko, ["taxes"], to=tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "csv"}, "the format ndjson"),
        ({"archived": "include"}, "archived=exclude"),
        ({"filters": {"taxes": ["id:>5"]}}, "other filters"),
        ({"resources": ["taxes", "users"]}, "the resources taxes"),
        ({"format": "csv", "archived": "include"}, "the format ndjson and archived=exclude"),
    ],
)
async def test_an_unfinished_export_is_not_continued_with_other_choices(clinic, cliniko, tmp_path, options, message):
    await stop_export(cliniko, tmp_path)
    before = read_manifest(tmp_path)
    clinic.requests.clear()
    wanted = {"resources": ["taxes"], "to": tmp_path, **options}
    with pytest.raises(ExportError, match=f"has an unfinished export with {message}: repeat it"):
        await export(cliniko, **wanted)
    assert read_manifest(tmp_path) == before
    assert clinic.requests == []
    manifest = await export(cliniko, **wanted, restart=True)
    assert manifest.state == "complete"
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".part"] == []


async def test_an_unfinished_export_is_not_continued_from_another_account(clinic, cliniko, tmp_path):
    await stop_export(cliniko, tmp_path)
    with Sandbox() as other:
        async with exporter_of(other) as theirs:
            with pytest.raises(ExportError, match="another account, API key or server"):
                await export(theirs, ["taxes"], to=tmp_path)


async def test_restart_begins_again(clinic, cliniko, tmp_path):
    await stop_export(cliniko, tmp_path)
    clinic.requests.clear()
    await export(cliniko, ["taxes"], to=tmp_path, restart=True)
    assert len(clinic.requests) == PAGES
    assert_complete(clinic, tmp_path)
