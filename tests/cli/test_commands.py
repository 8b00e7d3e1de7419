"""The commands, run in this process against a sandbox."""

import json
from collections.abc import Iterator

import pytest

from cliniko_async.cli import main
from cliniko_async.sandbox import Sandbox


@pytest.fixture
def clinic(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox that the environment points to."""
    with Sandbox(seed=1) as sandbox:
        monkeypatch.setenv("CLINIKO_API_KEY", sandbox.api_key)
        monkeypatch.setenv("CLINIKO_BASE_URL", sandbox.base_url)
        monkeypatch.setenv("CLINIKO_CONTACT_EMAIL", "it@example.com")
        yield sandbox


def test_list_writes_a_json_line_for_each_record(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    wanted = clinic.all("appointment_types")[0]["category"]
    assert main(["list", "appointment_types", "--where", f"category:={wanted}"]) == 0
    listed = [json.loads(line)["id"] for line in capfd.readouterr().out.splitlines()]
    assert sorted(listed) == sorted(one["id"] for one in clinic.all("appointment_types") if one["category"] == wanted)


def test_a_misspelt_resource_names_the_nearest(capfd: pytest.CaptureFixture[str]):
    assert main(["list", "patient"]) == 2
    assert capfd.readouterr().err == "cliniko: there is no resource 'patient'; did you mean 'patients'?\n"
