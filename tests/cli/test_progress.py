"""What the display of progress shows, and when it shows nothing."""

import asyncio
import re

import pytest

from cliniko_async.cli.context import CommandContext


async def test_several_tasks_show_their_records_pages_and_totals(terminal, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("cliniko_async.cli.progress.DELAY", 0.0)
    streams = terminal("stderr")
    with CommandContext().progress() as display:
        patients, taxes = display.add("patients", 1_000), display.add("taxes")
        for _ in range(3):
            patients.advance(100)
        await asyncio.sleep(0.01)
        taxes.advance(5, pages=2, total=2_000)
    shown = streams["stderr"].text()
    assert "300/1,000 records  3 pages" in shown
    assert "5/2,000 records  2 pages" in shown


@pytest.mark.parametrize(
    ("streams", "quiet", "beside_output"),
    [((), False, False), (("stderr",), True, False), (("stderr", "stdout"), False, True)],
)
def test_nothing_is_shown_in_a_pipe_when_quiet_or_over_the_output(terminal, streams, quiet, beside_output):
    made = terminal(*streams)
    with CommandContext(quiet=quiet).progress(beside_output=beside_output) as display:
        display.add("patients", 5).advance(5)
    assert [stream.text() for stream in made.values()] == [""] * len(streams)


async def test_short_commands_show_no_progress(terminal):
    streams = terminal("stderr")
    with CommandContext().progress() as display:
        display.add("patients", 5).advance(5)
    assert re.sub(r"\x1b\[\?25.", "", streams["stderr"].text()).strip() == ""
