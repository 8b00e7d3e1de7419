"""Writes the pages that are made from the code; with --check it only says which of them are stale."""

import asyncio
import sys
from pathlib import Path

from .api_coverage import coverage
from .operations import every_operation
from .reference import reference

ROOT = Path(__file__).parent.parent
REFERENCE = Path("docs/reference.md")
README = Path("README.md")
START, END = "<!-- coverage:start -->", "<!-- coverage:end -->"


class NoPlaceError(Exception):
    """A page has no place for what is to be written into it."""


async def pages(root: Path) -> dict[Path, str]:
    """Give the pages as they should be.

    Raises:
        NoPlaceError: the README has no markers around its table.
    """
    readme = (root / README).read_text(encoding="utf-8")
    offered = await every_operation()
    return {REFERENCE: reference(offered), README: between(readme, coverage(offered))}


def between(page: str, text: str) -> str:
    """Give a page with a text between its markers.

    Raises:
        NoPlaceError: it has none.
    """
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise NoPlaceError(f"{README} has no lines {START} and {END} for the table of what is covered")
    return f"{before}{start}\n{text}\n{end}{after}"


def stale(root: Path, wanted: dict[Path, str]) -> list[Path]:
    """Give the pages that are not as they should be."""
    return [page for page, text in wanted.items() if not _is_current(root / page, text)]


def _is_current(page: Path, text: str) -> bool:
    return page.is_file() and page.read_text(encoding="utf-8") == text


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write the pages, or check them; gives the exit status."""
    try:
        wanted = asyncio.run(pages(root))
    except NoPlaceError as error:
        print(error, file=sys.stderr)
        return 1
    old = stale(root, wanted)
    if arguments == ["--check"]:
        for page in old:
            print(f"{page} is stale: run `make docs`", file=sys.stderr)
        return 1 if old else 0
    for page in old:
        (root / page).write_text(wanted[page], encoding="utf-8")
        print(f"wrote {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
