"""Following links: which resource a URL belongs to, and how to read it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from .._api import Api
from .._frames import hides_locals
from .._messages import Request, is_id
from .._paging.query import FULL_PAGE
from .._records.page import decode_record
from ..errors import InvalidRequestError, NotFoundError
from ..links import Link, ListLink
from ..pagination import Paginator
from ._base import Resource
from ._names import RESOURCES
from ._registry import resource_class

T = TypeVar("T")

_SINGULAR = {"referral_source": "referral_sources"}
"""The names of resources, by the URL endings that differ from them."""
_INACTIVE = {"practitioners": "/inactive"}
"""Resources with a separate list of the records that their list leaves out."""


async def follow_link(api: Api, link: Link[T]) -> T:
    """Return the record that a link leads to."""
    try:
        record, request = _request(api, link)
    finally:
        del link  # Its URL may have a query.
    found: T = decode_record(record, request, await api.send(request))
    return found


@hides_locals
def _request(api: Api, link: Link[Any]) -> tuple[type[Any], Request]:
    url, name = _find(api, link)
    record, seen = _target(api, name)
    return record, Request("GET", _with_query(url, [f"q%5B%5D={each}_at%3A%2A" for each in seen]))


def follow_list(api: Api, link: ListLink[T]) -> Paginator[T]:
    """Return the list that a link leads to."""
    url, name = _find(api, link)
    resource = _resource(api, name)
    path, mark, query = url.partition("?")
    sources: tuple[str, ...] = (url,)
    if resource.name in _INACTIVE:
        sources = (url, path + _INACTIVE[resource.name] + mark + query)
    return resource.paginate(sources, (), resource.everything())


async def resolve_links(api: Api, links: Iterable[Link[T] | None]) -> dict[str, T]:
    """Return the records that links lead to, by id."""
    found: dict[str, T] = {}
    single: list[Link[T]] = []
    by_resource: dict[str, tuple[Resource[T], dict[str, None]]] = {}
    for link in links:
        if link is None:
            continue
        if not isinstance(link, Link):
            raise TypeError("only links to one record can be resolved")
        _, name = _find(api, link, "links")
        resource = _resource(api, name, "links")
        if link.id is None or "id" not in resource.searchable():
            single.append(link)
        else:
            by_resource.setdefault(resource.name, (resource, {}))[1][link.id] = None
    _refuse_same_ids(ids for _, ids in by_resource.values())
    for link in single:
        found |= await _singly(api, link)
    for resource, ids in by_resource.values():
        listed = list(ids)
        for start in range(0, len(listed), FULL_PAGE):
            found |= await _batch(api, resource, listed[start : start + FULL_PAGE])
    return found


def _refuse_same_ids(kinds: Iterable[Iterable[str]]) -> None:
    """Reject records of two resources with the same id, because one would replace the other."""
    counted = Counter(key for ids in kinds for key in ids)
    if counted and max(counted.values()) > 1:
        raise InvalidRequestError(
            "links to records of two resources have the same id: resolve them separately", argument="links"
        )


async def _batch(api: Api, resource: Resource[T], ids: Sequence[str]) -> dict[str, T]:
    found: dict[str, T] = {}
    for suffix in ("", _INACTIVE.get(resource.name)):
        missing = [key for key in ids if key not in found]
        if suffix is None or not missing:
            break
        source = api.server.url(f"/{resource.name}{suffix}")
        listed: Paginator[Any] = resource.paginate((source,), [f"id:={','.join(missing)}"], resource.everything())
        found |= {record.id: record for record in await listed.collect()}
    return found


async def _singly(api: Api, link: Link[T]) -> dict[str, T]:
    try:
        record: Any = await follow_link(api, link)
    except NotFoundError:
        return {}
    if not hasattr(record, "id"):
        raise InvalidRequestError("a link leads to a record without an id, which cannot be resolved")
    return {record.id: record}


def _find(api: Api, link: Link[Any] | ListLink[Any], argument: str = "link") -> tuple[str, str]:
    """Return the URL of a link on the client's server, and the name of the resource that it leads to."""
    url = api.server.own_url(link.href)
    if url is None:
        raise InvalidRequestError("a link leads to a server other than that of the key", argument=argument)
    path = url.partition("?")[0].removeprefix(api.server.base_url)
    name = next((word for word in reversed(path.split("/")) if word and not is_id(word)), "")
    return url, _SINGULAR.get(name, name)


def _target(api: Api, name: str) -> tuple[type[Any], Sequence[str]]:
    """Return the class of the record that a link leads to, and the options to find it even if it is archived."""
    if name == "conflicts":
        from ._bookings import Conflicts  # noqa: PLC0415  (resource files are loaded when they are first used)

        return Conflicts, ()
    resource = _resource(api, name)
    return resource.record, resource.visibilities()


def _resource(api: Api, name: str, argument: str = "link") -> Resource[Any]:
    if name not in RESOURCES:
        target = name if name.isidentifier() else "this"
        raise InvalidRequestError(f"the API has no operation for a link to {target}", argument=argument)
    return resource_class(name)(api)


def _with_query(url: str, pairs: Sequence[str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{'&'.join(pairs)}" if pairs else url
