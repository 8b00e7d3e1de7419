"""The methods by which a test reads and changes the records of a sandbox."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from .db.row_store import RowStore

if TYPE_CHECKING:
    from .server.server_thread import ServerThread

T = TypeVar("T")


class RecordAccess:
    """Reads and changes records, from any thread if they are served from a thread of their own."""

    def __init__(self, store: RowStore) -> None:
        self._store = store
        self._thread: ServerThread | None = None

    def add(self, resource: str, **fields: Any) -> str:
        """Add a record.

        Nothing is validated. Omitted fields get the same values as in a create.

        Args:
            resource: The name of the resource, such as `"appointment_types"`.
            **fields: Any fields, even stamps and `id`; a link to one record is given as `practitioner_id`.

        Returns:
            The id of the record.

        Raises:
            LookupError: The resource does not exist.
            TypeError: The resource has no such field.
        """
        return str(self._call(self._store.insert, self._known(resource), fields))

    def update(self, resource: str, record_id: str | int, **fields: Any) -> None:
        """Change fields of a record, and `updated_at` unless it is given.

        Args:
            resource: The name of the resource, such as `"appointment_types"`.
            record_id: The id of the record.
            **fields: Any fields, even stamps; a link to one record is given as `practitioner_id`.

        Raises:
            LookupError: The record does not exist.
            TypeError: The resource has no such field.
        """
        if not self._call(self._store.change, self._known(resource), int(record_id), fields):
            raise _no_record(resource, record_id)

    def archive(self, resource: str, record_id: str | int) -> None:
        """Archive a record, as a user of Cliniko would.

        Args:
            resource: The name of the resource, such as `"appointment_types"`.
            record_id: The id of the record.

        Raises:
            LookupError: The record does not exist.
        """
        self.update(resource, record_id, archived_at=self._store.now())

    def remove(self, resource: str, record_id: str | int) -> None:
        """Remove a record completely.

        Args:
            resource: The name of the resource, such as `"appointment_types"`.
            record_id: The id of the record.

        Raises:
            LookupError: The record does not exist.
        """
        table = self._store.tables[self._known(resource)]
        if not self._call(self._store.database.remove, table, int(record_id)):
            raise _no_record(resource, record_id)

    def get(self, resource: str, record_id: str | int) -> dict[str, Any]:
        """Return a record as the API would send it, archived or not.

        Args:
            resource: The name of the resource, such as `"appointment_types"`.
            record_id: The id of the record.

        Returns:
            The record, as a dict.

        Raises:
            LookupError: The record does not exist.
        """
        records = self._call(self._records, self._known(resource), int(record_id))
        if not records:
            raise _no_record(resource, record_id)
        return records[0]

    def all(self, resource: str) -> list[dict[str, Any]]:
        """Return every record as the API would send it, archived or not, in the order of their ids.

        Args:
            resource: The name of the resource, such as `"appointment_types"`.

        Returns:
            The records, as dicts.

        Raises:
            LookupError: The resource does not exist.
        """
        return self._call(self._records, self._known(resource))

    def _call(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function that reads or writes records in the thread that serves them."""
        return function(*args) if self._thread is None else self._thread.call(function, *args)

    def _records(self, resource: str, record_id: int | None = None) -> list[dict[str, Any]]:
        """Return the record with an id, if there is one, or every record."""
        if record_id is None:
            ids = list(self._store.column(resource, "id"))
        else:
            ids = [] if self._store.row(resource, record_id) is None else [record_id]
        return [json.loads(text) for text in self._store.json_texts(resource, ids)]

    def _known(self, resource: str) -> str:
        if resource not in self._store.tables:
            raise LookupError(f"there is no resource {resource}")
        return resource


def _no_record(resource: str, record_id: str | int) -> LookupError:
    return LookupError(f"{resource} has no record {record_id}")
