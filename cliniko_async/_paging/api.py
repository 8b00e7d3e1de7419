"""What a resource needs of a client: a way to send requests, and what is remembered between them."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .._messages import Request, Response, Server

if TYPE_CHECKING:
    from .._files.storage import FileStore

T = TypeVar("T")


class Api(Protocol):
    """One view of a client."""

    @property
    def server(self) -> Server:
        """The server that the key belongs to."""
        ...

    @property
    def account(self) -> bytes:
        """A digest that tells accounts apart without telling the key."""
        ...

    @property
    def unsortable(self) -> set[str]:
        """The URLs of lists that refused to be sorted, each with the column."""
        ...

    @property
    def store(self) -> "FileStore":
        """The store that holds the files."""
        ...

    async def send(self, request: Request) -> Response:
        """Send a request until its answer is a success.

        Raises:
            ClinikoError: it is not.
        """
        ...

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task that the client ends when it is closed."""
        ...
