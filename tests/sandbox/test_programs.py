"""The sandbox as a program."""

import base64
import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from cliniko_async.sandbox.__main__ import main, parse_arguments

RUN = [sys.executable, "-m", "cliniko_async.sandbox"]


def started(*arguments):
    return subprocess.Popen(
        [*RUN, "--port", "0", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def printed_by(process):
    """What the program prints before it waits."""
    lines = []
    while not lines or not lines[-1].startswith("Ctrl-C"):
        lines.append(process.stdout.readline())
        assert lines[-1], process.stderr.read()
    return "".join(lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_program_prints_its_address_and_ends_cleanly(number):
    with started("--appointment-types", "3") as process:
        text = printed_by(process)
        process.send_signal(number)
        rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest, errors) == (0, "", "")
    assert re.search(r"^base URL  http://127\.0\.0\.1:\d+/v1$", text, re.MULTILINE)
    assert "curl -u " in text


def test_the_commands_that_the_program_suggests_work():
    with started("--appointment-types", "3", "--limit", "9", "--period", "5", "--latency", "0.001") as process:
        text = printed_by(process)
        user, agent, accept, url = re.findall(r"'([^']+)'", text)
        name, _, value = accept.partition(": ")
        basic = base64.b64encode(user.encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "User-Agent": agent, name: value}
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            page = json.load(answer)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert len(page["appointment_types"]) == 2


def test_a_port_that_is_taken_ends_the_program_with_a_line(capsys):
    with started() as process:
        port = re.search(r":(\d+)/v1", printed_by(process))[1]
        assert main(["--port", port]) == 1
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert re.fullmatch(rf"127\.0\.0\.1:{port}: .*address already in use.*\n", capsys.readouterr().err)


def test_the_program_has_a_port_of_its_own():
    assert parse_arguments([]).port == 8321


def test_the_program_takes_a_key_and_may_be_strict():
    with started("--appointment-types", "3", "--api-key", "mine-au2", "--strict") as process:
        url = re.search(r"^base URL  (\S+)$", text := printed_by(process), re.MULTILINE)[1]
        headers = {
            "Authorization": f"Basic {base64.b64encode(b'mine-au2:').decode()}",
            "User-Agent": "Tests",
            "Accept": "application/json",
        }
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(f"{url}/users", headers=headers), timeout=20)
        with caught.value as answer:
            assert "User-Agent" in json.load(answer)["error"]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert "API key   mine-au2" in text
