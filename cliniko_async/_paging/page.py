"""A page as it is returned to the caller."""

import datetime as dt
import json
from typing import Any, Generic, TypeVar

import attrs

from .._messages import parse_date
from .._records.record import Holder
from .._reveal import RevealableRepr
from ..errors import DecodingError

T = TypeVar("T")


@attrs.frozen(repr=False)
class Page(RevealableRepr, Holder, Generic[T]):
    """One page of a list.

    Attributes:
        items: Its records.
        total_entries: Number of records in the whole list, or None if the server did not say.
        next: The link to the next page, or None on the last one.
        cursor: The position after this page, for `list(cursor=…)`.
    """

    items: tuple[T, ...]
    total_entries: int | None
    next: str | None
    cursor: str
    _body: bytes
    _date: str | None = None

    @property
    def server_time(self) -> dt.datetime | None:
        """When the server sent the page by its own clock, in UTC and to the second, or None if it did not say."""
        return parse_date(self._date)

    @property
    def raw(self) -> Any:
        """The response as JSON, parsed on each access, including keys that the records leave out.

        Raises:
            DecodingError: A key holds a value that Python's `json` rejects, such as an integer of thousands of digits.
        """
        try:
            return json.loads(self._body)
        except (ValueError, RecursionError):
            pass
        raise DecodingError(["is not JSON that can be read as a whole"])

    def __repr__(self) -> str:
        """Return the sizes, but not the records, which may be about patients, unless they are revealed."""
        return super().__repr__() if self.__rich_repr__() else f"Page({len(self.items)} of {self.total_entries})"
