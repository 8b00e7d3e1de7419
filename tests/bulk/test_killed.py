"""A bulk create that is killed at any moment and started again creates each row once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cliniko_async.sandbox import Sandbox
from tests.support.bulk import clear, names_in
from tests.support.killed_bulk import kill_and_repeat
from tests.support.paths import ROOT


@pytest.mark.parametrize("seed", range(2))
def test_each_row_is_there_once_however_often_it_is_killed_and_whatever_is_lost(seed: int, tmp_path: Path):
    """Five times between them; `make soak` kills it fifty times."""
    assert kill_and_repeat(tmp_path, seed, 2 + seed) == ""


def test_the_example_creates_each_row_once(tmp_path: Path):
    file = tmp_path / "patients.csv"
    file.write_text("first_name,last_name,email\nZoe,Day,\nKim,Day,kim@example.com\n", encoding="utf-8")
    command = [sys.executable, str(ROOT / "examples" / "import_patients.py"), str(file)]
    with Sandbox() as sandbox:
        clear(sandbox)
        own = {"API_KEY": sandbox.api_key, "BASE_URL": sandbox.base_url, "APP_NAME": "T", "CONTACT_EMAIL": "a@b.cd"}
        env = os.environ | {f"CLINIKO_{name}": value for name, value in own.items()}
        runs = [
            subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False) for _ in range(2)
        ]
        assert [(done.returncode, done.stdout) for done in runs] == [(0, "2 created\n")] * 2
        assert names_in(sandbox) == {("Zoe", "Day"): 1, ("Kim", "Day"): 1}
