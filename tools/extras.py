"""Builds the wheel, installs it with each extra alone and with all, and runs the first steps of each.

Every combination gets a clean environment, on the oldest and the newest supported Python that is found on PATH. Name
extras to try only those: `python -m tools.extras arrow redis`. The first steps are in `tests/support/first_steps.py`.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Generator
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.redis_server import RedisServer

ROOT = Path(__file__).parent.parent
STEPS = ROOT / "tests" / "support" / "first_steps.py"
LONGEST_STEPS = 300.0
"""Seconds after which the first steps of an extra have failed."""


class Trial(NamedTuple):
    """One environment."""

    python: str
    extra: str

    def __str__(self) -> str:
        return f"{self.python}, {self.extra or 'no extra'}"


def project() -> dict[str, Any]:
    """Return the table `project` of pyproject.toml."""
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def extras() -> list[str]:
    """Return no extra, each extra that users install, and all of them."""
    (everything,) = project()["optional-dependencies"]["all"]
    return ["", *everything.partition("[")[2].removesuffix("]").split(","), "all"]


def pythons() -> list[str]:
    """Return the oldest and the newest supported Python on PATH."""
    named = (re.fullmatch(r".* :: (3\.\d+)", each) for each in project()["classifiers"])
    found = [f"python{each[1]}" for each in named if each and _works(f"python{each[1]}")]
    return list(dict.fromkeys([found[0], found[-1]])) if found else []


def _works(python: str) -> bool:
    # A name on PATH may be a shim for a version that is not there.
    return bool(shutil.which(python)) and not subprocess.call([python, "-c", ""], stderr=subprocess.DEVNULL)


def run(command: list[str], **options: Any) -> None:  # noqa: ANN401  (those of subprocess.run)
    """Run a command, and keep what it prints for the error."""
    subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", **options)


def build(folder: Path) -> Path:
    """Build the wheel in a folder and return its path."""
    run([sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)])
    (wheel,) = folder.glob("*.whl")
    return wheel


def attempt(trial: Trial, wheel: Path, redis_url: str) -> str:
    """Install and run the first steps; return what went wrong, or nothing."""
    with tempfile.TemporaryDirectory(prefix="cliniko-async-extra-") as folder:
        try:
            python = install(trial, wheel, folder)
            for name in extras()[1:-1] if trial.extra == "all" else [trial.extra]:
                # Isolated, so that the package comes from the wheel and not from here.
                command = [python, "-I", "-W", "error::DeprecationWarning:cliniko_async", str(STEPS), name]
                run(command, cwd=folder, env=_environment(folder, redis_url), timeout=LONGEST_STEPS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            return "\n".join((str(error), str(error.stdout or "")))
    return ""


def install(trial: Trial, wheel: Path, folder: str) -> str:
    """Make an environment with the wheel and its extra; return its Python."""
    python = str(Path(folder, "venv", "bin", "python"))
    run([trial.python, "-m", "venv", str(Path(folder, "venv"))])
    run([python, "-m", "pip", "install", "--quiet", f"{wheel}[{trial.extra}]" if trial.extra else str(wheel)])
    run([python, "-m", "pip", "check"])
    return python


def _environment(folder: str, redis_url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLINIKO_")}
    return kept | {"HOME": folder, "REDIS_URL": redis_url, "RUNTIME__DLTHUB_TELEMETRY": "false"}


@contextlib.contextmanager
def redis() -> Generator[str]:
    """Run a Redis, as every application with this extra has one, and yield its URL."""
    with RedisServer() as server:
        yield server.url


def main(chosen: list[str]) -> int:
    """Try every combination; return the exit status."""
    trials = [Trial(python, extra) for python in pythons() for extra in chosen or extras()]
    if not trials:
        print("test-extras: no supported Python is on PATH", file=sys.stderr)
        return 1
    failed = 0
    with tempfile.TemporaryDirectory() as folder, redis() as url:
        wheel = build(Path(folder))
        for trial in trials:
            begun = time.monotonic()
            fault = attempt(trial, wheel, url)
            print(f"{trial}: {'FAILED' if fault else 'works'} ({time.monotonic() - begun:.0f} s)", flush=True)
            if fault:
                failed += 1
                print(fault, file=sys.stderr)
    print(f"test-extras: {len(trials) - failed} of {len(trials)} work")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
