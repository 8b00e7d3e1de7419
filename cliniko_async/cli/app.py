"""The application: its commands, and the options that every command has.

To add a command, write `cli/<command>.py` with one function, and name it in `_COMMANDS`. The module is loaded when its
command runs (and when shell completion is written), so it may import what it likes at its top. `limits.py` is the
shortest; without its details, it is:

```python
async def limits(*, context: Context) -> None:
    \"\"\"Show how much of the request budget is used.

    Args:
        context: The options of the command line.
    \"\"\"
    async with context.client() as cliniko:
        found = await cliniko.limits()
    write_lines([f"used  {found.used}"])
```

- Its docstring is the help of the command, so it is written for somebody at a clinic who never saw Python.
- `context` gives it the client (`context.client()`), the progress display (`context.progress()`), notes on stderr
  (`context.note(text)`) and the question before a write (`context.confirm(question, yes=yes)`).
- Data goes to stdout through `output`; anything else goes to stderr.
- It returns None after success, and may return another `ExitCode` if it has already written what is wrong, as `import`
  does. It raises for any other failure: a `ClinikoError`, an `OSError`, or a `CommandError` with one line of
  text and an exit code. `errors.guarded` turns each into one line on stderr and the exit code; the lines for the errors
  of the client are in `library_errors`. A command that continues after the failure of one clinic writes that line
  itself, as `sync` does.
- A write is sent within `context.writing(lookup)`, so that after Ctrl-C or a lost response an error names the command
  `lookup`, which shows whether the write was done. A longer command that can be continued says so in
  `context.interrupt_message`.
"""  # noqa: D214  (the section is that of the example)

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Generator, Sequence
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from .context import CommandContext, Flag
from .errors import CommandError, ExitCode, guarded, report

_COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("check:check", "Test the key, the network and the clock, and say what to do."),
    "resources": ("resources:resources", "Show what can be listed, and its columns, filters and fields."),
    "list": ("list_records:list_records", "List records, such as patients."),
    "get": ("get:get", "Show one record."),
    "create": ("write:create", "Create a record."),
    "update": ("write:update", "Change fields of a record."),
    "archive": ("write:archive", "Archive a record."),
    "delete": ("write:delete", "Delete a record for good."),
    "export": ("export:export_resources", "Write resources to files, and continue after an interruption."),
    "changes": ("watch:changes", "Write what changed since a moment."),
    "watch": ("watch:watch", "Write or post what changes, continuously."),
    "sync": ("sync:sync", "Load clinics into a database, and bring it up to date."),
    "import": ("import_records:import_records", "Create a record for each row of a spreadsheet, without duplicates."),
    "limits": ("limits:limits", "Show how much of the request budget is used."),
    "sandbox": ("sandbox:sandbox", "Run an invented clinic on this machine, to try things out."),
    "completion": ("completion:completion", "Print or install completion for bash, zsh or fish."),
}
"""For each command, the module and function below this package, and the line in the list of commands."""

_HELP = """Read, write and check a Cliniko account.

The API key comes from CLINIKO_API_KEY or a prompt; it is never an argument. `cliniko check` says whether it works.
"""

app = App(
    name="cliniko",
    help=_HELP,
    help_format="plaintext",
    version_flags=[],
    help_on_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
for _name, (_function, _summary) in _COMMANDS.items():
    app.command(f"{__package__}.{_function}", name=_name, help=_summary)


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    quiet: Flag = False,
    debug: Flag = False,
) -> int:
    """Run a command.

    Args:
        tokens: The command and its arguments.
        quiet: Show neither progress nor notes, only data and errors.
        debug: Show every request, and after an error where in the program it happened.
    """
    context = CommandContext(quiet=quiet, debug=debug)
    with _logged(debug=debug):
        return guarded(lambda: _run_command(tokens, context), context)


@contextlib.contextmanager
def _logged(*, debug: bool) -> Generator[None]:
    """Write what the client logs to stderr if --debug is given, and otherwise not even its warnings.

    A command reports a failure in one line, and a failure that it overcame not at all.
    """
    logger = logging.getLogger("cliniko_async")
    handler = logging.StreamHandler() if debug else logging.NullHandler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if debug else level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _run_command(tokens: Sequence[str], context: CommandContext) -> int:
    command, bound, injected = app.parse_args(tokens, print_error=False, exit_on_error=False)
    values = {"context": context} if "context" in injected else {}
    result = command(*bound.args, **bound.kwargs, **values)
    if inspect.iscoroutine(result):
        result = asyncio.run(result)
    return int(result or ExitCode.OK)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code.

    Args:
        arguments: The arguments after the program's name.
    """
    try:
        code: int | None = app.meta(arguments, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        return report(CommandError(str(error)), CommandContext())
    return code or ExitCode.OK
