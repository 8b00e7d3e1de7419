"""Sandboxes that count requests, in a separate process: `python -m benchmarks.sandboxes`.

It reads the options of all on one line, prints where each is, and upon a second line prints what each has counted.
"""

import asyncio
import contextlib
import sys

import msgspec

from cliniko_async.sandbox import Sandbox
from cliniko_async.sandbox.server.rate_limit import WindowType


class SandboxOptions(msgspec.Struct, frozen=True):
    """One sandbox; times in seconds."""

    window: WindowType
    limit: int
    period: float
    latency: float
    jitter: float
    seed: int


class SandboxAddress(msgspec.Struct, frozen=True):
    """The URL of a sandbox, and its key."""

    base_url: str
    api_key: str


class Counted(msgspec.Struct, frozen=True):
    """The requests of a sandbox: when each was counted, and who sent it."""

    refused: int
    most: int
    arrivals: list[tuple[float, str]]


async def main() -> None:
    """Run the sandboxes until the second line of input."""
    options = msgspec.json.decode(sys.stdin.readline(), type=list[SandboxOptions])
    async with contextlib.AsyncExitStack() as stack:
        running = [await stack.enter_async_context(Sandbox(**msgspec.structs.asdict(each))) for each in options]
        _say([SandboxAddress(each.base_url, each.api_key) for each in running])
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        _say([counted(each) for each in running])


def counted(sandbox: Sandbox) -> Counted:
    """Return the requests of a sandbox."""
    arrivals = [(each.time, each.headers["user-agent"].partition(" (")[0]) for each in sandbox.requests]
    return Counted(sandbox.budget.refused, sandbox.budget.most, arrivals)


def _say(value: object) -> None:
    print(msgspec.json.encode(value).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
