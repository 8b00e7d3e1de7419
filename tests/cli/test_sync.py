"""`cliniko sync`, run in this process against a sandbox."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cliniko_async.cli import main
from cliniko_async.sandbox import Sandbox
from tests.support.syncing import duckdb_query

TO = ("--to", "duckdb:///clinic.duckdb")


@pytest.fixture
def clinic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox that the environment points to, and an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    with Sandbox(seed=1, limit=100_000) as sandbox:
        monkeypatch.setenv("CLINIKO_API_KEY", sandbox.api_key)
        monkeypatch.setenv("CLINIKO_BASE_URL", sandbox.base_url)
        monkeypatch.setenv("CLINIKO_CONTACT_EMAIL", "it@example.com")
        yield sandbox


def test_one_clinic_is_loaded_and_each_table_has_a_line(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    assert main(["sync", "taxes", "patients", *TO]) == 0
    rows = {name: len(clinic.all(name)) for name in ("taxes", "patients")}
    assert sorted(capfd.readouterr().out.splitlines()) == sorted(f"cliniko.{name}\t{n}" for name, n in rows.items())
    (count,) = duckdb_query("clinic.duckdb")("SELECT count(*) FROM cliniko.patients")
    assert count == (rows["patients"],)
    clinic.remove("taxes", clinic.all("taxes")[0]["id"])
    assert main(["sync", "taxes", *TO, "--reconcile"]) == 0
    (count,) = duckdb_query("clinic.duckdb")("SELECT count(*) FROM cliniko.taxes")
    assert count == (rows["taxes"] - 1,)


def test_the_clinics_of_a_file_have_a_schema_each_and_one_that_fails_holds_up_none(
    clinic: Sandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    Path("clinics.toml").write_text('north = "KEY_NORTH"\nsouth = "KEY_SOUTH"\n')
    monkeypatch.setenv("KEY_NORTH", clinic.api_key)
    monkeypatch.setenv("KEY_SOUTH", "MS0xLXdyb25nLWtleQ-au1")
    assert main(["sync", "taxes", *TO, "--accounts", "clinics.toml"]) == 4
    found = capfd.readouterr()
    assert found.out == f"north.taxes\t{len(clinic.all('taxes'))}\n"
    assert found.err.splitlines() == [
        f"cliniko: south: the API key was rejected: GET {clinic.base_url[7:]}/taxes answered 401 (1 attempt)",
        "cliniko: 1 of 2 clinics was not loaded to the end: south; it is safe to run the command again",
    ]
    # The second time with the budget that all commands of a machine share.
    monkeypatch.setenv("CLINIKO_BUDGET_FILE", "budget.sqlite")
    monkeypatch.setenv("KEY_SOUTH", clinic.api_key)
    assert main(["sync", "taxes", *TO, "--accounts", "clinics.toml"]) == 0


def test_clinics_that_fail_for_different_reasons_have_the_general_exit_code(
    clinic: Sandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    Path("clinics.toml").write_text('north = "KEY_NORTH"\nsouth = "KEY_SOUTH"\n')
    monkeypatch.setenv("KEY_NORTH", clinic.api_key)
    monkeypatch.setenv("KEY_SOUTH", "MS0xLXdyb25nLWtleQ-au1")
    run = ["sync", "taxes", *TO, "--accounts", "clinics.toml"]
    spoilt = {"taxes": [{"id": "1", "name": 5}], "total_entries": 1, "links": {}}
    # The response to the other key is not JSON.
    fault = clinic.faults.edit(lambda page: page if isinstance(page, bytes) else spoilt, times=None)
    assert main([*run, "--quiet"]) == 5
    fault.cancel()
    *reasons, last = capfd.readouterr().err.splitlines()
    north, south = sorted(reasons)
    assert north.startswith("cliniko: north: the response is not what the API describes")
    assert south.startswith("cliniko: south: the API key was rejected")
    assert last.startswith("cliniko: 2 of 2 clinics were not loaded to the end: ")
    assert main([*run, "--debug"]) == 4
    assert "UnauthorizedError" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--to", "postgresql://ann:hush@localhost/clinic"], 2, "put the password into PGPASSWORD"),
        (["--to", "clinic.duckdb"], 2, "written duckdb:///FILE"),
        (["available_times", *TO], 2, "no resource 'available_times' can be synced"),
        ([*TO, "--dataset", "North Clinic"], 2, "dataset must have"),
        ([*TO, "--jobs", "0"], 2, 'Invalid value "0" for --jobs. Must be >= 1.'),
        (["taxes", "--to", "duckdb:////nowhere/at/all.duckdb"], 5, "the database cannot be used: IO Error"),
    ],
)
def test_an_error_is_one_plain_line(
    clinic: Sandbox, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, reason: str
):
    assert main(["sync", *arguments]) == code
    (line,) = capfd.readouterr().err.splitlines()
    assert reason in line
    assert "hush" not in line
    assert clinic.requests == [] or code == 5


def test_without_the_extra_the_line_names_it(
    clinic: Sandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "cliniko_async.integrations._dlt_source", None)
    assert main(["sync", *TO]) == 2
    assert capfd.readouterr().err == 'cliniko: this command needs dlt: pip install "cliniko-async[dlt]"\n'


def test_without_an_address_several_clinics_are_not_begun(
    clinic: Sandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    Path("clinics.toml").write_text('north = "CLINIKO_API_KEY"\n')
    monkeypatch.setenv("CLINIKO_CONTACT_EMAIL", "nobody")
    assert main(["sync", *TO, "--accounts", "clinics.toml"]) == 4
    assert "CLINIKO_CONTACT_EMAIL must be" in capfd.readouterr().err
