"""The table, on a terminal and as Markdown, and the machine it was measured on."""

import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from .measure import CLEARLY, Measurement

ROOT = Path(__file__).parent.parent
README, PAGE = ROOT / "README.md", ROOT / "docs" / "performance.md"
_BEGIN, _END = "<!-- benchmarks:start -->", "<!-- benchmarks:end -->"
_HEADLINES = {
    ("a page to records", "pydantic"),
    ("a listing, a page", "openapi-python-client"),
    ("a listing, a page", "httpx + pydantic"),
    ("a listing, a page", "aiohttp read() + msgspec → attrs"),
    ("1,000 pages, 200 in a window, no 429", "the ideal"),
}
_COLUMNS = ("what", "ours", "beside", "theirs", "ratio", "budget", "")
_LIBRARIES = (
    *("aiohttp", "attrs", "cattrs", "msgspec", "redis", "distributed", "dlt", "duckdb"),
    *("pydantic", "httpx", "orjson", "openapi-python-client"),
)
_SCALES = {"s": 1.0, "ms": 1e3, "µs": 1e6, "ns": 1e9, "kB": 1.0, "": 1.0}
_INTRODUCTION = f"""\
# Performance

`make bench` measures this table. Each number is the median of many rounds in which the two sides took turns; a ratio is
the median of the ratios within a round. Times are CPU time, except for waits (pages of 200 ms, windows), which are wall
time. Only ratios carry over from one machine to another. A line holds while its ratio is within its budget;
`make bench` fails at {CLEARLY:g} times the budget, which is beyond normal noise."""


def show(lines: Sequence[Measurement]) -> None:
    """Print the table and the machine."""
    console = Console(width=None if Console().is_terminal else 150)
    table = Table(_COLUMNS[0], header_style="bold")
    for name in _COLUMNS[1:]:
        table.add_column(name, justify="left" if name in ("beside", "") else "right")
    last = ""
    for line in lines:
        if line.what != last and last:
            table.add_section()
        colour = {"over": "red", "holds": "green"}.get(line.verdict, "dim")
        cells = _cells(line)
        table.add_row(cells[0] if line.what != last else "", *cells[1:-1], f"[{colour}]{cells[-1]}[/]")
        last = line.what
    console.print(table)
    console.print(", ".join(machine()), style="dim")


def write(lines: Sequence[Measurement]) -> None:
    """Write the table and the machine to the page, and the headlines into the README between its marks."""
    PAGE.write_text(f"{_INTRODUCTION}\n\n{_table(lines)}\n\nMeasured on {', '.join(machine())}.\n", encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    headlines = [line for line in lines if (line.what, line.against) in _HEADLINES]
    README.write_text(f"{before}{_BEGIN}\n{_table(headlines)}\n{_END}{after}", encoding="utf-8")


def _table(lines: Iterable[Measurement]) -> str:
    rows = [_COLUMNS, ("---", "--:", "---", "--:", "--:", "--:", "---"), *map(_cells, lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def machine() -> Iterator[str]:
    """Return the processor and the versions."""
    yield f"{_processor()}, {os.cpu_count()} cores"
    yield f"{platform.python_implementation()} {platform.python_version()}"
    for name in _LIBRARIES:
        yield f"{name} {version(name)}"


def faults(lines: Iterable[Measurement]) -> list[str]:
    """Report what is so far over its budget that the run fails."""
    return [
        f"{line.what}: {line.ratio:.2f} x {line.against}, the budget is {line.budget:.2f}"
        for line in lines
        if line.budget is not None and line.failed
    ]


def _cells(line: Measurement) -> tuple[str, ...]:
    scale = _SCALES[line.unit]
    return (
        line.what,
        f"{_rounded(median(line.ours) * scale)} {line.unit}",
        line.against,
        f"{_rounded(median(line.theirs) * scale)} {line.unit}",
        f"{line.ratio:.2f}",
        "" if line.budget is None else f"{line.budget:.2f}",
        line.verdict,
    )


def _rounded(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
