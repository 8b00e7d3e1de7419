"""Reads the records that may belong to rows whose outcome is unknown."""

import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Iterable
from typing import Any, Protocol, cast

from .._dates import format_utc
from .._messages import as_object
from ..errors import DecodingError
from ..fields import id_text
from ..pagination import Page, Paginator
from ..resources._base import Resource

MARGIN = 60.0
"""Seconds by which the clocks of the server may differ."""


class Listed(Protocol):
    """A resource with a list."""

    def list(self, *filters: str, **options: Any) -> Paginator[Any]:
        """Return a paginator over the records that match every filter."""
        ...


async def records_since(resource: Resource[Any], since: float) -> dict[str, dict[str, Any]]:
    """Return the JSON of all records that were created since a time, hidden ones included, by their ids.

    Args:
        resource: The resource.
        since: The server's time in seconds since 1970.

    Returns:
        The records, also those that do not fit their class.

    Raises:
        ClinikoError: The list cannot be read to its end.
    """
    moment = format_utc(dt.datetime.fromtimestamp(int(since), dt.UTC))
    found: dict[str, dict[str, Any]] = {}
    async for page in _pages(resource, f"created_at:>={moment}"):
        found |= {str(record["id"]): record for record in page.raw[resource.name]}
    return found


async def _pages(resource: Resource[Any], created: str) -> AsyncIterator[Page[Any]]:
    listed = cast("Listed", resource)
    cursor: str | None = None
    while True:
        pages = listed.list(created, stable=True, cursor=cursor, **resource.everything()).pages()
        async with contextlib.aclosing(pages):
            try:
                async for page in pages:
                    yield page
                return
            except DecodingError as error:
                if error.page is None or error.cursor is None or not _have_ids(error.page.raw[resource.name]):
                    raise
                yield error.page
                cursor = error.cursor


def _have_ids(records: Iterable[object]) -> bool:
    """Return whether every record has an id; one without cannot be the record of a row, or be ruled out."""
    return all((found := as_object(record)) is not None and id_text(found.get("id")) for record in records)
