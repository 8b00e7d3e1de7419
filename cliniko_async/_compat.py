"""What newer Pythons have and 3.11 has not."""

import asyncio
import functools
import importlib
import inspect
import sys
import warnings
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["TypedDict", "deprecated", "heed_cancellation", "is_typeddict"]

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
    from typing import TypedDict, is_typeddict

    from typing_extensions import deprecated
else:
    # Before 3.12 pydantic takes no other TypedDict than that of typing_extensions, which aiohttp needs there as well.
    _typing = importlib.import_module("typing_extensions" if sys.version_info < (3, 12) else "typing")
    TypedDict, is_typeddict = _typing.TypedDict, _typing.is_typeddict

    F = TypeVar("F", bound=Callable[..., Any])

    def deprecated(message: str) -> Callable[[F], F]:
        """Mark an operation as deprecated, for the type checkers and with a warning at each call."""

        def mark(function: F) -> F:
            @functools.wraps(function)
            def warning(*args: Any, **kwargs: Any) -> Any:
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                try:
                    return function(*args, **kwargs)
                finally:
                    del args, kwargs  # From the traceback of an error.

            warning.__deprecated__ = message
            return _mark_coroutine(warning) if inspect.iscoroutinefunction(function) else warning

        return mark

    def _set_flag(function: F) -> F:
        # Until 3.12 nothing but the code's own flag says so. It makes no difference to how the function runs.
        code = function.__code__
        function.__code__ = code.replace(co_flags=code.co_flags | inspect.CO_COROUTINE)
        return function

    _mark_coroutine = getattr(inspect, "markcoroutinefunction", _set_flag)
