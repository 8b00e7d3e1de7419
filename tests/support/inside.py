"""The private state of a client or a pool that some tests need.

They test that nothing is opened before the first call, that nothing is left open or running after an error, that views
share one session and one limiter, and that no secret is kept where a debugger would show it.
"""

from typing import Any

import aiohttp

from cliniko_async import AccountPool, Cliniko


def manager_of(client: Cliniko) -> Any:
    """Return what all views of a client share: the session, the limiter, the server and the credentials."""
    return client._manager


def view_of(client: Cliniko) -> Any:
    """Return the server and the options of one view."""
    return client._view


def session_of(owner: Any) -> Any:
    """Return the session that a client, its manager or a pool has opened; None before its first use."""
    return (owner._manager if isinstance(owner, Cliniko) else owner)._session


def replace_session(client: Cliniko, session: aiohttp.ClientSession) -> None:
    """Replace the session of a client by one that resolves names as a test needs, and that the client closes."""
    client._manager._session = session


def in_progress(client: Cliniko) -> list[Any]:
    """Return the calls, tasks and connections of a client that have not ended."""
    manager = client._manager
    session = manager._session
    opened = session is not None and not session.closed
    return [*manager.calls._calls, *manager.calls._tasks, *(session.connector._acquired if opened else ())]


def accounts_in(pool: AccountPool) -> tuple[int, int]:
    """Return the numbers of accounts and of clients that a pool remembers."""
    return len(pool._accounts), len(pool._managers)


def connections_in_use(pool: AccountPool) -> int:
    """Return the number of slots not yet released, and of connections not yet returned to aiohttp."""
    slots: int = pool._connections - pool._accounts._connections.free
    connector: Any = pool._session.connector if pool._session else None
    return slots + len(connector._acquired if connector else ())


def dask_task(packed: bytes) -> Any:
    """Return the function that is sent to a Dask worker for an account; a test sends it late, as Dask may."""
    from cliniko_async.integrations import _dask_dispatch

    return _dask_dispatch._task(packed)
