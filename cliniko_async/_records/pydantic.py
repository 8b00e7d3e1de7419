"""Schemas for records and request fields in pydantic and FastAPI; imported only when pydantic needs them."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar, cast, get_args, get_type_hints

import attrs
import msgspec
from pydantic import GetCoreSchemaHandler, PlainSerializer
from pydantic_core import CoreSchema, core_schema

from .._dates import Real
from .._messages import ID_DIGITS, as_object
from ..errors import DecodingError
from ..fields import Deprecated, Digits, MaxLength, MinLength, Pattern, Range, Rule
from .converter import from_dict, to_dict
from .record import attrs_classes, is_union, variants_of

T = TypeVar("T")

_TIMES: dict[type, dict[str, Any]] = {
    Real.datetime: {"type": "string", "format": "date-time"},
    Real.date: {"type": "string", "format": "date"},
}
"""Types that msgspec cannot describe while a test freezes time, as it only recognises the replaced classes."""


def schema_of(cls: type) -> CoreSchema:
    """Return the core schema of a record: instances pass unchanged, dicts are read, and `to_dict` serializes."""
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


def schema_of_holder(cls: type, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return the core schema of a class that holds records: it accepts instances and serializes their public fields."""
    (records,) = get_args(source) or (Annotated[Any, PlainSerializer(to_dict)],)
    hints = get_type_hints(cls)
    names = [field.name for field in attrs.fields(cls) if not field.name.startswith("_")]
    schemas = {name: handler.generate_schema(_filled(hints[name], records)) for name in names}
    fields = {name: core_schema.typed_dict_field(schema) for name, schema in schemas.items()}
    whole = core_schema.typed_dict_schema(fields, cls_name=cls.__name__)

    def take(value: Any, _: Any) -> Any:
        if not isinstance(value, cls):
            raise ValueError(f"must be a {cls.__name__}")  # noqa: TRY004  (pydantic reports this error)
        return value

    def write(value: Any) -> dict[str, Any]:
        return {name: getattr(value, name) for name in names}

    return core_schema.no_info_wrap_validator_function(
        take,
        whole,
        serialization=core_schema.plain_serializer_function_ser_schema(write, return_schema=whole),
    )


def _filled(hint: Any, records: Any) -> Any:
    if isinstance(hint, TypeVar):
        return records
    return hint[records] if getattr(hint, "__parameters__", ()) else hint


def ruled_schema(rule: Rule, schema: CoreSchema) -> CoreSchema:
    """Return a schema whose values must also satisfy a rule."""

    def check(value: Any) -> Any:
        fault = rule.fault(value)
        if fault is not None:
            raise ValueError(fault)
        return value

    return core_schema.no_info_after_validator_function(check, schema)


def instance_schema(cls: type) -> CoreSchema:
    """Return a core schema that accepts only instances of a class."""
    return core_schema.is_instance_schema(cls)


def json_schema_of_rule(rule: Rule) -> dict[str, Any]:
    """Return the JSON schema keywords for a rule, or an empty dict if there are none."""
    if isinstance(rule, Range):
        return _bounds(rule)
    match rule:
        case MaxLength(most=most):
            described: dict[str, Any] = {"maxLength": most}
        case MinLength(least=least):
            described = {"minLength": least}
        case Pattern(regex=regex) if not regex.startswith("(?"):  # JSON schema patterns have no flags.
            described = {"pattern": regex}
        case Digits():
            described = {"pattern": f"^[0-9]{{1,{ID_DIGITS}}}$"}
        case Deprecated():
            described = {"deprecated": True}
        case _:
            described = {}
    return described


def _bounds(rule: Range) -> dict[str, Any]:
    low = {"exclusiveMinimum" if rule.low_excluded else "minimum": rule.low}
    if rule.high is None:
        return low
    return low | {"exclusiveMaximum" if rule.high_excluded else "maximum": rule.high}


def json_schema_of(cls: type) -> dict[str, Any]:
    """Return the JSON schema of a record, with its links and parts inlined; for a union, `anyOf` its variants."""
    if is_union(cls):
        schemas = [json_schema_of(variant) for variant in variants_of(cls)]
        return {"title": cls.__name__, "description": inspect.getdoc(cls), "anyOf": schemas}
    _, components = msgspec.json.schema_components([cls], schema_hook=_TIMES.__getitem__)
    for part in _parts(cls):
        _correct(components[part.__name__]["properties"], part)
    schema: dict[str, Any] = _inlined(components[cls.__name__], components)
    return schema


def _parts(cls: type) -> set[type]:
    hints: dict[str, Any] = get_type_hints(cls)
    found = {part for hint in hints.values() for part in attrs_classes(hint)}
    return {cls}.union(*map(_parts, found))


def _correct(properties: dict[str, Any], cls: type) -> None:
    """Correct the properties of deprecated fields, and of fields that are not written as msgspec would write them."""
    for field in attrs.fields(cls):
        if "deprecated" in field.metadata:
            properties[field.name]["deprecated"] = True
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
