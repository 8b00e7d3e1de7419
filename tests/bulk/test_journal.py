"""The journal: it belongs to one account and resource, to one run at a time, and nothing is sent without it."""

import asyncio
import resource
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cliniko_async import Cliniko, InvalidRequestError, JournalError, bulk_create
from cliniko_async.bulk import decide, read_journal
from cliniko_async.bulk._journal import Owner, RowJournal
from tests.support.bulk import WHO, Unlimited, clinic, patients
from tests.support.clients import virtually
from tests.support.paths import ROOT

ZOE = {"first_name": "Zoe", "last_name": "Secretperson"}


@virtually
async def test_a_journal_has_no_values_and_only_its_owner_can_read_it(tmp_path: Path):
    async with clinic(tmp_path) as each:
        await each.run([ZOE])
        assert stat.S_IMODE(each.journal.stat().st_mode) == 0o600
        assert b"Secretperson" not in each.journal.read_bytes()


@virtually
async def test_a_journal_belongs_to_one_account_and_one_resource(tmp_path: Path):
    async with clinic(tmp_path) as each:
        await each.run([ZOE])
        with pytest.raises(JournalError, match=r"patients\.journal belongs to another resource"):
            _ = [one async for one in bulk_create(each.cliniko.taxes, [{"name": "VAT"}], journal=each.journal)]
        other = Cliniko("other-au1", base_url=each.sandbox.base_url, rate_limiter=Unlimited(), **WHO)
        async with other:
            with pytest.raises(JournalError, match=r"patients\.journal belongs to another account"):
                await bulk_create(other.patients, [ZOE], journal=each.journal).plan()
        assert each.posts() == 1


@virtually
async def test_two_runs_at_once_are_refused(tmp_path: Path):
    async with clinic(tmp_path) as each:
        run = aiter(each.create(patients(30)))
        await anext(run)
        for attempt in (each.run(patients(30)), each.create(patients(30)).plan(), read_journal(each.journal)):
            with pytest.raises(JournalError, match="is in use by another run"):
                await attempt
        await run.aclose()
        assert len(await each.run(patients(30))) == 30


@virtually
async def test_two_runs_in_different_processes_are_refused(tmp_path: Path):
    async with clinic(tmp_path) as each:
        run = aiter(each.create(patients(30)))
        await anext(run)
        code = "import asyncio, sys; from cliniko_async.bulk import decide; asyncio.run(decide(sys.argv[1], 1, 'skip'))"
        command = [sys.executable, "-c", code, str(each.journal)]
        done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert "JournalError: the journal patients.journal is in use by another run" in done.stderr
        await run.aclose()


def database(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text("name,colour\n" * 100), "patients.journal is not a journal"),
        (lambda path: database(path, "CREATE TABLE rows (a)"), "patients.journal is not a journal"),
        (
            lambda path: database(path, f"PRAGMA application_id = {0x636C696E}", "PRAGMA user_version = 9"),
            "patients.journal is a journal of another version",
        ),
        (
            lambda path: database(
                path,
                f"PRAGMA application_id = {0x636C696E}",
                "PRAGMA user_version = 2",
            ),
            "the journal patients.journal cannot be used: no such table: owner",
        ),
        (lambda path: path.mkdir(), "the journal patients.journal cannot be used"),
    ],
)
@virtually
async def test_another_file_is_refused_and_left_alone(make, message, tmp_path: Path):
    async with clinic(tmp_path) as each:
        make(each.journal)
        before = each.journal.is_dir() or each.journal.read_bytes()
        with pytest.raises(JournalError, match=message):
            await each.run([ZOE])
        assert (each.sandbox.requests, each.journal.is_dir() or each.journal.read_bytes()) == ([], before)


@virtually
async def test_a_file_that_cannot_be_made_or_read_is_named(tmp_path: Path):
    async with clinic(tmp_path) as each:
        for attempt in (
            _collect(bulk_create(each.cliniko.patients, [ZOE], journal=tmp_path / "nowhere" / "journal")),
            read_journal(tmp_path / "journal"),
            decide(tmp_path / "journal", 1, "skip"),
        ):
            with pytest.raises(JournalError, match="the journal journal cannot be used: No such file or directory"):
                await attempt
        assert each.sandbox.requests == []


async def _collect(outcomes: Any) -> list[Any]:
    return [outcome async for outcome in outcomes]


@virtually
async def test_nothing_is_sent_when_the_disk_is_full(tmp_path: Path):
    async with clinic(tmp_path) as each:
        await each.run(patients(3))
        sent, limits = each.posts(), resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        try:
            with pytest.raises(JournalError, match="cannot be used"):
                await each.run(patients(9))
            with pytest.raises(JournalError, match="cannot be used"):
                await _collect(bulk_create(each.cliniko.patients, [ZOE], journal=tmp_path / "new"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert each.posts() == sent
        assert len(await each.run(patients(9))) == 9
        assert each.names().total() == 9


@virtually
async def test_nothing_is_sent_when_the_disk_fills_during_a_run(tmp_path: Path):
    """The rows in flight are found by the next run, and nothing is doubled."""
    async with clinic(tmp_path) as each:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        fill = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # noqa: E731
        each.sandbox.faults.between(fill, method="POST", after=3)
        try:
            with pytest.raises(JournalError, match="cannot be used"):
                await each.run(patients(20), concurrency=2)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert each.posts() <= 5
        assert len(await each.run(patients(20))) == 20
        assert each.names().total() == 20


@pytest.mark.parametrize("replaced", [False, True])
@virtually
async def test_nothing_is_sent_when_it_was_deleted_or_replaced(replaced, tmp_path: Path):
    async with clinic(tmp_path) as each:
        run = aiter(each.create(patients(30), concurrency=1))
        await anext(run)
        await asyncio.sleep(60)
        sent = each.posts()
        each.journal.rename(tmp_path / "moved")
        if replaced:
            each.journal.touch()
        with pytest.raises(JournalError, match=r"was moved or deleted|No such file"):
            await _collect(run)
        assert each.posts() == sent


def test_a_row_missing_from_the_journal_is_an_error(tmp_path: Path):
    with RowJournal(tmp_path / "journal", Owner(b"account", "patients"), create=True) as journal:
        for write in (lambda: journal.mark_sent((b"x", 0), 1.0), lambda: journal.record((b"x", 0), "created", id="1")):
            with pytest.raises(JournalError, match="the journal journal is missing a row"):
                write()
        journal.close()
        with pytest.raises(JournalError, match="cannot be used: Cannot operate on a closed database"):
            journal.entries()


class TestDecisions:
    @virtually
    async def test_a_decision_must_fit_the_state_of_the_row(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            await each.run([ZOE])
            for decision, options in (("skip", {}), ("resend", {}), ("created", {"id": "7"})):
                with pytest.raises(JournalError, match="this decision does not apply to row 1"):
                    await decide(each.journal, 1, decision, **options)

    @pytest.mark.parametrize(
        ("decision", "options", "argument"),
        [
            ("perhaps", {}, "decision"),
            ("created", {}, "id"),
            ("created", {"id": "x"}, "id"),
            ("skip", {"id": "7"}, "id"),
            ("skip", {"id": "x"}, "id"),
        ],
    )
    async def test_a_decision_is_validated(self, decision, options, argument, tmp_path: Path):
        with pytest.raises(InvalidRequestError) as raised:
            await decide(tmp_path / "journal", 1, decision, **options)
        assert raised.value.argument == argument

    @virtually
    async def test_a_refused_row_can_be_sent_again_or_skipped(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.status(422, method="POST", times=2)
            await each.run([ZOE, ZOE])
            with pytest.raises(JournalError):
                await decide(each.journal, 1, "created", id="7")
            await decide(each.journal, 1, "skip")
            await decide(each.journal, 2, "resend")
            assert {row.number: row.status for row in await read_journal(each.journal)} == {1: "skipped", 2: "pending"}
            found = await each.run([ZOE, ZOE])
            assert {number: one.status for number, one in found.items()} == {1: "skipped", 2: "created"}

    @virtually
    async def test_a_record_has_one_row(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.status(500, method="POST", times=2)
            outcomes = await each.run([ZOE, patients(1)[0]], concurrency=1)
            assert outcomes[1].status == "created"
            each.sandbox.faults.status(500, method="POST", times=None)
            await each.run([ZOE, patients(1)[0], {"first_name": "New"}])
            with pytest.raises(JournalError, match=f"record {outcomes[1].id} already belongs to another row"):
                await decide(each.journal, 3, "created", id=outcomes[1].id)

    @virtually
    async def test_decisions_about_an_ambiguous_number_are_refused(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.status(422, method="POST", times=None)
            await each.run([ZOE])
            await each.run([{"first_name": "New"}])
            with pytest.raises(JournalError, match="has 2 rows numbered 1"):
                await decide(each.journal, 1, "skip")
