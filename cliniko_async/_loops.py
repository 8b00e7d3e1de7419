"""Helpers for event loops."""

import asyncio


def runs_here(loop: asyncio.AbstractEventLoop | None) -> bool:
    """Return whether this is called from within the loop."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
