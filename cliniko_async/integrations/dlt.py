"""Loads accounts into databases with dlt: `cliniko_source` for your own pipelines, and `sync`, which needs none.

Every resource with a list becomes a table of the same name. Rows are merged by id. The first run reads everything,
later runs read what changed.
"""

import traceback
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from .. import Cliniko, RateLimiter, RetryPolicy

try:
    import dlt

    from ._dlt_client import OwnClient
    from ._dlt_run import SyncError, SyncResult, sync_target
    from ._dlt_source import build_source, configured, selected
    from ._dlt_target import target_of
except ImportError as error:
    raise ImportError('cliniko_async.integrations.dlt needs dlt: pip install "cliniko-async[dlt]"') from error

if TYPE_CHECKING:
    from dlt.common.destination import Destination
    from dlt.extract import DltSource

__all__ = ["SyncError", "SyncResult", "cliniko_source", "sync"]


def cliniko_source(
    api_key: str = dlt.secrets.value,
    resources: Iterable[str] | None = None,
    *,
    reconcile: bool = False,
    app_name: str | None = None,
    contact_email: str | None = None,
    shard: str | None = None,
    base_url: str | None = None,
    timeout: float = 40.0,
    deadline: float | None = None,
    retry: RetryPolicy | None = None,
    rate_limiter: RateLimiter | None = None,
    priority: Literal["interactive", "bulk"] = "bulk",
) -> "DltSource":
    """Return a source for a pipeline of dlt, with one resource for each of Cliniko's.

    What is not given is taken from the section `sources.cliniko` of dlt's configuration and secrets (`api_key`,
    `app_name`, `contact_email`, `base_url`, `shard`), or else from the environment variables of `Cliniko.from_env`. The
    client is opened when dlt reads the first resource, and closed after the last one.

    dlt keeps the cursors in its state, and commits them with the rows that they belong to.

    Args:
        api_key: The API key. The default takes it from dlt's secrets.
        resources: The names of the resources, such as `["patients", "invoices"]`; None, the default, for all with a
            list, except `available_times`.
        reconcile: Whether to find records that were deleted without a trace. Everything is read again, and rows that
            Cliniko no longer has are deleted. It needs a destination that can be queried with SQL.
        app_name: The name of your application, for the User-Agent header.
        contact_email: An e-mail address at which Cliniko can reach you, for the User-Agent header.
        shard: The shard, if it is not at the end of the key.
        base_url: The URL of another server, such as a sandbox.
        timeout: Seconds for one attempt; 40 by default.
        deadline: Seconds for one request, including waits and retries; None, the default, for no limit.
        retry: How often to send a request, and the waits between attempts; None, the default, for `RetryPolicy()`.
        rate_limiter: The rate limiter. None, the default, uses the one that all clients of this process with the same
            base URL and key share.
        priority: "bulk", the default, which waits for interactive requests, or "interactive".

    Returns:
        The source, for `pipeline.run`.

    Raises:
        ConfigurationError: The key, the name of the application or another option is missing or invalid.
        InvalidRequestError: A resource cannot be synced.
    """
    try:
        who = {"app_name": app_name, "contact_email": contact_email, "shard": shard, "base_url": base_url}
        how = {"timeout": timeout, "deadline": deadline, "retry": retry, "rate_limiter": rate_limiter}
        return _source(api_key, selected(resources), {**who, **how, "priority": priority}, reconcile=reconcile)
    except Exception as error:
        traceback.clear_frames(error.__traceback__)  # They hold the key.
        raise
    finally:
        del api_key


def _source(api_key: object, resources: Sequence[str], options: dict[str, Any], *, reconcile: bool) -> "DltSource":
    given = configured(api_key, options)
    Cliniko.from_env(**given)  # So that an invalid option is an error here, and not in the middle of a run.
    return build_source(OwnClient(lambda: Cliniko.from_env(**given)), resources, reconcile=reconcile)


async def sync(
    cliniko: Cliniko,
    to: "str | Destination[Any, Any]",
    *,
    dataset: str = "cliniko",
    resources: Iterable[str] | None = None,
    reconcile: bool = False,
) -> SyncResult:
    """Load a clinic into a database, or bring the database up to date.

    From a sync that ends early, however it ends, the next run recovers. The cursors are in the database, and nothing is
    left on this machine. dlt reports nothing about its use from this process any more.

    Args:
        cliniko: A client of the clinic. It stays open. `priority="bulk"` lets other programs go first.
        to: The database: `"duckdb:///clinic.duckdb"` (a relative path; an absolute one has four slashes),
            `"postgresql://user@host/database"`, or a destination of dlt. A password comes from the environment variable
            PGPASSWORD, not from the URL.
        dataset: The schema of the database; "cliniko" by default. Each clinic needs its own.
        resources: The names of the resources, such as `["patients", "invoices"]`; None, the default, for all with a
            list, except `available_times`.
        reconcile: Whether to find records that were deleted without a trace. Everything is read again, and rows that
            Cliniko no longer has are deleted.

    Returns:
        How many rows were loaded into each table.

    Raises:
        ConfigurationError: The URL or the name of the dataset is invalid.
        InvalidRequestError: A resource cannot be synced.
        UsageError: Another sync of this dataset is running on this machine.
        SyncError: The database or dlt failed. It is safe to try again.
        ResponseError: The API refused a request: `UnauthorizedError`, `ForbiddenError` or another.
        TransportError: No usable response arrived. It is safe to try again.
        DecodingError: A record does not fit its class, or a value does not fit its column. Nothing was loaded.
        PaginationError: The responses contradict one another.
    """
    return await sync_target(cliniko, target_of(to, dataset), selected(resources), reconcile=reconcile)
