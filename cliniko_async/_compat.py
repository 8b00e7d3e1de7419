"""What newer Pythons have and 3.11 has not."""

import asyncio
import functools
import warnings
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["deprecated", "heed_cancellation"]

T = TypeVar("T")


async def heed_cancellation(work: Awaitable[T]) -> T:
    """Await it, and raise a cancellation behind it that it has lost.

    Until 3.12 `asyncio.wait_for`, by which redis-py waits, loses one that comes just as what it waits for ends.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        return await work
    finally:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError


if TYPE_CHECKING:
    from typing_extensions import deprecated
else:
    F = TypeVar("F", bound=Callable[..., Any])

    def deprecated(message: str) -> Callable[[F], F]:
        """Mark an operation as deprecated, for the type checkers and with a warning at each call."""

        def mark(function: F) -> F:
            @functools.wraps(function)
            def warning(*args: Any, **kwargs: Any) -> Any:
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                return function(*args, **kwargs)

            warning.__deprecated__ = message
            return warning

        return mark
