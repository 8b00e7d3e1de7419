"""The manifest of an export: its options, the rows it has, and the position from which it continues."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import attrs
import msgspec

from .._durable import replace
from ..errors import ClinikoError

NAME = "manifest.json"

ExportState = Literal["unfinished", "read", "complete"]


@attrs.frozen(kw_only=True)
class ExportedResource:
    """One resource of an export.

    Attributes:
        file: The name of its file, which exists when `state` is `"complete"`.
        state: `"unfinished"`, `"read"` when every record is on the disk and only the file has to be finished, or
            `"complete"`.
        rows: The number of rows that are on the disk.
        size: The number of bytes that are on the disk. For Parquet, this is the size of the part file.
        cursor: The position after the last of the rows, or None if a list has no position to continue from.
        server_time: When the server sent the first page, by its own clock. Every later change is found by
            `changes(server_time)`, if the resource has `changes`.
        finished_at: When the file was complete, by the clock of this machine.
        skipped: The invalid records that were left out, each with its id and its invalid fields, without values.
        error: Why the resource could not be exported, or None.
    """

    file: str
    state: ExportState = "unfinished"
    rows: int = 0
    size: int = 0
    cursor: str | None = None
    server_time: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    skipped: tuple[str, ...] = ()
    error: str | None = None


@attrs.frozen(kw_only=True)
class Manifest:
    """The file `manifest.json` of an export.

    Attributes:
        library: The name and version of the library that began the export.
        account: A fingerprint of the server and the API key, which reveals neither.
        format: `"ndjson"`, `"csv"` or `"parquet"`.
        archived: `"include"` if archived, cancelled, deleted and inactive records are included, otherwise `"exclude"`.
        filters: The filters of each resource that has any, as texts.
        state: `"complete"`, or `"unfinished"` until every resource is complete.
        started_at: When the export began, by the clock of this machine.
        finished_at: When it was complete.
        resources: The resources by their names, in the order in which they are exported.
    """

    library: str
    account: str
    format: str
    archived: str
    filters: Mapping[str, tuple[str, ...]]
    state: Literal["unfinished", "complete"] = "unfinished"
    started_at: dt.datetime
    finished_at: dt.datetime | None = None
    resources: Mapping[str, ExportedResource]


class ExportError(ClinikoError):
    """An export cannot begin in a directory, or some of its resources could not be exported.

    Attributes:
        manifest: What was exported, or None if the export did not begin.
        advice: What is wrong, and what to do, without the option of `export` that would let it begin.
        option: The name of that option, or None if there is none.
    """

    def __init__(self, message: str, *, manifest: Manifest | None = None, option: str | None = None) -> None:
        """Create the error.

        Args:
            message: What is wrong, and what to do.
            manifest: What was exported, or None if the export did not begin.
            option: The option of `export` that would let it begin, or None.
        """
        super().__init__(f"{message}, or pass {option}=True" if option else message)
        self.manifest = manifest
        self.advice = message
        self.option = option


def read_manifest(directory: str | Path) -> Manifest | None:
    """Read the manifest of an export.

    Args:
        directory: The directory of the export.

    Returns:
        The manifest, or None if there is none.

    Raises:
        ExportError: The file `manifest.json` is not the manifest of an export.
        OSError: The file cannot be read.
    """
    path = Path(directory) / NAME
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(text, type=Manifest)
    except (msgspec.MsgspecError, ValueError):
        pass
    raise ExportError(f"{path} is not the manifest of an export; use another directory, or remove the file")


class ManifestFile:
    """Keeps the manifest on the disk up to date: what it says is on the disk is there."""

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        """Write the manifest of an export that begins or continues.

        Args:
            directory: The directory of the export.
            manifest: The manifest.

        Raises:
            OSError: It cannot be written.
        """
        self.directory = directory
        self._write(manifest)

    def save(self, name: str, resource: ExportedResource) -> None:
        """Record the progress of a resource, once what it says is on the disk.

        Args:
            name: The name of the resource.
            resource: Its progress.

        Raises:
            OSError: It cannot be written.
        """
        self._write(attrs.evolve(self.manifest, resources={**self.manifest.resources, name: resource}))

    def complete(self) -> Manifest:
        """Record that every resource is complete.

        Returns:
            The final manifest.

        Raises:
            OSError: It cannot be written.
        """
        self._write(attrs.evolve(self.manifest, state="complete", finished_at=now()))
        return self.manifest

    def _write(self, manifest: Manifest) -> None:
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        replace(self.directory / NAME, text + b"\n")
        self.manifest = manifest


def file_of(name: str, export_format: str) -> str:
    """Return the name of the file of a resource."""
    return f"{name}.{export_format}"


def now() -> dt.datetime:
    """Return the time in UTC, to the second."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)
