"""The protocols of cursor stores, and the code that both stores share: each operation changes one entry atomically."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NoReturn, Protocol

import attrs

from ..errors import UsageError


class CursorStore(Protocol):
    """Keeps one cursor for each account and stream."""

    async def load(self, account: str, stream: str) -> str | None:
        """Load the cursor.

        Args:
            account: Your name for the account.
            stream: Your name for what is read from the account.

        Returns:
            The cursor that was saved last, or None.
        """
        ...

    async def save(self, account: str, stream: str, cursor: str) -> None:
        """Replace the cursor.

        Args:
            account: Your name for the account.
            stream: Your name for what is read from the account.
            cursor: The `cursor` of an iterator, a page or an error.
        """
        ...


class FencedCursorStore(CursorStore, Protocol):
    """A cursor store for runs that may be taken over: only the run that began last can save."""

    async def begin(self, account: str, stream: str) -> tuple[int, str | None]:
        """Begin a run.

        Args:
            account: Your name for the account.
            stream: Your name for what is read from the account.

        Returns:
            The token of the run, which is larger than every earlier token, and the cursor that was saved last, or None.
        """
        ...

    async def save(self, account: str, stream: str, cursor: str, *, token: int | None = None) -> None:
        """Replace the cursor.

        Args:
            account: Your name for the account.
            stream: Your name for what is read from the account.
            cursor: The `cursor` of an iterator, a page or an error.
            token: The token that `begin` returned, or None to save regardless of which run began last.

        Raises:
            UsageError: A later run has begun. Nothing was saved.
        """
        ...


@attrs.frozen
class StreamState:
    """The stored state of one account and stream."""

    token: int = 0
    cursor: str | None = None


StateUpdate = Callable[[StreamState], StreamState]


class Cursors(ABC):
    """The operations that both stores share."""

    @abstractmethod
    async def _read(self, account: str, stream: str) -> StreamState: ...

    @abstractmethod
    async def _change(self, account: str, stream: str, change: StateUpdate) -> StreamState: ...

    async def load(self, account: str, stream: str) -> str | None:
        """Load the cursor.

        Args:
            account: Your name for the account.
            stream: Your name for what is read from the account.

        Returns:
            The cursor that was saved last, or None.
        """
        return (await self._read(account, stream)).cursor

    async def begin(self, account: str, stream: str) -> tuple[int, str | None]:
        """Begin a run. From now on, earlier runs can no longer save with their tokens.

        Args:
            account: Your name for the account.
            stream: Your name for what is read from the account.

        Returns:
            The token of the run, which is larger than every earlier token, and the cursor that was saved last, or None.
        """
        entry = await self._change(account, stream, lambda entry: StreamState(entry.token + 1, entry.cursor))
        return entry.token, entry.cursor

    async def save(self, account: str, stream: str, cursor: str, *, token: int | None = None) -> None:
        """Replace the cursor.

        Args:
            account: Your name for the account.
            stream: Your name for what is read from the account.
            cursor: The `cursor` of an iterator, a page or an error.
            token: The token that `begin` returned, or None to save regardless of which run began last.

        Raises:
            UsageError: A later run has begun, the cursor was cleared, or the store lost its data. Nothing was saved.
        """
        await self._change(account, stream, saving(cursor, token))

    async def clear(self, account: str, stream: str) -> None:
        """Remove the cursor, so that the next run starts over; a run in progress can no longer save with its token.

        Args:
            account: Your name for the account.
            stream: Your name for what is read from the account.
        """
        # The token is kept: if it started over, an earlier run could be mistaken for a later one.
        await self._change(account, stream, lambda entry: StreamState(entry.token + 1, None))


def saving(cursor: str, token: int | None) -> StateUpdate:
    def change(entry: StreamState) -> StreamState:
        if token is not None and token != entry.token:
            _refuse(token, entry.token)
        return StreamState(entry.token, cursor)

    return change


def _refuse(token: int, current: int) -> NoReturn:
    if token < current:
        raise UsageError("this run can no longer save: a later run was begun, or the cursor was cleared")
    raise UsageError("the cursor store does not know this run: it lost its data, or another store began the run")
