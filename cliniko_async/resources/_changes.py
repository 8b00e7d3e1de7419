"""The streams of changes, for resources whose lists can be filtered by `updated_at`."""

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from .._checks import seconds_argument
from .._messages import is_unicode
from .._paging.pager import ListSpec
from ..changes import Changes
from ..cursors import CursorStore
from ..errors import InvalidRequestError
from ..filters import Filterable
from ..watch import Watch, WatchOptions
from ._base import Resource
from ._list_options import filter_texts

T = TypeVar("T")


class ChangesMixin(Resource[T]):
    """A resource with a stream of changes."""

    def changes(
        self, since: dt.datetime | str | None = None, *filters: Filterable, overlap: float = 60.0
    ) -> Changes[T]:
        """Return the records that changed since a moment or a cursor, even if they are archived, cancelled or deleted.

        A run ends at the server's time of its first response. Store the iterator's `cursor`, and pass it to the next
        run. Changes are found by polling, which can miss some: see the guarantees in the documentation.

        Args:
            since: A datetime with a time zone, or the cursor of an earlier run; None, the default, for every record.
            *filters: Conditions made with `where`, or strings. A record must match all of them.
            overlap: Seconds by which a change may become visible after its `updated_at` and still be found by the next
                run; 60 by default.

        Returns:
            A `Changes`. Use `async for` to read each `Change`, with the record and what happened to it. No request is
            sent before that.

        Raises:
            InvalidRequestError: `since` is naive or not a cursor of this query, a filter is invalid, or `overlap` is
                not a number of at least 0; nothing was sent. The other errors are raised while iterating.
            ResponseError: The API refused a request: `UnauthorizedError`, `ForbiddenError` or another.
            TransportError: No usable response arrived within `timeout`, `deadline` and the retries. It is safe to try
                again.
            DecodingError: A record does not fit its class. `page` has the records that do, `cursor` continues after
                them.
            PaginationError: The responses contradict one another.
        """
        return Changes(self._changes_spec(filters), since, seconds_argument("overlap", overlap, zero=True))

    def watch(
        self,
        *filters: Filterable,
        store: CursorStore | None = None,
        name: str | None = None,
        since: dt.datetime | str | None = None,
        every: float = 60.0,
        overlap: float = 60.0,
    ) -> Watch[T]:
        """Return the changes as an endless stream, which polls at bulk priority and can continue after a restart.

        The stream survives transient errors: it logs a warning, waits up to 300 seconds and requests the same page
        again. An invalid record is reported in the same way and left out; the other records of its page come. The
        stream ends with an error that cannot pass, such as a rejected API key, and when the client is closed.

        With a `store`, each change is yielded at least once: its cursor is saved when you ask for the next one, so
        after a restart the last change may come again. The store keeps the cursor under the `account` and `name` of the
        `Watch`.

        Args:
            *filters: Conditions made with `where`, or strings. A record must match all of them.
            store: Where the cursor is kept, such as a `SqliteCursors`; None, the default, keeps it nowhere.
            name: The name of the stream in the store, different for each consumer. None, the default, makes one from
                the name of the resource and a digest of the filters.
            since: Where to start if the store has no cursor: a datetime with a time zone, a cursor, or None, the
                default, for every record.
            every: Seconds from one poll to the next; 60 by default.
            overlap: Seconds by which a change may become visible after its `updated_at` and still be found by the next
                poll; 60 by default.

        Returns:
            A `Watch`. Use `async for` to read each `Change`. No request is sent before that.

        Raises:
            InvalidRequestError: An argument is invalid; nothing was sent. The other errors are raised while iterating.
                It is also raised while iterating if the cursor in the store belongs to other filters.
            ResponseError: The API refused a request: `UnauthorizedError`, `ForbiddenError` or another of 4xx.
            UsageError: The client is closed, or is used from another event loop.
        """
        texts = filter_texts(self, filters)
        options = WatchOptions(
            _store(store),
            _stream_name(self.name, name, texts),
            seconds_argument("every", every),
            seconds_argument("overlap", overlap, zero=True),
        )
        spec = self._changes_spec(filters)
        return Watch(msgspec.structs.replace(spec, api=spec.api.bulk()), since, options)

    def _changes_spec(self, filters: Sequence[Filterable]) -> ListSpec[T]:
        return self.list_spec((self._url(f"/{self.name}"),), filters, self.everything())


def _store(value: CursorStore | None) -> CursorStore | None:
    if value is not None and not all(callable(getattr(value, name, None)) for name in ("load", "save")):
        raise InvalidRequestError("store must have the methods load and save", argument="store")
    return value


def _stream_name(resource: str, name: str | None, filters: Sequence[str]) -> str:
    """Return the name of a stream, which depends on the filters, as cursors do."""
    if name is None:
        # A digest, because a filter may contain the name of a patient.
        digest = hashlib.blake2b(repr(filters).encode(), digest_size=8).hexdigest()
        return f"{resource} {digest}" if filters else resource
    if not isinstance(name, str) or not name or not is_unicode(name):
        raise InvalidRequestError("name must be a non-empty str", argument="name")
    return name
