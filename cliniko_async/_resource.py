"""What a resource can do: the operations that the API repeats from one to the next, each as a mixin."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache
from inspect import isfunction
from typing import Any, ClassVar, Generic, Literal, Protocol, TypedDict, TypeVar, Unpack, get_args, get_type_hints
from urllib.parse import quote

from ._api import Api
from ._compat import deprecated
from ._decode import decode_record
from ._fields import Id, check_fields, id_text
from ._http import Request, is_unicode
from ._walks import Query
from .errors import ConfigurationError
from .filters import Column, Filter, Filterable, Filters, Sort, Sortable, Visibility
from .pagination import Listing, Paginator

T = TypeVar("T")
R = TypeVar("R")

_DEFAULT_ORDERS = ((), ("created_at",), ("created_at:asc",))
VISIBILITIES = ("archived", "cancelled", "deleted")
_OPERATORS = {"exclude": (), "include": ("*",), "only": ("?",)}
_LARGEST_PAGE = 100


class ListOptions(TypedDict, total=False):
    """How a list is asked for and walked."""

    sort: Sortable | Sequence[Sortable] | None
    per_page: int
    limit: int | None
    prefetch: int
    stable: bool
    cursor: str | None


class Archived(TypedDict, total=False):
    """Whether archived records are left out, given too, or given alone."""

    archived: Visibility


class ArchivedDeleted(Archived, total=False):
    """The same for deleted records."""

    deleted: Visibility


class ArchivedCancelledDeleted(ArchivedDeleted, total=False):
    """The same for cancelled records."""

    cancelled: Visibility


class ArchivedListOptions(ListOptions, Archived, total=False):
    """Options of a list with archived records."""


class ArchivedDeletedListOptions(ListOptions, ArchivedDeleted, total=False):
    """Options of a list with archived and deleted records."""


class ArchivedCancelledDeletedListOptions(ListOptions, ArchivedCancelledDeleted, total=False):
    """Options of a list with archived, cancelled and deleted records."""


_OPTIONS = frozenset(ListOptions.__annotations__)
_COMBINED = frozenset({"changes", "watch", "upload", "download"})
"""Methods that put several operations together, and are none themselves."""


class AnyResource(Protocol):
    """What every resource has, whatever it can do."""

    @property
    def name(self) -> str:
        """The attribute of the client, the key of the records in a page, and the path."""
        ...

    @property
    def record(self) -> type[Any]:
        """The class of its records."""
        ...

    @property
    def where(self) -> Filters:
        """The fields that its lists can be filtered by."""
        ...

    @property
    def operations(self) -> frozenset[str]:
        """The names of the methods that are operations of the API."""
        ...


class Resource(Generic[T]):
    """The base of all resources: a name, a record, and what can be asked for."""

    name: ClassVar[str]
    """The attribute of the client, the key of the records in a page, and the path."""
    record: type[T]

    def __init__(self, api: Api) -> None:
        """Take the client that sends."""
        self._api = api

    @classmethod
    def searchable(cls) -> dict[str, Column]:
        """Give the fields that its lists can be searched by: those of its `where`."""
        # Each table has one of its own type; were it declared above, pyright would take that for the type of all.
        where: Filters = getattr(cls, "where")  # noqa: B009
        return where.fields()

    @property
    def operations(self) -> frozenset[str]:
        """The names of the methods that are operations of the API."""
        return _operations(type(self))  # type: ignore[arg-type]  # to mypy, classes are not hashable

    def __repr__(self) -> str:
        """The name."""
        return f"<{self.name}>"

    def _url(self, path: str) -> str:
        return self._api.server.url(path)

    def _id(self, value: Id) -> str:
        """Give an id as it stands in a path, and let nothing else into one."""
        text = id_text(value)
        if text is None:
            raise ConfigurationError(f"an id has up to 19 digits; this is none, for {self.name}")
        return text

    def _member(self, id: Id, action: str = "") -> str:
        return f"/{self.name}/{self._id(id)}{action}"

    def _list(self, path: str, filters: Sequence[Filterable], options: Mapping[str, Any]) -> Paginator[T]:
        """Describe the list at a path."""
        return self.paginate((self._url(path),), filters, options)

    def paginate(
        self, sources: tuple[str, ...], filters: Sequence[Filterable], options: Mapping[str, Any]
    ) -> Paginator[T]:
        """Describe the list that one or several URLs make up."""
        return Paginator(self.listing(sources, filters, options), options.get("cursor"))

    def listing(
        self, sources: tuple[str, ...], filters: Sequence[Filterable], options: Mapping[str, Any]
    ) -> Listing[T]:
        """Give what such a list is asked for."""
        fields = self.searchable()
        sort = _sort_texts(options.get("sort"))
        visibility = {name: value for name, value in options.items() if name not in _OPTIONS}
        query = Query(
            server=self._api.server,
            sources=sources,
            filters=(*self._filter_texts(filters), *self._visibility_texts(visibility)),
            sort=sort,
            per_page=_whole("per_page", options.get("per_page", _LARGEST_PAGE), most=_LARGEST_PAGE),
            stable=_yes_or_no("stable", options.get("stable", False)),
            anchored=sort in _DEFAULT_ORDERS and "created_at" in fields,
            dividable="id" in fields,
        )
        if query.stable and (sort or "id" not in fields):
            raise ConfigurationError("stable=True needs a list that can be filtered by id, and takes no sort of yours")
        limit = options.get("limit")
        return Listing(
            api=self._api,
            record=self.record,
            envelope=self.name,
            query=query,
            limit=None if limit is None else _whole("limit", limit),
            prefetch=_whole("prefetch", options.get("prefetch", 0), least=0),
        )

    def _filter_texts(self, filters: Sequence[Filterable]) -> list[str]:
        texts: list[str] = []
        for one in filters:
            if not isinstance(one, Filter | str):
                raise TypeError(f"{self.name}: a filter is made with `where`, or is a str such as 'category:=Osteo'")
            if isinstance(one, Filter) and one.field not in self.searchable():
                raise ConfigurationError(f"{self.name} cannot be filtered by {one.field}")
            text = one if isinstance(one, str) else one.text
            if not text or not is_unicode(text):
                raise ConfigurationError(f"{self.name}: a filter is empty, or holds a character that cannot be encoded")
            texts.append(text)
        return texts

    def _visibility_texts(self, visibility: Mapping[str, Any]) -> list[str]:
        texts: list[str] = []
        for name, value in visibility.items():
            if name not in VISIBILITIES or f"{name}_at" not in self.searchable():
                raise TypeError(f"{self.name} takes no {name}=")
            if value not in _OPERATORS:
                raise ConfigurationError(f'{name} is one of "exclude", "include" and "only"')
            texts += [f"{name}_at:{operator}" for operator in _OPERATORS[value]]
        return texts

    async def _get(self, path: str, visibility: Mapping[str, Any] | None = None) -> T:
        query = "&".join(f"q%5B%5D={quote(text, '')}" for text in self._visibility_texts(visibility or {}))
        return await self._send_for_record("GET", f"{path}?{query}" if query else path)

    def _sent_fields(self, operation: Literal["create", "update", "cancel"]) -> type:
        return sent_fields(type(self), operation)  # type: ignore[arg-type]  # to mypy, classes are not hashable

    async def _create(self, fields: Mapping[str, Any], path: str | None = None) -> T:
        body = check_fields(self._sent_fields("create"), fields)
        return await self._send_for_record("POST", path or f"/{self.name}", body)

    async def _update(self, id: Id, fields: Mapping[str, Any]) -> T:
        body = check_fields(self._sent_fields("update"), fields)
        return await self._send_for_record("PATCH", self._member(id), body)

    async def _read(self, record: type[R], path: str) -> R:
        """Give what is no record of this resource."""
        request = Request("GET", self._url(path))
        return decode_record(record, request, await self._api.send(request))

    async def _send_for_record(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> T:
        request = Request(method, self._url(path), None if body is None else encode_body(body))
        return decode_record(self.record, request, await self._api.send(request))

    async def _act(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> None:
        await self._api.send(Request(method, self._url(path), None if body is None else encode_body(body)))


class ListMixin(Resource[T]):
    """Can be listed."""

    def list(self, *filters: Filterable, **options: Unpack[ListOptions]) -> Paginator[T]:
        """Stream the records, those that fulfil all the filters."""
        return self._list(f"/{self.name}", filters, options)


class ArchivedListMixin(Resource[T]):
    """Can be listed, with archived ones too."""

    def list(self, *filters: Filterable, **options: Unpack[ArchivedListOptions]) -> Paginator[T]:
        """Stream the records, those that fulfil all the filters."""
        return self._list(f"/{self.name}", filters, options)


class ArchivedDeletedListMixin(Resource[T]):
    """Can be listed, with archived and deleted ones too."""

    def list(self, *filters: Filterable, **options: Unpack[ArchivedDeletedListOptions]) -> Paginator[T]:
        """Stream the records, those that fulfil all the filters."""
        return self._list(f"/{self.name}", filters, options)


class ArchivedCancelledDeletedListMixin(Resource[T]):
    """Can be listed, with archived, cancelled and deleted ones too."""

    def list(self, *filters: Filterable, **options: Unpack[ArchivedCancelledDeletedListOptions]) -> Paginator[T]:
        """Stream the records, those that fulfil all the filters."""
        return self._list(f"/{self.name}", filters, options)


class GetMixin(Resource[T]):
    """Can be read by id."""

    async def get(self, id: Id, /) -> T:
        """Give one record."""
        return await self._get(self._member(id))


class ArchivedGetMixin(Resource[T]):
    """Can be read by id, an archived one too."""

    async def get(self, id: Id, /, **visibility: Unpack[Archived]) -> T:
        """Give one record."""
        return await self._get(self._member(id), visibility)


class ArchivedDeletedGetMixin(Resource[T]):
    """Can be read by id, an archived or deleted one too."""

    async def get(self, id: Id, /, **visibility: Unpack[ArchivedDeleted]) -> T:
        """Give one record."""
        return await self._get(self._member(id), visibility)


class ArchivedCancelledDeletedGetMixin(Resource[T]):
    """Can be read by id, an archived, cancelled or deleted one too."""

    async def get(self, id: Id, /, **visibility: Unpack[ArchivedCancelledDeleted]) -> T:
        """Give one record."""
        return await self._get(self._member(id), visibility)


class ArchiveMixin(Resource[T]):
    """Can be archived."""

    async def archive(self, id: Id, /) -> None:
        """Archive a record; one that is archived already stays so."""
        await self._act("POST", self._member(id, "/archive"))


class UnarchiveMixin(Resource[T]):
    """Can be taken out of the archive."""

    async def unarchive(self, id: Id, /) -> T:
        """Take a record out of the archive, and give it."""
        return await self._send_for_record("POST", self._member(id, "/unarchive"))


class DeleteMixin(Resource[T]):
    """Can be deleted."""

    async def delete(self, id: Id, /) -> None:
        """Delete a record for good."""
        await self._act("DELETE", self._member(id))


class DeprecatedDeleteMixin(Resource[T]):
    """Has a DELETE that archives."""

    @deprecated("DELETE only archives: use archive")
    async def delete(self, id: Id, /) -> None:
        """Archive a record; `archive` is the name for it."""
        await self._act("POST", self._member(id, "/archive"))


@cache
def _operations(resource: Hashable) -> frozenset[str]:
    public = {name for name in dir(resource) if not name.startswith("_") and isfunction(getattr(resource, name))}
    return frozenset(public - _COMBINED - set(dir(Resource)))


@cache
def sent_fields(resource: Hashable, operation: Literal["create", "update", "cancel"]) -> type:
    """Give the TypedDict of what an operation sends, from its annotation."""
    fields: type
    (fields,) = get_args(get_type_hints(getattr(resource, operation))["fields"])
    return fields


def visibilities(method: Callable[..., Any] | None) -> tuple[str, ...]:
    """Give those of `archived`, `cancelled` and `deleted` that a method takes, from its annotation."""
    hints = get_type_hints(method) if method else {}
    (options,) = get_args(hints.get("visibility") or hints.get("options")) or (ListOptions,)
    return tuple(name for name in get_type_hints(options) if name in VISIBILITIES)


def encode_body(body: Mapping[str, Any]) -> bytes:
    """Write what is sent."""
    from ._converter import to_json  # noqa: PLC0415  (cattrs takes a tenth of the whole import)

    return to_json(dict(body))


def _sort_texts(sort: Any) -> tuple[str, ...]:
    columns = [sort] if isinstance(sort, str | Column | Sort) else list(sort or ())
    return tuple(map(_sort_text, columns))


def _sort_text(column: object) -> str:
    text = column.text if isinstance(column, Sort) else column.name if isinstance(column, Column) else column
    if not isinstance(text, str) or not text or not is_unicode(text):
        raise ConfigurationError("a column to sort by is one of `where`, or its name")
    return text


def _yes_or_no(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} is True or False")
    return value


def _whole(name: str, value: object, *, least: int = 1, most: int | None = None) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"{name} is an int")
    if value < least or (most is not None and value > most):
        raise ConfigurationError(f"{name} is at least {least}" + (f" and at most {most}" if most else ""))
    return value
