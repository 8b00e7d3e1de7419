"""Helpers for event loops and for threads beside them."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def runs_here(loop: asyncio.AbstractEventLoop | None) -> bool:
    """Return whether this is called from within the loop."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


async def in_thread(work: Callable[[], T]) -> T:
    """Run a function in a thread; a cancellation is raised only after it has ended."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    # Retrieve the exception: after a cancellation, nothing else does.
    running.add_done_callback(lambda task: task.cancelled() or task.exception())
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            # A second cancellation must not leave the work running either.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait((running,))
        raise
