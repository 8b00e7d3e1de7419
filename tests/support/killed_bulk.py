"""Bulk creates that are killed at random, on a sandbox that loses answers at random, until one ends."""

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from cliniko_async.sandbox import Sandbox

from .bulk import clear, names_in, patients
from .paths import ROOT

ROWS = 40


def kill_and_repeat(folder: Path, seed: int, kills: int) -> str:
    """Kill a bulk create `kills` times, then let it end.

    Args:
        folder: An empty folder for the journal.
        seed: Determines which answers are lost, and when the program is killed.
        kills: How many times to kill it.

    Returns:
        What is wrong, or nothing.
    """
    choices = random.Random(f"bulk {seed}")
    with Sandbox(limit=100_000) as sandbox:
        clear(sandbox)
        for _ in range(6):
            _lose_something(sandbox, choices)
        for _ in range(kills):
            _run(sandbox, folder, choices)
        while (ended := _run(sandbox, folder)).returncode:
            if "OutcomeUnknownError" not in ended.stderr:
                return ended.stderr
        return _judge(sandbox, json.loads(ended.stdout))


def _lose_something(sandbox: Sandbox, choices: random.Random) -> None:
    lose = choices.choice(
        [
            lambda **when: sandbox.faults.drop("answer", **when),
            lambda **when: sandbox.faults.drop("body", **when),
            lambda **when: sandbox.faults.drop("request", **when),
            lambda **when: sandbox.faults.status(502, acted=True, **when),
            lambda **when: sandbox.faults.status(503, **when),
        ]
    )
    lose(method="POST", after=choices.randrange(ROWS))


def _run(sandbox: Sandbox, folder: Path, choices: random.Random | None = None) -> "subprocess.CompletedProcess[str]":
    """Run the program, and kill it before or after some request is carried out, unless it ends earlier."""
    command = [sys.executable, "-m", "tests.support.bulk", sandbox.base_url, sandbox.api_key]
    process = subprocess.Popen(
        [*command, str(folder / "journal"), str(ROWS)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    fault = None
    if choices is not None:
        fault = sandbox.faults.between(
            lambda: os.kill(process.pid, signal.SIGKILL),
            before=choices.random() < 0.5,
            delay=choices.choice([0, 0, 0.001, 0.004]),
            method=choices.choice(["POST", "POST", "POST", "GET"]),
            after=choices.choice([0, 1, 2, 5]),
        )
    with process:
        out, err = process.communicate(timeout=120)
    if fault is not None:
        fault.cancel()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def _judge(sandbox: Sandbox, outcomes: dict[str, tuple[str, str]]) -> str:
    """Compare what the program reported with the records of the sandbox."""
    expected = Counter((row["first_name"], row["last_name"]) for row in patients(ROWS))
    found = names_in(sandbox)
    if found != expected:
        return f"missing {expected - found}, too many {found - expected}"
    names = {each["id"]: each["first_name"] for each in sandbox.all("patients")}
    reported = {number: names.get(record_id) for number, (_, record_id) in outcomes.items()}
    wanted = {str(number): row["first_name"] for number, row in enumerate(patients(ROWS), 1)}
    return "" if reported == wanted else f"the program reported {outcomes}"
