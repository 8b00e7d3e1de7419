"""Reading from the shell: list, get, resources and limits."""

import csv
import io
import json
import re

import pytest

from cliniko_async import columns
from cliniko_async.cli import main
from cliniko_async.resources._registry import RESOURCES, resource_class
from cliniko_async.sandbox import Sandbox
from tests.support.clients import KEY
from tests.support.for_each import for_each

LISTED = [name for name in RESOURCES if hasattr(resource_class(name), "list") and name != "available_times"]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_list_writes_a_line_of_json_for_each_record(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    wanted = clinic.all("appointment_types")[0]["category"]
    assert main(["list", "appointment_types", "--where", f"category:={wanted}"]) == 0
    listed = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    there = [
        each for each in clinic.all("appointment_types") if (each["category"], each["archived_at"]) == (wanted, None)
    ]
    assert {each["id"]: each for each in listed} == {each["id"]: each for each in there}


def test_every_list_is_written_as_csv_with_all_columns(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    listed: dict[str, tuple[int, str, str]] = {}
    for resource in LISTED:
        code = main(["list", resource, "--format", "csv", "--limit", "2"])
        text, errors = capfd.readouterr()
        listed[resource] = (code, text.partition("\n")[0], errors)
    assert listed == {name: (0, ",".join(columns(resource_class(name).record)), "") for name in LISTED}


def test_csv_holds_what_the_records_hold(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    clinic.add("patients", id="7", first_name='=1+1, "x"\nnew line', last_name="Ünal\r", date_of_birth="1990-01-31")
    assert main(["list", "patients", "--where", "id:=7", "--format", "csv"]) == 0
    (found,) = rows_of(capfd.readouterr().out)
    assert (found["first_name"], found["last_name"]) == ('=1+1, "x"\nnew line', "Ünal\r")
    assert (found["date_of_birth"], found["archived_at"]) == ("1990-01-31", "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["created_at"])


def test_json_is_one_array_even_without_records(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    assert main(["list", "taxes", "--format", "json"]) == 0
    assert [each["id"] for each in json.loads(capfd.readouterr().out)] == [each["id"] for each in clinic.all("taxes")]
    assert main(["list", "taxes", "--format", "json", "--where", "id:=1"]) == 0
    assert json.loads(capfd.readouterr().out) == []


@for_each(
    "arguments, options",
    [
        (["get", "patients", "1"], ["--archived"]),
        (["get", "patients", "1", "--archived", "include"], []),
        (["get", "attendees", "1", "--deleted", "include"], ["--archived", "--cancelled"]),
        (["get", "taxes", "1"], []),
        (["update", "patients", "1", "--set", "first_name=Ann", "--yes"], []),
        (["update", "taxes", "1", "--set", "name=GST", "--yes"], []),
        (["archive", "patients", "1", "--yes"], []),
        (["delete", "taxes", "1", "--yes"], []),
    ],
    ids=str,
)
def test_a_missing_record_is_reported_with_the_options_that_the_command_has(
    clinic: Sandbox, capfd: pytest.CaptureFixture[str], arguments, options
):
    assert main(arguments) == 3
    (line,) = capfd.readouterr().err.splitlines()
    assert re.findall(r"--\w+", line) == options


@pytest.mark.parametrize("form", ["ndjson", "json", "csv"])
def test_only_the_chosen_columns_are_written(clinic: Sandbox, capfd: pytest.CaptureFixture[str], form):
    assert main(["list", "taxes", "--columns", "name, id", "--limit", "1", "--format", form]) == 0
    text = capfd.readouterr().out
    (found,) = rows_of(text) if form == "csv" else json.loads(text if form == "json" else f"[{text}]")
    first = clinic.all("taxes")[0]
    assert list(found.items()) == [("name", first["name"]), ("id", first["id"])]


def test_archived_records_are_listed_and_found_when_asked_for(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    gone = clinic.add("patients", first_name="Old", last_name="One")
    clinic.archive("patients", gone)
    main(["list", "patients", "--columns", "id"])
    assert gone not in capfd.readouterr().out
    assert main(["list", "patients", "--columns", "id", "--archived", "include"]) == 0
    assert gone in capfd.readouterr().out
    assert main(["get", "patients", gone]) == 3
    assert capfd.readouterr().err.endswith("; if it is archived, add --archived include\n")
    assert main(["get", "patients", gone, "--archived", "include"]) == 0


def test_sorting_is_the_servers(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    assert main(["list", "appointment_types", "--sort", "name:desc", "--columns", "name", "--format", "csv"]) == 0
    names = [row["name"] for row in rows_of(capfd.readouterr().out)]
    assert names == sorted(names, reverse=True)


def test_a_table_on_a_terminal_shows_what_fits_and_says_how_much_it_left_out(
    clinic: Sandbox, terminal, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "80")
    for number in range(150):
        clinic.add("taxes", name=f"Tax {number}", rate="1.0")
    streams = terminal("stdout", "stderr")
    assert main(["list", "taxes"]) == 0
    lines = streams["stdout"].text().splitlines()
    assert max(len(re.sub("\x1b\\[[0-9;]*m", "", line)) for line in lines) <= 80
    assert sum("Tax" in line for line in lines) < 101
    total = len(clinic.all("taxes"))
    assert f"100 of {total} taxes; --limit shows more" in streams["stderr"].text()


def test_an_id_in_a_table_stays_on_one_line_where_there_is_room(
    clinic: Sandbox, terminal, monkeypatch: pytest.MonkeyPatch
):
    street = "Apartment 5, 2 Macquarie Street"
    patient = clinic.add("patients", address_1=street, address_2=street, occupation=street, notes=street)
    columns = ("id", "address_1", "address_2", "occupation", "notes")
    for width, whole in ((80, True), (30, False)):
        monkeypatch.setenv("COLUMNS", str(width))
        streams = terminal("stdout", "stderr")
        assert main(["list", "patients", "--where", f"id:={patient}", "--columns", ",".join(columns)]) == 0
        assert (patient in streams["stdout"].text()) is whole


def test_an_empty_table_and_a_table_in_a_pipe(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    assert main(["list", "taxes", "--where", "id:=1", "--format", "table", "--quiet"]) == 0
    assert "id" in capfd.readouterr().out
    assert main(["list", "settings"]) == 2
    assert main(["list", "patients", "--format", "table", "--limit", "1", "--quiet"]) == 0
    text, errors = capfd.readouterr()
    assert max(map(len, text.splitlines())) > 200
    assert "of" not in errors.partition("only")[2].replace("\n", "")


def test_get_writes_one_record_in_each_format(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    tax = clinic.all("taxes")[0]
    for form in ("json", "ndjson"):
        assert main(["get", "taxes", tax["id"], "--format", form]) == 0
        assert json.loads(capfd.readouterr().out) == tax
    assert main(["get", "taxes", tax["id"], "--format", "csv", "--columns", "name"]) == 0
    assert rows_of(capfd.readouterr().out) == [{"name": tax["name"]}]
    assert main(["get", "patients", clinic.all("patients")[0]["id"], "--format", "table"]) == 0
    assert "archived_at" not in capfd.readouterr().out
    assert main(["get", "taxes", tax["id"], "--format", "table", "--columns", "name"]) == 0
    assert tax["name"] in capfd.readouterr().out


def test_the_settings_have_no_id_and_signatures_have_two(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    assert main(["get", "settings"]) == 0
    assert json.loads(capfd.readouterr().out)["account"]["name"]
    assert main(["get", "settings", "1"]) == 2
    assert main(["get", "signatures", "1"]) == 2
    assert capfd.readouterr().err == (
        "cliniko: the command is: cliniko get settings\n"
        "cliniko: the command is: cliniko get signatures PATIENT_FORM_ID ID\n"
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["list", "patient"], "there is no resource 'patient'; did you mean 'patients'?"),
        (["list", "x"], "there is no resource 'x'; `cliniko resources` lists them"),
        (["list", "taxes", "--columns", "nam"], "taxes has no column 'nam'; did you mean 'name'?"),
        (
            ["list", "taxes", "--columns", "zz"],
            "taxes has no column 'zz'; it has id, created_at, name, rate, updated_at, amount",
        ),
        (
            ["list", "appointment_types", "--where", "categori:=Osteo"],
            "appointment_types cannot be filtered by 'categori'; did you mean 'category'?",
        ),
        (
            ["list", "taxes", "--where", "zz:=1"],
            "taxes cannot be filtered by 'zz'; it can be filtered by created_at, id, updated_at",
        ),
        (
            ["list", "patients", "--where", "Ann Smith"],
            "a filter is written column:operator and value, such as 'name:=Ann' or 'id:>=5'",
        ),
        (["list", "taxes", "--where", "id:5"], "after id: comes an operator, such as id:=123"),
        (
            ["list", "appointment_types", "--where", "category:Osteo"],
            "after category: comes an operator, such as category:=text or category:~part",
        ),
        (["list", "taxes", "--limit", "0"], 'Invalid value "0" for --limit. Must be >= 1. (cliniko --help)'),
        (
            ["list", "taxes", "--limit", "many"],
            'Invalid value for --limit: unable to convert "many" into a whole number. (cliniko --help)',
        ),
        (
            ["watch", "taxes", "--every", "often"],
            'Invalid value for --every: unable to convert "often" into a number. (cliniko --help)',
        ),
        (
            ["list", "taxes", "--columns", " , "],
            "--columns takes names with commas between them, such as id,name",
        ),
        (["list", "taxes", "--sort", "nam"], "taxes cannot be sorted by 'nam'; did you mean 'name'?"),
        (["list", "taxes", "--sort", "name:up"], "sort by name, name:asc or name:desc"),
        (
            ["list", "taxes", "--archived", "only"],
            "--archived does not apply to taxes, which cannot be filtered by archived_at",
        ),
        (
            ["get", "settings", "--deleted", "only"],
            "--deleted does not apply to settings, which cannot be filtered by deleted_at",
        ),
        (["list", "settings"], "the API has no list for settings, only get"),
        (
            ["list", "available_times"],
            "this list needs business_id, practitioner_id, appointment_type_id, from, to: use it from Python",
        ),
    ],
)
def test_bad_input_is_a_one_line_error_with_the_nearest_name(
    nowhere: None, capfd: pytest.CaptureFixture[str], arguments, line
):
    assert main(arguments) == 2
    assert capfd.readouterr() == ("", f"cliniko: {line}\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["list", "taxes", "--api-key", KEY], "Unknown option: --api-key. (cliniko --help)"),
        (["sync", "--to", "x", f"--api-key={KEY}"], "Unknown option: --api-key=… (cliniko --help)"),
        (["list", "taxes", KEY, "more"], "Unexpected arguments: … more. (cliniko --help)"),
    ],
)
def test_a_key_given_as_an_argument_is_not_shown(nowhere: None, capfd: pytest.CaptureFixture[str], arguments, line):
    assert main(arguments) == 2
    assert capfd.readouterr() == ("", f"cliniko: {line}\n")
    assert main([KEY, "list", "taxes"]) == 2
    assert KEY not in capfd.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["lst"], ["list"], ["list", "taxes", "--limit", "x"], ["list", "taxes", "--archived", "x"], ["--quiet=x"]],
)
def test_a_mistake_in_the_command_line_is_a_one_line_error(nowhere: None, capfd: pytest.CaptureFixture[str], arguments):
    assert main(arguments) == 2
    text, errors = capfd.readouterr()
    assert (text, errors.count("\n"), errors[:9]) == ("", 1, "cliniko: ")


def test_what_the_server_refuses_has_an_exit_code_of_its_own(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    assert main(["list", "taxes", "--where", "id:=x"]) == 7
    clinic.faults.status(403, path="users")
    assert main(["list", "users"]) == 4
    assert main(["get", "taxes", "0" * 20]) == 2
    assert capfd.readouterr().err.count("\n") == 3


def test_a_list_that_moves_is_reported_as_incomplete(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    clinic.faults.edit(lambda page: {**page, "links": {"next": "https://elsewhere.example/v1/taxes"}}, path="taxes")
    clinic.faults.edit(lambda page: {**page, "total_entries": 500}, path="taxes")
    assert main(["list", "taxes"]) == 9
    assert "; what was read may be incomplete; run it again\n" in capfd.readouterr().err


def test_resources_lists_all_and_describes_one(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    assert main(["resources", "--format", "csv"]) == 0
    rows = {row["resource"]: row["commands"] for row in rows_of(capfd.readouterr().out)}
    assert rows.keys() == RESOURCES.keys()
    # Deleting an appointment type only archives it.
    assert rows["appointment_types"] == "list, get, create, update, archive"
    assert main(["resources", "appointment_types", "--format", "json"]) == 0
    described = {row["name"]: row for row in json.loads(capfd.readouterr().out)}
    assert described["category"] == {
        "name": "category",
        "column": "text",
        "filter": "category:=text  category:~part",
        "field": "create update",
        "value": "text or nothing",
    }
    assert described["practitioner_ids"]["value"] == "ids with commas between them"
    assert main(["resources", "invoices", "--format", "table"]) == 0
    assert "issue_date:>=2026-01-31" in capfd.readouterr().out
    assert main(["resources", "taxes"]) == 0
    assert json.loads(capfd.readouterr().out.partition("\n")[0])["name"] == "id"


def test_a_description_has_no_words_of_python(capfd: pytest.CaptureFixture[str]):
    assert [main(["resources", resource, "--format", "csv", "--quiet"]) for resource in RESOURCES] == [0] * len(
        RESOURCES
    )
    text = capfd.readouterr().out
    assert "one of 'None', 'SMS', 'Email', 'SMS & Email' or nothing" in text
    # "None" is also what a reminder may be.
    text = text.replace("'None'", "")
    assert set(re.findall(r"\b(?:str|int|None|Decimal|datetime|tuple|dict|True|False|[A-Z]\w+Fields)\b", text)) == set()
    assert set(re.findall(r"JSON object or \w+", text)) == {"JSON object or nothing"}
    assert "(?i)" not in text


def test_the_budget_is_shared_between_commands_in_a_file(
    clinic: Sandbox, capfd: pytest.CaptureFixture[str], tmp_path, monkeypatch: pytest.MonkeyPatch
):
    assert main(["limits"]) == 0
    assert "budget of its own" in capfd.readouterr().err
    monkeypatch.setenv("CLINIKO_BUDGET_FILE", str(tmp_path / "budget.sqlite"))
    assert main(["list", "taxes", "--limit", "1"]) == 0
    capfd.readouterr()
    assert main(["limits"]) == 0
    text = "limit      200 requests in 60 s\nused       1\nremaining  199\nnext free  now\n"
    assert capfd.readouterr() == (text, "")
    monkeypatch.setenv("CLINIKO_BUDGET_FILE", str(tmp_path / "missing" / "budget.sqlite"))
    assert main(["limits"]) == 5
    assert capfd.readouterr().err.count("\n") == 1
