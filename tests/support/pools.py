"""Finds the tasks in which pools run jobs, which have no public name."""

import asyncio
from pathlib import Path
from typing import Any

from .paths import PACKAGE


def tasks_of_jobs() -> list[asyncio.Task[Any]]:
    """Return the tasks in which pools run jobs."""
    coroutines: dict[asyncio.Task[Any], Any] = {task: task.get_coro() for task in asyncio.all_tasks()}
    return [
        task
        for task, coroutine in coroutines.items()
        if Path(coroutine.cr_code.co_filename).is_relative_to(PACKAGE / "_pool")
    ]
