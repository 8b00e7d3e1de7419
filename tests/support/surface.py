"""Everything public that can be called."""

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import attrs

import cliniko_async
from cliniko_async.resources._registry import RESOURCES, resource_class

MODULES = (
    "bulk",
    "changes",
    "cursors",
    "errors",
    "export",
    "fields",
    "filters",
    "limits",
    "links",
    "pagination",
    "pool",
    "rows",
    "sandbox",
    "watch",
    "webhooks",
)


def public_objects() -> dict[str, Any]:
    """Return every public class and function by its name, and every class that is an attribute of a resource."""
    modules = [
        importlib.import_module(f"cliniko_async.{name}")
        for name in (*MODULES, "integrations.arrow", "integrations.dask")
    ]
    found = {name: getattr(cliniko_async, name) for name in cliniko_async.__all__}
    for module in modules:
        listed = getattr(module, "__all__", None)
        # Not from its dict, which may lack names that are loaded at their first use.
        own = {name: getattr(module, name) for name in listed or vars(module)}
        found |= {name: each for name, each in own.items() if is_ours(each) and (listed or is_defined_in(module, each))}
    found = {name: each for name, each in found.items() if callable(each) and not name.startswith("_")}
    resources = [resource_class(name) for name in RESOURCES]
    return found | {type(each.where).__name__: type(each.where) for each in resources}


def is_defined_in(module: Any, found: Any) -> bool:
    return bool(found.__module__ == module.__name__)


def is_ours(found: Any) -> bool:
    return str(getattr(found, "__module__", "")).startswith(cliniko_async.__name__)


def public_callables() -> dict[str, Any]:
    """Return every public function, method and constructor by its name; properties by their getters."""
    return dict(_callables())


def _callables() -> Iterator[tuple[str, Any]]:
    for name, found in public_objects().items():
        if inspect.isfunction(found):
            yield name, found
        elif isinstance(found, type):
            yield from ((f"{name}.{method}", function) for method, function in _methods(found))


def _methods(cls: type) -> Iterator[tuple[str, Any]]:
    for name in dir(cls):
        method = inspect.getattr_static(cls, name)
        method = method.fget if isinstance(method, property) else getattr(method, "__func__", method)
        if inspect.isfunction(method) and is_ours(method) and not (name == "__init__" and attrs.has(cls)):
            yield name, method


def is_property(name: str) -> bool:
    """Return whether the name of a callable is that of a property."""
    cls, _, method = name.partition(".")
    return isinstance(inspect.getattr_static(public_objects()[cls], method, None), property) if method else False
