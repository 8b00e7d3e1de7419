"""Writes the pages that are made from the code; with --check it only says which of them are stale."""

import asyncio
import sys
from pathlib import Path

from .api_coverage import coverage
from .operations import every_operation
from .reference import reference

ROOT = Path(__file__).parent.parent
REFERENCE = Path("docs/reference.md")
COVERAGE = Path("docs/coverage.md")


async def pages() -> dict[Path, str]:
    """Return the pages as they should be."""
    offered = await every_operation()
    return {REFERENCE: reference(offered), COVERAGE: coverage(offered)}


def stale(root: Path, wanted: dict[Path, str]) -> list[Path]:
    """Return the pages that are not as they should be."""
    return [page for page, text in wanted.items() if not _is_current(root / page, text)]


def _is_current(page: Path, text: str) -> bool:
    return page.is_file() and page.read_text(encoding="utf-8") == text


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write the pages, or check them; return the exit status."""
    wanted = asyncio.run(pages())
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
