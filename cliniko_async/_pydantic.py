"""Records in pydantic's models and FastAPI's signatures; imported when pydantic asks a record for its schema."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast, get_type_hints

import attrs
import msgspec
from pydantic_core import CoreSchema, core_schema

from ._converter import from_dict, to_dict
from ._record import as_object, attrs_classes, has_variants
from .errors import DecodingError

T = TypeVar("T")


def schema_of(cls: type) -> CoreSchema:
    """Give what pydantic needs to take a record, to read one and to write one."""
    return core_schema.no_info_plain_validator_function(
        _reader(cls),
        ref=f"{cls.__module__}.{cls.__qualname__}:{id(cls)}",
        serialization=core_schema.plain_serializer_function_ser_schema(to_dict),
    )


def _reader(cls: type[T]) -> Callable[[Any], T]:
    def read(value: Any) -> T:
        if isinstance(value, cls):
            return value
        try:
            return from_dict(cls, value)
        except DecodingError as error:
            faults = "; ".join(error.faults)
        raise ValueError(faults)

    return read


def json_schema_of(cls: type) -> dict[str, Any]:
    """Give the JSON schema of a record, with its links and parts in it; of a union, that of each of its kinds."""
    if has_variants(cls):
        variants: list[type] = cls.__subclasses__()
        kinds = [json_schema_of(kind) for kind in variants]
        return {"title": cls.__name__, "description": inspect.getdoc(cls), "anyOf": kinds}
    _, components = msgspec.json.schema_components([cls])
    for part in _parts(cls):
        _correct(components[part.__name__]["properties"], part)
    schema: dict[str, Any] = _inlined(components[cls.__name__], components)
    return schema


def _parts(cls: type) -> set[type]:
    hints: dict[str, Any] = get_type_hints(cls)
    found = {part for hint in hints.values() for part in attrs_classes(hint)}
    return {cls}.union(*map(_parts, found))


def _correct(properties: dict[str, Any], cls: type) -> None:
    """Describe the fields that are written in another way than msgspec would."""
    for field in attrs.fields(cls):
        if "wire" in field.metadata:
            properties[field.metadata["wire"]] = properties.pop(field.name)
        if "number" in field.metadata:
            properties[field.name] = {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None}


def _inlined(value: Any, components: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_inlined(item, components) for item in cast("list[object]", value)]
    found = as_object(value)
    if found is None:
        return value
    if "$ref" in found:
        return _inlined(components[found["$ref"].rpartition("/")[2]], components)
    return {key: _inlined(item, components) for key, item in found.items()}
