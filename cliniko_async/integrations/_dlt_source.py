"""The source for dlt: one resource for each of Cliniko's, over one client."""

import logging
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, cast

import dlt
from dlt.common.configuration import configspec, resolve_configuration
from dlt.common.configuration.specs import BaseConfiguration
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.extract import DltResource, DltSource

from .. import InvalidRequestError
from .._spelling import did_you_mean
from ..resources._registry import resource_class
from ._dlt_client import Connection
from ._dlt_columns import KEY, column_hints
from ._dlt_read import ResourceReader, has_changes, resource_names

NAME = "cliniko"
"""The name of the source, of its schema, and of its section in the configuration of dlt."""
_NO_NEWS = ("when merging arrow schema with dlt schema", "native writer could not be found")
"""Warnings of dlt about what is meant to be: texts declared as JSON, and INSERT statements made from Arrow."""
_MERGED: Any = {"disposition": "merge", "strategy": "delete-insert"}
_REPLACED: Any = {"disposition": "replace", "strategy": "insert-from-staging"}


@configspec
class DltSettings(BaseConfiguration):
    """What dlt's configuration says of the account. It keeps a secret out of the trace that it writes to a file."""

    api_key: dlt.TSecretStrValue | None = None
    app_name: str | None = None
    contact_email: str | None = None
    base_url: str | None = None
    shard: str | None = None


def selected(resources: Iterable[str] | None) -> tuple[str, ...]:
    """Return the names of the resources to sync: those given, or all.

    Raises:
        InvalidRequestError: One cannot be synced, or `resources` is a str.
    """
    known = resource_names()
    if isinstance(resources, str):
        raise InvalidRequestError("resources must be a list of names, such as ['patients']", argument="resources")
    names = known if resources is None else tuple(dict.fromkeys(resources))
    for name in names:
        if name not in known:
            near = did_you_mean(name, known)
            raise InvalidRequestError(f"no resource {name!r} can be synced{near}", argument="resources")
    return names


def configured(api_key: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the client, those that were not given from the configuration of dlt."""
    given = {name: value for name, value in options.items() if value is not None}
    if api_key is not dlt.secrets.value:
        given["api_key"] = api_key
    # Without a key or a name, the client looks for its own environment variables, and says so if there are none.
    return {**_settings(), **given}


def _settings() -> dict[str, Any]:
    found: Any = resolve_configuration(DltSettings(), sections=("sources", NAME))
    return {name: value for name, value in found.items() if value is not None}


def build_source(connection: Connection, resources: Sequence[str], *, reconcile: bool) -> DltSource:
    """Return a source that reads some resources over a connection.

    Args:
        connection: Reaches the client.
        resources: Their names.
        reconcile: Whether to find deleted records.
    """

    @dlt.source(name=NAME, section=NAME)
    def source() -> Iterator[DltResource]:
        for name in resources:
            yield _resource(name, connection, reconcile=reconcile)

    return source()


def _resource(name: str, connection: Connection, *, reconcile: bool) -> DltResource:
    def read() -> Iterator[AsyncGenerator[Any]]:
        logging.getLogger("dlt").addFilter(_is_news)
        # Here, and not while reading, because dlt knows the pipeline and the state only in this thread.
        pipeline, state = dlt.current.pipeline(), dlt.current.resource_state(name)
        reader = ResourceReader(name, state, partial(_ids, pipeline, name), reconcile=reconcile)
        tables = connection.stream(reader.tables)
        yield _as_inserts(tables) if _is_postgres(pipeline) else tables

    merged = has_changes(name)
    cls: Any = resource_class(name)
    columns: Any = column_hints(cls.record, merged=merged)
    made: Any = dlt.resource(read, name=name, write_disposition=_MERGED if merged else _REPLACED, columns=columns)
    return cast("DltResource", made)


def _is_news(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    return not any(part in text for part in _NO_NEWS)


def _is_postgres(pipeline: Any) -> bool:
    return str(pipeline.destination.destination_type).endswith(".postgres")


async def _as_inserts(tables: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
    """Let dlt write INSERT statements: its CSV files for PostgreSQL turn each empty text into null."""
    hints = dlt.mark.make_hints(file_format="insert_values")
    async with aclosing(tables):
        async for table in tables:
            yield dlt.mark.with_hints(table, hints)


def _ids(pipeline: Any, table: str) -> Iterator[str]:
    """Yield the ids in a table of the destination, or none if there is no such table yet."""
    try:
        with pipeline.sql_client() as client:
            columns, name = client.escape_column_name(KEY), client.make_qualified_table_name(table)
            with client.execute_query(f"SELECT {columns} FROM {name}") as cursor:  # noqa: S608  (both are escaped)
                while rows := cursor.fetchmany(10_000):
                    yield from (id for (id,) in rows)
    except DestinationUndefinedEntity:
        return
