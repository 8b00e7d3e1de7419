"""Names of a package that are imported on first use, for modules that few programs need."""

import importlib
import sys
from collections.abc import Callable, Mapping


def lazy_names(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the `__getattr__` of a package, which imports a name from its module and keeps it, and its `__dir__`.

    Args:
        package: The package.
        modules: The module of each name, below the package.
    """
    namespace = vars(sys.modules[package])

    def load(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = namespace[name] = getattr(importlib.import_module(f"{package}.{modules[name]}"), name)
        return value

    return load, lambda: sorted({*namespace, *modules})
