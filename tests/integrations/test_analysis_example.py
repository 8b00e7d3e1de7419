"""The example that analyses appointments counts each of them once, and ends with one line if it cannot read them."""

import os
import re
import subprocess
import sys
from typing import Any

from cliniko_async.sandbox import Sandbox
from tests.support.paths import ROOT


def run(**environment: str) -> Any:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLINIKO_")}
    command = [sys.executable, "examples/analyse_appointments.py"]
    return subprocess.run(command, cwd=ROOT, env=kept | environment, capture_output=True, encoding="utf-8", check=False)


def test_the_appointments_of_an_account_are_all_counted():
    with Sandbox(seed=1) as sandbox:
        who = {"CLINIKO_APP_NAME": "Tests", "CLINIKO_CONTACT_EMAIL": "it@example.com"}
        account = {"CLINIKO_API_KEY": sandbox.api_key, "CLINIKO_BASE_URL": sandbox.base_url, **who}
        done = run(**account)
        appointments = [each for each in sandbox.all("individual_appointments") if not each["archived_at"]]
        refused = run(**{**account, "CLINIKO_API_KEY": "another-au1"})
    booked = re.findall(r"│ [\w ]+┆ \w+ +┆ (\d+) +┆", done.stdout)
    assert done.stderr == ""
    assert sum(map(int, booked)) == len([each for each in appointments if not each["deleted_at"]])
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("UnauthorizedError: ")
    assert refused.stderr.count("\n") == 1


def test_without_an_account_a_sandbox_is_read():
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert "practitioner" in done.stdout
