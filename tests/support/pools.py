"""What a test has to see of a pool from inside, as no public name tells it: what is still in use."""

import asyncio
from pathlib import Path
from typing import Any

from cliniko_async import AccountPool

from .paths import PACKAGE


def connections_in_use(pool: AccountPool) -> int:
    """Slots that were not released, and connections that aiohttp was not given back: nothing may leak either."""
    slots: int = pool._connections - pool._accounts._connections.free
    connector: Any = pool._session.connector if pool._session else None
    return slots + len(connector._acquired if connector else ())


def tasks_of_jobs() -> list[asyncio.Task[Any]]:
    """The tasks in which pools run jobs."""
    coroutines: dict[asyncio.Task[Any], Any] = {task: task.get_coro() for task in asyncio.all_tasks()}
    return [
        task
        for task, coroutine in coroutines.items()
        if Path(coroutine.cr_code.co_filename).is_relative_to(PACKAGE / "_pool")
    ]
