"""Records as Apache Arrow tables and record batches, for Parquet, DuckDB, polars and pandas.

Each column has the type of its field: `string`, `int64`, `bool`, `date32`, `timestamp[us, tz=UTC]` and `decimal128(38,
18)`, and lists and structs of them. A decimal is never rounded.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Self

from .. import DecodingError, InvalidRequestError
from .._checks import count_argument
from .._frames import hides_locals

try:
    # They are unknown types, unless the package pyarrow-stubs is installed.
    from pyarrow import (  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
        RecordBatch,  # pyright: ignore[reportUnknownVariableType]
        Schema,  # pyright: ignore[reportUnknownVariableType]
        Table,  # pyright: ignore[reportUnknownVariableType]
    )

    from ._arrow_columns import batch_of, combined, schema_of, table_of
except ImportError as error:
    raise ImportError('Arrow needs pyarrow: pip install "cliniko-async[arrow]"') from error

__all__ = ["Batches", "batches", "schema", "table"]

_CHUNK = 1000
"""Records to convert at once. Each takes some 10 microseconds, in which the event loop stands still."""


def schema(cls: type) -> Schema:  # pyright: ignore[reportUnknownParameterType]
    """Return the schema of a class of records.

    Args:
        cls: The class, such as `AppointmentType`, or the `record` of a resource.

    Returns:
        The schema, with the columns of `cliniko_async.columns(cls)`. A column of which every record has a value is not
        nullable.

    Raises:
        TypeError: It is not a class of records.
    """
    return schema_of(cls)


@hides_locals
def table(records: Iterable[object], cls: type | None = None) -> Table:  # pyright: ignore[reportUnknownParameterType]
    """Return records as a table.

    Args:
        records: The records, all of one class, or all variants of one, such as bookings.
        cls: Their class, which is required if there may be no record. None, the default, takes it from the first one.

    Returns:
        The table, with the schema of the class, also without any record.

    Raises:
        InvalidRequestError: There is no record, and no class is given.
        TypeError: A record is not of that class.
        DecodingError: A value does not fit its column, such as a decimal with more than 20 digits before or 18 after
            the point. `.faults` names the record and the column.
    """
    found = list(records)
    if cls is None and not found:
        raise InvalidRequestError("a table without records needs their class", argument="cls")
    of = cls or type(found[0])
    return table_of(of, [batch_of(of, found[start : start + _CHUNK]) for start in range(0, len(found), _CHUNK)])


def batches(records: AsyncIterable[object], *, rows: int = 10_000) -> "Batches":
    """Return an iterator over the records of a list in batches.

    Use it as `async for batch in batches(cliniko.patients.list())`. No more than one batch is in memory, whatever the
    length of the list.

    Args:
        records: A paginator, or any other asynchronous iterable of records of one class.
        rows: Rows in a batch; 10,000 by default. The last batch may have fewer. Nothing is yielded for an empty list.

    Returns:
        An iterator over the batches. Its `cursor` is the position after the last batch.

    Raises:
        InvalidRequestError: `rows` is not a whole number of at least 1.
    """
    return Batches(aiter(records), count_argument("rows", rows))


class Batches:
    """Yields record batches. If a request fails, it yields the records that came before, and then raises the error.

    After an error of a request, the next step continues where it happened. A value that does not fit in its column is
    raised again by every step.
    """

    def __init__(self, records: AsyncIterator[object], rows: int) -> None:
        """Create an iterator over batches.

        Args:
            records: The records.
            rows: Rows in a batch.
        """
        self._records = records
        self._rows = rows
        self._lock = asyncio.Lock()
        self._unconverted: list[object] = []
        self._chunks: list[Any] = []
        self._cursor: str | None = getattr(records, "cursor", None)
        self._chunks_end = self._cursor
        self._class: type | None = None
        self._error: Exception | None = None

    @property
    def cursor(self) -> str | None:
        """The position after the last batch, for `list(cursor=…)`, or None if the records have no cursor."""
        return self._cursor

    def __aiter__(self) -> Self:
        """Continue this iteration."""
        return self

    async def __anext__(self) -> RecordBatch:  # pyright: ignore[reportUnknownParameterType]
        """Return the next batch."""
        async with self._lock:
            while self._error is None and (missing := self._rows - sum(chunk.num_rows for chunk in self._chunks)):
                self._error = self._convert(await _read(self._records, self._unconverted, min(missing, _CHUNK)))
            if self._chunks:
                batch, self._chunks = combined(self._chunks), []
                self._cursor = self._chunks_end
                del self  # The frames of an error to come refer to this one.
                return batch
            error, self._error = self._error, None
            try:
                raise error or StopAsyncIteration
            finally:
                del error  # Its traceback refers to this frame.

    def _convert(self, ended: Exception | None) -> Exception | None:
        """Convert the records read, and return the error if they cannot be converted, otherwise `ended`."""
        if self._unconverted:
            self._class = self._class or type(self._unconverted[0])
            try:
                self._chunks.append(batch_of(self._class, self._unconverted))
            except (DecodingError, TypeError) as error:
                return error.with_traceback(None)  # Its frames refer to this iterator.
            self._unconverted = []
            self._chunks_end = getattr(self._records, "cursor", None)
        return ended

    async def aclose(self) -> None:
        """Cancel the requests under way and end the iteration.

        The next step raises `StopAsyncIteration`; `cursor` stays after the last batch returned. Closing twice is
        allowed. `contextlib.aclosing` calls this.
        """
        self._chunks, self._unconverted, self._error = [], [], None
        close: Callable[[], Awaitable[None]] | None = getattr(self._records, "aclose", None)
        if close is not None:
            await close()


async def _read(records: AsyncIterator[object], into: list[object], most: int) -> Exception | None:
    """Append records, and return the error that ended this, which is `StopAsyncIteration` at the end of the list."""
    try:
        while len(into) < most:
            into.append(await anext(records))
    except Exception as error:  # noqa: BLE001  (raised after the records that came before)
        del into  # From the traceback.
        return error
    return None
