"""The facts of a resource class that need no client: its name, records, columns and operations."""

import inspect
from typing import Any, ClassVar, Generic, Protocol, TypeVar, get_args, get_type_hints

from .._compat import typed_cache
from .._frames import hides_locals
from ..filters import Column, Filters, Visibility
from ._list_options import VISIBILITIES
from ._manual import complete
from ._operations import renamed, stays_unwrapped

T = TypeVar("T")


class AnyResource(Protocol):
    """The attributes that every resource has."""

    @property
    def name(self) -> str:
        """The name of the client's attribute, of the key in a page, and of the path."""
        ...

    @property
    def record(self) -> type[Any]:
        """The class of its records."""
        ...

    @property
    def where(self) -> Filters:
        """The columns that its lists can be filtered by."""
        ...

    @property
    def operations(self) -> frozenset[str]:
        """The names of the methods that are operations of the API."""
        ...


class ResourceDescription(Generic[T]):
    """The part of a resource that is the same for all clients."""

    name: ClassVar[str]
    """The name of the client's attribute, of the key in a page, and of the path."""
    record: type[T]

    def __init_subclass__(cls) -> None:
        """Complete the docstrings of a resource's operations, and keep their arguments out of errors.

        Operations of a mixin are copied and named after the resource, because `help` and Python's own errors show that
        name.
        """
        for name, method in inspect.getmembers(cls, inspect.isfunction):
            if name in vars(cls) and not stays_unwrapped(name, method):
                setattr(cls, name, hides_locals(method))
            if "name" in vars(cls) and not name.startswith("_"):
                own = vars(cls)[name] if name in vars(cls) else renamed(method, f"{cls.__name__}.{name}")
                complete(own, cls.record)
                setattr(cls, name, own)

    @classmethod
    def searchable(cls) -> dict[str, Column]:
        """Return the columns that its lists can be filtered by.

        Returns:
            The columns of its `where`, by their names in the API.
        """
        # Each resource has a `where` of its own type. If it were declared here, pyright would use one type for all.
        where: Filters = getattr(cls, "where")  # noqa: B009
        return where.fields()

    @classmethod
    def visibilities(cls) -> tuple[str, ...]:
        """Return the options for hidden records that its lists and its `get` accept.

        Returns:
            The names, some of `archived`, `cancelled` and `deleted`.
        """
        fields = cls.searchable()
        return tuple(name for name in VISIBILITIES if f"{name}_at" in fields)

    @classmethod
    def everything(cls) -> dict[str, Visibility]:
        """Return the options with which its lists and its `get` leave nothing out.

        Returns:
            "include" for each of `visibilities`.
        """
        return dict.fromkeys(cls.visibilities(), "include")

    @classmethod
    @typed_cache
    def sent_fields(cls, operation: str) -> type:
        """Return the TypedDict of the fields that an operation sends, from its annotation.

        Args:
            operation: The name of the operation, such as "create".

        Returns:
            A subclass of `Fields`.
        """
        fields: type
        (fields,) = get_args(get_type_hints(getattr(cls, operation))["fields"])
        return fields

    @classmethod
    def required_arguments(cls, operation: str) -> list[str]:
        """Return the arguments without which an operation cannot be called.

        A list without any has all records of the account; the others answer a question, or are about one record.

        Args:
            operation: The name of the operation.

        Returns:
            Their names.
        """
        _, *parameters = inspect.signature(getattr(cls, operation)).parameters.values()
        variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return [each.name for each in parameters if each.default is each.empty and each.kind not in variadic]
