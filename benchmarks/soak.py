"""A long run: a million records through a thousand faults, properties, histories over sockets, and kills."""

import argparse
import asyncio
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from cliniko_async import RetryPolicy
from cliniko_async.export import FORMATS
from cliniko_async.sandbox import Sandbox
from tests.support.exporting import differences, fail_now_and_then, killed_exports
from tests.support.killed_bulk import kill_and_repeat
from tests.support.kills import kill_senders, kill_watchers
from tests.support.socket_histories import KINDS, BrokenHistoryError, Kind, play
from tests.support.syncing import kill_syncs

from .data import PAGE_SIZE
from .serving import client, counted, serving

_PAGES = 10_000
_FAULT_EVERY = 11
_A_FEW = 5_000_000
"""Bytes by which the process may grow: a few pages and their bodies."""
_ROOT = Path(__file__).parent.parent
_PROPERTIES = (
    "tests/paging/test_histories.py",
    "tests/paging/test_real_client.py",
    "tests/paging/test_changes_histories.py",
    "tests/paging/test_cursor.py",
    "tests/limits/test_servers.py",
    "tests/records/test_decode.py",
    "tests/records/test_odd_answers.py",
    "tests/integrations/test_arrow.py",
    "tests/bulk/test_matching.py",
    "tests/cli/test_import.py",
    "tests/http/test_retry.py",
    "tests/resources/test_links.py",
    "tests/test_fields.py",
    "tests/test_filters.py",
    "tests/test_rows.py",
)
_HISTORIES = 20_000
_PER_JOB = 100
_KILLS = 50
_EXPORTED = ("users", "practitioners", "appointment_types", "services", "settings", "patients", "bookings")
_BULK_CREATES = 10
_KILLS_OF_EACH = 5


async def soak_list(**options: Any) -> None:  # noqa: ANN401
    """Read a million records through a thousand faults, and hold memory and connections to their bounds."""
    begun, grown, identities = time.monotonic(), 0, 0
    retry = RetryPolicy(wait_initial=0.001, wait_max=0.01)
    with serving(pages=_PAGES, kept=0, fault_every=_FAULT_EVERY) as base_url:
        async with client(base_url, retry=retry) as cliniko:
            count, early = 0, 0
            async for appointment_type in cliniko.appointment_types.list(**options):
                count += 1
                assert int(appointment_type.id) > identities, "a record came twice, or out of order"
                identities = int(appointment_type.id)
                if count == _PAGES * PAGE_SIZE // 10:
                    early = _most_held()
            grown = _most_held() - early
        found = counted(base_url)
    print(f"{options or 'default order'}: {count:,} records, {found}, {grown / 1e6:.1f} MB grown", end="")
    print(f" after the first tenth, {time.monotonic() - begun:.0f} s", flush=True)
    assert count == _PAGES * PAGE_SIZE
    assert found["faults"] >= _PAGES // _FAULT_EVERY
    # Two faults in three end their connection; nothing else does.
    assert found["connections"] <= found["faults"] + 10
    assert grown < _A_FEW


def soak_lists() -> None:
    """Read a long list in each order."""
    for order in ({}, {"stable": True}, {"prefetch": 8}):
        asyncio.run(soak_list(**order))


def soak_properties() -> bool:
    """Run the properties of lists, changes and limiters with many more examples."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "--hypothesis-profile", "soak", *_PROPERTIES]
    return subprocess.run(command, cwd=_ROOT, check=False).returncode == 0  # noqa: S603


def soak_histories(count: int, seed: int, jobs: int) -> bool:
    """Run `count` histories, all kinds in turn, in several processes; print progress, failures, and a summary."""
    begun, total, broken = time.monotonic(), Counter[str](), 0
    work = _shared_out(count, seed)
    with ProcessPoolExecutor(jobs) as pool:
        for done in as_completed([pool.submit(_play, *each) for each in work]):
            counts, failure = done.result()
            total += counts
            if failure:
                broken += len(failure.splitlines())
                print(failure, flush=True)
            if total["histories"] % 1000 < _PER_JOB or failure:
                print(f"{total['histories']:,} of {count:,} histories, {broken} broken", end="")
                print(f", {time.monotonic() - begun:.0f} s", flush=True)
    kinds = ", ".join(f"{total[name]:,} {name}" for name in ("requests", "errors", "cancelled", "resumed"))
    print(f"{total['histories']:,} histories over sockets: {kinds}; {broken} broken", flush=True)
    return not broken


def soak_kills(seed: int) -> None:
    """Kill programs at random moments, and check that they lose and reorder nothing."""
    for kill in (kill_watchers, kill_senders):
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            again = kill(Path(folder), times=_KILLS, seed=seed)
        print(f"{kill.__name__}: {_KILLS} kills, {again} changes came again", end="")
        print(f", {time.monotonic() - begun:.0f} s", flush=True)
        # The receiver that a sender posts to also fails by itself.
        assert kill is kill_senders or again <= _KILLS
    begun = time.monotonic()
    for kind in ("sync", "pipeline"):
        with tempfile.TemporaryDirectory() as folder:
            kill_syncs(Path(folder), kind, times=_KILLS, seed=seed)
    print(
        f"kill_syncs: {2 * _KILLS} kills, each database equal at the end, {time.monotonic() - begun:.0f} s", flush=True
    )


def soak_exports(seed: int) -> None:
    """Kill exports in each format while the server fails, and compare each file with the account."""
    with (
        Sandbox(seed=seed, appointment_types=3_000, limit=10_000_000) as sandbox,
        tempfile.TemporaryDirectory() as folder,
    ):
        for number, export_format in enumerate(FORMATS):
            fail_now_and_then(sandbox, times=_KILLS)
            begun, directory, ended = time.monotonic(), Path(folder) / export_format, 0
            for _ in killed_exports(sandbox, directory, export_format, _EXPORTED, kills=_KILLS, seed=seed + number):
                assert differences(sandbox, directory, export_format, _EXPORTED) == set()
                ended += 1
            print(f"{ended} exports to {export_format}, {_KILLS} kills, each exact", end="")
            print(f", {time.monotonic() - begun:.0f} s", flush=True)


def soak_bulk(seed: int) -> bool:
    """Kill ten bulk creates five times each, while responses are lost; each row must be there once."""
    begun, broken = time.monotonic(), 0
    for each in range(seed, seed + _BULK_CREATES):
        with tempfile.TemporaryDirectory() as folder:
            if wrong := kill_and_repeat(Path(folder), each, _KILLS_OF_EACH):
                broken += 1
                print(f"bulk create {each}: {wrong}", flush=True)
    print(f"{_BULK_CREATES} bulk creates, each killed {_KILLS_OF_EACH} times: {broken} broken", end="")
    print(f", {time.monotonic() - begun:.0f} s", flush=True)
    return not broken


def _shared_out(count: int, seed: int) -> Sequence[tuple[Kind, range, bool]]:
    """Distribute the seeds over the kinds, each with a server that sorts and one that does not."""
    ways = itertools.cycle((kind, sortable) for kind in KINDS for sortable in (True, False))
    parts = (range(start, min(start + _PER_JOB, seed + count)) for start in range(seed, seed + count, _PER_JOB))
    return [(kind, part, sortable) for part, (kind, sortable) in zip(parts, ways, strict=False)]


def _play(kind: Kind, seeds: range, sortable: bool) -> tuple[Counter[str], str]:  # noqa: FBT001
    try:
        return play(kind, seeds, sortable=sortable), ""
    except BrokenHistoryError as error:
        return Counter(histories=len(seeds)), str(error)


def _most_held() -> int:
    """Return the peak memory of the process in bytes; Linux reports kilobytes, macOS bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


PARTS: dict[str, Callable[[argparse.Namespace], object]] = {
    "lists": lambda _: soak_lists(),
    "kills": lambda options: soak_kills(options.seed),
    "exports": lambda options: soak_exports(options.seed),
    "histories": lambda options: soak_histories(options.histories, options.seed, options.jobs),
    "bulk": lambda options: soak_bulk(options.seed),
    "properties": lambda _: soak_properties(),
}
"""Each raises an error, or returns False, if it has found a fault."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--histories", type=int, default=_HISTORIES, help="how many over real sockets (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed of the histories (%(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes for the histories")
    parser.add_argument("--only", choices=PARTS, help="run this part alone")
    return parser.parse_args()


def main() -> int:
    """Run every part, or the one that was named, and return the exit status."""
    options = _options()
    results = [PARTS[name](options) for name in ([options.only] if options.only else PARTS)]
    return 1 if False in results else 0


if __name__ == "__main__":
    sys.exit(main())
