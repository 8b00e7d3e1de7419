"""The facts about the API, and the resource classes that are compared with them."""

import inspect
import re
import types
from typing import Any, Union, get_args, get_origin

import yaml

from cliniko_async.resources._names import RESOURCES as TABLE_OF
from cliniko_async.resources._registry import resource_class

from .paths import FACTS as FOLDER

FACTS = yaml.load(
    (FOLDER / "cliniko-v1.yaml").read_text(encoding="utf-8"),
    Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader),
)
RESOURCES: dict[str, Any] = FACTS["resources"]
SCHEMAS: dict[str, Any] = FACTS["schemas"]
ENUMS: dict[str, Any] = FACTS["enums"]
UNIONS = [name for name, facts in RESOURCES.items() if facts["kind"] == "union"]
VARIANTS = [(name, variant) for name in UNIONS for variant in RESOURCES[name]["variants"]]
BODIES = [
    (name, operation["kind"])
    for name, facts in RESOURCES.items()
    for operation in facts["operations"].values()
    if operation.get("body")
]
OPERATIONS = [(name, key) for name, facts in RESOURCES.items() for key in facts["operations"]]

ALWAYS = {"id", "links", "created_at", "updated_at"}


def camel(name: str) -> str:
    return "".join(word.title() for word in name.split("_"))


TABLES = {module: resource for resource, (module, _) in TABLE_OF.items()}


def table(name: str) -> Any:
    """Return the class of a resource."""
    return resource_class(TABLES[name])


def kinds(schemas: list[str]) -> list[dict[str, Any]]:
    """Return all kinds of a question or custom field; the lists in the facts have only the common ones."""
    family = schemas[0].rpartition("_")[0] + "_"
    names = {
        name for name in SCHEMAS if name.startswith(family) and "_definition_" not in name.removeprefix(family[:-1])
    }
    return [SCHEMAS[name] for name in sorted(names | set(schemas))]


def alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def allowed(spec: dict[str, Any]) -> list[Any] | None:
    return ENUMS[spec["enum_ref"]]["values"] if "enum_ref" in spec else spec.get("enum")


def assert_named(cls: type, deprecated: set[str]) -> None:
    """Assert that the docstring of a class names exactly the deprecated fields."""
    _, _, named = (inspect.getdoc(cls) or "").partition("The API has deprecated ")
    assert set(re.findall(r"`(\w+)`", named)) == deprecated
