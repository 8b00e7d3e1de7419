"""Runs a program on its own terminal."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping, Sequence


def run_on_terminal(
    command: Sequence[str],
    environment: Mapping[str, str],
    answers: Sequence[tuple[str, str]] = (),
    *,
    stdout: int | None = None,
) -> tuple[int, str]:
    """Run a program on a terminal and type at it; return its exit code and what the terminal showed.

    It is not the controlling terminal, so that a hidden prompt uses the standard streams.

    Each answer is typed when its question has been shown. `stdout` replaces the terminal as the program's output.
    """
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        command,
        env=dict(environment),
        stdin=follower,
        stdout=follower if stdout is None else stdout,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    shown = ""
    questions = list(answers)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([leader], [], [], 0.1)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            data = os.read(leader, 65536)
        except OSError:
            break
        shown += data.decode(errors="replace")
        if questions and questions[0][0] in shown:
            os.write(leader, questions.pop(0)[1].encode())
    os.close(leader)
    return process.wait(20), shown.replace("\r\n", "\n")
