"""The methods of a resource class that are operations of the API, and their names."""

import inspect
import types
from typing import Any, cast

from .._compat import deprecated, typed_cache
from .._frames import hides_locals

_COMBINED = frozenset({"changes", "watch", "upload", "download"})
"""Methods that combine several operations, and are not operations themselves."""


@typed_cache
def operations_of(resource: type[Any], base: type[Any]) -> frozenset[str]:
    """Return the names of the operations of a resource class: its public methods that `base` does not have."""
    public = (name for name in dir(resource) if not name.startswith("_"))
    methods = {name for name in public if inspect.isfunction(getattr(resource, name))}
    return frozenset(methods - _COMBINED - set(dir(base)))


def renamed(method: types.FunctionType, qualname: str) -> types.FunctionType:
    """Return a copy of a method with another name, because several resources share the method of a mixin."""
    if inner := vars(method).get("__wrapped__"):
        message = vars(method).get("__deprecated__")
        decorate = deprecated(message) if message else hides_locals
        return cast("types.FunctionType", decorate(renamed(inner, qualname)))
    code, defaults, closure = method.__code__, method.__defaults__, method.__closure__
    copy = types.FunctionType(code, method.__globals__, method.__name__, defaults, closure)
    copy.__kwdefaults__, copy.__annotations__ = method.__kwdefaults__, method.__annotations__
    copy.__doc__, copy.__module__, copy.__qualname__ = method.__doc__, method.__module__, qualname
    return copy


def stays_unwrapped(name: str, method: types.FunctionType) -> bool:
    """Return whether a method stays unwrapped: it is private or already decorated."""
    return name.startswith("_") or "__wrapped__" in vars(method)
