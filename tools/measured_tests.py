"""Runs pytest under coverage, in every process from its first line, and prints pytest's last line at the end.

The arguments are pytest's. Fails when a test fails, and when the coverage falls short.
"""

import subprocess
import sys
from pathlib import Path

DATA = Path(".cache/coverage")


def run_tests(arguments: list[str]) -> tuple[int, str]:
    """Show what pytest prints except its last line; return its exit status and that line."""
    colour = ["--color=yes"] if sys.stdout.isatty() else []
    command = [sys.executable, "-m", "coverage", "run", "-m", "pytest", *colour, *arguments]
    held = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as pytest:
        for line in pytest.stdout or ():
            print(held, end="", flush=True)
            held = line
    return pytest.returncode, held


def report_coverage() -> int:
    """Show the lines that no test ran; return the exit status."""
    coverage = [sys.executable, "-m", "coverage"]
    return subprocess.call([*coverage, "combine", "--quiet"]) or subprocess.call([*coverage, "report"])


def main(arguments: list[str]) -> int:
    """Run the tests and report; return the exit status."""
    DATA.mkdir(parents=True, exist_ok=True)
    subprocess.call([sys.executable, "-m", "coverage", "erase"])
    failed, summary = run_tests(arguments)
    short = 0 if failed else report_coverage()
    print(summary, end="")
    return failed or short


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
