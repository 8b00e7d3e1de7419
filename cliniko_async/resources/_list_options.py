"""The options of lists: their names and types, and the checks of their values."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypedDict, cast

from .._messages import is_unicode
from .._spelling import did_you_mean
from ..errors import InvalidRequestError
from ..filters import Column, Filter, Filterable, Sort, Sortable, Visibility, example_of

VISIBILITIES = ("archived", "cancelled", "deleted")
_OPERATORS = {"exclude": (), "include": ("*",), "only": ("?",)}


class Searchable(Protocol):
    """What the checks need to know of a resource."""

    name: ClassVar[str]

    def searchable(self) -> dict[str, Column]:
        """Return the columns that its lists can be filtered by."""
        ...

    def visibilities(self) -> tuple[str, ...]:
        """Return the options for hidden records that its methods accept."""
        ...


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


def filter_texts(resource: Searchable, filters: Sequence[Filterable]) -> list[str]:
    """Return filters as the API writes them.

    Raises:
        InvalidRequestError: One is not a filter, or is on a column that the lists of the resource do not have.
    """
    name, columns = resource.name, resource.searchable()
    texts: list[str] = []
    for one in filters:
        if not isinstance(one, Filter | str):
            raise InvalidRequestError(
                f"{name}: a filter must be made with `where`, or be a str such as 'category:=Osteo'",
                argument="filters",
            )
        if isinstance(one, Filter) and one.field not in columns:
            near = did_you_mean(one.field, columns)
            raise InvalidRequestError(f"{name} cannot be filtered by {one.field}{near}", argument=one.field)
        text = one if isinstance(one, str) else one.text
        if not text or not is_unicode(text):
            raise InvalidRequestError(
                f"{name}: a filter is empty, or has a character that cannot be encoded", argument="filters"
            )
        texts.append(text)
    return texts


def visibility_texts(visibility: Mapping[str, Any]) -> list[str]:
    """Return the filters for options such as `archived="include"`.

    Raises:
        InvalidRequestError: The value of an option is invalid.
    """
    texts: list[str] = []
    for name, value in visibility.items():
        if not isinstance(value, str) or value not in _OPERATORS:
            near = did_you_mean(value, _OPERATORS)
            raise InvalidRequestError(f'{name} must be "exclude", "include" or "only"{near}', argument=name)
        texts += [f"{name}_at:{operator}" for operator in _OPERATORS[value]]
    return texts


def check_options(resource: Searchable, options: Iterable[str], others: Iterable[str] = ()) -> None:
    """Reject unknown keyword arguments, as Python does.

    Args:
        resource: The resource whose method was called.
        options: The names that were given and are not among `others`.
        others: The options that every list has; empty if the call is not for a list.

    Raises:
        TypeError: One of them is unknown.
    """
    fields = resource.searchable()
    known = resource.visibilities()
    for name in options:
        if name in known:
            continue
        text = f"unknown option {name!r}"
        if others and name in fields:
            raise TypeError(f"{text}; filters are positional: list({resource.name}.where.{example_of(fields[name])})")
        raise TypeError(text + did_you_mean(name, {*known, *others}, f" for {resource.name}"))
