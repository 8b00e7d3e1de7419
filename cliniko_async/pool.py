"""Many accounts over one connector: a client for each key, and jobs that run for all of them."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypedDict, TypeVar, Unpack
from weakref import WeakSet

import aiohttp

from ._frames import HiddenLocals
from ._http.aiohttp_internals import loop_of, open_session
from ._http.config import base_url_for, checked_key
from ._http.retry import RetryPolicy
from ._http.session import OnePerProcess
from ._pool.account import Accounts
from ._pool.connections import Gate
from ._pool.runner import Job, Member, Run
from ._spelling import did_you_mean
from .client import Cliniko
from .errors import ConfigurationError, InvalidRequestError, UsageError
from .limits import Priority, RateLimiter, SlidingWindowLimiter

if TYPE_CHECKING:
    from ._http.session import SessionManager

T = TypeVar("T")


class ClientOptions(TypedDict, total=False):
    """What the clients of a pool may have otherwise."""

    shard: str | None
    base_url: str | None
    timeout: float
    deadline: float | None
    retry: RetryPolicy
    priority: Priority


class AccountPool(OnePerProcess):
    """Clients of many accounts over one connector: each has its own limiter, and none holds up the others.

    Where connections are short, interactive requests go first, then the account that has the fewest. A request is
    overdue after half a second without an answer, or up to two seconds where answers usually take long. It keeps its
    connection, but is no longer one of the `connections`; of an account that does not answer, at most two more requests
    are sent until it does. The pool belongs to the event loop of its session, or in which its first client is made.

    Args:
        app_name: the name of your application, for the User-Agent.
        contact_email: whom Cliniko may write to.
        connections: the number of requests that may be under way at once, without those that are overdue.
        per_account: the number of requests of one account that may be under way at once.
        limiter: makes the limiter for an API key. It owns what it makes; without it, each server and key has the one
            that the process shares.
        session: your own session, which is used, not changed and never closed. Its connector's limit is yours: where it
            is lower than the connections that hang, accounts wait for each other. `TCPConnector(limit=0)` has none.
        options: those of the clients.

    Raises:
        ConfigurationError: an option cannot work.
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
        """Take who asks and how much at once; nothing is opened before the first request."""
        self._connections = connections
        self._per_account = per_account
        for name, number in {"connections": connections, "per_account": per_account}.items():
            if not _is_count(number):
                raise ConfigurationError(f"{name} must be a whole number, at least 1")
        if limiter is not None and not callable(limiter):
            raise ConfigurationError("limiter is a function that makes the limiter for an API key")
        self._who = {"app_name": app_name, "contact_email": contact_email}
        self._options = options
        self._accounts = Accounts(Gate(connections, per_account), limiter)
        self._session = session
        self._owns_session = session is None
        self._loop: asyncio.AbstractEventLoop | None = loop_of(session)
        # Not the clients: a view or a resource of one may outlive it.
        self._managers: WeakSet[SessionManager] = WeakSet()
        self._closed = False
        _check_options(self._who, session, options)

    def client(self, api_key: str, **options: Unpack[ClientOptions]) -> Cliniko:
        """Give a client for a key over the connector of the pool; options given here come before those of the pool.

        Raises:
            ConfigurationError: the key or an option cannot work.
            UsageError: the pool is closed, or this is not its event loop.
        """
        try:
            return self._member(api_key, options)
        finally:
            del api_key  # From the traceback of an error.

    def _member(self, api_key: str, options: ClientOptions) -> Member:
        try:
            with HiddenLocals():
                session = self._opened()
                _check_names(options)
                merged = _merged(self._options, options)
                base_url = base_url_for(checked_key(api_key), merged.get("shard"), merged.get("base_url"))
                account = self._accounts.get(base_url, api_key)
                client = Member(api_key, session=session, rate_limiter=account, **self._who, **merged)
        finally:
            del api_key
        self._managers.add(client.manager)
        return client

    def run(self, job: Job[T], keys: Mapping[str, str], *, concurrency: int = 100) -> Run[T]:
        """Run a job for each account, and return an iterator over how each one ended, as it ends.

        An `Exception` ends its own job alone, and so does what it waits for and somebody cancels; anything else ends
        the run. A new job starts when an outcome is asked for, so that no more than `concurrency` of them are ever
        kept. Leaving the loop cancels the jobs; `aclose()` on the iterator, or `contextlib.aclosing`, also waits for
        their end.

        Args:
            job: called with the name of an account and a client, which is closed after it.
            keys: the API key of each account under your name for it.
            concurrency: the number of jobs that may be under way at once, without those whose account does not answer.

        Raises:
            InvalidRequestError: `keys` is not a mapping, or `concurrency` is not a whole number of at least 1.
        """
        try:
            if not isinstance(keys, Mapping):
                raise InvalidRequestError("keys must be a mapping of your names to API keys", argument="keys")
            if not _is_count(concurrency):
                raise InvalidRequestError("concurrency must be a whole number, at least 1", argument="concurrency")
            return Run(lambda api_key: self._member(api_key, {}), job, keys, concurrency)
        finally:
            del keys  # From the traceback of an error.

    async def aclose(self) -> None:
        """Close every client of the pool, so that what is under way ends with a `UsageError`, and then the connector.

        Raises:
            UsageError: the pool belongs to another event loop.
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
        """How much it does at once; never a key."""
        return f"AccountPool(connections={self._connections}, per_account={self._per_account})"

    def _opened(self) -> aiohttp.ClientSession:
        self._check_open()
        loop = _running_loop()
        self._check_loop(loop)
        if self._session is None:
            # The gate keeps the number of requests; a limit here would hold up others where it lets more of them pass.
            self._session = open_session(connections=0)
        self._loop = loop
        return self._session

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("the pool is closed")

    def _check_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop not in (None, loop):
            raise UsageError("the pool belongs to another event loop: make one for each")


def _running_loop() -> asyncio.AbstractEventLoop:
    with contextlib.suppress(RuntimeError):
        return asyncio.get_running_loop()
    raise UsageError("the clients of a pool are made in its event loop")


def _is_count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 1


def _check_options(who: Mapping[str, str], session: aiohttp.ClientSession | None, options: ClientOptions) -> None:
    """Refuse what no client of the pool could be made of."""
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
    """Give the options of a client; one that names its server has it not from the pool."""
    merged: ClientOptions = {**options, **own}
    if "base_url" in own and "shard" not in own:
        merged.pop("shard", None)
    if "shard" in own and "base_url" not in own:
        merged.pop("base_url", None)
    return merged
