"""Checks what an error reporter would record of an error: the local variables of every frame of its traceback."""

import base64
import traceback
from pathlib import Path

from .clients import KEY
from .paths import PACKAGE

BASIC = base64.b64encode(f"{KEY}:".encode()).decode()
KEYS = (KEY, BASIC, KEY.rpartition("-")[0], BASIC.rstrip("="))


def assert_hidden(text: str, *words: str) -> None:
    found = [word for word in (*KEYS, *words) if word in text]
    assert found == []


def chain(error: BaseException) -> list[BaseException]:
    """Return an error, and those that it is chained to or consists of."""
    found: list[BaseException] = []
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is not None and one not in found:
            found.append(one)
            pending += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return found


def assert_frames_hidden(error: BaseException, *words: str) -> None:
    """Assert that no frame shows a key, and no frame of the library one of the words."""
    for one in chain(error):
        assert_hidden(f"{one!r} {one!s}", *words)
        assert_own_frames_hidden(one, *words)
        for frame in traceback.TracebackException.from_exception(one, capture_locals=True).stack:
            assert_hidden(f"{frame.name}: {frame.locals!r}")


def assert_own_frames_hidden(error: BaseException, *words: str) -> None:
    """Assert that no frame of the library shows a key or one of the words."""
    for frame in traceback.TracebackException.from_exception(error, capture_locals=True).stack:
        if Path(frame.filename).is_relative_to(PACKAGE):
            assert_hidden(f"{frame.name}: {frame.locals!r}", *words)
