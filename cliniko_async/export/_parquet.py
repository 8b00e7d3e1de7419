"""Parquet: the part file is a stream of Arrow record batches, which can be appended to, and becomes Parquet at the end.

A Parquet file cannot be read before its footer is written, so it cannot grow over several runs. A stream of record
batches has no footer: after a crash it is cut off after the last batch that the manifest has recorded.
"""

import importlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .._durable import rename, sync

_ROW_GROUP = 16_000_000
"""Bytes of a row group in memory."""


class ParquetEncoder:
    """A Parquet file with the columns and types of `cliniko_async.integrations.arrow`."""

    is_final = False

    def __init__(self, record: type) -> None:
        """Take the class of the records, which determines the schema."""
        from ..integrations import arrow  # noqa: PLC0415  (optional; its error names the extra)

        untyped: Any = arrow  # As pyarrow is.
        self._schema = untyped.schema(record)
        self._table = untyped.table
        self._record = record

    def header(self) -> bytes:
        """Return the schema."""
        return bytes(self._schema.serialize())

    def encode(self, records: Sequence[Any]) -> bytes:
        """Return record batches."""
        batches = self._table(records, self._record).to_batches()
        return b"".join([bytes(batch.serialize()) for batch in batches])

    def finish(self, part: Path, file: Path) -> None:
        """Write the Parquet file beside its final name, then rename it."""
        pa: Any = importlib.import_module("pyarrow")  # It has no types of its own.
        parquet: Any = importlib.import_module("pyarrow.parquet")
        written = file.with_name(file.name + ".tmp")
        with (
            pa.OSFile(str(part)) as source,
            pa.ipc.open_stream(source) as batches,
            parquet.ParquetWriter(written, self._schema, compression="zstd") as writer,
        ):
            for group in map(pa.Table.from_batches, _row_groups(batches)):
                writer.write_table(group, row_group_size=group.num_rows)
        sync(written)
        rename(written, file)


def _row_groups(batches: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield many batches at once, as small row groups make a slow file."""
    pending: list[Any] = []
    size = 0
    for batch in batches:
        pending.append(batch)
        size += batch.nbytes
        if size >= _ROW_GROUP:
            yield pending
            pending, size = [], 0
    if pending:
        yield pending
