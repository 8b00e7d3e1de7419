"""The tutorial works word for word, and so do the commands of the page on the sandbox."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest

from tests.support.paths import ROOT

BLOCK = re.compile(r"^```(shell|python)(?: ([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@attrs.frozen
class TutorialStep:
    language: str
    mark: str
    text: str


def steps(page: str) -> list[TutorialStep]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [TutorialStep(language, mark or "", code) for language, mark, code in BLOCK.findall(text)]


@contextmanager
def in_background(command: str, environment: dict[str, str]) -> Iterator[str]:
    """Run a server as a page shows it, but at a free port; return the URL that it prints."""
    arguments = [*re.sub(r"--port \d+", "", command).split(), "--port", "0"]
    assert arguments.pop(0) == "python"
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def programs(folder: Path) -> dict[str, str]:
    """Return an environment in which `cliniko` and `python` are those of this package."""
    folder.mkdir()
    for name, arguments in {"cliniko": "-m cliniko_async ", "python": ""}.items():
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n', encoding="utf-8")
        script.chmod(0o755)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("CLINIKO_")},
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "CLINIKO_BUDGET_FILE": "",
        "PYTHONUTF8": "1",
        "XDG_DATA_HOME": str(folder),
    }


def run(script: str, url: str, folder: Path, environment: dict[str, str]) -> str:
    text = script.replace("http://127.0.0.1:8321/v1", url)
    done = subprocess.run(
        ["sh", "-e", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def follow(page: Sequence[TutorialStep], folder: Path) -> list[str]:
    """Run the commands of a page in order, and return what each of them printed."""
    environment = programs(folder / "bin")
    (server,) = (step.text.strip() for step in page if step.mark == "{.background}")
    exports, printed = "", list[str]()
    with in_background(server, environment) as url:
        for step in page:
            if step.language == "python":
                (folder / step.mark.removeprefix('title="').removesuffix('"')).write_text(step.text, encoding="utf-8")
            elif not step.mark:
                exports += "".join(line + "\n" for line in step.text.splitlines() if line.startswith("export "))
                printed.append(run(exports + step.text, url, folder, environment))
    return printed


def test_the_tutorial_ends_with_a_synced_database(tmp_path: Path):
    _, look, first, week, write, sync, again, ask = follow(steps("tutorial.md"), tmp_path)
    assert "key       ok" in look
    assert len(first.splitlines()) == 23
    assert re.match(r"[1-9]\d* appointments in the next seven days\n(\w{3} \d\d:\d\d \S+ \S.*\n)+$", week)
    assert re.match(r".*lastname: unknown field; did you mean 'last_name'\?.*\ncreated Patient\(id='\d+'\)\n$", write)
    assert re.search(r"patients +43\b|patients\D+43\b", sync)
    assert re.search(r"patients\D+[12]\b", again)
    assert re.search(r"Kim +│ Night", ask)
    assert re.search(r"appointments +│", ask)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_an_application_in_any_language_talks_to_the_sandbox(tmp_path: Path):
    shell = [step for step in steps("sandbox.md") if step.language == "shell"]
    page, tax = map(json.loads, follow(shell, tmp_path))
    assert {patient["last_name"] for patient in page["patients"]} == {"Iyer"}
    assert tax["name"] == "Levy"
