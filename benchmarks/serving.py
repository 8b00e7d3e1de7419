"""Runs the canned server from the client's process, and makes clients for it."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cliniko_async import Cliniko, RateLimiter, SlidingWindowLimiter

KEY = "MS0xLWl4SzYY-au1"
_ROOT = Path(__file__).parent.parent


@contextmanager
def serving(**options: float) -> Iterator[str]:
    """Run a canned server with these options, and yield its base URL."""
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "benchmarks.server", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT) as process:  # noqa: S603
        assert process.stdin
        assert process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        process.stdin.close()


def counted(base_url: str) -> dict[str, int]:
    """Return the counters of a canned server."""
    with urllib.request.urlopen(f"{base_url}/counted") as answer:  # noqa: S310
        found: dict[str, int] = json.load(answer)
    return found


def roomy() -> SlidingWindowLimiter:
    """Return a limiter that never delays a caller, and holds as many permits as a real one."""
    return SlidingWindowLimiter(limit=200, period=0.02)


def client(base_url: str, limiter: RateLimiter | None = None, **options: Any) -> Cliniko:  # noqa: ANN401
    """Return a client of a canned server."""
    return Cliniko(
        KEY,
        app_name="Benchmarks",
        contact_email="it@example.com",
        base_url=base_url,
        rate_limiter=limiter or roomy(),
        **options,
    )
