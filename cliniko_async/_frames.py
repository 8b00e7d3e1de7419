"""Follows chains of errors, and removes local variables from their tracebacks.

Error reporters record local variables, and some hold a key or patient data.
"""

import functools
import gc
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import msgspec

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class HiddenLocals:
    """A context manager that clears the local variables of every frame called in its block when an error leaves it.

    That includes the frames of chained errors, of aiohttp and of user code called in the block. The traceback keeps its
    lines and function names. An error that the caller was already handling is left alone.
    """

    __slots__ = ("_dropped", "_outer")

    def __init__(self, *dropped: type[BaseException]) -> None:
        """Create the block; errors are unchained from errors of the `dropped` classes."""
        self._dropped = dropped

    def __enter__(self) -> None:
        """Remember the error that the caller is handling, by its `id`, as a reference would keep its frames alive."""
        self._outer = id(sys.exception())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Clear the frames of the error, if there is one."""
        if error is not None:
            clear_locals(error, self._outer, *self._dropped)


def clear_locals(error: BaseException, outer: int, *dropped: type[BaseException]) -> None:
    """Do what `HiddenLocals` does at the end of its block, where a context manager would cost too much.

    Args:
        error: The error that leaves the block.
        outer: The `id` of the error that the caller was handling when the block began.
        dropped: Classes of errors from which errors are unchained.
    """
    for one in _chain(error, {outer}):
        _clear(one.__traceback__)
        if isinstance(one.__cause__, dropped):
            one.__cause__ = None
        if isinstance(one.__context__, dropped):
            one.__context__ = None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and the errors that led to it, the last one first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _chain(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    """Yield an error, its chained errors and the members of its groups, each once, without those already seen."""
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        pending += (one.__cause__, one.__context__)
        if isinstance(one, BaseExceptionGroup):
            pending += cast("BaseExceptionGroup[BaseException]", one).exceptions
        yield one


def _clear(traceback: TracebackType | None) -> None:
    while traceback is not None:
        if _is_finished(traceback.tb_frame):
            with suppress(RuntimeError):  # The frame is running or, from 3.13, suspended.
                traceback.tb_frame.clear()
        traceback = traceback.tb_next


def _is_finished(frame: FrameType) -> bool:
    # Up to 3.12, clearing the frame of a suspended coroutine closes it, and the traceback of an error that is raised
    # again may include such a frame. Only a finished frame owns its references.
    return sys.version_info >= (3, 13) or any(one is frame.f_code for one in gc.get_referents(frame))


def hides_locals(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function so that no error leaves it with its arguments or local variables in the traceback.

    A coroutine function stays one. Its arguments stay hidden even if the call is cancelled before it starts.
    """
    if inspect.iscoroutinefunction(function):
        return cast("Callable[P, R]", _hides_locals_of_coroutine(function))

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with HiddenLocals():
                return function(*args, **kwargs)
        finally:
            del args, kwargs

    return call


def _hides_locals_of_coroutine(function: Callable[P, Any]) -> Callable[P, Any]:
    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return _hidden(function(*args, **kwargs))
        finally:
            del args, kwargs

    return mark_coroutine_function(call)


class _Unstarted(msgspec.Struct):
    """A coroutine, in a variable of a frame that does not show its arguments; closed if it is never awaited."""

    coroutine: Any

    def __del__(self) -> None:
        self.coroutine.close()


def _hidden(coroutine: Any) -> Any:
    """Return a coroutine that awaits another one, has its name, and shows none of its local variables."""
    outer: Any = _await(_Unstarted(coroutine))
    outer.__name__, outer.__qualname__ = coroutine.__name__, coroutine.__qualname__
    return outer


async def _await(unstarted: _Unstarted) -> Any:
    outer = id(sys.exception())
    try:
        return await unstarted.coroutine
    except BaseException as error:
        clear_locals(error, outer)
        raise


if TYPE_CHECKING:

    def mark_coroutine_function(function: F) -> F:
        """Mark a function that returns a coroutine, so that `inspect` takes it for a coroutine function."""
        return function
else:

    def _set_flag(function: F) -> F:
        # Before 3.12 only the code flag marks a coroutine function. It does not change how the function runs.
        code = function.__code__
        function.__code__ = code.replace(co_flags=code.co_flags | inspect.CO_COROUTINE)
        return function

    mark_coroutine_function = getattr(inspect, "markcoroutinefunction", _set_flag)
