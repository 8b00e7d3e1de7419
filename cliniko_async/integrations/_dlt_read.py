"""What a sync reads of one resource: everything the first time, and later only what changed."""

import asyncio
import datetime as dt
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, MutableMapping, Sequence
from contextlib import aclosing
from typing import Any

from .. import BadRequestError, Cliniko, InvalidRequestError
from ..resources._registry import RESOURCES, resource_class
from ._dlt_columns import KEY, ArrowTable, records_table, removals_table

BATCH = 2_000
"""Rows of a batch. A batch costs dlt some milliseconds, and is held in memory."""
OVERLAP = dt.timedelta(seconds=60)
"""By how much a change may become visible after its `updated_at` and still be found."""
_IDS_OF_A_REQUEST = 100
"""As many as the records of the largest page, so that one response has all of them."""
_CURSOR = "cursor"

logger = logging.getLogger("cliniko_async")

Records = Collection[Any]
KnownIds = Callable[[], Iterable[str]]


def resource_names() -> tuple[str, ...]:
    """Return the names of the resources that can be synced: those with a list that needs no arguments."""
    classes = {name: resource_class(name) for name in RESOURCES}
    return tuple(
        name for name, each in classes.items() if hasattr(each, "list") and not each.required_arguments("list")
    )


def has_changes(name: str) -> bool:
    """Return whether a resource has changes. If so, its records have ids."""
    return hasattr(resource_class(name), "changes")


class ResourceReader:
    """Reads one resource once."""

    def __init__(
        self, name: str, state: MutableMapping[str, Any], known_ids: KnownIds, *, reconcile: bool = False
    ) -> None:
        """Create the reader.

        Args:
            name: The name of the resource.
            state: What the last run saved. dlt commits it together with the rows.
            known_ids: Returns the ids in the destination. It is called in a thread, if records may have been deleted.
            reconcile: Whether to find deleted records.
        """
        self._name = name
        resource: Any = resource_class(name)
        self._record = resource.record
        self._state = state
        self._known_ids = known_ids
        self._reconcile = reconcile
        self._next_cursor: str | None = None
        self._last_read = dt.datetime.min.replace(tzinfo=dt.UTC)

    async def tables(self, cliniko: Cliniko) -> AsyncGenerator[ArrowTable]:
        """Yield what is to be loaded, and update the state after the last table."""
        resource: Any = cliniko.resources[self._name]
        cursor: str | None = self._state.get(_CURSOR)
        if cursor is None:
            yield self._table(())  # So that there is a table, even if there is no record.
        elif not _continues(resource, cursor):
            logger.warning("the cursor of %s belongs to another API key: all records are read again", self._name)
            cursor, self._reconcile = None, True
        missing = set(await asyncio.to_thread(self._known_ids)) if self._reconcile and has_changes(self._name) else None
        async with aclosing(_batches(self._pages(resource, cursor))) as batches:
            async for records in batches:
                if missing:
                    missing.difference_update(record.id for record in records)
                yield self._table(records)
        async for ids in _deleted(resource, sorted(missing or ())):
            yield removals_table(self._record, ids, self._read_at())
        if self._next_cursor is not None:
            self._state[_CURSOR] = self._next_cursor

    async def _pages(self, resource: Any, cursor: str | None) -> AsyncGenerator[Records]:
        if not has_changes(self._name):
            parts = [_pages(resource.list(prefetch=1))]
        elif cursor is None or self._reconcile:
            parts = [self._all(resource)]
        else:
            parts = [self._changed(resource, cursor)]
        # A record that becomes inactive leaves the list without a change, and these are few.
        if hasattr(resource, "list_inactive"):
            parts.append(_pages(resource.list_inactive()))
        for part in parts:
            async with aclosing(part):
                async for records in part:
                    yield records

    async def _all(self, resource: Any) -> AsyncGenerator[Records]:
        """Yield every record at the cost of a list and one request, with the cursor of what changes from now on."""
        everything = resource.everything()
        try:
            newest = await resource.list(sort="updated_at:desc", **everything)
        except BadRequestError:
            newest = None  # The server does not sort by it.
        if newest is None:
            pages = self._changed(resource, None)
        else:
            self._next_cursor = _cursor_after(resource, newest.items)
            if newest.total_entries == len(newest.items):
                yield newest.items
                return
            pages = _pages(resource.list(stable=True, prefetch=1, **everything))
        async with aclosing(pages):
            async for records in pages:
                yield records

    async def _changed(self, resource: Any, cursor: str | None) -> AsyncGenerator[Records]:
        changes = aiter(resource.changes(cursor, overlap=OVERLAP.total_seconds()))
        async with aclosing(changes):
            async for change in changes:
                yield (change.record,)
            self._next_cursor = changes.cursor

    def _table(self, records: Records) -> ArrowTable:
        return records_table(self._record, _latest(records), self._read_at())

    def _read_at(self) -> dt.datetime:
        """Return the present, but always later than the last time, even if the clock was set back."""
        self._last_read = max(dt.datetime.now(dt.UTC), self._last_read + dt.timedelta(microseconds=1))
        return self._last_read


def _latest(records: Records) -> Sequence[Any]:
    """Return the last version of each record; those without an id are all different."""
    return list({getattr(record, KEY, index): record for index, record in enumerate(records)}.values())


def _continues(resource: Any, cursor: str) -> bool:
    try:
        resource.changes(cursor)
    except InvalidRequestError:
        return False
    return True


def _cursor_after(resource: Any, newest: Sequence[Any]) -> str:
    """Return the cursor of the changes that may become visible after the newest record was read."""
    if not newest:
        return str(aiter(resource.changes()).cursor)
    # Not later than now: if the stamp of a record is in the future, changes until then would be missed.
    since = min(newest[0].updated_at, dt.datetime.now(dt.UTC)) - OVERLAP
    return str(aiter(resource.changes(since)).cursor)


async def _pages(paginator: Any) -> AsyncGenerator[Records]:
    async with aclosing(paginator.pages()) as pages:
        async for page in pages:
            yield page.items


async def _batches(pages: AsyncGenerator[Records]) -> AsyncGenerator[Records]:
    held: list[Any] = []
    async with aclosing(pages):
        async for records in pages:
            held += records
            if len(held) >= BATCH:
                yield held
                held = []
    if held:
        yield held


async def _deleted(resource: Any, ids: Sequence[str]) -> AsyncGenerator[Sequence[str]]:
    """Yield those ids that the server does not know any more. A list may have missed one that moved meanwhile."""
    for start in range(0, len(ids), _IDS_OF_A_REQUEST):
        asked = ids[start : start + _IDS_OF_A_REQUEST]
        found: set[str] = set()
        lists = [resource.list(resource.where.id.is_in(asked), **resource.everything())]
        if hasattr(resource, "list_inactive"):
            lists.append(resource.list_inactive(resource.where.id.is_in(asked)))
        for each in lists:
            found.update(record.id for record in await each.collect())
        if gone := [id for id in asked if id not in found]:
            yield gone
