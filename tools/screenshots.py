"""Draws pictures of the command line for its page: commands as a terminal shows them, run on a sandbox.

Run it with `make pictures`. The invented clinic moves with the calendar, so the pictures differ from week to week.
"""

import os
import pty
import re
import select
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from cliniko_async.sandbox import Sandbox

IMAGES = Path(__file__).parent.parent / "docs" / "images"
WIDTH = 96

PICTURES: dict[str, tuple[tuple[str, str], ...]] = {
    "sandbox": (("cliniko check", ""), ("cliniko list taxes", "")),
    "list": (("cliniko list patients --limit 4", ""), ("cliniko list patient", "")),
    "update": (("cliniko update appointment_types {type} --set name='Long review' --clear description", "y\n"),),
}
"""For each picture its commands, and what is typed at each."""


def shown(command: str, typed: str) -> str:
    """Run a command on a terminal of its own and return what the terminal showed.

    Args:
        command: The command, beginning with `cliniko`.
        typed: What is typed at once.
    """
    leader, follower = pty.openpty()
    arguments = [sys.executable, "-m", "cliniko_async", *shlex.split(command)[1:]]
    environment = {**os.environ, "COLUMNS": str(WIDTH), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    with subprocess.Popen(arguments, stdin=follower, stdout=follower, stderr=follower, env=environment) as process:
        os.close(follower)
        os.write(leader, typed.encode())
        output = b""
        while select.select([leader], [], [], 0.2)[0] or process.poll() is None:
            try:
                output += os.read(leader, 65536)
            except OSError:
                break
    os.close(leader)
    text = output.decode().replace("\r\n", "\n").removeprefix(typed)
    # The display of progress is gone when the command ends.
    return re.sub(r"\x1b\[\?25l.*?\x1b\[\?25h\r?(\x1b\[1A|\x1b\[2K|\r)*", "", text, flags=re.DOTALL)


def picture(title: str, commands: tuple[tuple[str, str], ...], names: dict[str, str]) -> str:
    """Return the SVG of a terminal in which commands were run.

    Args:
        title: The title of the window.
        commands: The commands, and what is typed at each.
        names: What the names in braces stand for.
    """
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="truecolor")
        for command, typed in commands:
            line = command.format(**names)
            console.print(Text(f"$ {line}", style="bold"))
            console.print(Text.from_ansi(shown(line, typed)))
        svg = console.export_svg(title=title, unique_id=title)
    # A picture that fetches a font would tell another host who reads the page.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def main() -> int:
    """Write the pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with Sandbox(seed=1) as clinic:
        os.environ["CLINIKO_API_KEY"] = clinic.api_key
        os.environ["CLINIKO_BASE_URL"] = clinic.base_url
        os.environ["CLINIKO_CONTACT_EMAIL"] = "me@example.com"
        described = next(each for each in clinic.all("appointment_types") if each["description"])
        for name, commands in PICTURES.items():
            (IMAGES / f"{name}.svg").write_text(picture(name, commands, {"type": described["id"]}), encoding="utf-8")
            print(f"wrote docs/images/{name}.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
