"""Helpers for event loops and for threads beside them."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


def runs_here(loop: asyncio.AbstractEventLoop | None) -> bool:
    """Return whether this is called from within the loop."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


async def in_thread(work: Callable[[], T]) -> T:
    """Run a function in a thread; a cancellation is raised only after it has ended."""
    return await to_its_end(asyncio.ensure_future(asyncio.to_thread(work)), lambda: None)


async def to_its_end(running: asyncio.Future[T], cancel: Callable[[], object]) -> T:
    """Return the result of work that runs; a cancellation cancels it, and is raised only after it has ended.

    Args:
        running: The work.
        cancel: Cancels it.
    """
    # Retrieve the exception: after a cancellation, nothing else does.
    running.add_done_callback(lambda task: task.cancelled() or task.exception())
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await stop(running, cancel)
        raise


async def stop(running: asyncio.Future[Any], cancel: Callable[[], object]) -> None:
    """Cancel work, and wait for its end. A cancellation meanwhile does not leave it running either.

    Args:
        running: The work.
        cancel: Cancels it.
    """
    while not running.done():
        cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait((running,))


async def side_by_side(works: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Run coroutines at the same time. The first error ends the others, and is raised by itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


def call_from_anywhere(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> bool:
    """Call a function in the thread of a loop: at once if this is that thread, otherwise soon.

    Args:
        loop: The loop.
        function: What to call. As the garbage collector may be the caller, it must be safe to call at any time.

    Returns:
        Whether it is called: False if the loop is closed, and its tasks with it.
    """
    if runs_here(loop):
        function()
        return True
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:
        return False
    return True
