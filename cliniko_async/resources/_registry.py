"""Loads each resource when it is first used."""

import importlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Generic, Protocol, TypeVar, overload

from .._api import Api
from .._spelling import did_you_mean
from ._base import Resource
from ._description import AnyResource
from ._names import RESOURCES

R = TypeVar("R", bound=Resource[Any])

__all__ = ["RESOURCES", "ResourceAttribute", "Resources", "resource_class"]


@cache
def resource_class(name: str) -> "type[Resource[Any]]":
    """Return the class of a resource.

    Args:
        name: The name of the resource, such as "appointment_types".

    Returns:
        The class.

    Raises:
        KeyError: There is no such resource.
    """
    module, attribute = RESOURCES[name]
    found: type[Resource[Any]] = getattr(importlib.import_module(f".{module}", __package__), attribute)
    return found


class _Client(Protocol):
    @property
    def _view(self) -> Api: ...


class ResourceAttribute(Generic[R]):
    """A resource as an attribute of the client, loaded when it is first used.

    On a client it is the resource, and on the client's class the class of the resource, so that `dir`, `help`, mocks
    made by specification, and editors find every resource.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        """Use the name of the attribute, which is that of the resource."""
        self._name = name
        self.__doc__ = f"The {name.replace('_', ' ')} of the account."

    @overload
    def __get__(self, client: None, owner: type) -> type[R]: ...

    @overload
    def __get__(self, client: _Client, owner: type) -> R: ...

    def __get__(self, client: Any, owner: type) -> Any:
        """Return the resource of a client, which is created once, or the class of the resource."""
        found = resource_class(self._name)
        if client is None:
            return found
        resource = vars(client)[self._name] = found(client._view)  # noqa: SLF001  (the resources are a part of the client)
        return resource


class Resources(Mapping[str, AnyResource]):
    """The resources of a client by their names; each is loaded when it is first used."""

    def __init__(self, client: object) -> None:
        """Create the mapping.

        Args:
            client: The client.
        """
        self._client = client

    def __getitem__(self, name: str) -> AnyResource:
        """Return a resource.

        Raises:
            KeyError: There is no such resource.
        """
        if name not in RESOURCES:
            raise KeyError(f"no resource {name!r}{did_you_mean(name, RESOURCES)}")
        found: AnyResource = getattr(self._client, name)
        return found

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(RESOURCES)

    def __len__(self) -> int:
        """Return the number of resources."""
        return len(RESOURCES)

    def __repr__(self) -> str:
        """Return the names."""
        return f"<resources {', '.join(RESOURCES)}>"
