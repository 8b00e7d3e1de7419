"""Programs that are killed at random and restarted, while the records that they read keep changing."""

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from cliniko_async.sandbox import Sandbox
from cliniko_async.webhooks import generate_secret
from tests.support.listed import TYPES
from tests.support.paths import ROOT
from tests.support.receiver import Receiver, cut, in_a_thread, reset

RECORDS = 6
_PATIENCE = 60.0
_LONGEST_LIFE = 0.4
"""Maximum seconds that a program runs after its first effect."""


@contextlib.contextmanager
def running(command: Iterable[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, and kill it at the end of the block."""
    with subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env={**os.environ, **environment}) as process:
        try:
            yield process
        finally:
            process.kill()


class ChangingTypes:
    """A few records, and the version number of each."""

    def __init__(self, sandbox: Sandbox, rng: random.Random) -> None:
        self._sandbox = sandbox
        self._rng = rng
        self.versions = {sandbox.add(TYPES, name="0"): 0 for _ in range(RECORDS)}

    def change(self) -> None:
        """Write a new version of a record."""
        key = self._rng.choice(list(self.versions))
        self.versions[key] += 1
        self._sandbox.update(TYPES, key, name=str(self.versions[key]))


def kill_at_random(
    command: Iterable[str],
    seen: Callable[[], list[tuple[str, int]]],
    types: ChangingTypes,
    rng: random.Random,
    *,
    times: int,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Kill a program `times` times, then let it catch up.

    Args:
        command: The module to run, and its arguments.
        seen: Returns the changes that the program has processed so far: ids with versions.
        types: The records that keep changing.
        rng: Chooses the moments.
        times: How often to kill it.
        environment: Variables for the program.

    Returns:
        How often a version came again.
    """
    for _ in range(times):
        before = len(seen())
        with running(command, environment or {}):
            types.change()
            # Nothing else changes while it starts, so that repetitions of changes from before the kill are noticed.
            _until(lambda before=before: len(seen()) > before)
            end = time.monotonic() + rng.uniform(0, _LONGEST_LIFE)
            while time.monotonic() < end:
                types.change()
                time.sleep(rng.uniform(0, 0.02))
    with running(command, environment or {}):
        _until(lambda: dict(seen()).items() >= types.versions.items())
    return _check(seen(), types.versions)


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < end, "the program does nothing"
        time.sleep(0.02)


def _check(seen: list[tuple[str, int]], versions: Mapping[str, int]) -> int:
    """Check that the last version of each record arrived, and versions in order; return the number of repetitions."""
    last, repeated = dict[str, int](), 0
    for key, version in seen:
        assert version >= last.get(key, -1), f"record {key}: {version} came after {last[key]}"
        repeated += version == last.get(key)
        last[key] = version
    assert last == versions
    return repeated


def kill_watchers(folder: Path, *, times: int, seed: int) -> int:
    """Kill a program that watches; return how often a version was repeated: at most once for each kill."""
    rng, file = random.Random(seed), folder / "changes"
    file.touch()

    def seen() -> list[tuple[str, int]]:
        # The last line may be incomplete.
        lines = file.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
        return [(key, int(version)) for key, _, version in (line.partition(" ") for line in lines)]

    with Sandbox(appointment_types=0, limit=10**6) as sandbox:
        command = ("tests.support.watcher", sandbox.base_url, sandbox.api_key, str(folder))
        return kill_at_random(command, seen, ChangingTypes(sandbox, rng), rng, times=times)


def kill_senders(folder: Path, *, times: int, seed: int) -> int:
    """Kill a program that posts webhooks to a receiver that fails at random; return how often versions repeat."""
    rng, secret = random.Random(seed), generate_secret()
    receiver = Receiver(secret)
    receiver.choose = lambda: rng.choice([204, 204, 204, 204, 500, 503, cut, reset])

    def seen() -> list[tuple[str, int]]:
        return [(each.body["data"]["id"], int(each.name)) for each in list(receiver.got)]

    with Sandbox(appointment_types=0, limit=10**6) as sandbox, in_a_thread(receiver):
        command = ("tests.support.sender", sandbox.base_url, sandbox.api_key, str(folder), receiver.url)
        types, environment = ChangingTypes(sandbox, rng), {"CLINIKO_WEBHOOK_SECRET": secret}
        return kill_at_random(command, seen, types, rng, times=times, environment=environment)
