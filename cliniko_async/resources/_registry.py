"""Which resources there are and where each stands, so that each is loaded when it is first used."""

import importlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Generic, Protocol, TypeVar, overload

from .._paging.api import Api
from ._base import AnyResource, Resource
from ._names import RESOURCES

R = TypeVar("R", bound=Resource[Any])


@cache
def resource_class(name: str) -> "type[Resource[Any]]":
    """Give the class of a resource.

    Raises:
        KeyError: there is no such resource.
    """
    module, attribute = RESOURCES[name]
    found: type[Resource[Any]] = getattr(importlib.import_module(f".{module}", __package__), attribute)
    return found


class _Client(Protocol):
    @property
    def _view(self) -> Api: ...


class ResourceAttribute(Generic[R]):
    """A resource as an attribute of the client, loaded when it is first used.

    Of a client it is the resource, and of the class of clients the class of the resource, so that `dir`, `help`, mocks
    made by specification and editors find what there is.
    """

    def __init__(self, name: str) -> None:
        """Take the name of the resource, which is that of the attribute."""
        self._name = name
        self.__doc__ = f"The {name.replace('_', ' ')} of the account."

    @overload
    def __get__(self, client: None, owner: type) -> type[R]: ...

    @overload
    def __get__(self, client: _Client, owner: type) -> R: ...

    def __get__(self, client: Any, owner: type) -> Any:
        """Return the class of the resource, or the resource of a client, which keeps it."""
        found = resource_class(self._name)
        if client is None:
            return found
        resource = vars(client)[self._name] = found(client._view)  # noqa: SLF001  (it is a part of the client)
        return resource


class Resources(Mapping[str, AnyResource]):
    """The resources of a client by their names; each is loaded when it is asked for."""

    def __init__(self, client: object) -> None:
        """Take the client whose resources they are."""
        self._client = client

    def __getitem__(self, name: str) -> AnyResource:
        """Return a resource.

        Raises:
            KeyError: there is no such resource.
        """
        if name not in RESOURCES:
            raise KeyError(name)
        found: AnyResource = getattr(self._client, name)
        return found

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(RESOURCES)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(RESOURCES)
