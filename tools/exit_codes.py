"""The table of exit codes in the page about the command line, made from the docstrings of `ExitCode`."""

import ast
import inspect
from itertools import pairwise
from typing import cast

from cliniko_async.cli.errors import ExitCode

START, END = "<!-- exit codes:start -->\n", "<!-- exit codes:end -->\n"


def meanings() -> dict[int, str]:
    """Return the docstring of each exit code."""
    found: dict[int, str] = {}
    body = cast("ast.ClassDef", ast.parse(inspect.getsource(ExitCode)).body[0]).body
    for code, text in pairwise(body):
        match code, text:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(meaning))):
                found[ExitCode[name]] = meaning
            case _:
                pass
    return found


def exit_codes(page: str) -> str:
    """Return the page with a row for each exit code between its two marks."""
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    rows = (f"| {code} | {meaning} |\n" for code, meaning in meanings().items())
    return "".join((before, start, "\n| code | meaning |\n|---|---|\n", *rows, "\n", end, after))
