"""What a resource needs from a client: a way to send requests, and the state kept between them."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ._messages import Request, Response, Server
from .observers import Event

if TYPE_CHECKING:
    from ._files.storage import FileStore
    from ._http.attempt import TransportWrapper

T = TypeVar("T")


class Api(Protocol):
    """One view of a client."""

    @property
    def server(self) -> Server:
        """The server that the key belongs to."""
        ...

    @property
    def account_digest(self) -> bytes:
        """A digest that distinguishes accounts without revealing the key."""
        ...

    @property
    def unsortable(self) -> set[str]:
        """The lists that the server refused to sort: each a URL and a column."""
        ...

    @property
    def file_store(self) -> "FileStore":
        """The store that holds the files."""
        ...

    def bulk(self) -> "Api":
        """Return the same view with bulk priority."""
        ...

    def emit(self, event: Event) -> None:
        """Pass an event to the observers of the client."""
        ...

    async def send(self, request: Request) -> Response:
        """Send a request, with retries, and return the successful response.

        Raises:
            ClinikoError: The request failed.
        """
        ...

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task that closing the client waits for."""
        ...

    def bulk_through(self, wrap: "TransportWrapper", /) -> "Api":
        """Return a view at bulk priority and without a deadline; `wrap` sees each attempt that has a permit."""
        ...
