"""The operations that the API repeats from one resource to the next, each as a mixin.

What their docstrings share is added by `_manual`.
"""

from typing import TypeVar, Unpack

from .._compat import deprecated
from ..fields import Id
from ..filters import Filterable
from ..pagination import Paginator
from ._base import Resource
from ._list_options import (
    Archived,
    ArchivedCancelledDeleted,
    ArchivedCancelledDeletedListOptions,
    ArchivedDeleted,
    ArchivedDeletedListOptions,
    ArchivedListOptions,
    ListOptions,
)

T = TypeVar("T")


class ListMixin(Resource[T]):
    """A resource with a list."""

    def list(self, *filters: Filterable, **options: Unpack[ListOptions]) -> Paginator[T]:
        """Return a paginator over the records that match every filter."""
        return self._list(f"/{self.name}", filters, options)


class ArchivedListMixin(Resource[T]):
    """A resource with a list that can include archived records."""

    def list(self, *filters: Filterable, **options: Unpack[ArchivedListOptions]) -> Paginator[T]:
        """Return a paginator over the records that match every filter."""
        return self._list(f"/{self.name}", filters, options)


class ArchivedDeletedListMixin(Resource[T]):
    """A resource with a list that can include archived and deleted records."""

    def list(self, *filters: Filterable, **options: Unpack[ArchivedDeletedListOptions]) -> Paginator[T]:
        """Return a paginator over the records that match every filter."""
        return self._list(f"/{self.name}", filters, options)


class ArchivedCancelledDeletedListMixin(Resource[T]):
    """A resource with a list that can include archived, cancelled and deleted records."""

    def list(self, *filters: Filterable, **options: Unpack[ArchivedCancelledDeletedListOptions]) -> Paginator[T]:
        """Return a paginator over the records that match every filter."""
        return self._list(f"/{self.name}", filters, options)


class GetMixin(Resource[T]):
    """A resource whose records can be read by id."""

    async def get(self, id: Id, /) -> T:
        """Return one record."""
        return await self._get(self._member(id))


class ArchivedGetMixin(Resource[T]):
    """A resource whose records can be read by id, even if they are archived."""

    async def get(self, id: Id, /, **visibility: Unpack[Archived]) -> T:
        """Return one record."""
        return await self._get(self._member(id), visibility)


class ArchivedDeletedGetMixin(Resource[T]):
    """A resource whose records can be read by id, even if they are archived or deleted."""

    async def get(self, id: Id, /, **visibility: Unpack[ArchivedDeleted]) -> T:
        """Return one record."""
        return await self._get(self._member(id), visibility)


class ArchivedCancelledDeletedGetMixin(Resource[T]):
    """A resource whose records can be read by id, even if they are archived, cancelled or deleted."""

    async def get(self, id: Id, /, **visibility: Unpack[ArchivedCancelledDeleted]) -> T:
        """Return one record."""
        return await self._get(self._member(id), visibility)


class ArchiveMixin(Resource[T]):
    """A resource whose records can be archived."""

    async def archive(self, id: Id, /) -> None:
        """Archive a record.

        Args:
            id: The id of the record.

        Raises:
            InvalidRequestError: The id is invalid; nothing was sent.
            NotFoundError: The record does not exist, or is already archived.
            ResponseError: The API refused the request for another reason.
            OutcomeUnknownError: The response was a success without being the API's, such as the page of a proxy.
            TransportError: No usable response arrived. It is safe to try again.
        """
        await self._act("POST", self._member(id, "/archive"))


class UnarchiveMixin(Resource[T]):
    """A resource whose archived records can be restored."""

    async def unarchive(self, id: Id, /) -> T:
        """Restore an archived record.

        Args:
            id: The id of the record.

        Returns:
            The record, which is no longer archived.

        Raises:
            InvalidRequestError: The id is invalid; nothing was sent.
            NotFoundError: The record does not exist.
            ResponseError: The API refused the request for another reason.
            OutcomeUnknownError: The record may or may not have been restored. Look before you send it again.
            TransportError: No usable response arrived, and nothing was restored. It is safe to try again.
            DecodingError: The record was restored, but the response does not fit its class.
        """
        return await self._send_for_record("POST", self._member(id, "/unarchive"))


class DeleteMixin(Resource[T]):
    """A resource whose records can be deleted."""

    async def delete(self, id: Id, /) -> None:
        """Delete a record. This cannot be undone.

        Args:
            id: The id of the record.

        Raises:
            InvalidRequestError: The id is invalid; nothing was sent.
            NotFoundError: The record did not exist when the request was first sent.
            ResponseError: The API refused the request for another reason.
            OutcomeUnknownError: The response was a success without being the API's, such as the page of a proxy.
            TransportError: No usable response arrived. It is safe to try again.
        """
        await self._act("DELETE", self._member(id))


class DeprecatedDeleteMixin(Resource[T]):
    """A resource whose DELETE only archives."""

    @deprecated("DELETE only archives: use archive")
    async def delete(self, id: Id, /) -> None:
        """Archive a record. Deprecated: use `archive`, which sends the same request.

        Args:
            id: The id of the record.

        Raises:
            InvalidRequestError: The id is invalid; nothing was sent.
            NotFoundError: The record does not exist, or is already archived.
            ResponseError: The API refused the request for another reason.
            OutcomeUnknownError: The response was a success without being the API's, such as the page of a proxy.
            TransportError: No usable response arrived. It is safe to try again.
        """
        await self._act("POST", self._member(id, "/archive"))
