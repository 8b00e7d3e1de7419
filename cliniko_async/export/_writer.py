"""Writes the rows of one resource, so that the manifest and the part file agree after a crash at any moment."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from .._durable import size_of, write_at
from .._frames import hides_locals
from ..errors import ClinikoError
from ._formats import RowEncoder
from ._manifest import ExportedResource, Manifest, ManifestFile, file_of, now

_CHECKPOINT = 10
"""Pages from one checkpoint to the next: what a crash makes the next run request again."""


class ResourceWriter:
    """Collects records, and appends them to the part file at each checkpoint.

    A checkpoint appends after the size that the manifest has recorded, and then records the new size together with the
    cursor. The next checkpoint cuts off bytes that a crash left after the recorded size.
    """

    def __init__(self, manifest_file: ManifestFile, name: str, encoder: RowEncoder) -> None:
        """Create a writer that continues where the manifest says.

        Args:
            manifest_file: Keeps the manifest.
            name: The name of the resource.
            encoder: Writes the records of its class.
        """
        self._manifest = manifest_file
        self._name = name
        self._encoder = encoder
        self._saved = manifest_file.manifest.resources[name]
        self.progress = self._saved
        """The progress including what is not on the disk yet, except for its size."""
        self._file = manifest_file.directory / file_of(name, manifest_file.manifest.format)
        self._part = _part_of(self._file)
        self._pending: list[Any] = []
        self._pages = 0

    def prepare(self, *, resumable: bool) -> None:
        """Start over if what is on the disk cannot be continued, because of the list or of the part file.

        Args:
            resumable: Whether the list continues at a cursor.
        """
        size, recorded = size_of(self._part), self.progress.size
        if self.progress.state == "read":
            renamed = self._encoder.is_final and size is None and size_of(self._file) == recorded
            usable = renamed or size == recorded
        else:
            usable = resumable and (size or 0) >= recorded
        if not usable:
            self._saved = ExportedResource(file=self._file.name)
        self.progress = attrs.evolve(self._saved, error=None)

    def add(
        self,
        records: Sequence[Any],
        *,
        cursor: str | None = None,
        server_time: dt.datetime | None = None,
        skipped: Sequence[str] = (),
    ) -> None:
        """Add the records of a page.

        Args:
            records: The records to write.
            cursor: The position after them, if the list continues there.
            server_time: When the server sent them.
            skipped: The invalid records of the page.
        """
        self._pending += records
        self._pages += 1
        self.progress = attrs.evolve(
            self.progress,
            rows=self.progress.rows + len(records),
            cursor=cursor,
            server_time=self.progress.server_time or server_time,
            skipped=(*self.progress.skipped, *skipped),
        )

    @property
    def is_checkpoint_due(self) -> bool:
        """Whether enough pages were added since the last checkpoint."""
        return self._pages >= _CHECKPOINT

    @hides_locals
    def checkpoint(self) -> None:
        """Append the records to the part file, then record the progress. It may be repeated after an error.

        Raises:
            OSError: A file cannot be written.
            DecodingError: A value cannot be written exactly in this format.
        """
        before = self.progress.size
        data = self._encoder.encode(self._pending) if self._pending else b""
        if not before:
            data = self._encoder.header() + data
        write_at(self._part, before, data)
        written = attrs.evolve(self.progress, size=before + len(data))
        self._manifest.save(self._name, written)
        self.progress = self._saved = written
        self._pending, self._pages = [], 0

    def end(self) -> None:
        """Make a last checkpoint, as every record was added.

        Raises:
            OSError: A file cannot be written.
            DecodingError: A value cannot be written exactly in this format.
        """
        unfinished = self.progress
        self.progress = attrs.evolve(self.progress, state="read")
        try:
            self.checkpoint()
        except BaseException:
            self.progress = unfinished
            raise

    def finish(self) -> None:
        """Give the file its final name, and record that it is complete. It may be repeated after a crash.

        Raises:
            OSError: A file cannot be written.
        """
        if self.progress.state != "complete":
            if self._part.exists():  # Otherwise, a run that crashed has renamed it.
                self._encoder.finish(self._part, self._file)
            self.progress = attrs.evolve(self.progress, state="complete", finished_at=now())
            self._manifest.save(self._name, self.progress)
        self._part.unlink(missing_ok=True)

    def keep(self, reason: str | None) -> None:
        """Keep what was added before an error.

        What cannot be written now is requested again by the next run.

        Args:
            reason: Why the resource cannot be exported, without any value of a record; None if nothing is wrong with
                it.
        """
        self.progress = attrs.evolve(self.progress, error=reason)
        try:
            self.checkpoint()
        except ClinikoError:  # A record cannot be written.
            self._pending = []
            self.progress = attrs.evolve(self._saved, error=reason)
            self.keep(reason)
        except OSError:
            pass  # The disk is full or was removed: the manifest stays as it is.


def remove_parts(directory: Path, manifest: Manifest) -> None:
    """Remove the part files of an export that is not continued.

    Args:
        directory: The directory of the export.
        manifest: Its manifest.
    """
    for name in manifest.resources:
        _part_of(directory / file_of(name, manifest.format)).unlink(missing_ok=True)


def _part_of(file: Path) -> Path:
    return file.with_name(file.name + ".part")
