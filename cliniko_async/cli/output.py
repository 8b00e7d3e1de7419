"""Writes data to stdout."""

import sys
from collections.abc import Iterable


def write_bytes(data: bytes) -> None:
    """Write bytes to stdout, so that text is UTF-8 whatever the locale.

    Args:
        data: The bytes.
    """
    sys.stdout.buffer.write(data)


def write_lines(lines: Iterable[str]) -> None:
    """Write lines of text to stdout, at once.

    Args:
        lines: The lines, without their ends.
    """
    write_bytes("".join(f"{line}\n" for line in lines).encode())
    sys.stdout.buffer.flush()
