"""Every program of the cookbook is short, has a page that shows it with its real output, and fails in one line."""

import datetime as dt
import re
import runpy
import sys

import pytest

from cliniko_async.sandbox import Sandbox
from tests.support.cookbook import FOLDER, PROGRAMS, clinic, run
from tests.support.paths import ROOT
from tests.support.virtual import run as run_virtually

PAGES = ROOT / "docs" / "cookbook"
EVENING = dt.datetime(2026, 3, 2, 11, tzinfo=dt.UTC)
"""A Monday, 22:00 in Melbourne."""
OUTPUT = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


async def played(name, sandbox, folder):
    """What a program prints on the evening of the page, with arguments like those of its users."""
    match name:
        case "nightly_report":
            return await run(name, sandbox, EVENING, "manager@example.com")
        case "attach_referrals":
            return await run(name, sandbox, letters(sandbox, folder), write=True)
    return await run(name, sandbox, EVENING)


def letters(sandbox, folder):
    first, second = (each["id"] for each in sandbox.all("patients")[:2])
    for file in (f"{first} knee.pdf", f"{second} shoulder.pdf", "1 back.pdf", "notes.txt"):
        (folder / file).write_bytes(b"%PDF-1.7")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_has_at_most_sixty_lines(name):
    assert len((FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= 60


def test_every_program_has_a_page_that_the_index_lists():
    index = (PAGES / "index.md").read_text(encoding="utf-8")
    assert sorted(path.stem for path in PAGES.glob("*.md")) == sorted([*PROGRAMS, "index"])
    assert [name for name in PROGRAMS if f"({name}.md)" not in index] == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_page_shows_its_program_and_what_it_prints(name, tmp_path):
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert f'```python {{.no-run}}\n--8<-- "examples/cookbook/{name}.py"\n```\n' in page

    async def main():
        async with clinic(EVENING) as sandbox:
            return await played(name, sandbox, tmp_path)

    printed = run_virtually(main())
    assert OUTPUT.findall(page) == [printed.report + printed.cost]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_rejected_key_ends_a_program_with_one_line(name, monkeypatch, capsys, tmp_path):
    with Sandbox() as sandbox:
        key = {"API_KEY": "wrong-au1", "BASE_URL": sandbox.base_url}
        for variable, value in {**key, "APP_NAME": "Tests", "CONTACT_EMAIL": "it@example.com"}.items():
            monkeypatch.setenv(f"CLINIKO_{variable}", value)
        monkeypatch.setattr(sys, "argv", [name, str(tmp_path)])
        letters(sandbox, tmp_path)
        with pytest.raises(SystemExit, match=r"\AUnauthorizedError: the API key was rejected: [^\n]+\Z"):
            runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    assert capsys.readouterr().out == ""
