"""The page about the command line is correct: its commands run and print what it shows."""

import re
import shlex

import pytest

from cliniko_async.cli import main
from cliniko_async.cli.app import app
from cliniko_async.sandbox import Sandbox
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


def test_the_page_names_every_command_and_no_other():
    commands = {name for name in app if not name.startswith("-")}
    assert set(re.findall(r"(?:`|^\$ )cliniko ([a-z]+)", PAGE, re.MULTILINE)) == commands
