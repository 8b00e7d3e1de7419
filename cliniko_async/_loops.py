"""What is asked of event loops from anywhere."""

import asyncio


def runs_here(loop: asyncio.AbstractEventLoop | None) -> bool:
    """Whether this is called from inside of the loop."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
