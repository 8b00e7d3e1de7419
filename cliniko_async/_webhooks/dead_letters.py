"""A file of the messages that their receiver never accepted."""

import asyncio
import contextlib
import datetime as dt
import json
import os
from pathlib import Path

from .._durable import sync_file, sync_folder
from .message import Message


class DeadLetters:
    """An NDJSON file that only its owner can read, as it contains records. What was appended survives a power cut."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """The file is created by the first `append`.

        Args:
            path: The file.
        """
        self._path = Path(path)

    async def append(self, message: Message, tries: int, reason: str) -> None:
        """Append a message, and wait until it is on the disk.

        Raises:
            OSError: It cannot be written.
        """
        given_up_at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        about = json.dumps({"id": message.id, "tries": tries, "reason": reason, "given_up_at": given_up_at})
        line = about.removesuffix("}").encode() + b', "message": ' + message.body + b"}\n"
        await asyncio.to_thread(self._append, line)

    def _append(self, line: bytes) -> None:
        is_new = not self._path.exists()
        with open(self._path, "a+b", opener=_open_for_owner) as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                # The last line may have been cut off.
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line)
            sync_file(file)
        if is_new:
            with contextlib.suppress(OSError):  # Not every file system can do that.
                sync_folder(self._path.parent)


def _open_for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
