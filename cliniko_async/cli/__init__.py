"""The command line, `cliniko`: read, write and check an account without a program of your own.

It needs the extra `cli`. `main` runs one command and returns its exit code; the commands are listed in `app`.
"""

import importlib.util
import sys
from collections.abc import Sequence

from .. import __version__

__all__ = ["main"]

for _needed in ("cyclopts", "rich"):
    if importlib.util.find_spec(_needed) is None:
        raise ModuleNotFoundError(f'the command line needs {_needed}: pip install "cliniko-async[cli]"', name=_needed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: The arguments after the program's name; by default, those of the process.

    Returns:
        The exit code, one of `cliniko_async.cli.errors.ExitCode`.
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    if tokens == ["--version"]:  # Scripts ask for it often: answer before anything else is loaded.
        sys.stdout.write(f"{__version__}\n")
        return 0
    from .app import run  # noqa: PLC0415  (as above)

    return run(tokens)
