"""The base class of all resources, with the helpers that their operations share."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote

import attrs

from .._api import Api
from .._compat import typed_cache
from .._http.attempt import TransportWrapper
from .._messages import ID_DIGITS, Request, Response, as_object
from .._paging.pager import ListSpec
from .._paging.query import FULL_PAGE, ListQuery
from .._records.converter import to_json
from .._records.page import decode_record
from ..errors import DecodingError, InvalidRequestError, OutcomeUnknownError
from ..fields import Id, check_fields, id_text
from ..filters import Filterable
from ..pagination import Paginator
from ._description import ResourceDescription
from ._list_options import (
    ListOptions,
    check_options,
    filter_texts,
    sort_texts,
    visibility_texts,
    whole,
    yes_or_no,
)
from ._manual import words_of
from ._operations import operations_of

T = TypeVar("T")
R = TypeVar("R")

_DEFAULT_ORDERS = ((), ("created_at",), ("created_at:asc",))
_DONE = (200, 204)
_OPTIONS = frozenset(ListOptions.__annotations__)


class Resource(ResourceDescription[T]):
    """The base of all resources: a name, a class of records, and operations."""

    def __init__(self, api: Api) -> None:
        """Create the resource of a client.

        Args:
            api: The client, which sends its requests.
        """
        self._api = api

    @property
    def account_digest(self) -> bytes:
        """A digest that distinguishes accounts without revealing the key."""
        return self._api.account_digest

    def bulk_through(self, wrap: TransportWrapper) -> Self:
        """Return this resource at bulk priority and without a deadline.

        Args:
            wrap: Returns a transport around another one. It sees each attempt that has a permit.

        Returns:
            A resource of the same class and client.
        """
        return type(self)(self._api.bulk_through(wrap))

    @property
    def operations(self) -> frozenset[str]:
        """The names of the methods that are operations of the API."""
        return operations_of(type(self), Resource)

    def __repr__(self) -> str:
        """Return the name and the operations."""
        return f"<{self.name}: {', '.join(sorted(self.operations))}>"

    def _url(self, path: str) -> str:
        return self._api.server.url(path)

    def _id(self, value: Id, argument: str = "id") -> str:
        """Return an id as a part of a path.

        Args:
            value: The id of a record of this resource, or of another one if `argument` names it.
            argument: The name of the caller's argument.

        Raises:
            InvalidRequestError: The value is not an id.
        """
        text = id_text(value)
        if text is None:
            kind = f"{words_of(self.record.__name__)} id" if argument == "id" else argument.replace("_", " ")
            raise InvalidRequestError(f"invalid {kind}: expected 1 to {ID_DIGITS} digits", argument=argument)
        return text

    def _member(self, id: Id, action: str = "") -> str:
        return f"/{self.name}/{self._id(id)}{action}"

    def _list(self, path: str, filters: Sequence[Filterable], options: Mapping[str, Any]) -> Paginator[T]:
        """Return a paginator over the list at a path."""
        return self.paginate((self._url(path),), filters, options)

    def paginate(
        self, sources: tuple[str, ...], filters: Sequence[Filterable], options: Mapping[str, Any]
    ) -> Paginator[T]:
        """Return a paginator over the list that one or several URLs make up.

        Args:
            sources: The URLs, each of a list of this resource.
            filters: As for `list`.
            options: As for `list`.

        Returns:
            The paginator. Nothing is sent before it is used.

        Raises:
            InvalidRequestError: A filter or an option is invalid.
            TypeError: An option does not exist.
        """
        return Paginator(self.list_spec(sources, filters, options), options.get("cursor"))

    def list_spec(
        self, sources: tuple[str, ...], filters: Sequence[Filterable], options: Mapping[str, Any]
    ) -> ListSpec[T]:
        """Return the parameters of a list.

        Args:
            sources: The URLs, each of a list of this resource.
            filters: As for `list`.
            options: As for `list`.

        Returns:
            The parameters, checked.

        Raises:
            InvalidRequestError: A filter or an option is invalid.
            TypeError: An option does not exist.
        """
        fields = self.searchable()
        sort = sort_texts(options.get("sort"))
        visibility = {name: value for name, value in options.items() if name not in _OPTIONS}
        check_options(self, visibility, _OPTIONS)
        query = ListQuery(
            server=self._api.server,
            sources=sources,
            filters=(*filter_texts(self, filters), *visibility_texts(visibility)),
            sort=sort,
            per_page=whole("per_page", options.get("per_page", FULL_PAGE), most=FULL_PAGE),
            stable=yes_or_no("stable", options.get("stable", False)),
            anchored=sort in _DEFAULT_ORDERS and "created_at" in fields,
            dividable="id" in fields,
        )
        if query.stable and (sort or "id" not in fields):
            problem = "cannot be combined with sort" if sort else "needs a list that can be filtered by id"
            raise InvalidRequestError(f"stable=True {problem}", argument="stable")
        limit = options.get("limit")
        return ListSpec(
            api=self._api,
            record=self.record,
            name=self.name,
            query=query,
            limit=None if limit is None else whole("limit", limit),
            prefetch=whole("prefetch", options.get("prefetch", 0), least=0),
        )

    def _get(self, path: str, visibility: Mapping[str, Any] | None = None) -> Awaitable[T]:
        visibility = visibility or {}
        check_options(self, visibility)
        query = "&".join(f"q%5B%5D={quote(text, '')}" for text in visibility_texts(visibility))
        return self._send_for_record("GET", f"{path}?{query}" if query else path)

    def _create(self, fields: Mapping[str, Any]) -> Awaitable[T]:
        return self._record_for(self._write("create", fields, "POST", f"/{self.name}"))

    def _update(self, id: Id, fields: Mapping[str, Any]) -> Awaitable[T]:
        return self._record_for(self._write("update", fields, "PATCH", self._member(id)))

    def _write(
        self, operation: Literal["create", "update", "cancel"], fields: Mapping[str, Any], method: str, path: str
    ) -> Request:
        """Return the request that sends the keyword arguments of a call, after checking them."""
        return Request(method, self._url(path), to_json(check_fields(self.sent_fields(operation), fields)))

    async def _read(self, record: type[R], path: str) -> R:
        """Read an object that is not a record of this resource."""
        request = Request("GET", self._url(path))
        return decode_record(record, request, await self._api.send(request))

    def _send_for_record(self, method: str, path: str) -> Awaitable[T]:
        return self._record_for(Request(method, self._url(path)))

    async def _record_for(self, request: Request) -> T:
        response = await self._api.send(request)
        record = decode_record(self.record, request, response)
        if record == _of_nothing(self.record):
            raise DecodingError(["has none of its fields"], request=request, status=response.status)
        return record

    def _act(self, method: str, path: str) -> Awaitable[None]:
        return self._done(Request(method, self._url(path)))

    async def _done(self, request: Request) -> None:
        """Send a request whose response is empty or has the changed record.

        Raises:
            OutcomeUnknownError: A successful response has another body, such as the page of a proxy.
        """
        response = await self._api.send(request)
        if not (_is_record(response) if response.body.strip() else response.status in _DONE):
            reason = f"answered {response.status} with a body that is not the API's; look before you send it again"
            raise OutcomeUnknownError(reason, request=request, status=response.status)


def _is_record(response: Response) -> bool:
    """Return whether a response is an object with an id, unlike the page or the message of a proxy."""
    try:
        found = as_object(response.json())
    except ValueError:
        return False
    return found is not None and id_text(found.get("id")) is not None


@typed_cache
def _of_nothing(record: type[Any]) -> object:
    """Return the record that an empty JSON object is decoded as, or None if the class has required fields."""
    return None if any(field.default is attrs.NOTHING for field in attrs.fields(record)) else record()
