"""`cliniko export`, run in this process against a sandbox."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cliniko_async.cli import main
from cliniko_async.export import exportable, read_manifest
from cliniko_async.sandbox import Sandbox
from tests.support.exporting import expected, exporter_of, ndjson_rows
from tests.support.paths import ROOT

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def clinic(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox that the environment points to, with six pages of taxes."""
    with Sandbox(seed=1, limit=1_000_000) as sandbox:
        for number in range(600 - len(sandbox.all("taxes"))):
            sandbox.add("taxes", name=f"Tax {number}")
        monkeypatch.setenv("CLINIKO_API_KEY", sandbox.api_key)
        monkeypatch.setenv("CLINIKO_BASE_URL", sandbox.base_url)
        monkeypatch.setenv("CLINIKO_CONTACT_EMAIL", "it@example.com")
        yield sandbox


@pytest.fixture
def run(clinic: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `cliniko export … --to` a directory, and return the exit code and what stderr got; stdout gets nothing."""

    def exported(*arguments: str) -> tuple[int, str]:
        code = main(["export", *arguments, "--to", str(tmp_path)])
        written = capfd.readouterr()
        assert written.out == ""
        return code, written.err

    return exported


def test_it_writes_a_file_for_each_resource_and_says_so(clinic: Sandbox, run: Run, tmp_path: Path):
    assert run("taxes", "users") == (0, f"{600 + len(clinic.all('users'))} records of 2 resources are in {tmp_path}\n")
    assert ndjson_rows(tmp_path / "taxes.ndjson") == expected(clinic, "taxes")
    assert (tmp_path / "users.ndjson").exists()


def test_quiet_says_nothing(run: Run):
    assert run("taxes", "--quiet") == (0, "")


def test_all_exports_everything(clinic: Sandbox, run: Run, tmp_path: Path):
    names = exportable(exporter_of(clinic))
    assert run("--all", "--format", "csv", "--archived", "include")[0] == 0
    manifest = read_manifest(tmp_path)
    assert (list(manifest.resources), manifest.format, manifest.archived) == (names, "csv", "include")


def test_where_filters_the_one_resource(clinic: Sandbox, run: Run, tmp_path: Path):
    last = clinic.all("taxes")[-1]["id"]
    assert run("taxes", "--where", f"id:>={last}")[0] == 0
    assert [each["id"] for each in ndjson_rows(tmp_path / "taxes.ndjson")] == [last]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "name the resources to export, such as patients, or use --all instead"),
        (["taxes", "--all"], "name the resources to export, such as patients, or use --all instead"),
        (["patient"], "there is no resource 'patient'; did you mean 'patients'?"),
        (["signatures"], "signatures can only be read for one record at a time"),
        (["taxes", "--where", "idd:=5"], "taxes cannot be filtered by 'idd'; did you mean 'id'?"),
        (
            ["taxes", "users", "--where", "id:=5"],
            "--where needs exactly one resource; export the others into another directory",
        ),
    ],
)
def test_an_impossible_export_is_a_one_line_error(clinic: Sandbox, run: Run, tmp_path: Path, arguments, line):
    assert run(*arguments) == (2, f"cliniko: {line}\n")
    assert list(tmp_path.iterdir()) == []
    assert clinic.requests == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ctrl_c_and_sigterm_end_with_one_line_and_lose_nothing(clinic: Sandbox, run: Run, tmp_path: Path, number):
    before = signal.getsignal(signal.SIGTERM)
    clinic.faults.between(lambda: os.kill(os.getpid(), number), after=4, path="/taxes")
    line = "cliniko: interrupted; what was read is kept, and the same command continues there\n"
    assert run("taxes") == (130, line)
    assert read_manifest(tmp_path).resources["taxes"].rows >= 400
    clinic.requests.clear()
    assert run("taxes")[0] == 0
    assert len(clinic.requests) <= 3
    assert ndjson_rows(tmp_path / "taxes.ndjson") == expected(clinic, "taxes")
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_different_unfinished_export_is_a_one_line_error_until_restarted(clinic: Sandbox, run: Run, tmp_path: Path):
    clinic.faults.status(403, path="/users")
    code, line = run("taxes", "users")
    assert code == 9
    assert line.startswith("cliniko: 1 of 2 resources could not be exported: users: the user of the API key is not")
    assert line.endswith("; the same command tries again\n")
    code, line = run("taxes", "users", "--format", "csv")
    assert code == 2
    assert line.endswith("repeat it as it was to finish it, use another directory, or add --restart\n")
    assert run("taxes", "users", "--format", "csv", "--restart")[0] == 0


def test_invalid_records_are_left_out_only_if_asked_for(clinic: Sandbox, run: Run, tmp_path: Path):
    clinic.faults.edit(lambda page: page["taxes"][0].update(created_at="soon"), path="/taxes", times=2)
    assert run("taxes")[0] == 9
    assert run("taxes", "--skip-invalid") == (
        0,
        f"599 records of 1 resource are in {tmp_path}; 1 invalid records were left out, see manifest.json\n",
    )
    assert len(json.loads((tmp_path / "manifest.json").read_text())["resources"]["taxes"]["skipped"]) == 1


def test_a_directory_that_cannot_be_made_is_a_one_line_error(clinic: Sandbox, tmp_path: Path, capfd):
    (tmp_path / "file").touch()
    assert main(["export", "taxes", "--to", str(tmp_path / "file")]) == 8
    assert capfd.readouterr().err == f"cliniko: {tmp_path / 'file'}: File exists\n"


PAGE = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
SHOWN = [line for line in PAGE.partition("```sh")[2].partition("```")[0].splitlines() if line]


@pytest.mark.parametrize("line", SHOWN)
def test_the_commands_in_the_documents_run(clinic: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str):
    monkeypatch.chdir(tmp_path)
    program, *arguments = shlex.split(line)
    assert program == "cliniko"
    assert main(arguments) == 0
    (directory,) = tmp_path.iterdir()
    assert read_manifest(directory).state == "complete"


def test_the_example_exports_a_clinic_and_continues(clinic: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("CLINIKO_APP_NAME", "Tests")
    command = [sys.executable, str(ROOT / "examples" / "export_clinic.py"), str(tmp_path)]
    clinic.faults.status(403, path="/users")
    first, second = (subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(2))
    assert (first.returncode, second.returncode) == (1, 0)
    assert first.stderr.endswith("Run it again to continue.\n")
    assert second.stdout.endswith(f"records in all, in {tmp_path}\n")
    assert read_manifest(tmp_path).state == "complete"
