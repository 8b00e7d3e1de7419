"""`cliniko import`, run in this process against a sandbox."""

import contextlib
import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliniko_async import InvalidRowsError, PatientFields, TaxFields
from cliniko_async.cli import main
from cliniko_async.cli.errors import CommandError
from cliniko_async.cli.row_files import read_rows
from cliniko_async.sandbox import Sandbox
from tests.support.bulk import clear, names_in

CSV = """\ufeffFirst Name;LAST-NAME;date_of_birth;pronouns.nominative;Notes
Zoe;Secretperson;31/12/1990;;"two
lines"

Kim;Day;;;
"""
IMPORT = ["import", "patients", "--yes", "--from"]


@pytest.fixture
def clinic(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox without patients that the environment points to."""
    with Sandbox(seed=1) as sandbox:
        clear(sandbox)
        monkeypatch.setenv("CLINIKO_API_KEY", sandbox.api_key)
        monkeypatch.setenv("CLINIKO_BASE_URL", sandbox.base_url)
        monkeypatch.setenv("CLINIKO_CONTACT_EMAIL", "it@example.com")
        yield sandbox


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "patients.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


class TestCommand:
    def test_each_row_is_created_once_however_often_it_runs(self, clinic, sheet, capfd):
        for summary in ("2 created", "2 created already"):
            assert main([*IMPORT, str(sheet), "--date-format", "%d/%m/%Y"]) == 0
            found = capfd.readouterr()
            assert (found.out, summary in found.err, "Secretperson" in found.err) == ("", True, False)
        assert names_in(clinic) == {("Zoe", "Secretperson"): 1, ("Kim", "Day"): 1}
        zoe = next(each for each in clinic.all("patients") if each["first_name"] == "Zoe")
        assert (zoe["date_of_birth"], zoe["notes"]) == ("1990-12-31", "two\nlines")
        assert sheet.with_name("patients.csv.journal").exists()

    def test_a_dry_run_sends_nothing(self, clinic, sheet, capfd):
        assert main([*IMPORT, str(sheet), "--date-format", "%d/%m/%Y", "--dry-run"]) == 0
        assert "patients.csv: 2 to create\nnothing was sent\n" in capfd.readouterr().err
        assert (clinic.requests, sheet.with_name("patients.csv.journal").exists()) == ([], False)

    def test_a_day_in_another_form_is_a_fault(self, sheet, capfd):
        assert main([*IMPORT, str(sheet), "--date-format", "%m/%d/%Y"]) == 7
        assert "line 2: date_of_birth: must be a day such as 01/31/2026 or nothing" in capfd.readouterr().err

    @pytest.mark.parametrize("form", ["%d/%m", "%H", "31/01/2026", "%q", "%Y-%d"])
    def test_a_format_without_a_day_is_refused(self, clinic, sheet, capfd, form):
        assert main([*IMPORT, str(sheet), "--date-format", form]) == 2
        assert "--date-format must have a day, a month and a year, such as %d/%m/%Y" in capfd.readouterr().err

    def test_faults_are_listed_with_their_lines_and_no_values(self, clinic, sheet, capfd):
        assert main([*IMPORT, str(sheet)]) == 7
        assert capfd.readouterr().err == (
            "patients.csv: line 2: date_of_birth: must be a day such as 2026-01-31 or nothing\n"
            "cliniko: faults in patients.csv: 1; nothing was sent\n"
        )
        assert clinic.requests == []

    def test_import_asks_for_confirmation(self, clinic, sheet, capfd):
        assert main(["import", "patients", "--from", str(sheet), "--date-format", "%d/%m/%Y"]) == 2
        assert "add --yes" in capfd.readouterr().err
        assert clinic.requests == []

    def test_a_row_that_the_server_refused_is_reported_with_its_faults(self, clinic, sheet, capfd):
        clinic.faults.status(
            422, body='{"errors": {"email": "is taken"}}', content_type="application/json", method="POST"
        )
        run = [*IMPORT, str(sheet), "--date-format", "%d/%m/%Y"]
        assert main(run) == 7
        (line,) = capfd.readouterr().out.splitlines()
        assert json.loads(line)["faults"] == {"email": "is taken"}
        assert json.loads(line)["status"] == "refused"
        assert main([*run, "--retry-refused"]) == 0
        assert names_in(clinic).total() == 2

    def test_an_ambiguous_row_waits_for_a_decision(self, clinic, sheet, capfd):
        run = [*IMPORT, str(sheet), "--date-format", "%d/%m/%Y", "--settle", "0"]
        sheet.write_text("first_name,last_name\nZoe,Secretperson\n", encoding="utf-8")
        clinic.faults.between(lambda: clinic.add("patients", first_name="Zoe", last_name="Secretperson"), method="POST")
        clinic.faults.status(502, acted=True, method="POST")
        assert main(run) == 6
        found = capfd.readouterr()
        assert "run it again with --decide LINE=created:ID, LINE=resend or LINE=skip\n" in found.err
        summary = json.loads(found.out)
        assert (summary["line"], summary["status"], len(summary["candidates"])) == (2, "ambiguous", 2)
        assert main([*run, "--decide", f"2=created:{summary['candidates'][0]}"]) == 0
        assert names_in(clinic).total() == 2

    def test_a_decision_is_checked_and_recorded(self, clinic, sheet, capfd):
        run = [*IMPORT, str(sheet), "--date-format", "%d/%m/%Y"]
        assert main([*run, "--decide", "2=perhaps"]) == 2
        assert "--decide must be like" in capfd.readouterr().err
        clinic.faults.status(422, method="POST", times=2)
        assert main(run) == 7
        assert main([*run, "--decide", "2=skip", "--decide", "5=resend"]) == 0
        assert names_in(clinic) == {("Kim", "Day"): 1}

    def test_a_command_with_decisions_can_be_repeated_after_an_interruption(self, clinic, sheet, capfd):
        """Neither decision is an error the second time, and a row that was sent again is not sent once more."""
        rows = "first_name,last_name\nZoe,Secretperson\nKim,Day\n"
        sheet.write_text(rows, encoding="utf-8")
        run = [*IMPORT, str(sheet), "--settle", "0"]
        for name in (("Zoe", "Secretperson"), ("Kim", "Day")):
            record = dict(zip(("first_name", "last_name"), name, strict=True))
            clinic.faults.between(partial(clinic.add, "patients", **record), method="POST")
        clinic.faults.status(502, acted=True, method="POST", times=2)
        assert main(run) == 6
        lines = {row["line"]: row["candidates"] for row in map(json.loads, capfd.readouterr().out.splitlines())}
        assert {number: len(ids) for number, ids in lines.items()} == {2: 2, 3: 2}
        decided = [*run, "--decide", f"2=created:{lines[2][0]}", "--decide", "3=resend"]
        # It is sent, the connection breaks, and the key is refused before the row can be looked up.
        clinic.faults.drop("answer", method="POST")
        refusal = clinic.faults.status(401, method="GET", path="created_at", times=None)
        assert main(decided) == 4
        refusal.cancel()
        before = names_in(clinic)
        assert before == {("Zoe", "Secretperson"): 2, ("Kim", "Day"): 3}
        assert main(decided) == 6
        errors = capfd.readouterr().err
        assert "line 2: the decision is not needed, as the row is adopted\n" in errors
        assert "line 3: the decision is not needed, as the row is open\n" in errors
        assert names_in(clinic) == before

    def test_a_decision_that_does_not_apply_is_refused(self, clinic, sheet, capfd):
        run = [*IMPORT, str(sheet), "--date-format", "%d/%m/%Y"]
        assert main(run) == 0
        capfd.readouterr()
        for decision in ("2=created:7", "2=skip", "3=resend"):
            assert main([*run, "--decide", decision]) == 2
            line = f"cliniko: --decide {decision[0]}: this decision does not apply to row {decision[0]}\n"
            assert capfd.readouterr().err == line

    def test_a_created_row_that_was_changed_is_not_created_twice(self, clinic, sheet, capfd):
        run = [*IMPORT, str(sheet), "--date-format", "%d/%m/%Y"]
        assert main(run) == 0
        sheet.write_text(CSV.replace("Kim", "Kym"), encoding="utf-8")
        assert main(run) == 2
        error = capfd.readouterr().err
        assert "row 5 was created" in error
        assert error.endswith("restore it, or allow the new rows (--create-new)\n")
        assert main([*run, "--create-new"]) == 0
        assert names_in(clinic).total() == 3

    def test_a_failing_server_is_named_and_the_next_run_continues(self, clinic, tmp_path, capfd):
        path = tmp_path / "patients.ndjson"
        path.write_text("".join(f'{{"first_name": "A{n}", "last_name": "B"}}\n' for n in range(30)), encoding="utf-8")
        fault = clinic.faults.status(500, acted=True, method="POST", times=None)
        assert main([*IMPORT, str(path)]) == 5
        assert "run the same command again" in capfd.readouterr().err
        fault.cancel()
        assert main([*IMPORT, str(path)]) == 0
        assert names_in(clinic).total() == 30

    def test_a_journal_that_cannot_be_used_is_named(self, clinic, sheet, tmp_path, capfd):
        run = [*IMPORT, str(sheet), "--date-format", "%d/%m/%Y", "--journal", str(sheet)]
        assert main(run) == 8
        assert capfd.readouterr().err == "cliniko: patients.csv is not a journal\n"

    def test_a_resource_that_cannot_be_created_is_refused(self, clinic, sheet, capfd):
        assert main(["import", "users", "--yes", "--from", str(sheet)]) == 2
        assert main([*IMPORT, str(sheet.with_name("none.csv"))]) == 8


def rows_of(path: Path, body: bytes | str, **options: Any) -> list[tuple[int, dict[str, Any]]]:
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    found = read_rows(path, PatientFields, **options)
    return list(zip(found.lines, found.rows, strict=True))


def faults_of(path: Path, body: bytes | str, **options: Any) -> dict[int, dict[str, str]]:
    with pytest.raises(InvalidRowsError) as raised:
        rows_of(path, body, **options)
    return raised.value.faults


class TestFiles:
    @pytest.mark.parametrize(("name", "sign"), [("a.csv", ","), ("a.csv", ";"), ("a.TSV", "\t"), ("a.txt", "\t")])
    def test_columns_are_matched_whatever_their_form(self, name, sign, tmp_path):
        body = f" first name {sign}Last_Name\r\nZoe{sign}Day\r\n{sign}\r\n"
        assert rows_of(tmp_path / name, body) == [(2, {"first_name": "Zoe", "last_name": "Day"})]

    def test_parts_have_columns_or_are_json(self, tmp_path):
        words = ("accusative", "nominative", "predicative_possessive", "pronominal_possessive", "reflexive")
        head = ",".join(f"pronouns.{word}" for word in words)
        body = f'{head},patient_phone_numbers\na,b,c,d,e,"[{{""number"": ""1""}}]"\n'
        ((_, row),) = rows_of(tmp_path / "a.csv", body)
        assert row["pronouns"] == dict(zip(words, "abcde", strict=True))
        assert row["patient_phone_numbers"] == [{"number": "1"}]

    def test_a_misspelt_column_is_suggested_and_can_be_left_out(self, tmp_path):
        body = "Frist Name,,last_name,Last Name,shoe size\nZoe,a,b,c,d\n"
        assert faults_of(tmp_path / "a.csv", body) == {
            1: {
                "column 1": "is not a field; did you mean 'first_name'?; to leave it out, use --ignore",
                "column 2": "has no name",
                "column 3": "is another column for last_name",
                "column 4": "is another column for last_name",
                "column 5": "is not a field; to leave it out, use --ignore",
            }
        }
        body = "first_name,shoe size\nZoe,45\n"
        assert rows_of(tmp_path / "a.csv", body, ignored=["Shoe Size"]) == [(2, {"first_name": "Zoe"})]

    def test_a_field_and_a_part_of_it_are_not_both_columns(self, tmp_path):
        found = faults_of(tmp_path / "a.csv", "pronouns,pronouns.nominative\na,b\n")
        assert found[1] == {"column 1": "is pronouns, and another column is a part of it"}

    def test_all_faults_have_the_line_on_which_their_row_begins(self, tmp_path):
        body = 'first_name,notes,email\nA,"x\n\ny",no\nB,c\nC,,d@e.fg\nD,"un"closed,\n'
        found = faults_of(tmp_path / "a.csv", body)
        assert {line: list(texts) for line, texts in found.items()} == {2: ["email"], 5: [""], 7: [""]}
        assert found[5][""] == "has 2 cells, but the first row has 3"

    def test_lines_of_json_are_objects(self, tmp_path):
        body = '{"first_name": "Zoe"}\n\n[1]\n{\n{"first_name": 7}\n' + "[" * 100_000
        assert {line: list(texts) for line, texts in faults_of(tmp_path / "a.jsonl", body).items()} == {
            3: [""],
            4: [""],
            5: ["first_name"],
            6: [""],
        }
        ((line, row),) = rows_of(tmp_path / "a.jsonl", '{"date_of_birth": "1990-12-31", "notes": null}')
        assert (line, row) == (1, {"date_of_birth": dt.date(1990, 12, 31), "notes": None})

    def test_numbers_in_json_are_exact(self, tmp_path):
        """As `cliniko create --json` reads them, also within a cell."""
        (tmp_path / "a.ndjson").write_text('{"name": "GST", "rate": 10.1}\n', encoding="utf-8")
        assert read_rows(tmp_path / "a.ndjson", TaxFields).rows == [{"name": "GST", "rate": Decimal("10.1")}]

    @pytest.mark.parametrize("body", ["", "\n\n", "first_name\n", "\ufeff"])
    def test_a_file_without_rows_is_refused(self, body, tmp_path):
        assert faults_of(tmp_path / "a.csv", body) == {0: {"": "a.csv has no rows"}}

    @pytest.mark.parametrize("body", ["Zoë".encode("latin-1"), "first_name\nZoe".encode("utf-16"), b"a\0b"])
    def test_another_encoding_is_refused(self, body, tmp_path):
        with pytest.raises(CommandError, match="not a text in UTF-8"):
            rows_of(tmp_path / "a.csv", body)

    def test_another_kind_of_file_is_refused(self, tmp_path):
        with pytest.raises(CommandError, match=r"must end in one of \.csv"):
            rows_of(tmp_path / "a.xlsx", b"PK")

    @given(st.binary() | st.text().map(str.encode), st.sampled_from(["a.csv", "a.tsv", "a.ndjson"]))
    def test_nonsense_is_rows_or_one_of_the_errors(self, tmp_path_factory, body, name):
        path = tmp_path_factory.getbasetemp() / name
        with contextlib.suppress(InvalidRowsError, CommandError):
            rows_of(path, body)
