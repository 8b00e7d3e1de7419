"""The modules made from the resource files: which resources there are, and where each public name is defined."""

import importlib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

import attrs

import cliniko_async
from cliniko_async.resources._base import Resource

ROOT = Path(__file__).parent.parent
NAMES = Path("cliniko_async/resources/_names.py")
ATTRIBUTES = Path("cliniko_async/resources/_attributes.py")
STUB = Path("cliniko_async/__init__.pyi")

Table = type[Resource[Any]]

_HEAD = "# Generated from the resource files by `make docs`; do not edit."


@attrs.frozen
class ResourceFile:
    """A module in `cliniko_async/resources` that defines resources, records, or fields that can be sent."""

    module: str
    names: tuple[str, ...]
    """Its public names: every public class but those of filters, which are reached by `where`."""
    resources: tuple[Table, ...]


def resource_files() -> list[ResourceFile]:
    """Return every resource file, in the order of their names.

    A module whose name begins with an underscore counts if it defines records, which several resource files share.
    """
    folder = ROOT / "cliniko_async" / "resources"
    stems = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    files = (_resource_file(stem) for stem in stems)
    return [each for each in files if each is not None]


def _resource_file(stem: str) -> ResourceFile | None:
    module = importlib.import_module(f"cliniko_async.resources.{stem}")
    public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    own = {name: value for name, value in public.items() if getattr(value, "__module__", "") == module.__name__}
    classes = {name: value for name, value in own.items() if isinstance(value, type) and not name.endswith("Filters")}
    if stem.startswith("_") and not any(attrs.has(each) for each in classes.values()):
        return None
    return ResourceFile(stem, tuple(sorted(classes)), tuple(filter(_is_resource, classes.values())))


def _is_resource(cls: type) -> TypeGuard[Table]:
    return hasattr(cls, "name") and issubclass(cls, Resource)


def resources(files: Iterable[ResourceFile]) -> dict[str, Table]:
    """Return the class of each resource by its name, in the order of the names."""
    found = {table.name: table for each in files for table in each.resources}
    return dict(sorted(found.items()))


def modules(files: list[ResourceFile]) -> dict[Path, str]:
    """Return the text of every module that is made from the resource files."""
    return {
        NAMES: "\n".join(_names(files)) + "\n",
        ATTRIBUTES: "\n".join(_attributes(resources(files))) + "\n",
        STUB: "\n".join(_stub(files)) + "\n",
    }


def _module(table: Table) -> str:
    return table.__module__.rpartition(".")[2]


def _names(files: list[ResourceFile]) -> Iterator[str]:
    yield _HEAD
    yield '"""The resources and the public names of the resource files; it imports none of them."""'
    yield ""
    yield "RESOURCES = {"
    for name, table in resources(files).items():
        yield f'    "{name}": ("{_module(table)}", "{table.__name__}"),'
    yield "}"
    yield '"""Each resource: the module that defines it, and its class there."""'
    yield ""
    yield "NAMES = {"
    for each in files:
        yield from _tuple(each.module, each.names)
    yield "}"
    yield '"""The public names of each module."""'


def _tuple(module: str, names: tuple[str, ...]) -> Iterator[str]:
    if len(names) == 1:
        yield f'    "{module}": ("{names[0]}",),'
    else:
        yield f'    "{module}": ('
        yield from (f'        "{name}",' for name in names)
        yield "    ),"


def _attributes(found: Mapping[str, Table]) -> Iterator[str]:
    yield _HEAD
    yield "# ruff: noqa: F401  (the linter does not read the types in quotes)"
    yield '"""One attribute of the client for each resource."""'
    yield ""
    yield "from typing import TYPE_CHECKING"
    yield ""
    yield "from ._registry import ResourceAttribute"
    yield ""
    yield "if TYPE_CHECKING:"
    for module, name in sorted((_module(table), table.__name__) for table in found.values()):
        yield f"    from .{module} import {name}"
    yield ""
    yield ""
    yield "class ResourceAttributes:"
    yield '    """The resources of an account, each loaded when it is first used."""'
    for name, table in found.items():
        yield ""
        yield f'    {name} = ResourceAttribute["{table.__name__}"]()'
        yield f'    """{_summary(table)}"""'


def _summary(table: Table) -> str:
    return (inspect.getdoc(table) or "").partition("\n")[0]


def _stub(files: list[ResourceFile]) -> Iterator[str]:
    listed: Mapping[str, tuple[str, ...]] = vars(cliniko_async)["_NAMES"]
    attributes: Iterable[str] = vars(cliniko_async)["_MODULES"]
    names = {**listed, **{f"resources.{each.module}": each.names for each in files}}
    yield _HEAD
    yield "# What type checkers and editors see of the package, whose names are loaded when they are first used."
    yield from (f"from . import {name} as {name}" for name in sorted(attributes))
    for module in sorted(names):
        yield from _import(module, names[module])
    yield ""
    yield "__version__: str"
    yield ""
    yield "__all__ = ["
    yield from (f'    "{name}",' for name in sorted(name for each in names.values() for name in each))
    yield "]"


def _import(module: str, names: tuple[str, ...]) -> Iterator[str]:
    if len(names) == 1:
        yield f"from .{module} import {names[0]}"
    else:
        yield f"from .{module} import ("
        # Classes before functions, as the linter sorts them.
        yield from (f"    {name}," for name in sorted(names, key=lambda name: (name.islower(), name.lower())))
        yield ")"
