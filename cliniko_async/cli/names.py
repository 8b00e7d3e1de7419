"""The names on the command line: resources, columns and filters, with the nearest one for a misspelt name."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter
from cyclopts.validators import Number

from .._spelling import did_you_mean
from ..filters import Column, Filters, Visibility
from ..resources._registry import RESOURCES, resource_class
from .errors import CommandError

ResourceName: TypeAlias = Annotated[str, Parameter(choices=tuple(RESOURCES), show_choices=False)]
"""The name of a resource, such as `patients`. The shell completes it; a misspelt one names the nearest."""

Repeated: TypeAlias = Annotated[Sequence[str], Parameter(negative="", show_default=False)]
"""An option that may be repeated."""

_OPERATORS = ("=", "!=", "<", ">", "~", "?", "!?", "*")
"""The beginnings of operators. Which of them a column has is checked by the API."""
_EXAMPLES = {
    "array": "{}:~123",
    "boolean": "{}:=true",
    "date": "{}:>=2026-01-31",
    "date-time": "{}:>=2026-01-31T00:00:00Z",
    "int64": "{}:=123",
    "string": "{}:=text  {}:~part",
}
AT_LEAST_1 = Parameter(validator=Number(gte=1))
"""Of an option that counts."""
VERBS = ("list", "get", "create", "update", "archive", "delete")
"""The operations that are commands."""


def unknown_resource(name: str) -> str:
    """Return the message for a resource that does not exist.

    Args:
        name: The name that was given.
    """
    near = did_you_mean(name.lower().replace("-", "_"), RESOURCES)
    return f"there is no resource {name!r}{near or '; `cliniko resources` lists them'}"


def class_with(verb: str, resource: str) -> Any:
    """Return the class of a resource, after checking that it has an operation.

    Args:
        verb: The name of the operation, such as "create".
        resource: The name of the resource.

    Raises:
        CommandError: The API does not offer it.
    """
    found = resource_class(resource)
    if not hasattr(found, verb):
        offered = ", ".join(each for each in VERBS if hasattr(found, each))
        raise CommandError(f"the API has no {verb} for {resource}, only {offered}")
    return found


def check_listable(resource: Any) -> None:
    """Refuse a list that needs more than filters.

    Args:
        resource: The resource or its class.

    Raises:
        CommandError: It needs ids of other records.
    """
    if needed := resource.required_arguments("list"):
        names = ", ".join(name.rstrip("_") for name in needed)
        raise CommandError(f"this list needs {names}: use it from Python")


def check_columns(wanted: Iterable[str], known: Iterable[str], resource: str) -> list[str]:
    """Return names of columns, after checking that they exist.

    Args:
        wanted: The names that were given.
        known: The names that exist.
        resource: The name of the resource, for the message.

    Raises:
        CommandError: A column does not exist.
    """
    names = list(known)
    for name in (wanted := list(wanted)):
        if name not in names:
            near = did_you_mean(name, names) or f"; it has {', '.join(names)}"
            raise CommandError(f"{resource} has no column {name!r}{near}")
    return wanted


def check_filters(texts: Iterable[str], resource: Any) -> None:
    """Refuse a filter that names no column, or that the API could not read.

    Args:
        texts: The filters, such as "category:=Osteo".
        resource: The resource.

    Raises:
        CommandError: A filter is invalid.
    """
    fields = resource.where.fields()
    for text in texts:
        name, colon, rest = text.partition(":")
        if not colon:
            # It may be a patient's name that somebody typed in the wrong place, so the message does not repeat it.
            raise CommandError("a filter is written column:operator and value, such as 'name:=Ann' or 'id:>=5'")
        _check_field(name, fields, resource.name, "filtered")
        if not rest.startswith(_OPERATORS):
            examples = filter_examples(name, fields[name]).replace("  ", " or ")
            raise CommandError(f"after {name}: comes an operator, such as {examples}")


def filter_examples(name: str, column: Column) -> str:
    """Return what a filter on a column looks like.

    Args:
        name: The name of the column.
        column: The column.
    """
    return _EXAMPLES[column.kind].replace("{}", name)


def check_sort(texts: Iterable[str], resource: Any) -> None:
    """Refuse to sort by anything that is not a column.

    Args:
        texts: The columns, such as "name" or "created_at:desc".
        resource: The resource.

    Raises:
        CommandError: One of them is invalid.
    """
    where: Filters = resource.where
    columns = {each.name: each for name in dir(where) if isinstance(each := getattr(where, name), Column)}
    for text in texts:
        name, colon, direction = text.partition(":")
        _check_field(name, columns, resource.name, "sorted")
        if colon and direction not in {"asc", "desc"}:
            raise CommandError(f"sort by {name}, {name}:asc or {name}:desc")


def _check_field(name: str, fields: Mapping[str, object], resource: str, what: str) -> None:
    if name not in fields:
        near = did_you_mean(name, fields) or f"; it can be {what} by {', '.join(fields) or 'nothing'}"
        raise CommandError(f"{resource} cannot be {what} by {name!r}{near}")


def visibility_options(resource: Any, **given: Visibility | None) -> dict[str, Visibility]:
    """Return the options for archived, cancelled and deleted records that were given.

    Args:
        resource: The resource or its class.
        **given: The options; None is one that was not given.

    Raises:
        CommandError: The resource has no such option.
    """
    for name, value in given.items():
        if value and name not in resource.visibilities():
            raise CommandError(f"--{name} does not apply to {resource.name}, which cannot be filtered by {name}_at")
    return {name: value for name, value in given.items() if value}
