"""The stream of changes, for resources whose lists can be filtered by `updated_at`."""

import datetime as dt
from typing import TypeVar

from .._checks import is_seconds
from ..changes import Changes
from ..errors import InvalidRequestError
from ..filters import Filterable
from ._base import Resource
from ._list_options import VISIBILITIES

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
        fields = self.searchable()
        if not is_seconds(overlap, zero=True):
            raise InvalidRequestError("overlap must be a number of seconds, at least 0", argument="overlap")
        options = dict.fromkeys((name for name in VISIBILITIES if f"{name}_at" in fields), "include")
        return Changes(self.list_spec((self._url(f"/{self.name}"),), filters, options), since, float(overlap))
