"""Exit codes, and the message of each failure, which is one line."""

import contextlib
import enum
import os
import re
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from cyclopts import CoercionError, CycloptsError, UnusedCliTokensError

if TYPE_CHECKING:
    from .context import CommandContext

_MAY_BE_A_KEY = re.compile(r"(?<==)\S+|\b(?=[^\s=]*[A-Z])(?=[^\s=]*\d)\w[^\s\"'=]{11,}")


class ExitCode(enum.IntEnum):
    """What a command's exit code tells the script that ran it."""

    OK = 0
    """Everything was done."""
    UNEXPECTED = 1
    """A fault of this program: run the command again with `--debug` and report it."""
    USAGE = 2
    """The command, an option, a filter, a column or a field is wrong. Nothing was sent."""
    NOT_FOUND = 3
    """The record does not exist, or is archived."""
    KEY_REFUSED = 4
    """The API key is missing, malformed or rejected, or its user may not do this."""
    UNAVAILABLE = 5
    """The network, the server, the clock or the request budget stopped the command. It is safe to try again later."""
    OUTCOME_UNKNOWN = 6
    """A write may or may not have happened. Look before you run the command again."""
    INVALID_DATA = 7
    """The API refused what was sent, or its response cannot be read."""
    FILE = 8
    """A file cannot be read or written, or the disk is full."""
    INCOMPLETE = 9
    """Records may be missing: a list changed too much while it was read, or an export is incomplete. Run it again."""
    DECLINED = 10
    """You answered no. Nothing was sent."""
    INTERRUPTED = 130
    """Ctrl-C."""
    OUTPUT_CLOSED = 141
    """The program that read the output closed it, as `head` does."""


class CommandError(Exception):
    """A failure that needs no more than one line."""

    def __init__(self, message: str, code: ExitCode = ExitCode.USAGE) -> None:
        """Create the error.

        Args:
            message: What is wrong and what to do, in one line, without any value of a record.
            code: The exit code.
        """
        super().__init__(message)
        self.code = code


def guarded(command: Callable[[], int], context: "CommandContext") -> int:
    """Run a command and write its output to the end; report any failure.

    Args:
        command: Runs the command and returns its exit code.
        context: The options of the command line.

    Returns:
        The exit code.
    """
    try:
        code = command()
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  (each becomes a line)
        return report(error, context)
    return code


def report(error: BaseException, context: "CommandContext") -> int:
    """Write the line for an error to stderr and return the exit code.

    Args:
        error: What a command raised.
        context: The options of the command line.
    """
    line, code = describe(error)
    if code is ExitCode.INTERRUPTED:
        line = context.interrupt_message or line
    if code is ExitCode.OUTCOME_UNKNOWN and context.lookup:
        line = f"{line}: `{context.lookup}`"
    if line:
        write_failure(line, error, context)
    _abandon_output()
    return code


def write_failure(line: str, error: BaseException, context: "CommandContext") -> None:
    """Write the line for an error to stderr, and where in the program it happened if --debug was given.

    Args:
        line: What is wrong and what to do.
        error: The error.
        context: The options of the command line.
    """
    with contextlib.suppress(OSError, ValueError):
        if context.debug:
            traceback.print_exception(error)
        sys.stderr.write(f"cliniko: {' '.join(line.split())}\n")
        sys.stderr.flush()


def describe(error: BaseException, *, advice: bool = True) -> tuple[str, ExitCode]:
    """Return the line and the exit code for an error.

    Args:
        error: What a command raised.
        advice: Whether the line says what to do about an error of the client, for the account in CLINIKO_API_KEY.
    """
    if isinstance(error, CommandError):
        return str(error), error.code
    if isinstance(error, CycloptsError):
        return _of_command_line(error), ExitCode.USAGE
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", ExitCode.INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return "", ExitCode.OUTPUT_CLOSED
    return _of_library(error, advice=advice) or _of_system(error)


def _of_command_line(error: CycloptsError) -> str:
    if isinstance(error, CoercionError) and error.token and error.argument and error.argument.parameter.choices:
        from .names import unknown_resource  # noqa: PLC0415  (only this failure needs the names)

        return unknown_resource(error.token.value)
    text = str(error)
    if isinstance(error, UnusedCliTokensError):
        text = f"Unexpected arguments: {' '.join(error.unused_tokens or ())}."
    text = text.replace("into int.", "into a whole number.").replace("into float.", "into a number.")
    # A key is never an argument, but somebody may try.
    return f"{_MAY_BE_A_KEY.sub('…', text)} (cliniko --help)"


def _of_library(error: BaseException, *, advice: bool) -> tuple[str, ExitCode] | None:
    from . import library_errors  # noqa: PLC0415  (only a failure needs the classes of the client)

    return library_errors.describe(error, advice=advice)


def _of_system(error: BaseException) -> tuple[str, ExitCode]:
    if isinstance(error, OSError) and error.errno is not None:
        name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "the output"
        return f"{name}: {os.strerror(error.errno)}", ExitCode.FILE
    return f"unexpected {type(error).__name__}; --debug shows where", ExitCode.UNEXPECTED


def _abandon_output() -> None:
    """Drop what could not be written to stdout, so that the interpreter does not try, and complain, again."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
