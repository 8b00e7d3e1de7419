"""Runs a sandbox until Ctrl-C: `python -m cliniko_async.sandbox --port 8321 --seed 1`."""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Sequence

from .. import ConfigurationError
from ._sandbox import Sandbox

_NUMBERS: tuple[tuple[str, Callable[[str], float], float, str, str], ...] = (
    ("--port", int, 8321, "PORT", "the port to listen on; 0 means any free port"),
    ("--seed", int, 1, "SEED", "determines the invented records"),
    ("--appointment-types", int, 24, "N", "the number of appointment types at the start"),
    ("--patients", int, 42, "N", "the number of patients at the start, at least 42"),
    ("--limit", int, 200, "N", "requests in a period"),
    ("--period", float, 60.0, "S", "the period of the limit, in seconds"),
    ("--latency", float, 0.0, "S", "seconds that every response takes"),
)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m cliniko_async.sandbox", description="A complete Cliniko API on loopback."
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    for name, kind, default, metavar, text in _NUMBERS:
        parser.add_argument(name, type=kind, default=default, metavar=metavar, help=f"{text} (default: %(default)s)")
    parser.add_argument("--api-key", metavar="KEY", help="the valid API key (default: a new one)")
    parser.add_argument("--strict", action="store_true", help="refuse what the API accepts beyond its documentation")
    return parser.parse_args(arguments)


async def serve(options: argparse.Namespace) -> None:
    """Run a sandbox until the process receives a signal to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Where the loop cannot handle signals, Ctrl-C raises a KeyboardInterrupt.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    async with Sandbox(**vars(options)) as sandbox:
        _print(
            f"base URL  {sandbox.base_url}",
            f"API key   {sandbox.api_key}",
            "",
            f"curl -u '{sandbox.api_key}:' -A 'Trying out (me@example.com)' -H 'Accept: application/json' \\",
            f"  '{sandbox.base_url}/appointment_types?per_page=2'",
            "",
            "Ctrl-C stops it.",
        )
        await stop.wait()


def _print(*lines: str) -> None:
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status."""
    options = parse_arguments(arguments)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(options))
    except OSError as error:
        sys.stderr.write(f"{options.host}:{options.port}: {error.strerror}\n")
        return 1
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
