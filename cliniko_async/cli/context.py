"""What a command gets from the command line: the client, the progress display, notes and questions."""

import contextlib
import signal
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from cyclopts import Parameter

from .errors import CommandError, ExitCode

if TYPE_CHECKING:
    from .. import Cliniko
    from .progress import ProgressDisplay


@contextlib.contextmanager
def answerable() -> Generator[None]:
    """Mark a block that waits for an answer, so that Ctrl-C ends it; the event loop would wait for the answer first."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


class CommandContext:
    """The options of the command line, and what a command needs to talk to the account and the user.

    Args:
        quiet: Whether to show neither progress nor notes.
        debug: Whether an error is followed by its traceback.

    Attributes:
        interrupt_message: The line that Ctrl-C ends with; empty for the usual one.
        lookup: While a write is under way, the command that shows whether it was done.
    """

    def __init__(self, *, quiet: bool = False, debug: bool = False) -> None:
        self.quiet = quiet
        self.debug = debug
        self.interrupt_message = ""
        self.lookup = ""

    def client(self, **options: Any) -> "contextlib.AbstractAsyncContextManager[Cliniko]":
        """Open the client of the account in the environment. What is missing is asked for on a terminal.

        Args:
            **options: The options of `Cliniko`, such as `priority="bulk"`.

        Returns:
            An asynchronous context manager of the client.

        Raises:
            CommandError: The key or another setting is missing or malformed.
        """
        from .account import open_client  # noqa: PLC0415  (loads the client)

        return open_client(options)

    def progress(self, *, beside_output: bool = False) -> "ProgressDisplay":
        """Return a display of progress on stderr, which shows nothing if stderr is not a terminal.

        Args:
            beside_output: Whether the command writes to stdout meanwhile. If stdout is a terminal, nothing is shown.
        """
        from .progress import ProgressDisplay  # noqa: PLC0415  (loads rich)

        shown = not self.quiet and sys.stderr.isatty() and not (beside_output and sys.stdout.isatty())
        return ProgressDisplay(shown=shown)

    def note(self, text: str) -> None:
        """Write a line to stderr, unless --quiet was given.

        Args:
            text: The line.
        """
        if not self.quiet:
            sys.stderr.write(f"{text}\n")

    @contextlib.contextmanager
    def writing(self, lookup: str) -> Generator[None]:
        """Mark a block in which one write is sent. If it is interrupted or unanswered, the error says how to look.

        Args:
            lookup: The command that shows whether the write was done, such as "cliniko get patients 1".
        """
        self.lookup = lookup
        self.interrupt_message = f"interrupted: the write may or may not have happened; look with `{lookup}`"
        yield
        # Not in a `finally` block: after a failure, the report of the error uses both.
        self.lookup = self.interrupt_message = ""

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask a question on the terminal, before something is changed.

        Args:
            question: A question to be answered with yes or no.
            yes: Whether --yes was given, so that nothing is asked.

        Raises:
            CommandError: The answer was not yes, or there is no terminal to ask on.
        """
        if yes:
            return
        if not sys.stdin.isatty():
            raise CommandError("there is no terminal to ask on: add --yes to go ahead without a question")
        with answerable():
            sys.stderr.write(f"{question} [y/N] ")
            sys.stderr.flush()
            answer = sys.stdin.readline()
        if answer.strip().lower() not in {"y", "yes"}:
            raise CommandError("nothing was sent", ExitCode.DECLINED)


Context: TypeAlias = Annotated[CommandContext, Parameter(parse=False)]
Flag: TypeAlias = Annotated[bool, Parameter(negative="", show_default=False)]
"""An option without a value."""
