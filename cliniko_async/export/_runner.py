"""Runs an export: resource after resource, page after page."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import attrs

from .._file_lock import file_lock
from .._frames import hides_locals
from .._loops import in_thread
from ..client import Cliniko
from ..errors import DecodingError, InvalidRequestError, PaginationError, ResponseError, UnauthorizedError
from ..filters import Filterable
from ..pagination import Page
from ._formats import RowEncoder, encoder_for
from ._manifest import ExportError, Manifest, ManifestFile, read_manifest
from ._sources import ExportFormat, OpenList, ResourceSource, check_same, new_manifest, sources_of
from ._writer import ResourceWriter, remove_parts

_LOCK = ".export.lock"


@attrs.frozen
class ExportProgress:
    """How far the export of a resource is. An export reports it after every page, and when the file is complete.

    Attributes:
        resource: The name of the resource.
        rows: The number of rows so far, including those of earlier runs.
        total: The number of rows in the end, as far as it is known.
        complete: Whether the file is complete.
    """

    resource: str
    rows: int
    total: int | None
    complete: bool = False


@hides_locals
async def export(
    cliniko: Cliniko,
    resources: Iterable[str],
    *,
    to: str | Path,
    format: ExportFormat = "ndjson",  # noqa: A002  (as on the command line)
    archived: Literal["exclude", "include"] = "exclude",
    filters: Mapping[str, Sequence[Filterable]] | None = None,
    skip_invalid: bool = False,
    restart: bool = False,
    on_progress: Callable[[ExportProgress], object] | None = None,
) -> Manifest:
    """Write the records of resources to files, one for each resource, with bounded memory.

    If an earlier call in the same directory was interrupted in any way, even by a crash or `kill -9`, the same call
    continues it. The files then have exactly the rows of one export: none is missing and none is duplicated. A list
    with ids continues at a cursor; a list without them (`services`), and practitioners with `archived="include"`, which
    are in two lists, start over. A file gets its final name when it is complete; an older one is then replaced.

    Args:
        cliniko: The client. `cliniko.with_options(priority="bulk")` leaves a part of the request budget to other calls.
        resources: The names of the resources, such as "patients"; `exportable` returns all of them.
        to: The directory, which is created if it is missing. It also gets the file `manifest.json`.
        format: "ndjson", the default, "csv" or "parquet". The last one needs the extra `arrow`.
        archived: "include" also exports archived, cancelled and deleted records and inactive practitioners; "exclude",
            the default, leaves them out.
        filters: Filters as for `list`, by the name of the resource. None, the default, exports every record.
        skip_invalid: Whether to leave out records that do not fit their class, and list them in the manifest. By
            default, the first one fails its resource.
        restart: Whether to begin again if there is an unfinished export.
        on_progress: Called with the progress after every page. None, the default, reports nothing.

    Returns:
        The manifest.

    Raises:
        InvalidRequestError: An argument is invalid; nothing was sent or written.
        ExportError: The directory is in use, or has an unfinished export with other choices; or some resources could
            not be exported, while the others are complete. Its text names each with the reason.
        ImportError: The format needs an extra that is not installed.
        OSError: A file cannot be written. What was written stays, and the next call continues.
        ClinikoError: The server cannot be reached or rejects the key. The next call continues.
    """
    sources = sources_of(cliniko, resources, archived, filters or {})
    manifest = new_manifest(sources, format, archived)
    encoders = {name: encoder_for(format, source.resource.record) for name, source in sources.items()}
    with contextlib.ExitStack() as stack:
        manifest_file = await in_thread(lambda: stack.enter_context(_begun(Path(to), manifest, restart=restart)))
        run = _ExportRun(manifest_file, skip_invalid, on_progress or _ignore)
        for name, source in sources.items():
            await run.export(name, source, encoders[name])
        if run.failed:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in run.failed.items())
            count = f"{len(run.failed)} of {len(sources)} resource{'s' * (len(sources) != 1)} could not be exported"
            raise ExportError(f"{count}: {reasons}", manifest=manifest_file.manifest)
        return await in_thread(manifest_file.complete)


def _ignore(_: ExportProgress) -> None:
    """Report nothing."""


@contextlib.contextmanager
def _begun(directory: Path, manifest: Manifest, *, restart: bool) -> Generator[ManifestFile]:
    """Lock a directory, and yield the manifest file of its unfinished export, or else a new one."""
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory):
        old = read_manifest(directory)
        if old is not None and old.state == "unfinished":
            if not restart:
                check_same(directory, old, manifest)
                manifest = old
            else:
                remove_parts(directory, old)
        yield ManifestFile(directory, manifest)


@contextlib.contextmanager
def _locked(directory: Path) -> Generator[None]:
    """Keep two exports at once from writing the same files."""
    path = directory / _LOCK
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(file_lock(path))
        except BlockingIOError:
            raise ExportError(f"another export is writing to {directory}: wait until it ends") from None
        except sqlite3.Error as error:
            raise ExportError(f"{path} cannot be locked: {error}") from None
        yield


@attrs.frozen
class _ExportRun:
    """One call of `export`."""

    manifest_file: ManifestFile
    skip_invalid: bool
    on_progress: Callable[[ExportProgress], object]
    failed: dict[str, str] = attrs.field(factory=dict[str, str])
    """Why resources could not be exported, by their names."""

    async def export(self, name: str, source: ResourceSource, encoder: RowEncoder) -> None:
        """Export a resource, unless it is complete."""
        writer = ResourceWriter(self.manifest_file, name, encoder)
        if writer.progress.state != "complete":
            await in_thread(partial(writer.prepare, resumable=source.is_resumable))
            if not await self._read_or_record(source, writer):
                return
        await in_thread(writer.finish)
        self.on_progress(ExportProgress(name, writer.progress.rows, writer.progress.rows, complete=True))

    async def _read_or_record(self, source: ResourceSource, writer: ResourceWriter) -> bool:
        """Read a resource, and return whether that was possible.

        An error that concerns other resources as well is raised. Whatever happens, what was read is kept.
        """
        try:
            await self._read(source, writer)
        except BaseException as error:
            reason = str(error) if _is_of_one_resource(error) else None
            await in_thread(partial(writer.keep, reason))
            if reason is None:
                raise
            self.failed[source.resource.name] = reason
            return False
        return True

    async def _read(self, source: ResourceSource, writer: ResourceWriter) -> None:
        if writer.progress.state == "read":
            return
        if source.is_single:
            writer.add([await source.resource.get()])
        for open_list in source.lists():
            await self._read_list(open_list, source, writer)
        await in_thread(writer.end)

    async def _read_list(self, open_list: OpenList, source: ResourceSource, writer: ResourceWriter) -> None:
        start = writer.progress.rows + len(writer.progress.skipped)
        async for page, skipped in self._pages(open_list, writer.progress.cursor):
            cursor = page.cursor if source.is_resumable else None
            writer.add(source.new_records(page.items), cursor=cursor, server_time=page.server_time, skipped=skipped)
            if writer.is_checkpoint_due:
                await in_thread(writer.checkpoint)
            # An invalid page does not say how many records are on all pages.
            total = None if skipped or page.total_entries is None else start + page.total_entries
            self.on_progress(ExportProgress(source.resource.name, writer.progress.rows, total))
            if skipped:  # The next page is the first one of a new list.
                start = writer.progress.rows + len(writer.progress.skipped)

    async def _pages(self, open_list: OpenList, cursor: str | None) -> AsyncIterator[tuple[Page[Any], tuple[str, ...]]]:
        """Yield pages, each with the invalid records that were left out."""
        while True:
            try:
                async with contextlib.aclosing(open_list(cursor).pages()) as pages:
                    async for page in pages:
                        yield page, ()
                return
            except DecodingError as error:
                if not self.skip_invalid or error.page is None:
                    raise
                page, skipped, cursor = error.page, error.faults, error.cursor
            yield page, skipped


def _is_of_one_resource(error: BaseException) -> bool:
    """Return whether an error says nothing about the other resources."""
    if isinstance(error, UnauthorizedError):
        return False
    return isinstance(error, ResponseError | DecodingError | PaginationError | InvalidRequestError)
