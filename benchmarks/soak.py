"""A long run: a million records with a thousand faults on the way, and the properties, many times over."""

import asyncio
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cliniko_async import RetryPolicy

from .data import PAGE_SIZE
from .serving import client, counted, serving

_PAGES = 10_000
_FAULT_EVERY = 11
_A_FEW = 5_000_000
"""Bytes by which the process may grow: a few pages and their bodies."""
_ROOT = Path(__file__).parent.parent


async def soak_walk(**options: Any) -> None:  # noqa: ANN401
    """Walk a million records through a thousand faults, and hold memory and connections to their bounds."""
    begun, grown, identities = time.monotonic(), 0, 0
    retry = RetryPolicy(wait_initial=0.001, wait_max=0.01)
    with serving(pages=_PAGES, kept=0, fault_every=_FAULT_EVERY) as base_url:
        async with client(base_url, retry=retry) as cliniko:
            count, early = 0, 0
            async for kind in cliniko.appointment_types.list(**options):
                count += 1
                assert int(kind.id) > identities, "a record came twice, or out of order"
                identities = int(kind.id)
                if count == _PAGES * PAGE_SIZE // 10:
                    early = _most_held()
            grown = _most_held() - early
        found = counted(base_url)
    print(f"{options or 'default order'}: {count:,} records, {found}, {grown / 1e6:.1f} MB grown", end="")
    print(f" behind the first tenth, {time.monotonic() - begun:.0f} s", flush=True)
    assert count == _PAGES * PAGE_SIZE
    assert found["faults"] >= _PAGES // _FAULT_EVERY
    # Two faults in three end their connection, and nothing else does.
    assert found["connections"] <= found["faults"] + 10
    assert grown < _A_FEW


def soak_properties() -> int:
    """Run the properties of the walks and of the changes with many more examples."""
    named = ("test_walks_model.py", "test_walks_stack.py", "test_changes_model.py", "limits/test_servers.py")
    tests = [f"tests/{name}" for name in named]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "--hypothesis-profile", "soak", *tests]
    return subprocess.run(command, cwd=_ROOT, check=False).returncode  # noqa: S603


def _most_held() -> int:
    """Give the most memory in bytes that the process ever held; Linux counts it in kilobytes, macOS in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def main() -> int:
    """Walk in each order, then run the properties."""
    for options in ({}, {"stable": True}, {"prefetch": 8}):
        asyncio.run(soak_walk(**options))
    return soak_properties()


if __name__ == "__main__":
    sys.exit(main())
