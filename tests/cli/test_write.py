"""Writing from the shell: previews, confirmations, requests and messages."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from cliniko_async.cli import main
from cliniko_async.sandbox import Sandbox

NEW = ["create", "appointment_types", "--set", "name=Review", "--set", "duration_in_minutes=30"]
NEW += ["--set", "max_attendees=1", "--set", "color=#2F80ED"]


def bodies(clinic: Sandbox) -> list[Any]:
    """The bodies of the writes that were sent, decoded."""
    return [request.body for request in clinic.requests if request.method != "GET"]


def test_create_sends_typed_fields_and_writes_the_record(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    practitioner = clinic.all("practitioners")[0]["id"]
    extra = ["--set", f"practitioner_ids={practitioner}", "--set", "deposit_price=12.50", "--set", "category=a=b"]
    assert main([*NEW, *extra, "--set", "show_in_online_bookings=false", "--yes"]) == 0
    text, errors = capfd.readouterr()
    assert errors == ""
    created = clinic.get("appointment_types", json.loads(text)["id"])
    assert (created["name"], created["duration_in_minutes"], created["category"]) == ("Review", 30, "a=b")
    assert (created["show_in_online_bookings"], float(created["deposit_price"])) == (False, 12.5)


def test_fields_come_from_a_file_or_from_stdin(
    clinic: Sandbox, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fields = {"first_name": "Ünal", "last_name": "B", "date_of_birth": "1990-01-31", "notes": None}
    phones = {"patient_phone_numbers": [{"number": "555", "phone_type": "Mobile"}]}
    (tmp_path / "new.json").write_text(json.dumps(fields | phones), encoding="utf-8")
    assert main(["create", "patients", "--json", str(tmp_path / "new.json"), "--yes"]) == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(fields).encode())))
    assert main(["create", "patients", "--json", "-", "--set", "title=Dr", "--yes", "--format", "json"]) == 0
    first, second = (json.loads(line) for line in capfd.readouterr().out.splitlines())
    assert (first["first_name"], first["date_of_birth"]) == ("Ünal", "1990-01-31")
    assert [each["number"] for each in first["patient_phone_numbers"]] == ["555"]
    assert (second["first_name"], second["title"]) == ("Ünal", "Dr")


def test_a_dry_run_checks_everything_and_sends_nothing(nowhere: None, capfd: pytest.CaptureFixture[str]):
    assert main([*NEW, "--dry-run"]) == 0
    text, errors = capfd.readouterr()
    body = {"name": "Review", "duration_in_minutes": 30, "max_attendees": 1, "color": "#2F80ED"}
    assert (json.loads(text), errors) == (body, "nothing was sent\n")
    assert main(["update", "patients", "1", "--set", "email=x@example.com", "--dry-run", "--quiet"]) == 0
    assert capfd.readouterr() == ('{"email":"x@example.com"}\n', "")


def test_all_wrong_fields_are_named_at_once_without_their_values(nowhere: None, capfd: pytest.CaptureFixture[str]):
    wrong = ["--set", "nam=secret-value", "--set", "duration_in_minutes=secret-value", "--set", "max_attendees=0"]
    assert main(["create", "appointment_types", *wrong, "--set", "show_in_online_bookings=maybe"]) == 2
    assert capfd.readouterr().err == (
        "cliniko: nothing was sent: nam: unknown field; did you mean 'name'?; duration_in_minutes: must be a whole "
        "number; max_attendees: must be more than 0 and less than 100; show_in_online_bookings: must be true or false "
        "or nothing\n"
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "no field is given: use --set name=value or --json FILE"),
        (["--set", "name"], "--set takes a name, = and a value, such as --set first_name=Ann"),
        (["--set", "=x"], "--set takes a name, = and a value, such as --set first_name=Ann"),
        (["--set", "name=a", "--set", "name=b"], "the field name is given twice"),
        (
            ["--json", "fields.json", "--set", "name=b"],
            "the field name is given twice, in fields.json and by an option",
        ),
        (["--json", "broken.json"], "broken.json is not JSON (line 2)"),
        (["--json", "deep.json"], "deep.json is not JSON"),
        (["--json", "list.json"], "list.json must hold one JSON object, from the names of fields to their values"),
    ],
)
@pytest.mark.usefixtures("nowhere")
def test_bad_fields_are_a_one_line_error(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments, line
):
    monkeypatch.chdir(tmp_path)
    texts = {"fields": '{"name": "a"}', "broken": '{\n"name": Ann}', "list": "[1]", "deep": "[" * 100_000}
    for name, text in texts.items():
        Path(f"{name}.json").write_text(text, encoding="utf-8")
    assert main(["create", "taxes", *arguments]) == 2
    assert capfd.readouterr() == ("", f"cliniko: {line}\n")


def test_a_file_that_cannot_be_read_is_a_one_line_error(
    nowhere: None, capfd: pytest.CaptureFixture[str], tmp_path: Path
):
    assert main(["create", "taxes", "--json", str(tmp_path / "missing.json")]) == 8
    assert capfd.readouterr().err == f"cliniko: {tmp_path / 'missing.json'}: No such file or directory\n"


def test_nothing_is_written_without_a_yes(clinic: Sandbox, terminal, capfd: pytest.CaptureFixture[str]):
    assert main(NEW) == 2
    assert "add --yes" in capfd.readouterr().err
    for answer in ("n\n", "\n", ""):
        streams = terminal("stderr", stdin=answer)
        assert main(NEW) == 10
        assert "  name: Review\n" in streams["stderr"].text()
        assert streams["stderr"].text().endswith("[y/N] cliniko: nothing was sent\n")
    assert bodies(clinic) == []
    terminal("stderr", stdin="Yes\n")
    assert main(NEW) == 0
    assert len(bodies(clinic)) == 1


def test_update_shows_old_and_new_values_and_can_empty_a_field(clinic: Sandbox, terminal):
    found = clinic.add("appointment_types", name="First", category="Osteo", description="x")
    streams = terminal("stdout", "stderr", stdin="y\n")
    command = ["update", "appointment_types", found, "--set", "name=Review", "--clear", "description"]
    assert main([*command, "--set", "business_ids=1,2", "--set", "practitioner_ids=[]"]) != 0  # No such business.
    assert main([*command, "--yes"]) == 0
    assert "  name: First → Review\n  description: x → (nothing)\n" in streams["stderr"].text()
    assert '  business_ids: ["1","2"]\n' in streams["stderr"].text()
    assert clinic.get("appointment_types", found)["name"] == "Review"
    assert "Review" in streams["stdout"].text()


def test_archive_shows_which_record_and_asks(clinic: Sandbox, terminal, capfd: pytest.CaptureFixture[str]):
    found = clinic.add("patients", first_name="Ann", last_name="Lee")
    streams = terminal("stderr", stdin="y\n")
    assert main(["archive", "patients", found, "--dry-run"]) == 0
    assert clinic.get("patients", found)["archived_at"] is None
    assert main(["archive", "patients", found]) == 0
    assert f"Archive patients {found} (Ann Lee)? [y/N]" in streams["stderr"].text()
    assert clinic.get("patients", found)["archived_at"] is not None


def test_a_log_names_no_patient(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    found = clinic.add("patients", first_name="Ann", last_name="Lee")
    assert main(["archive", "patients", found, "--yes"]) == 0
    assert capfd.readouterr() == ("", f"archived patients {found}\n")


def test_delete_deletes_or_says_what_to_do_instead(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    tax = clinic.add("taxes", name="GST", rate="10.0")
    assert main(["delete", "taxes", tax, "--yes", "--quiet"]) == 0
    assert tax not in {each["id"] for each in clinic.all("taxes")}
    assert main(["delete", "taxes", tax, "--yes"]) == 3
    assert main(["delete", "patients", "1"]) == 2
    assert main(["archive", "taxes", "1"]) == 2
    lines = capfd.readouterr().err.splitlines()
    assert lines[1:] == [
        "cliniko: patients cannot be deleted, only archived: cliniko archive patients 1",
        "cliniko: the API has no archive for taxes, only list, get, create, update, delete",
    ]


def test_an_unknown_outcome_is_reported_with_where_to_look(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    clinic.faults.drop("answer", method="POST")
    before = len(clinic.all("appointment_types"))
    assert main([*NEW, "--yes"]) == 6
    assert len(clinic.all("appointment_types")) == before + 1
    assert len(bodies(clinic)) == 1
    (line,) = capfd.readouterr().err.splitlines()
    lookup = "cliniko list appointment_types --sort created_at:desc --limit 5"
    assert line.endswith(f"; look whether it happened before you run it again: `{lookup}`")


def test_what_the_server_says_is_shown_on_a_terminal_and_not_in_a_log(
    clinic: Sandbox, terminal, capfd: pytest.CaptureFixture[str]
):
    wrong = ["create", "patients", "--set", "first_name=", "--set", "last_name=Lee", "--yes"]
    assert main(wrong) == 7
    log = capfd.readouterr().err
    streams = terminal("stderr")
    assert main(wrong) == 7
    assert "first_name" in log
    assert len(streams["stderr"].text().splitlines()[-1]) > len(log)


def test_a_part_and_a_whole_day_are_typed_from_json(clinic: Sandbox, capfd: pytest.CaptureFixture[str], tmp_path: Path):
    business, practitioner = clinic.all("businesses")[0]["id"], clinic.all("practitioners")[0]["id"]
    times = {"starts_at": "2027-01-04T09:00:00+10:00", "ends_at": "2027-01-04T10:00:00+10:00"}
    fields = {"business_id": int(business), "practitioner_id": practitioner, **times}
    (tmp_path / "block.json").write_text(json.dumps(fields), encoding="utf-8")
    assert main(["create", "unavailable_blocks", "--json", str(tmp_path / "block.json"), "--yes"]) == 0
    assert json.loads(capfd.readouterr().out)["starts_at"] == "2027-01-03T23:00:00Z"
