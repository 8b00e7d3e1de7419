"""Many accounts over one connector: a client for each key, and jobs that run for all accounts."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypedDict, TypeVar, Unpack
from weakref import WeakSet

import aiohttp

from ._checks import count_argument, count_option
from ._frames import HiddenLocals
from ._http.aiohttp_internals import loop_of, open_session
from ._http.config import base_url_for, checked_key
from ._http.retry import RetryPolicy
from ._http.session import OnePerProcess
from ._pool.account import AccountRegistry
from ._pool.connections import ConnectionLimiter
from ._pool.runner import AccountJob, AccountResult, JobRunner, PooledClient
from ._spelling import did_you_mean
from .client import Cliniko
from .errors import ConfigurationError, InvalidRequestError, UsageError
from .limits import Priority, RateLimiter, SlidingWindowLimiter
from .observers import Observer

if TYPE_CHECKING:
    from ._http.session import SessionManager

__all__ = ["AccountPool", "AccountResult", "ClientOptions"]

T = TypeVar("T")


class ClientOptions(TypedDict, total=False):
    """The options of a client in a pool, with the same meaning as for `Cliniko`."""

    shard: str | None
    base_url: str | None
    timeout: float
    deadline: float | None
    retry: RetryPolicy
    priority: Priority
    observers: Iterable[Observer]


class AccountPool(OnePerProcess):
    """Clients of many accounts over one connector. Each account has its own limiter, and none holds up the others.

    Use it as `async with AccountPool(...) as pool`, or call `aclose()` at the end.

    When all connections are busy, interactive requests go first, then the account that uses the fewest. A request is
    overdue after half a second without a response, or up to two seconds where responses usually take long. It keeps its
    connection, but no longer counts as one of the `connections`. While an account does not answer, it gets another
    connection only if fewer than two of its requests are under way. The pool belongs to the event loop of its session,
    or to the one in which its first client is created.

    Args:
        app_name: The name of your application, for the User-Agent.
        contact_email: An e-mail address at which Cliniko can reach you.
        connections: The largest number of requests under way at once, not counting overdue ones; 100 by default.
        per_account: The largest number of requests of one account under way at once; 8 by default.
        limiter: A function that returns the limiter for an API key; the pool does not close the limiter. By default,
            all clients of the process with the same server and key share one.
        session: Your own session, which the pool neither changes nor closes. The limit of its connector applies: if
            it is lower than the number of connections that hang, accounts wait for each other. `TCPConnector(limit=0)`
            has no limit.
        shard: The shard of the accounts; by default, the one that each key ends with.
        base_url: The address of the API, in place of the shard.
        timeout: The maximum duration of an attempt, in seconds.
        deadline: The maximum duration of a call, including waits and retries, in seconds; None means no limit.
        retry: Which failures are retried, and how often.
        priority: The priority of requests, `"interactive"` or `"bulk"`.
        observers: Functions that are called with each event of `cliniko_async.observers`.

    Raises:
        ConfigurationError: An option is not valid.
        TypeError: `session` is not an `aiohttp.ClientSession`.
    """

    def __init__(
        self,
        *,
        app_name: str,
        contact_email: str,
        connections: int = 100,
        per_account: int = 8,
        limiter: Callable[[str], RateLimiter] | None = None,
        session: aiohttp.ClientSession | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        """Create the pool; nothing is opened before its first client is created."""
        self._connections = count_option("connections", connections)
        self._per_account = count_option("per_account", per_account)
        if limiter is not None and not callable(limiter):
            raise ConfigurationError("limiter must be a function that returns the limiter for an API key")
        self._who = {"app_name": app_name, "contact_email": contact_email}
        self._options = options
        self._accounts = AccountRegistry(ConnectionLimiter(self._connections, self._per_account), limiter)
        self._session = session
        self._owns_session = session is None
        self._loop: asyncio.AbstractEventLoop | None = loop_of(session)
        # Not the clients: a view or a resource of a client may outlive it.
        self._managers: WeakSet[SessionManager] = WeakSet()
        self._closed = False
        _check_options(self._who, session, options)

    def client(self, api_key: str, **options: Unpack[ClientOptions]) -> Cliniko:
        """Return a client for an API key, which uses the connections of the pool.

        An option given here replaces that of the pool.

        Args:
            api_key: The key of the account.
            shard: The shard of the account; by default, the one that the key ends with.
            base_url: The address of the API, in place of the shard.
            timeout: The maximum duration of an attempt, in seconds.
            deadline: The maximum duration of a call, including waits and retries, in seconds; None means no limit.
            retry: Which failures are retried, and how often.
            priority: The priority of requests, `"interactive"` or `"bulk"`.
            observers: Functions that are called with each event of `cliniko_async.observers`.

        Returns:
            A client, to be closed like any other; closing the pool closes those that are still open.

        Raises:
            ConfigurationError: The key or an option is not valid.
            UsageError: The pool is closed, or this is not its event loop.
        """
        try:
            return self._new_client(api_key, options)
        finally:
            del api_key  # From the traceback of an error.

    def _new_client(self, api_key: str, options: ClientOptions) -> PooledClient:
        try:
            with HiddenLocals():
                session = self._opened()
                _check_names(options)
                merged = _merged(self._options, options)
                base_url = base_url_for(checked_key(api_key), merged.get("shard"), merged.get("base_url"))
                account = self._accounts.get(base_url, api_key)
                client = PooledClient(
                    api_key,
                    app_name=self._who["app_name"],
                    contact_email=self._who["contact_email"],
                    session=session,
                    rate_limiter=account,
                    **merged,
                )
        finally:
            del api_key
        self._managers.add(client.manager)
        return client

    def run(self, job: AccountJob[T], keys: Mapping[str, str], *, concurrency: int = 100) -> JobRunner[T]:
        """Run a job for each account: `async for done in pool.run(job, keys)`.

        An exception fails only its own account, and so does a `CancelledError` that the job did not receive from the
        pool; any other `BaseException` ends the run. A new job starts when the next result is asked for, so that at
        most `concurrency` results are kept. Leaving the loop cancels the jobs; `aclose()` on the iterator, or
        `contextlib.aclosing`, also waits for their end. The iterator raises a `UsageError` if the pool is closed before
        every job was started, or if two tasks wait for results.

        Args:
            job: A coroutine function, called with your name for an account and a client, which is closed when the job
                ends.
            keys: The API key of each account by your name for it.
            concurrency: The largest number of jobs at once, not counting those whose account does not answer; 100 by
                default.

        Returns:
            An asynchronous iterator over one `AccountResult` for each account, in the order in which they end: its
            `account`, `result` and `error`.

        Raises:
            InvalidRequestError: `keys` is not a mapping, or `concurrency` is not a whole number of at least 1.
        """
        try:
            if not isinstance(keys, Mapping):
                raise InvalidRequestError("keys must be a mapping of your names to API keys", argument="keys")
            concurrency = count_argument("concurrency", concurrency)
            return JobRunner(lambda api_key: self._new_client(api_key, {}), job, keys, concurrency)
        finally:
            del keys  # From the traceback of an error.

    async def aclose(self) -> None:
        """Close every client of the pool, which ends their calls with a `UsageError`, and then the pool's own session.

        Raises:
            UsageError: The pool belongs to another event loop.
        """
        if not self._closed:
            self._check_loop(asyncio.get_running_loop())
            self._closed = True
        try:
            await asyncio.gather(*(manager.close() for manager in list(self._managers)))
        finally:
            if self._session is not None and self._owns_session:
                await self._session.close()

    async def __aenter__(self) -> Self:
        """Use the pool until the end of the block."""
        self._check_open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the pool."""
        await self.aclose()

    def __repr__(self) -> str:
        """Return the limits of the pool; never a key."""
        return f"AccountPool(connections={self._connections}, per_account={self._per_account})"

    def _opened(self) -> aiohttp.ClientSession:
        self._check_open()
        loop = _running_loop()
        self._check_loop(loop)
        if self._session is None:
            # No limit here: overdue requests may exceed that of the connection limiter, and must not hold up others.
            self._session = open_session(connections=0)
        self._loop = loop
        return self._session

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("the pool is closed")

    def _check_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop not in (None, loop):
            raise UsageError("the pool belongs to another event loop: create one for each")


def _running_loop() -> asyncio.AbstractEventLoop:
    with contextlib.suppress(RuntimeError):
        return asyncio.get_running_loop()
    raise UsageError("create the clients of a pool in its running event loop")


def _check_options(who: Mapping[str, str], session: aiohttp.ClientSession | None, options: ClientOptions) -> None:
    """Raise the error that every client of the pool would raise."""
    _check_names(options)
    Cliniko(
        "key",
        rate_limiter=SlidingWindowLimiter(),
        app_name=who["app_name"],
        contact_email=who["contact_email"],
        session=session,
        **options,
    )


def _check_names(options: ClientOptions) -> None:
    known = ClientOptions.__annotations__
    for name in sorted(options.keys() - known.keys()):
        raise ConfigurationError(f"a client of a pool has no option {name!r}{did_you_mean(name, known)}")


def _merged(options: ClientOptions, own: ClientOptions) -> ClientOptions:
    """Return the options of a client; one that names its server does not inherit the server of the pool."""
    merged: ClientOptions = {**options, **own}
    if "base_url" in own and "shard" not in own:
        merged.pop("shard", None)
    if "shard" in own and "base_url" not in own:
        merged.pop("base_url", None)
    return merged
