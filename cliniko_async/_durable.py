"""Files that survive a crash at any moment: appended at a recorded offset, or replaced as a whole."""

import contextlib
import os
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO


def write_at(path: Path, offset: int, data: bytes) -> None:
    """Cut a file off at an offset, append bytes, and return when they are on the disk.

    Args:
        path: The file, which is created if it is missing.
        offset: At most the size of the file.
        data: The bytes.
    """
    with path.open("ab") as file, _naming(path):
        file.truncate(offset)
        file.write(data)
        sync_file(file)


def replace(path: Path, data: bytes) -> None:
    """Replace the content of a file: after a crash, the file has either the old content or the new."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file, _naming(temporary):
        file.write(data)
        sync_file(file)
    rename(temporary, path)


def rename(source: Path, target: Path) -> None:
    """Rename a flushed file, replacing the target if there is one, and flush the directory."""
    source.replace(target)
    sync_folder(target.parent)


def sync(path: Path) -> None:
    """Flush the content of a file to the disk."""
    with path.open("rb+") as file, _naming(path):
        sync_file(file)


def sync_file(file: BinaryIO) -> None:
    """Flush what was written to an open file to the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush the entries of a directory to the disk, so that its new and renamed files survive a crash."""
    if hasattr(os, "O_DIRECTORY"):  # Windows cannot open a directory, and does not need to.
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _naming(path: Path) -> Generator[None]:
    """Add the path to an error that does not name it: only that of opening a file does."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def size_of(path: Path) -> int | None:
    """Return the size of a file in bytes, or None if it does not exist."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
