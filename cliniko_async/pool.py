"""Many accounts over one connector: a client for each key, and jobs that run for all of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Self, TypedDict, TypeVar, Unpack
from weakref import WeakSet

import aiohttp

from ._accounts import Accounts
from ._gate import Gate
from ._identity import base_url_for, checked_key
from ._retry import RetryPolicy
from ._runs import Job, Outcome, Run
from ._session import OnePerProcess, SessionManager
from ._transport import open_session
from .client import Cliniko
from .errors import ConfigurationError, UsageError
from .limits import Priority, RateLimiter, SlidingWindowLimiter

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

    At most `connections` requests are under way at once, and of one account at most `per_account`. Where connections
    are short, interactive requests go first, then the account that has the fewest. `limiter` makes the limiter for an
    API key and is the owner of what it makes; without it, each server and key has the one that the process shares.
    The other options are those of the clients. The pool belongs to the event loop in which its first client is made.

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
        **options: Unpack[ClientOptions],
    ) -> None:
        """Take who asks and how much at once; nothing is opened before the first request."""
        for name, number in {"connections": connections, "per_account": per_account}.items():
            _check_count(name, number)
        if limiter is not None and not callable(limiter):
            raise ConfigurationError("limiter is a function that makes the limiter for an API key")
        self._who = {"app_name": app_name, "contact_email": contact_email}
        self._options = options
        self._connections = connections
        self._per_account = per_account
        self._accounts = Accounts(Gate(connections, per_account), limiter)
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # Not the clients: a view or a resource of one may outlive it.
        self._managers: WeakSet[SessionManager] = WeakSet()
        self._closed = False
        _check_options(self._who, options)

    def client(self, api_key: str, **options: Unpack[ClientOptions]) -> Cliniko:
        """Give a client for a key over the connector of the pool; options given here come before those of the pool.

        Raises:
            ConfigurationError: the key or an option cannot work.
            UsageError: the pool is closed, or this is not its event loop.
        """
        session = self._opened()
        _check_names(options)
        merged = _merged(self._options, options)
        base_url = base_url_for(checked_key(api_key), merged.get("shard"), merged.get("base_url"))
        account = self._accounts.get(base_url, api_key)
        client = _Member(api_key, session=session, rate_limiter=account, **self._who, **merged)
        self._managers.add(client.manager)
        return client

    def run(self, job: Job[T], keys: Mapping[str, str], *, concurrency: int = 100) -> AsyncIterator[Outcome[T]]:
        """Run a job for each account, so many at once, and hand out how each one ended, as it ends.

        `keys` has the API key of each account under the caller's name for it. A job gets that name and a client, which
        is closed behind it. An `Exception` ends its own job alone, and so does what it waits for and somebody cancels;
        anything else ends the run. A new job starts when an outcome is asked for, so that no more than `concurrency` of
        them are ever kept. Leaving the loop cancels the jobs.

        Raises:
            ConfigurationError: `concurrency` is no number from 1.
        """
        _check_count("concurrency", concurrency)
        return Run(self.client, job, keys, concurrency)

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
            if self._session is not None:
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
            self._session, self._loop = open_session(self._connections), loop
        return self._session

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("the pool is closed")

    def _check_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop not in (None, loop):
            raise UsageError("the pool belongs to another event loop: make one for each")


class _Member(Cliniko):
    """A client of a pool."""

    @property
    def manager(self) -> SessionManager:
        return self._manager


def _running_loop() -> asyncio.AbstractEventLoop:
    with contextlib.suppress(RuntimeError):
        return asyncio.get_running_loop()
    raise UsageError("the clients of a pool are made in its event loop")


def _check_count(name: str, number: int) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ConfigurationError(f"{name} is a whole number from 1")


def _check_options(who: Mapping[str, str], options: ClientOptions) -> None:
    """Refuse what no client of the pool could be made of."""
    _check_names(options)
    Cliniko(
        "key",
        rate_limiter=SlidingWindowLimiter(),
        app_name=who["app_name"],
        contact_email=who["contact_email"],
        **options,
    )


def _check_names(options: ClientOptions) -> None:
    if unknown := options.keys() - ClientOptions.__annotations__.keys():
        raise ConfigurationError(f"the client of a pool has no option {', '.join(sorted(unknown))}")


def _merged(options: ClientOptions, own: ClientOptions) -> ClientOptions:
    """Give the options of a client; one that names its server has it not from the pool."""
    merged: ClientOptions = {**options, **own}
    if "base_url" in own and "shard" not in own:
        merged.pop("shard", None)
    if "shard" in own and "base_url" not in own:
        merged.pop("base_url", None)
    return merged
