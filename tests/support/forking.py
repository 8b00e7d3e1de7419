"""Functions that run in a forked process."""

import asyncio
import os
import signal
import traceback
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

_PATIENCE = 120


async def in_child(main: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Run a coroutine in an event loop of a forked process, and fail if it fails or hangs, even in a lock."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Since Python 3.12, if there are threads.
        child = os.fork()
    if not child:
        _be_the_child(main)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def _be_the_child(main: Callable[[], Coroutine[Any, Any, object]]) -> None:
    status = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_PATIENCE)
        asyncio.run(main())
        status = 0
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(status)
