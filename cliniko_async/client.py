"""The client: its options, an attribute for each resource, and requests for anything without a method."""

import os
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypedDict, TypeVar, Unpack, cast, overload

import aiohttp
import attrs

from ._client_view import ClientView
from ._frames import HiddenLocals, hides_locals
from ._http.config import base_url_for, checked_key, user_agent
from ._http.custom_request import Scalar, custom_request
from ._http.options import CallOptions
from ._http.retry import RetryPolicy
from ._http.session import OnePerProcess, SessionManager
from ._messages import Credentials, Response, Server
from ._spelling import did_you_mean
from .errors import ConfigurationError
from .limits import Limits, Priority, RateLimiter, process_limiter
from .links import Link, ListLink
from .observers import Observer
from .pagination import Paginator
from .resources._attributes import ResourceAttributes
from .resources._base import Resource
from .resources._description import AnyResource
from .resources._follow import follow_link, follow_list, resolve_links
from .resources._registry import RESOURCES, Resources

T = TypeVar("T")

_RETRY = RetryPolicy()


class ViewOptions(TypedDict, total=False):
    """The options that a view of a client can change.

    Args:
        timeout: Seconds for one attempt.
        deadline: Seconds for one call, including waits and retries, or None for no limit.
        retry: How often to send a request, and the waits between attempts.
        priority: "interactive" or "bulk".
    """

    timeout: float
    deadline: float | None
    retry: RetryPolicy
    priority: Priority


class Cliniko(ResourceAttributes, OnePerProcess):
    """A client of the Cliniko API for one API key.

    Use it with `async with`, or call `aclose()` when you are done. It can be created outside an event loop, and binds
    to the loop of `session`, or else of its first request. Each resource is an attribute, such as
    `cliniko.appointment_types`.

    Args:
        api_key: The API key. The text after its last hyphen is the shard, such as "au2". The key never appears in a
            repr, a log, an error or a traceback.
        app_name: The name of your application, for the User-Agent header, which the API requires.
        contact_email: The e-mail address at which Cliniko can reach you, for the User-Agent header.
        shard: The shard, if it is not at the end of the key. None, the default, takes it from the key.
        base_url: The URL of another server, such as a sandbox or a proxy; https, unless the host is loopback. None, the
            default, uses that of the shard.
        session: Your own `aiohttp.ClientSession`, which is used, never changed and never closed. None, the default,
            opens one with the first request.
        timeout: Seconds for one attempt; 40 by default.
        deadline: Seconds for one call (each request of an iteration), including waits for the rate limit and retries.
            None, the default, means no limit.
        retry: How often to send a request, and the waits between attempts; `RetryPolicy()` by default.
        rate_limiter: The rate limiter. None, the default, uses the one that all clients of this process with the same
            base URL and key share.
        priority: "interactive", the default, or "bulk", which waits for interactive requests.
        observers: Functions that are called with each event of `cliniko_async.observers`; none by default.

    Raises:
        ConfigurationError: A key, name, URL or option is invalid.
        TypeError: `session` is not an `aiohttp.ClientSession`.
    """

    def __init__(
        self,
        api_key: str,
        *,
        app_name: str,
        contact_email: str,
        shard: str | None = None,
        base_url: str | None = None,
        session: aiohttp.ClientSession | None = None,
        timeout: float = 40.0,
        deadline: float | None = None,
        retry: RetryPolicy = _RETRY,
        rate_limiter: RateLimiter | None = None,
        priority: Priority = "interactive",
        observers: Iterable[Observer] = (),
    ) -> None:
        """Create the client. No connection is opened before the first request."""
        try:
            with HiddenLocals():
                options = CallOptions(timeout, deadline, retry, priority, observers)
                credentials = Credentials(checked_key(api_key), user_agent(app_name, contact_email))
                server = Server(base_url_for(api_key, shard, base_url))
                limiter = process_limiter(server.base_url, api_key) if rate_limiter is None else rate_limiter
                self._manager = SessionManager(server, credentials, limiter, session)
                self._view = ClientView(self._manager, options)
        finally:
            del api_key  # From the traceback of an error.
        self._owner = True

    @classmethod
    def from_env(cls, **options: Any) -> Self:  # noqa: ANN401
        """Create a client from environment variables.

        CLINIKO_API_KEY, CLINIKO_APP_NAME and CLINIKO_CONTACT_EMAIL are required unless passed as options.
        CLINIKO_BASE_URL is optional.

        Args:
            **options: The options of `Cliniko`. They take precedence over the environment.

        Returns:
            The client.

        Raises:
            ConfigurationError: A variable is not set, or a value is invalid.
        """
        try:
            for name in ("api_key", "app_name", "contact_email"):
                if name not in options:
                    options[name] = _from_env(f"CLINIKO_{name.upper()}")
            base_url = os.environ.get("CLINIKO_BASE_URL")
            if base_url and "shard" not in options:
                options.setdefault("base_url", base_url)
            return cls(**options)
        finally:
            options.clear()  # The key, from the traceback of an error.

    def with_options(self, **options: Unpack[ViewOptions]) -> Self:
        """Return a view of the client with other options.

        It shares the session and the rate limiter of the client, and closing it has no effect.

        Args:
            timeout: Seconds for one attempt.
            deadline: Seconds for one call, including waits and retries, or None for no limit.
            retry: How often to send a request, and the waits between attempts.
            priority: "interactive" or "bulk".

        Returns:
            A client of the same class. Omitted options keep their values from this client.

        Raises:
            ConfigurationError: An option does not exist or is invalid.
        """
        try:
            changed = _changed(self._view.options, options)
        finally:
            cast("dict[str, object]", options).clear()  # They may hold a key by mistake: keep it out of tracebacks.
        view = object.__new__(type(self))
        _copy_state(self, view)
        view._view = ClientView(self._manager, changed)
        view._owner = False
        return view

    @property
    def resources(self) -> Mapping[str, AnyResource]:
        """All resources by name. A resource has a `name`, `record`, `where` and `operations`."""
        return Resources(self)

    async def __aenter__(self) -> Self:
        """Return the client, which closes at the end of the block."""
        self._manager.calls.check_open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the client."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the client. Calls in progress end with a `UsageError`; a session of your own stays open."""
        if self._owner:
            await self._manager.close()

    @hides_locals
    async def request(
        self,
        method: str,
        path_or_url: str,
        *,
        params: Mapping[str, Scalar | Sequence[Scalar]] | None = None,
        json: Any = None,  # noqa: ANN401
    ) -> Response:
        """Send a request for which there is no method, with the same rate limit, retries and errors.

        Args:
            method: The HTTP method, such as "GET".
            path_or_url: A path such as "/appointment_types", or a URL on the server of the key.
            params: The query: for each name a str, number or bool, or a list of these. None adds no query.
            json: The body, as any JSON value; None sends no body.

        Returns:
            The successful response.

        Raises:
            InvalidRequestError: The URL is not on the server of the key, or an argument is invalid; nothing was sent.
            OutcomeUnknownError: A write may or may not have happened. Check before you send it again.
            ResponseError: The API answered with an error status.
            TransportError: No usable response arrived within `timeout`, `deadline` and the retries. It is safe to try
                again.
        """
        try:
            request = custom_request(self._view.server, method, path_or_url, params, json)
        finally:
            del path_or_url, params, json  # From the traceback of an error.
        return await self._view.send(request)

    @overload
    def follow(self, link: Link[T]) -> Awaitable[T]: ...

    @overload
    def follow(self, link: ListLink[T]) -> Paginator[T]: ...

    @hides_locals
    def follow(self, link: Link[Any] | ListLink[Any]) -> Awaitable[Any] | Paginator[Any]:
        """Follow a link, including links to archived, cancelled, deleted and inactive records.

        Args:
            link: A link of a record.

        Returns:
            For a `Link`, an awaitable of the record; for a `ListLink`, a `Paginator` over the records.

        Raises:
            TypeError: It is not a link.
            InvalidRequestError: The link leads to another server, or no operation can read it; nothing was sent.
            NotFoundError: The record no longer exists.
            ResponseError: The API answered with another error status.
            TransportError: No usable response arrived within `timeout`, `deadline` and the retries. It is safe to try
                again.
            DecodingError: The response does not match the API's description.
        """
        if isinstance(link, ListLink):
            return follow_list(self._view, link)
        if isinstance(link, Link):
            return follow_link(self._view, link)
        raise TypeError("link must be a Link or a ListLink of a record")

    @hides_locals
    async def resolve(self, links: Iterable[Link[T] | None]) -> dict[str, T]:
        """Read the records of many links, up to 100 per request.

        Archived, cancelled, deleted and inactive records are included.

        Args:
            links: Links to one record each; None is skipped.

        Returns:
            The records by their ids. A record that does not exist is left out.

        Raises:
            TypeError: One of them is not a link to one record.
            InvalidRequestError: A link leads to another server, no operation can read it, or records of two resources
                have the same id.
            ResponseError: The API answered with an error status.
            TransportError: No usable response arrived within `timeout`, `deadline` and the retries. It is safe to try
                again.
            DecodingError: A response does not match the API's description.
        """
        return await resolve_links(self._view, links)

    async def limits(self) -> Limits:
        """Return the state of the rate limit.

        Returns:
            The requests used, remaining and waiting, and the next time at which one is allowed.

        Raises:
            LimiterUnavailableError: The store of a shared limiter cannot be used.
        """
        return await self._manager.limiter.limits()

    def __repr__(self) -> str:
        """Return the class and the server, but never the key."""
        # An error reporter may show a client whose constructor failed.
        manager: SessionManager | None = getattr(self, "_manager", None)
        return f"Cliniko({manager.server.base_url!r})" if manager else "Cliniko(…)"

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(f"Cliniko has no attribute {name!r}{did_you_mean(name, dir(type(self)))}")

        def __enter__(self) -> NoReturn:
            raise TypeError("use `async with`: there is no synchronous client")

        def __exit__(self, *_: object) -> None:
            """Never reached: entering raises."""


def _copy_state(client: Cliniko, view: Cliniko) -> None:
    """Copy the attributes of a client to a view, except for its resources, which have the options of the client."""
    state: Any = object.__getstate__(client)
    # If a subclass has slots, the state is a pair.
    for part in cast("tuple[dict[str, object], ...]", state if isinstance(state, tuple) else (state,)):
        for name, value in part.items():
            if not (name in RESOURCES and isinstance(value, Resource)):
                object.__setattr__(view, name, value)


@hides_locals
def _changed(options: CallOptions, others: ViewOptions) -> CallOptions:
    known = ViewOptions.__annotations__
    for name in others.keys() - known.keys():
        near = did_you_mean(name, known, f"; it can have another {', '.join(known)}")
        raise ConfigurationError(f"a view has no option {name!r}{near}")
    return attrs.evolve(options, **others)


def _from_env(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise ConfigurationError(f"the environment variable {variable} is not set")
    return value
