"""The page about the command line is correct: its commands run and print what it shows."""

import json
import operator
import re
import shlex
from collections.abc import Callable

import pytest

from cliniko_async.cli import main
from cliniko_async.cli.app import app
from cliniko_async.sandbox import Sandbox
from tests.support.bulk import clear
from tests.support.for_each import for_each
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
COMMANDS = re.findall(
    r"^\$ cliniko (.*)\n((?:(?!\$ |```).*\n)*)",
    "".join(re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)),
    re.MULTILINE,
)


@pytest.mark.parametrize(("command", "shown"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_a_command_prints_what_the_page_shows(clinic: Sandbox, capfd: pytest.CaptureFixture[str], command, shown):
    code = main(shlex.split(command))
    text, errors = capfd.readouterr()
    # A line of dots matches any lines, and dots inside a line match any text.
    pattern = re.escape(shown).replace(re.escape("...\n"), r"(?:.*\n)*").replace(re.escape("..."), ".*")
    assert (code != 0) == ("cliniko:" in errors)
    assert re.fullmatch(pattern or ".*", text + errors, re.DOTALL if not pattern else 0)


FILTERS = re.findall(r"^\| `(\w+):([!?=~<>]+)(.*)` \| (.*) \|$", PAGE, re.MULTILINE)
MEANINGS: dict[str, Callable[[str, str], bool]] = {
    "is the value": operator.eq,
    "is not the value": operator.ne,
    "contains the value": lambda found, value: value in found,
    "is like the value, where `%` stands for any text": lambda found, value: bool(
        re.fullmatch(value.replace("%", ".*"), found, re.IGNORECASE)
    ),
    "is less than, or before, the value": operator.lt,
    "is less than, or before, or is the value": operator.le,
    "is more than, or after, the value": operator.gt,
    "is more than, or after, or is the value": operator.ge,
    "has a value": lambda _found, _value: True,
}


def test_the_page_shows_every_operator():
    assert {sign for _, sign, _, _ in FILTERS} == {"=", "!=", "~", "~~", "<", "<=", ">", ">=", "?", "!?"}


@for_each("shown", FILTERS, ids=lambda shown: "".join(shown[:3]))
def test_a_filter_matches_what_the_page_says(shown, clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    """For a column that is empty, all but "is empty" are false."""
    column, sign, value, meaning = shown
    clear(clinic)
    for last_name in ("Jackson", "Johnson", "Jay"):
        for day in ("2000-01-30", "2000-01-31", "2000-02-01", None):
            clinic.add("patients", last_name=last_name, date_of_birth=day)
    matches = MEANINGS.get(meaning)
    found = {each["id"]: each[column] for each in clinic.all("patients")}
    expected = {
        id for id, each in found.items() if (each is None if matches is None else each and matches(each, value))
    }
    assert main(["list", "patients", "--where", f"{column}:{sign}{value}"]) == 0
    listed = {json.loads(line)["id"] for line in capfd.readouterr().out.splitlines()}
    assert 0 < len(expected) < len(found)
    assert listed == expected


def test_the_page_names_every_command_and_no_other():
    commands = {name for name in app if not name.startswith("-")}
    assert set(re.findall(r"(?:`|^\$ )cliniko ([a-z]+)", PAGE, re.MULTILINE)) == commands
