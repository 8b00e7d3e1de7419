"""Runs a sandbox until Ctrl-C: `python -m cliniko_async.sandbox --port 8321 --seed 1`."""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence

from .. import ConfigurationError
from ._sandbox import Sandbox


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m cliniko_async.sandbox", description="A whole Cliniko on loopback.")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=8321, help="where to listen; 0 is any that is free (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of all that is invented (default: %(default)s)")
    parser.add_argument(
        "--appointment-types", type=int, default=24, metavar="N", help="how many there are (default: %(default)s)"
    )
    parser.add_argument(
        "--limit", type=int, default=200, metavar="N", help="requests in a period (default: %(default)s)"
    )
    parser.add_argument("--period", type=float, default=60.0, metavar="S", help="in seconds (default: %(default)s)")
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="S", help="seconds an answer takes (default: %(default)s)"
    )
    parser.add_argument("--api-key", metavar="KEY", help="the key that is right (default: a new one)")
    parser.add_argument("--strict", action="store_true", help="refuse what the API takes beyond its documentation")
    return parser.parse_args(arguments)


async def serve(options: argparse.Namespace) -> None:
    """Run a sandbox until the process is asked to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Where the loop cannot take signals, Ctrl-C ends the run as a KeyboardInterrupt.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    async with Sandbox(**vars(options)) as sandbox:
        _say(
            f"base URL  {sandbox.base_url}",
            f"API key   {sandbox.api_key}",
            "",
            f"curl -u '{sandbox.api_key}:' -A 'Trying out (me@example.com)' -H 'Accept: application/json' \\",
            f"  '{sandbox.base_url}/appointment_types?per_page=2'",
            "",
            "Ctrl-C stops it.",
        )
        await stop.wait()


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it and give the exit status."""
    options = parsed(arguments)
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
