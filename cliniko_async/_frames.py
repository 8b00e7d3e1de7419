"""Errors whose tracebacks hold no local variables: error reporters record those, and some hold a key or a patient."""

import functools
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType, TracebackType
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


class HiddenLocals:
    """A block that empties the local variables of every frame it called, when an error leaves it.

    That includes the frames of the errors that this one is chained to, those of aiohttp, and those of the user's own
    code below. The lines and names of a traceback stay. An error that the caller was handling before is left alone.
    """

    __slots__ = ("_dropped", "_outer")

    def __init__(self, *dropped: type[BaseException]) -> None:
        """Take the kinds of errors that no other error stays chained to."""
        self._dropped = dropped

    def __enter__(self) -> None:
        """Remember what the caller is handling, by a number: a reference would keep its frames alive."""
        self._outer = id(sys.exception())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Empty the frames of the error, if there is one."""
        if error is not None:
            for one in _chain(error, {self._outer}):
                _clear(one.__traceback__)
                if isinstance(one.__cause__, self._dropped):
                    one.__cause__ = None
                if isinstance(one.__context__, self._dropped):
                    one.__context__ = None


def _chain(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    """Yield an error and those that it is chained to or made of, each once and none of those seen before."""
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
            with suppress(RuntimeError):  # It runs, or waits in a generator, as 3.13 and later say.
                traceback.tb_frame.clear()
        traceback = traceback.tb_next


def _is_finished(frame: FrameType) -> bool:
    # Up to 3.12, clearing the frame of a coroutine that waits closes it. An error that was kept and raised again may
    # name such a frame. Only a finished one owns what it refers to.
    return sys.version_info >= (3, 13) or any(one is frame.f_code for one in gc.get_referents(frame))


def hides_locals(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function so that no error leaves it with its arguments or local variables in the traceback."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with HiddenLocals():
                return function(*args, **kwargs)
        finally:
            del args, kwargs

    return call
