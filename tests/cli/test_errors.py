"""Each failure is one line and an exit code that a script can tell apart."""

import errno
import os
import sys
from pathlib import Path

import pytest

from cliniko_async import LimiterUnavailableError
from cliniko_async.cli.context import CommandContext
from cliniko_async.cli.errors import CommandError, ExitCode, describe, guarded
from tests.support.paths import ROOT


def failing(error: BaseException):
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (CommandError("two\nlines"), 2, "cliniko: two lines\n"),
        (CommandError("no", ExitCode.DECLINED), 10, "cliniko: no\n"),
        (KeyboardInterrupt(), 130, "cliniko: interrupted\n"),
        (BrokenPipeError(), 141, ""),
        (PermissionError(errno.EACCES, "x", "out.csv"), 8, "cliniko: out.csv: Permission denied\n"),
        (OSError(errno.ENOSPC, "x", b"out.csv"), 8, "cliniko: out.csv: No space left on device\n"),
        (OSError(errno.ENOSPC, "x"), 8, "cliniko: the output: No space left on device\n"),
        (OSError("secret"), 1, "cliniko: unexpected OSError; --debug shows where\n"),
        (KeyError("secret"), 1, "cliniko: unexpected KeyError; --debug shows where\n"),
        (
            LimiterUnavailableError("the limiter is away"),
            5,
            "cliniko: the limiter is away; CLINIKO_BUDGET_FILE can name another file for it\n",
        ),
    ],
)
def test_a_failure_is_a_one_line_error(error, code, line, capfd: pytest.CaptureFixture[str]):
    assert guarded(failing(error), CommandContext()) == code
    assert capfd.readouterr() == ("", line)


def test_debug_also_shows_where(capfd: pytest.CaptureFixture[str]):
    assert guarded(failing(KeyError("x")), CommandContext(debug=True)) == 1
    assert "test_errors.py" in capfd.readouterr().err


def test_an_interrupted_write_says_where_to_look(capfd: pytest.CaptureFixture[str]):
    context = CommandContext()

    def command() -> int:
        with context.writing("cliniko get taxes 1"):
            pass
        assert (context.interrupt_message, context.lookup) == ("", "")
        with context.writing("cliniko get taxes 2"):
            raise KeyboardInterrupt

    assert guarded(command, context) == 130
    assert "look with `cliniko get taxes 2`" in capfd.readouterr().err


def test_an_error_after_the_terminal_has_gone_still_has_its_exit_code(monkeypatch: pytest.MonkeyPatch):
    with Path(os.devnull).open("w") as gone:
        monkeypatch.setattr(sys, "stderr", gone)
    assert guarded(failing(CommandError("x")), CommandContext()) == 2


def test_unwritable_output_is_reported_once_and_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    class Full:
        """A stream whose disk is full."""

        def __init__(self) -> None:
            self.file = (tmp_path / "out").open("w")

        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "x")

        def fileno(self) -> int:
            return self.file.fileno()

    full = Full()
    monkeypatch.setattr(sys, "stdout", full)
    assert guarded(lambda: 0, CommandContext()) == 8
    assert capsys.readouterr().err == "cliniko: the output: No space left on device\n"
    full.file.write("dropped")
    full.file.close()
    assert (tmp_path / "out").read_text() == ""


def test_every_exit_code_is_documented():
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    assert [code for code in ExitCode if f"| {code.value} |" not in page] == []


def test_an_unknown_error_is_not_an_error_of_the_library():
    assert describe(ValueError())[1] is ExitCode.UNEXPECTED
