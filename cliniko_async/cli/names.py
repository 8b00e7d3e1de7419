"""The names on the command line: resources and their columns, with the nearest one for a misspelt name."""

from collections.abc import Iterable
from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter

from .._spelling import did_you_mean
from ..resources._names import RESOURCES
from .errors import CommandError

ResourceName: TypeAlias = Annotated[str, Parameter(completer=lambda _: sorted(RESOURCES))]
"""The name of a resource, such as `patients`; the shell completes it."""


def check_resource(name: str) -> str:
    """Return the name of a resource as the client knows it.

    Args:
        name: The name, with hyphens or underscores.

    Raises:
        CommandError: There is no such resource.
    """
    known = name.lower().replace("-", "_")
    if known not in RESOURCES:
        near = did_you_mean(known, RESOURCES)
        raise CommandError(f"there is no resource {name!r}{near or '; `cliniko resources` lists them'}")
    return known


def operation(resource: Any, name: str) -> Any:  # noqa: ANN401  (each resource has methods of its own)
    """Return a method of a resource.

    Args:
        resource: The resource.
        name: The name of an operation, such as "create".

    Raises:
        CommandError: The API does not offer it.
    """
    if name not in resource.operations:
        offered = ", ".join(sorted(resource.operations & {"list", "get", "create", "update", "archive", "delete"}))
        raise CommandError(f"the API has no {name} for {resource.name}, only {offered}")
    return getattr(resource, name)


def check_columns(wanted: Iterable[str], known: Iterable[str], resource: str) -> None:
    """Refuse a column that does not exist.

    Args:
        wanted: The names that were given.
        known: The names that exist.
        resource: The name of the resource, for the message.

    Raises:
        CommandError: A column does not exist.
    """
    names = list(known)
    for name in wanted:
        if name not in names:
            near = did_you_mean(name, names) or f"; it has {', '.join(names)}"
            raise CommandError(f"{resource} has no column {name!r}{near}")
