"""Writes the modules and pages that are made from the code; with --check, only lists the stale ones."""

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path

from .api_coverage import coverage
from .exit_codes import exit_codes
from .operations import every_operation
from .reference import reference
from .registration import modules, resource_files, resources

ROOT = Path(__file__).parent.parent
REFERENCE = Path("docs/reference")
COVERAGE = Path("docs/coverage.md")
SITE = Path("zensical.toml")
COMMANDS = Path("docs/command-line.md")
MARK = "<!-- Generated from the code by `make docs`; do not edit. -->"


async def generated() -> dict[Path, str]:
    """Return the modules and pages as they should be.

    They are made from the resource files themselves and not from the generated modules, so that one run is enough.
    """
    files = resource_files()
    tables = resources(files)
    offered = await every_operation(tables)
    pages = {REFERENCE / f"{name}.md": text for name, text in reference(tables, offered).items()}
    marked = {**pages, COVERAGE: coverage(offered)}
    parts = {
        SITE: navigation((ROOT / SITE).read_text(encoding="utf-8"), tables),
        COMMANDS: exit_codes((ROOT / COMMANDS).read_text(encoding="utf-8")),
    }
    return modules(files) | parts | {page: f"{MARK}\n\n{text}" for page, text in marked.items()}


def navigation(config: str, names: Iterable[str]) -> str:
    """Return the configuration of the site with an entry for each resource between its two marks."""
    before, start, rest = config.partition("    # resources:start\n")
    _, end, after = rest.partition("    # resources:end\n")
    return "".join((before, start, *(f'    "reference/{name}.md",\n' for name in names), end, after))


def stale(root: Path, wanted: dict[Path, str]) -> list[Path]:
    """Return the files that are missing or out of date."""
    return [page for page, text in wanted.items() if not _is_current(root / page, text)]


def _is_current(page: Path, text: str) -> bool:
    return page.is_file() and page.read_text(encoding="utf-8") == text


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write the files, or check them; return the exit status."""
    wanted = asyncio.run(generated())
    old = stale(root, wanted)
    if arguments == ["--check"]:
        for page in old:
            print(f"{page} is stale: run `make docs`", file=sys.stderr)
        return 1 if old else 0
    for page in old:
        (root / page).parent.mkdir(parents=True, exist_ok=True)
        (root / page).write_text(wanted[page], encoding="utf-8")
        print(f"wrote {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
