"""The options of lists: their names and types, and the checks of their values."""

from collections.abc import Iterable, Sequence
from typing import TypedDict, cast

from .._messages import is_unicode
from ..errors import InvalidRequestError
from ..filters import Column, Sort, Sortable, Visibility

VISIBILITIES = ("archived", "cancelled", "deleted")


class ListOptions(TypedDict, total=False):
    """The options of every list."""

    sort: Sortable | Sequence[Sortable] | None
    per_page: int
    limit: int | None
    prefetch: int
    stable: bool
    cursor: str | None


class Archived(TypedDict, total=False):
    """The option for archived records."""

    archived: Visibility


class ArchivedDeleted(Archived, total=False):
    """The options for archived and deleted records."""

    deleted: Visibility


class ArchivedCancelledDeleted(ArchivedDeleted, total=False):
    """The options for archived, cancelled and deleted records."""

    cancelled: Visibility


class ArchivedListOptions(ListOptions, Archived, total=False):
    """Options of a list with archived records."""


class ArchivedDeletedListOptions(ListOptions, ArchivedDeleted, total=False):
    """Options of a list with archived and deleted records."""


class ArchivedCancelledDeletedListOptions(ListOptions, ArchivedCancelledDeleted, total=False):
    """Options of a list with archived, cancelled and deleted records."""


def sort_texts(sort: object) -> tuple[str, ...]:
    """Return the columns to sort by as the API names them.

    Raises:
        InvalidRequestError: One of them is not a column.
    """
    if isinstance(sort, Iterable) and not isinstance(sort, str | Column):
        return tuple(map(_sort_text, cast("Iterable[object]", sort)))
    return () if sort is None else (_sort_text(sort),)


def _sort_text(column: object) -> str:
    text = column.text if isinstance(column, Sort) else column.name if isinstance(column, Column) else column
    if not isinstance(text, str) or not text or not is_unicode(text):
        raise InvalidRequestError("sort must be columns of `where`, or their names", argument="sort")
    return text


def yes_or_no(name: str, value: object) -> bool:
    """Return an option that is True or False.

    Raises:
        InvalidRequestError: The value is neither.
    """
    if not isinstance(value, bool):
        raise InvalidRequestError(f"{name} must be True or False", argument=name)
    return value


def whole(name: str, value: object, *, least: int = 1, most: int | None = None) -> int:
    """Return an option that is a whole number from `least` to `most`.

    Raises:
        InvalidRequestError: The value is not such a number.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequestError(f"{name} must be an int", argument=name)
    if value < least or (most is not None and value > most):
        bounds = f"at least {least}" + (f" and at most {most}" if most else "")
        raise InvalidRequestError(f"{name} must be {bounds}", argument=name)
    return value
