"""Every record class, every example of the facts, and generated JSON for any class."""

import datetime as dt
import json
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import attrs
import msgspec
from hypothesis import strategies as st

import cliniko_async
from cliniko_async._messages import Request, Response
from cliniko_async._records.record import Part, Record, Value, is_union
from cliniko_async.links import Link, ListLink, SelfLink
from cliniko_async.resources._names import RESOURCES
from cliniko_async.resources._registry import resource_class

from .paths import EXAMPLES as FOLDER

BASE = "https://api.example.test/v1"
EXAMPLES = {path.stem: path.read_bytes() for path in FOLDER.iterdir()}


def _class(name: str) -> type:
    """Return the class with a public name, or `object` if the name is not that of a class."""
    found = getattr(cliniko_async, name)
    return found if isinstance(found, type) else object


RECORD_OF: dict[str, Any] = {module: resource_class(name).record for name, (module, _) in RESOURCES.items()}


CLASSES: list[Any] = [
    cls for name in cliniko_async.__all__ if issubclass(cls := _class(name), Value) and attrs.has(cls)
]
RECORDS: list[Any] = [
    cls
    for cls in CLASSES
    if issubclass(cls, Record) or cls in RECORD_OF.values() or not cls.__module__.endswith("settings")
    if not issubclass(cls, Part)
]


def example(name: str) -> dict[str, Any]:
    """Return the example of a record, as Python values."""
    found: dict[str, Any] = json.loads(EXAMPLES[name])
    return found


def request(method: str = "GET", path: str = "/appointment_types") -> Request:
    return Request(method, BASE + path)


def response(body: Any, status: int = 200) -> Response:
    """Return a response with a body, which is written as JSON unless it is bytes."""
    return Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def page_of(envelope: str, records: list[Any], **more: Any) -> dict[str, Any]:
    return {envelope: records, "total_entries": len(records), "links": {"self": BASE + "/" + envelope}, **more}


def written(value: Any) -> Any:
    """Return what the API sends for a record: null for None, but no link that is None, and no None in a part."""
    if isinstance(value, tuple):
        return [written(item) for item in value]
    if not attrs.has(type(value)):
        return msgspec.to_builtins(value)
    hints = get_type_hints(type(value), include_extras=True)
    fields = {field: getattr(value, field.name) for field in attrs.fields(type(value))}
    return {
        field.metadata.get("wire", field.name): float(inner) if _is_number(field, inner) else written(inner)
        for field, inner in fields.items()
        if inner is not None or not (isinstance(value, Part) or _is_link(hints[field.name]))
    }


def _is_number(field: "attrs.Attribute[Any]", value: Any) -> bool:
    return "number" in field.metadata and value is not None and value.is_finite()


def _is_link(hint: Any) -> bool:
    return hint is Link or any(map(_is_link, get_args(hint)))


# Generated JSON of a class

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)
_links = st.builds(lambda href: {"links": {"self": href}}, st.sampled_from([BASE + "/users/1", BASE + "/x?q", ""]))
_numbers = st.decimals(allow_nan=False, allow_infinity=False) | st.integers()
_zones = st.sampled_from(["Z", "+10:00", "-03:30", "+00:00"])
_SCALARS: dict[Any, Any] = {
    str: st.text(max_size=12),
    int: st.integers(),
    bool: st.booleans(),
    Decimal: _numbers.map(str) | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    dt.datetime: st.builds(lambda moment, zone: moment.isoformat() + zone, st.datetimes(), _zones),
    dt.date: st.dates().map(dt.date.isoformat),
    NoneType: st.none(),
    SelfLink: st.builds(lambda href: {"self": href}, st.text(max_size=12)),
    Link: _links,
    ListLink: _links,
}


def fitting(hint: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for valid JSON of a type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return fitting(arguments[0])
    if origin in (Union, UnionType):
        return st.one_of(map(fitting, arguments))
    if origin is tuple:
        return st.lists(fitting(arguments[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(st.text(max_size=8), fitting(arguments[1]), max_size=2)
    return objects(hint) if attrs.has(hint) else _SCALARS[hint]


def objects(cls: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for valid JSON of a class: with nulls, without some keys, and with unknown keys."""
    if is_union(cls):
        return st.one_of(map(objects, cls.__subclasses__()))
    hints = get_type_hints(cls, include_extras=True)
    fields = {
        each.metadata.get("wire", each.name): (each, st.deferred(lambda h=hints[each.name]: fitting(h)))
        for each in attrs.fields(cls)
    }
    needed = {name: value for name, (each, value) in fields.items() if each.default is attrs.NOTHING}
    others = {name: value for name, (each, value) in fields.items() if name not in needed}
    return st.fixed_dictionaries(needed, optional=others)


@st.composite
def spoiled(draw: st.DrawFn, cls: Any) -> dict[str, Any]:
    """Return a strategy for nearly valid JSON of a class."""
    found = draw(objects(cls))
    for key in draw(st.lists(st.sampled_from(sorted(found) or ["id"]), max_size=2)):
        if draw(st.booleans()):
            found.pop(key, None)
        else:
            found[key] = draw(JSON)
    return found | draw(
        st.dictionaries(st.text(max_size=8), JSON, max_size=2).filter(lambda more: not more.keys() & found.keys())
    )
