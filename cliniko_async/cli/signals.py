"""Signals that end a command."""

import contextlib
import signal
from collections.abc import Generator


@contextlib.contextmanager
def terminate_like_ctrl_c() -> Generator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that a command that is stopped keeps what it has."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_: int, __: object) -> None:
    signal.raise_signal(signal.SIGINT)
