"""Every table agrees with the facts: its fields, its filters and its operations."""

import asyncio
import datetime as dt
import inspect
import sys
import types
import warnings
from collections.abc import Coroutine
from typing import Annotated, Any, ClassVar, Never, get_args, get_origin, get_type_hints

import attrs
import msgspec
import pytest

from cliniko_async._messages import Request, Response, Server
from cliniko_async.links import Link, ListLink
from cliniko_async.resources._list_options import VISIBILITIES
from tests.support.facts import (
    ALWAYS,
    BODIES,
    RESOURCES,
    SCHEMAS,
    TABLES,
    UNIONS,
    VARIANTS,
    alternatives,
    assert_named,
    camel,
    kinds,
    table,
)
from tests.support.for_each import for_each

# What a record is, by the facts


def expected_type(spec: dict[str, Any]) -> Any:
    match spec["type"]:
        case "link":
            return ("Link" if spec["cardinality"] == "one" else "ListLink", expected_target(spec))
        case "array":
            return ("list", expected_type(spec["items"]))
        case "object":
            return ("part", {key: (expected_type(field), "optional") for key, field in spec["fields"].items()})
        case "ref":
            return expected_type({"type": "object", **SCHEMAS[spec["schema"]]})
        case "one_of":
            return merged(
                [expected_type({"type": "object", "fields": each["fields"]}) for each in kinds(spec["schemas"])]
            )
    return expected_scalar(spec)


def expected_scalar(spec: dict[str, Any]) -> str:
    if spec["type"] == "string":
        return {"date-time": "DateTime", "date": "date", "decimal": "Decimal"}.get(spec.get("format", ""), "str")
    return {"boolean": "bool", "integer": "int", "number": "Decimal", "self_link": "SelfLink"}[spec["type"]]


def expected_target(spec: dict[str, Any]) -> str:
    if isinstance(spec["to"], list):
        return " | ".join(camel(name) for name in spec["to"])
    return camel(spec["to"]) if spec["to"] and spec["operation"] else "Never"


def merged(descriptions: list[Any]) -> Any:
    """One description of what may be any of several: parts become one part with the fields of all."""
    parts = [fields for tag, fields in (each for each in descriptions if isinstance(each, tuple)) if tag == "part"]
    rest = {repr(each): each for each in descriptions if not isinstance(each, tuple) or each[0] != "part"}
    if "'str'" in rest:
        rest.pop("'date'", None)
    if parts:
        keys = {key for fields in parts for key in fields}
        every = {key: merged([fields[key][0] for fields in parts if key in fields]) for key in keys}
        rest["part"] = ("part", {key: (each, "optional") for key, each in every.items()})
    return next(iter(rest.values())) if len(rest) == 1 else ("any", sorted(rest.values(), key=repr))


def expected_fields(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: (expected_type(spec), presence(key, spec, fields)) for key, spec in fields.items()}


def presence(key: str, spec: dict[str, Any], fields: dict[str, Any]) -> str:
    """Every link is optional, and so is the id of one and what is deprecated."""
    linked = spec["type"] == "link" or fields.get(key.removesuffix("_id"), {}).get("type") == "link"
    if key not in ALWAYS and (spec["nullable"] or linked or spec.get("deprecated")):
        return "optional"
    return "required"


def variant_fields(name: str) -> dict[str, Any]:
    return (RESOURCES[name] if name in RESOURCES else SCHEMAS[name])["fields"]


# What a record is, by its class


def read_fields(cls: type) -> dict[str, Any]:
    hints = get_type_hints(cls, include_extras=True)
    return {
        field.metadata.get("wire", field.name): (read_type(hints[field.name]), read_presence(field, hints[field.name]))
        for field in attrs.fields(cls)
    }


def read_presence(field: Any, hint: Any) -> str:
    states = {(attrs.NOTHING, False): "required", (None, True): "optional"}
    return states.get((field.default, types.NoneType in alternatives(hint)), "required, or None by default")


def read_type(hint: Any) -> Any:
    several = [each for each in alternatives(hint) if each is not types.NoneType]
    if len(several) > 1:
        return ("any", sorted((read_type(each) for each in several), key=repr))
    return read_one(several[0])


def read_one(hint: Any) -> Any:
    arguments = get_args(hint)
    if get_origin(hint) is tuple and arguments[1:] == (...,):
        return ("list", read_type(arguments[0]))
    if get_origin(hint) is Annotated and arguments[0] in (Link, ListLink):
        return (arguments[0].__name__, "Never" if arguments[1] is Never else arguments[1])
    if get_origin(hint) is Annotated:
        return {Annotated[dt.datetime, msgspec.Meta(tz=True)]: "DateTime"}.get(hint) or read_one(arguments[0])
    return ("part", read_fields(hint)) if attrs.has(hint) else hint.__name__


def test_there_is_a_table_for_every_resource_of_the_facts():
    """The client's attributes are the envelopes of the API, and the names of resources without one."""
    envelopes = {name: facts["envelope"] for name, facts in RESOURCES.items()}
    assert {**envelopes, **{name: name for name in ("settings", "public_settings")}} == {**TABLES, "signature": None}
    assert {name: table(name).name for name in TABLES} == TABLES


@pytest.mark.parametrize("name", [name for name in RESOURCES if name not in UNIONS])
def test_a_record_has_the_fields_of_the_facts(name: str):
    """Each with its type, whether it may be missing or null, and what a link leads to."""
    assert read_fields(table(name).record) == expected_fields(RESOURCES[name]["fields"])


@for_each("name", [*RESOURCES])
def test_deprecated_fields_are_marked_and_the_class_names_them(name: str):
    facts = RESOURCES[name].get("fields") or {}
    record = table(name).record
    marked = {each.name for each in attrs.fields(record) if each.metadata.get("deprecated")}
    assert marked == {key for key, spec in facts.items() if spec.get("deprecated")}
    assert_named(record, marked)


@for_each("name, variant", VARIANTS)
def test_a_variant_has_the_fields_of_the_facts(name: str, variant: str):
    base = table(name).record
    cls = getattr(sys.modules[base.__module__], camel(variant))
    assert issubclass(cls, base)
    assert read_fields(cls) == expected_fields(variant_fields(variant))


@pytest.mark.parametrize("name", UNIONS)
def test_the_base_of_variants_has_the_fields_that_all_of_them_have(name: str):
    """If they link to different variants, it links to the base of these."""
    every = [expected_fields(variant_fields(variant)) for variant in RESOURCES[name]["variants"]]
    expected = {key: every[0][key] for key in every[0] if all(key in fields for fields in every)}
    for key, ((kind, *_), required) in expected.items():
        if any(fields[key] != every[0][key] for fields in every):
            expected[key] = ((kind, camel(name)), required)
    assert read_fields(table(name).record) == expected


@for_each("name", [name for name in RESOURCES if name not in dict(BODIES)])
def test_resources_that_the_facts_make_read_only_have_no_body(name: str):
    assert not any(hasattr(table(name), method) for method in ("create", "update"))


# Filters and operations


def lists(name: str) -> list[dict[str, Any]]:
    return [operation for operation in RESOURCES[name]["operations"].values() if operation["kind"] == "list"]


@for_each("name", [*RESOURCES])
def test_a_list_can_be_searched_by_the_fields_of_the_facts(name: str):
    expected = {key: kind for operation in lists(name) for key, kind in (operation.get("filters") or {}).items()}
    found = {key: column.kind for key, column in table(name).where.fields().items()}
    assert found == {key: "int64" if kind == "integer" else kind for key, kind in expected.items()}


def arguments(method: Any) -> set[str]:
    """The names of a method's options, those of a TypedDict among them."""
    found = inspect.signature(method).parameters
    unpacked = [get_args(each.annotation)[0] for each in found.values() if each.kind is each.VAR_KEYWORD]
    return found.keys() | {key for each in unpacked for key in each.__optional_keys__}


def method_of(name: str, key: str) -> str:
    """The name of the method for an operation."""
    operation = RESOURCES[name]["operations"][key]
    if operation["kind"] != "list":
        return {"archive_by_delete": "delete"}.get(operation["kind"], operation["kind"])
    parent = "".join(f"_for_{each.removesuffix('_id')}" for each in operation["path_params"][:1])
    last = operation["path"].rpartition("/")[2]
    return "list" + (f"_{last}" if last != RESOURCES[name]["envelope"] else "") + parent


# Operations whose method has a special name.
ODD = {
    "get_all_available_times": "list",
    "get_next_available_time": "get_next",
    "get_authenticated_user": "get_authenticated",
    "presigned_post": "presigned_post",
}
IDS = ("1412345678901234114", "7", "9")
DAYS = {"from_": dt.date(2025, 7, 21), "to": dt.date(2025, 7, 22)}
BASE = "https://api.example.test/v1"


class Sent(Exception):  # noqa: N818  (it carries the request, and is not an error)
    """Stops an operation when it sends its request."""

    def __init__(self, request: Request):
        super().__init__()
        self.request = request


class Recorder:
    """Replaces a client: it sends nothing, and raises the request."""

    server = Server(BASE)
    account_digest = b"account"
    unsortable: ClassVar[set[str]] = set()

    async def send(self, request: Request) -> Response:
        raise Sent(request)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(work)


async def request_of(name: str, key: str) -> Request:
    """The request of an operation."""
    operation = RESOURCES[name]["operations"][key]
    method = getattr(table(name)(Recorder()), ODD.get(key) or method_of(name, key))
    options: dict[str, Any] = DAYS if "own_query_params" in operation else {}
    if operation["kind"] == "cancel":
        options = {"cancellation_reason": 10}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        asked = method(*IDS[: len(operation["path_params"])], **options)
        with pytest.raises(Sent) as caught:
            await asked
    return caught.value.request


@for_each("name", [*RESOURCES])
def test_a_resource_names_the_operations_of_the_facts(name: str):
    keys = RESOURCES[name]["operations"]
    assert table(name)(Recorder()).operations == {ODD.get(key) or method_of(name, key) for key in keys}


@for_each("name", [*RESOURCES])
def test_changes_can_be_asked_for_where_a_list_can_be_searched_by_the_time_of_the_last_one(name: str):
    assert hasattr(table(name), "changes") is any("updated_at" in (each.get("filters") or {}) for each in lists(name))


@pytest.mark.parametrize("name", RESOURCES)
async def test_each_operation_sends_the_method_and_the_path_of_the_facts(name: str):
    """A deprecated deletion, which only archives, archives instead."""
    operations = RESOURCES[name]["operations"]
    requests = {key: await request_of(name, key) for key in operations}
    sent = {key: (each.method, each.url.partition("?")[0].removeprefix(BASE)) for key, each in requests.items()}
    assert {key: each for key, each in sent.items() if each != expected_request(operations[key])} == {}


def expected_request(operation: Any) -> tuple[str, str]:
    path = operation["path"].format(**dict(zip(operation["path_params"], IDS, strict=False)))
    return ("POST", path + "/archive") if operation["kind"] == "archive_by_delete" else (operation["method"], path)


@pytest.mark.parametrize("name", RESOURCES)
def test_each_operation_has_its_options_and_its_mark(name: str):
    """Archived, cancelled and deleted records can be asked for where there is a filter; what is deprecated says so."""
    operations = RESOURCES[name]["operations"]
    methods = {key: getattr(table(name), ODD.get(key) or method_of(name, key)) for key in operations}
    options = {key: arguments(method) & set(VISIBILITIES) for key, method in methods.items()}
    filters = {key: set(operation.get("filters") or {}) for key, operation in operations.items()}
    expected = {key: {each for each in VISIBILITIES if f"{each}_at" in filters[key]} for key in operations}
    assert {key: each for key, each in options.items() if each != expected[key]} == {}
    marked = {key for key, each in methods.items() if inspect.getsource(each).lstrip().startswith("@deprecated(")}
    assert marked == {key for key, operation in operations.items() if operation.get("deprecated", False)}
