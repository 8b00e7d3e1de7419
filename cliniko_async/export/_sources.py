"""What an export reads: the lists of each resource, and the choices that must be the same when it continues."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

import attrs

from .._spelling import did_you_mean
from ..client import Cliniko
from ..errors import InvalidRequestError
from ..filters import Filter, Filterable
from ..pagination import Paginator
from ._manifest import ExportedResource, ExportError, Manifest, file_of, now

ExportFormat = Literal["ndjson", "csv", "parquet"]
"""The format of the files."""
FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
"""The formats of files."""

OpenList = Callable[[str | None], Paginator[Any]]
"""Returns a list, from a cursor on if there is one."""

_ARCHIVED = ("exclude", "include")
_DISTRIBUTION = "cliniko-async"


@attrs.frozen
class ResourceSource:
    """How to read a resource: a single object, or one or several lists."""

    resource: Any
    filters: tuple[str, ...]
    include: bool
    """Whether to include what lists leave out: archived, cancelled, deleted and inactive records."""
    _seen: set[str] = attrs.field(factory=set[str], init=False)
    """The ids read so far, if there are several lists."""

    @property
    def is_single(self) -> bool:
        """Whether it is one object, such as the settings of the account."""
        return "list" not in self.resource.operations

    @property
    def is_resumable(self) -> bool:
        """Whether one list, in the order of ids, has every record, so that it continues exactly at a cursor."""
        return not self.is_single and self._is_stable and len(self._methods) == 1

    @property
    def _is_stable(self) -> bool:
        return "id" in self.resource.searchable()

    @property
    def _methods(self) -> list[Callable[..., Paginator[Any]]]:
        if not self.include or "list_inactive" not in self.resource.operations:
            return [self.resource.list]
        # The active ones twice: someone may become active after the first read, and before the inactive ones are read.
        return [self.resource.list, self.resource.list_inactive, self.resource.list]

    def lists(self) -> list[OpenList]:
        """Return functions that open the lists which together have every record; a single object has none."""
        return [] if self.is_single else [self._list(method) for method in self._methods]

    def new_records(self, records: Sequence[Any]) -> list[Any]:
        """Return the records that no other list of this resource had before."""
        if len(self._methods) == 1:
            return list(records)
        new = {each.id: each for each in records if each.id not in self._seen}
        self._seen.update(new)
        return list(new.values())

    def _list(self, method: Callable[..., Paginator[Any]]) -> OpenList:
        options: dict[str, Any] = self.resource.everything() if self.include else {}
        if self._is_stable:
            options |= {"stable": True, "prefetch": 1}
        return lambda cursor: method(*self.filters, cursor=cursor, **options)


def exportable(cliniko: Cliniko) -> list[str]:
    """Return the names of the resources that can be exported.

    Those that can only be read for one parent, such as signatures, cannot.

    Args:
        cliniko: The client.

    Returns:
        The names, in the order of `cliniko.resources`.
    """
    return [name for name, resource in cliniko.resources.items() if _is_exportable(resource)]


def _is_exportable(resource: Any) -> bool:
    """Return whether its records can be read without naming another record."""
    return not resource.required_arguments("list" if "list" in resource.operations else "get")


def sources_of(
    cliniko: Cliniko,
    resources: Iterable[str],
    archived: str,
    filters: Mapping[str, Sequence[Filterable]],
) -> dict[str, ResourceSource]:
    """Return how to read each resource.

    Args:
        cliniko: The client.
        resources: The names of the resources.
        archived: "include" or "exclude".
        filters: The filters of a resource, by its name.

    Returns:
        A source for each name, in their order, each once.

    Raises:
        InvalidRequestError: A name, a filter or an option is invalid.
    """
    if archived not in _ARCHIVED:
        raise InvalidRequestError('archived must be "exclude" or "include"', argument="archived")
    if isinstance(resources, str):
        raise InvalidRequestError("resources must be a list of names", argument="resources")
    names = tuple(dict.fromkeys(resources))
    if not names:
        raise InvalidRequestError("name at least one resource to export", argument="resources")
    for name in names:
        _check_name(cliniko, name)
    for name in filters.keys() - set(names):
        raise InvalidRequestError(f"filters for {name!r}, which is not exported", argument="filters")
    found = {
        name: ResourceSource(cliniko.resources[name], _texts(filters.get(name, ())), archived == "include")
        for name in names
    }
    for name, source in found.items():
        _check_filters(name, source, filters.get(name, ()))
    return found


def _check_name(cliniko: Cliniko, name: str) -> None:
    if name not in cliniko.resources:
        near = did_you_mean(name, cliniko.resources)
        raise InvalidRequestError(f"there is no resource {name!r}{near}", argument="resources")
    if not _is_exportable(cliniko.resources[name]):
        raise InvalidRequestError(f"{name} can only be read for one record at a time", argument="resources")


def _texts(filters: Sequence[Filterable]) -> tuple[str, ...]:
    return tuple(each.text if isinstance(each, Filter) else each for each in filters)


def _check_filters(name: str, source: ResourceSource, filters: Sequence[Filterable]) -> None:
    if source.is_single and filters:
        raise InvalidRequestError(f"{name} cannot be filtered", argument="filters")
    if not source.is_single:
        source.resource.list(*filters)  # It checks them, and sends nothing.


def new_manifest(sources: Mapping[str, ResourceSource], export_format: ExportFormat, archived: str) -> Manifest:
    """Return the manifest of an export that has not begun.

    Args:
        sources: How to read each resource.
        export_format: The format of the files.
        archived: "include" or "exclude".

    Returns:
        The manifest.

    Raises:
        InvalidRequestError: There is no such format.
    """
    if export_format not in FORMATS:
        near = did_you_mean(export_format, FORMATS)
        raise InvalidRequestError(f"format must be one of {', '.join(FORMATS)}{near}", argument="format")
    return Manifest(
        library=f"{_DISTRIBUTION} {version(_DISTRIBUTION)}",
        account=next(iter(sources.values())).resource.account_digest.hex(),
        format=export_format,
        archived=archived,
        filters={name: source.filters for name, source in sources.items() if source.filters},
        started_at=now(),
        resources={name: ExportedResource(file=file_of(name, export_format)) for name in sources},
    )


def check_same(directory: Path, old: Manifest, new: Manifest) -> None:
    """Refuse to continue an unfinished export with other choices.

    Args:
        directory: The directory of the export.
        old: The manifest of the unfinished export.
        new: The manifest of the requested export.

    Raises:
        ExportError: They differ.
    """
    differing = [
        words
        for words, before, after in (
            ("another account, API key or server", old.account, new.account),
            (f"the format {old.format}", old.format, new.format),
            (f"archived={old.archived}", old.archived, new.archived),
            ("other filters", old.filters, new.filters),
            (f"the resources {', '.join(old.resources)}", set(old.resources), set(new.resources)),
        )
        if before != after
    ]
    if differing:
        raise ExportError(
            f"{directory} has an unfinished export with {' and '.join(differing)}: "
            "repeat it as it was to finish it, use another directory",
            option="restart",
        )
