"""The commands `changes` and `watch`, against a sandbox and a receiver of webhooks."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cliniko_async.cli import main
from cliniko_async.sandbox import Sandbox
from tests.support.receiver import Receiver, in_a_thread

SECRET = "whsec_" + "c2VjcmV0" * 5
PAST = "2001-01-01"


@pytest.fixture
def clinic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox that the environment points to, and a folder to work in."""
    monkeypatch.chdir(tmp_path)
    with Sandbox(seed=1) as sandbox:
        monkeypatch.setenv("CLINIKO_API_KEY", sandbox.api_key)
        monkeypatch.setenv("CLINIKO_BASE_URL", sandbox.base_url)
        monkeypatch.setenv("CLINIKO_CONTACT_EMAIL", "it@example.com")
        yield sandbox


def ids(output: str) -> list[str]:
    return [json.loads(line)["data"]["id"] for line in output.splitlines()]


def changed(clinic: Sandbox, resource: str) -> set[str]:
    return {record["id"] for record in clinic.all(resource)}


def test_changes_writes_a_line_for_each_and_prints_the_cursor(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    assert main(["changes", "taxes", "--since", PAST]) == 0
    out, err = capfd.readouterr()
    assert sorted(ids(out)) == sorted(changed(clinic, "taxes"))
    line = json.loads(out.splitlines()[0])
    assert (line["type"], line["timestamp"]) == ("tax.upsert", line["data"]["updated_at"])
    printed = err.split("next time: --since ")[1].strip()
    key = clinic.add("taxes", name="New", rate=5)
    assert main(["changes", "taxes", "--since", printed]) == 0
    assert ids(capfd.readouterr().out) == [key]


def test_a_moment_is_in_the_time_zone_of_the_computer_unless_it_names_one(
    clinic: Sandbox, capfd: pytest.CaptureFixture[str]
):
    now = dt.datetime.now().astimezone()
    old = clinic.add("taxes", name="Old", rate=5, updated_at=now - dt.timedelta(seconds=10))
    new = clinic.add("taxes", name="New", rate=5, updated_at=now)
    for text in (now.replace(tzinfo=None), now.astimezone(dt.UTC), now):
        assert main(["changes", "taxes", "--since", (text - dt.timedelta(seconds=5)).isoformat()]) == 0
        assert ids(capfd.readouterr().out) == [new] != [old]


def test_changes_keep_to_a_filter(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    wanted = clinic.all("appointment_types")[0]["category"]
    assert main(["changes", "appointment_types", "--since", PAST, "--where", f"category:={wanted}"]) == 0
    found = [json.loads(line)["data"] for line in capfd.readouterr().out.splitlines()]
    assert found
    assert {record["category"] for record in found} == {wanted}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["changes", "taxes", "--since", "yesterday"], "--since must be a moment such as 2026-01-31T09:00"),
        (["watch", "taxes", "--since", "yesterday"], "--since must be a moment such as 2026-01-31T09:00"),
        (["changes", "settings", "--since", PAST], "the API has no changes for settings"),
        (["watch", "settings"], "the API has no changes for settings"),
        (["watch"], "name what to watch"),
        (["watch", "patient"], "there is no resource 'patient'; did you mean 'patients'?"),
        (["watch", "taxes", "patients", "--where", "name:=GST"], "--where needs a single resource"),
        (["watch", "taxes", "--every", "inf"], "every must be a number of seconds above 0"),
        (["watch", "taxes", "--every", "0"], 'Invalid value "0.0" for --every. Must be > 0.'),
        (["watch", "taxes", "--post", "https://example.com"], "CLINIKO_WEBHOOK_SECRET is not set"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_invalid_rows_are_a_one_line_error_and_nothing_is_sent(
    clinic: Sandbox, capfd: pytest.CaptureFixture[str], arguments: list[str], line: str
):
    assert main(arguments) == 2
    printed = capfd.readouterr().err
    assert line in printed
    assert printed.count("\n") == 1
    assert not clinic.requests


def test_watch_writes_the_changes_of_several_resources_until_a_permanent_error(
    clinic: Sandbox, capfd: pytest.CaptureFixture[str]
):
    clinic.faults.status(403, path="/taxes", after=1)
    assert main(["watch", "taxes", "businesses", "--since", PAST, "--every", "0.01"]) == 4
    assert changed(clinic, "taxes") <= set(ids(capfd.readouterr().out))


def test_watch_continues_from_its_cursor_and_starts_now_the_first_time(
    clinic: Sandbox, capfd: pytest.CaptureFixture[str]
):
    command = ["watch", "taxes", "--every", "0.01", "--cursors", "here.sqlite"]
    clinic.faults.status(401, path="/taxes", after=1)
    assert main(command) == 4
    key = clinic.add("taxes", name="New", rate=5)
    clinic.faults.status(401, path="/taxes", after=1)
    assert main(command) == 4
    assert ids(capfd.readouterr().out) == [key]


def test_watch_posts_signed_webhooks_and_continues_when_the_receiver_is_back(
    clinic: Sandbox, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("CLINIKO_WEBHOOK_SECRET", SECRET)
    receiver = Receiver(SECRET)
    receiver.script = [400, 204, 410]
    for number in range(3):
        clinic.add("taxes", name=f"{number}", rate=5)
    with in_a_thread(receiver):
        command = ["watch", "taxes", "--since", PAST, "--post", receiver.url]
        command += ["--dead-letters", "dead.ndjson", "--tries", "1"]
        assert main(command) == 5
        assert "410" in capfd.readouterr().err
        receiver.script = [204, 204, 204, 410]
        clinic.add("taxes", name="New", rate=5)
        assert main(command) == 5
    dead, accepted, gone, *rest = [each.body["data"]["id"] for each in receiver.got]
    (line,) = (tmp_path / "dead.ndjson").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["message"]["data"]["id"] == dead
    assert rest[0] == gone != accepted
    assert (tmp_path / "cliniko-cursors.sqlite").exists()
    assert SECRET not in capfd.readouterr().err


def test_an_unusable_cursor_file_is_a_one_line_error(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    assert main(["watch", "taxes", "--cursors", "missing/here.sqlite"]) == 8
    assert capfd.readouterr().err == "cliniko: missing/here.sqlite: unable to open database file\n"


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "a service manager"])
def test_an_interrupt_ends_with_one_line_on_how_to_continue(clinic: Sandbox, tmp_path: Path, by: signal.Signals):
    command = [sys.executable, "-m", "cliniko_async", "watch", "taxes", "--since", PAST, "--cursors", "here.sqlite"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())
        while not clinic.requests:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "cliniko: interrupted; the next run continues here\n"
        assert process.wait(10) == 130
