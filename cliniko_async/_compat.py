"""Backports of what Python 3.11 lacks, and what its types leave out."""

import asyncio
import functools
import importlib
import inspect
import sys
import warnings
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from ._frames import hides_locals, mark_coroutine_function

__all__ = ["TypedDict", "deprecated", "heed_cancellation", "is_typeddict", "typed_cache"]

P = ParamSpec("P")
T = TypeVar("T")


def typed_cache(function: Callable[P, T]) -> Callable[P, T]:
    """Cache a function as `functools.cache` does, but keep the types of its arguments."""
    return cast("Callable[P, T]", functools.cache(function))


async def heed_cancellation(work: Awaitable[T]) -> T:
    """Await `work`, and raise a cancellation that it swallowed.

    Before 3.12 `asyncio.wait_for`, which redis-py uses, swallows a cancellation that arrives just as the awaited work
    finishes.
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
    # Before 3.12 pydantic only accepts the TypedDict of typing_extensions, which aiohttp requires there too.
    _typing = importlib.import_module("typing_extensions" if sys.version_info < (3, 12) else "typing")
    TypedDict, is_typeddict = _typing.TypedDict, _typing.is_typeddict

    F = TypeVar("F", bound=Callable[..., Any])

    def deprecated(message: str) -> Callable[[F], F]:
        """Mark an operation as deprecated, for type checkers and with a warning on each call.

        As with `hides_locals`, no error leaves the call with its arguments in the traceback.
        """

        def mark(function: F) -> F:
            hidden = hides_locals(function)

            @functools.wraps(function)
            def warning(*args: Any, **kwargs: Any) -> Any:
                try:
                    warnings.warn(message, DeprecationWarning, stacklevel=2)
                    return hidden(*args, **kwargs)
                finally:
                    del args, kwargs

            warning.__deprecated__ = message
            return mark_coroutine_function(warning) if inspect.iscoroutinefunction(function) else warning

        return mark
