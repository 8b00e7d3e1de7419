"""The protocols of cursor stores, and what both implementations have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NoReturn, Protocol

import attrs

from ..errors import ConfigurationError, UsageError


class CursorStore(Protocol):
    """Keeps one cursor for each account and stream."""

    async def load(self, account: str, stream: str) -> str | None:
        """Return the cursor that was saved last.

        Args:
            account: The name of the account.
            stream: The name of the stream, such as that of a resource.

        Returns:
            The cursor, or None if none was saved.
        """
        ...

    async def save(self, account: str, stream: str, cursor: str) -> None:
        """Replace the cursor.

        Args:
            account: The name of the account.
            stream: The name of the stream, such as that of a resource.
            cursor: The cursor to continue from.
        """
        ...


class FencedCursorStore(CursorStore, Protocol):
    """A cursor store for runs that may be taken over: only the run that was begun last can save."""

    async def begin(self, account: str, stream: str) -> tuple[int, str | None]:
        """Begin a run.

        Args:
            account: The name of the account.
            stream: The name of the stream, such as that of a resource.

        Returns:
            The token of the run, which is larger than every token before, and the cursor that was saved last, or None.
        """
        ...

    async def save(self, account: str, stream: str, cursor: str, *, token: int | None = None) -> None:
        """Replace the cursor.

        Args:
            account: The name of the account.
            stream: The name of the stream, such as that of a resource.
            cursor: The cursor to continue from.
            token: What `begin` returned. None, the default, saves whichever run was begun last.

        Raises:
            UsageError: a later run was begun. Nothing was saved.
        """
        ...


@attrs.frozen
class Entry:
    """What is kept for an account and a stream."""

    token: int = 0
    cursor: str | None = None


Change = Callable[[Entry], Entry]


class Cursors(ABC):
    """The operations of both stores."""

    @abstractmethod
    async def _read(self, account: str, stream: str) -> Entry: ...

    @abstractmethod
    async def _change(self, account: str, stream: str, change: Change) -> Entry: ...

    async def load(self, account: str, stream: str) -> str | None:
        """Return the cursor that was saved last.

        Args:
            account: The name of the account.
            stream: The name of the stream, such as that of a resource.

        Returns:
            The cursor, or None if none was saved.
        """
        return (await self._read(account, stream)).cursor

    async def begin(self, account: str, stream: str) -> tuple[int, str | None]:
        """Begin a run. From now on, no run that was begun before can save with its token.

        Args:
            account: The name of the account.
            stream: The name of the stream, such as that of a resource.

        Returns:
            The token of the run, which is larger than every token before, and the cursor that was saved last, or None.
        """
        entry = await self._change(account, stream, lambda entry: Entry(entry.token + 1, entry.cursor))
        return entry.token, entry.cursor

    async def save(self, account: str, stream: str, cursor: str, *, token: int | None = None) -> None:
        """Replace the cursor.

        Args:
            account: The name of the account.
            stream: The name of the stream, such as that of a resource.
            cursor: The cursor to continue from.
            token: What `begin` returned. None, the default, saves whichever run was begun last.

        Raises:
            UsageError: a later run was begun, the cursor was cleared, or the store lost its data. Nothing was saved.
        """
        await self._change(account, stream, saving(cursor, token))

    async def clear(self, account: str, stream: str) -> None:
        """Remove the cursor, so that the next run starts over. A run in progress can no longer save.

        Args:
            account: The name of the account.
            stream: The name of the stream, such as that of a resource.
        """
        # The token stays: if it began anew, a run from before could pass for one from after.
        await self._change(account, stream, lambda entry: Entry(entry.token + 1, None))


def saving(cursor: str, token: int | None) -> Change:
    def change(entry: Entry) -> Entry:
        if token is not None and token != entry.token:
            _refuse(token, entry.token)
        return Entry(entry.token, cursor)

    return change


def _refuse(token: int, current: int) -> NoReturn:
    if token < current:
        raise UsageError("this run can save no more: a later run was begun, or the cursor was cleared")
    raise UsageError("the cursor store does not know this run: it lost its data, or another store began the run")


def checked_seconds(seconds: float) -> float:
    """Return a number of seconds, or refuse what is none."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
        raise ConfigurationError("timeout is a number of seconds above 0")
    return float(seconds)
