"""Progress on a terminal: records, pages, rate and the time left, on stderr."""

import asyncio
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Task as RichTask
from rich.text import Text

DELAY = 0.5
"""Seconds before anything is shown: what takes less needs no display, and would flicker."""


class _CountColumn(ProgressColumn):
    """Records so far, of how many, in how many pages, and how many a second."""

    def render(self, task: RichTask) -> Text:
        total = f"/{task.total:,.0f}" if task.total is not None else ""
        speed = f"  {task.speed:,.0f}/s" if task.speed else ""
        pages = task.fields["pages"]
        return Text(f"{task.completed:,.0f}{total} records  {pages:,} page{'' if pages == 1 else 's'}{speed}")


class ProgressTask:
    """One line of the display."""

    def __init__(self, progress: Progress | None, title: str, total: int | None) -> None:
        self._progress = progress
        self._pages = 0
        self._id: TaskID | None = progress.add_task(title, total=total, pages=0) if progress else None

    def advance(self, records: int, *, pages: int = 1, total: int | None = None) -> None:
        """Report that more records were handled.

        Args:
            records: How many more.
            pages: How many more pages.
            total: The number of records in the end, as far as it is known; None if nothing new is known.
        """
        if self._progress is None or self._id is None:
            return
        self._pages += pages
        self._progress.update(self._id, advance=records, pages=self._pages, total=total)


class ProgressDisplay:
    """The lines of several tasks at once; `with display:` shows them and removes them at the end.

    Args:
        shown: Whether anything is shown at all.
    """

    def __init__(self, *, shown: bool) -> None:
        self._progress = _rich_progress() if shown else None

    def add(self, title: str, total: int | None = None) -> ProgressTask:
        """Add a line.

        Args:
            title: What is handled, such as "patients".
            total: The number of records, if it is known.

        Returns:
            The task, to which each page is reported.
        """
        return ProgressTask(self._progress, title, total)

    def __enter__(self) -> Self:
        """Show the display soon, if the block is still running then."""
        if self._progress:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self._progress.start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove the display."""
        if self._progress:
            self._timer.cancel()
            self._progress.stop()


def _rich_progress() -> Progress:
    # What a command writes to stdout must not pass through the display.
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        _CountColumn(),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
    )
