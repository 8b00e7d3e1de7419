"""Runs the command line: `python -m cliniko_async`, or `cliniko` once the package is installed."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code, or explain what to install.

    Args:
        arguments: The arguments after the program's name; by default, those of the process.

    Returns:
        The exit code, one of `cliniko_async.cli.errors.ExitCode`.
    """
    try:
        from .cli import main as run  # noqa: PLC0415  (the extra may be missing)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("cliniko_async"):
            raise
        sys.stderr.write(f"cliniko: {error}\n")
        return 2
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
