"""Every table is held against the facts: what it reads, what it sends, what it filters by and what it offers."""

import asyncio
import datetime as dt
import inspect
import json
import re
import sys
import types
import warnings
from collections.abc import Coroutine, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Never, Union, get_args, get_origin, get_type_hints, is_typeddict

import attrs
import msgspec
import pytest
import yaml

from cliniko_async._fields import check_fields, wire_name
from cliniko_async._http import Request, Response, Server
from cliniko_async._resource import VISIBILITIES
from cliniko_async._tables import RESOURCES as TABLE_OF
from cliniko_async._tables import resource_class
from cliniko_async.errors import InvalidFieldsError
from cliniko_async.links import Link, ListLink

FACTS = yaml.load(
    (Path(__file__).parent / "facts" / "cliniko-v1.yaml").read_text(encoding="utf-8"),
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
    """The resource class of a table."""
    return resource_class(TABLES[name])


def kinds(schemas: list[str]) -> list[dict[str, Any]]:
    """The fields of all kinds of a question or custom field, of which the facts' own lists name the common ones."""
    family = schemas[0].rpartition("_")[0] + "_"
    names = {
        name for name in SCHEMAS if name.startswith(family) and "_definition_" not in name.removeprefix(family[:-1])
    }
    return [SCHEMAS[name]["fields"] for name in sorted(names | set(schemas))]


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
            return merged([expected_type({"type": "object", "fields": fields}) for fields in kinds(spec["schemas"])])
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
    return {key: (expected_type(spec), presence(key, spec)) for key, spec in fields.items()}


def presence(key: str, spec: dict[str, Any]) -> str:
    return "required" if key in ALWAYS or not (spec["nullable"] or spec["type"] == "link") else "optional"


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


def alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


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
    if hint == Annotated[dt.datetime, msgspec.Meta(tz=True)]:
        return "DateTime"
    return ("part", read_fields(hint)) if attrs.has(hint) else hint.__name__


def test_there_is_a_table_for_every_resource_of_the_facts():
    """The client's attributes are the envelopes of the API, and the names of what has none."""
    envelopes = {name: facts["envelope"] for name, facts in RESOURCES.items()}
    assert {**envelopes, **{name: name for name in ("settings", "public_settings")}} == {**TABLES, "signature": None}
    assert {name: table(name).name for name in TABLES} == TABLES


@pytest.mark.parametrize("name", [name for name in RESOURCES if name not in UNIONS])
def test_a_record_has_the_fields_of_the_facts(name: str):
    """Each with its type, whether it may be missing or null, and what a link leads to."""
    assert read_fields(table(name).record) == expected_fields(RESOURCES[name]["fields"])


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_a_variant_has_the_fields_of_the_facts(name: str, variant: str):
    base = table(name).record
    cls = getattr(sys.modules[base.__module__], camel(variant))
    assert issubclass(cls, base)
    assert read_fields(cls) == expected_fields(variant_fields(variant))


@pytest.mark.parametrize("name", UNIONS)
def test_the_base_of_variants_has_the_fields_that_all_of_them_have(name: str):
    """Where they are links to different kinds, it links to what these have in common."""
    every = [expected_fields(variant_fields(variant)) for variant in RESOURCES[name]["variants"]]
    expected = {key: every[0][key] for key in every[0] if all(key in fields for fields in every)}
    for key, ((kind, *_), required) in expected.items():
        if any(fields[key] != every[0][key] for fields in every):
            expected[key] = ((kind, camel(name)), required)
    assert read_fields(table(name).record) == expected


# What may be sent

DAY = dt.date(2025, 7, 21)
MOMENT = dt.datetime(2025, 7, 21, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=10)))
TEXTS = ["", "x", "1", "12", "-1", "x" * 300, "x" * 20_000, "2025-07-21", "1" * 20, "\N{FULLWIDTH DIGIT ONE}"]
COLORS = ["#2F80ED", "#fff", "#12345", "#2F80EG", "2F80ED", " #fff"]
EMAILS = ["sam@example.com", "SAM@EXAMPLE.COM", "sam@example", "sam example@example.com"]
CARDS = ["NX123456", "NX1234567", "VSM12345A", "nx123456", "AX1234", "NX12-3", "zNX123456", "NX123456zz"]
NUMBERS = [0, 1, -1, 10**18, 10**19, 1.5, Decimal("1.5"), Decimal("-0.01"), Decimal("NaN"), Decimal("1E+3")]
OTHERS = [None, True, False, DAY, MOMENT, MOMENT.replace(tzinfo=None), b"x", [], {}, {"no_such_field": 1}, ["x"], [1]]
COMMON = [*TEXTS, *COLORS, *EMAILS, *CARDS, *NUMBERS, *OTHERS]


def probes(spec: dict[str, Any], more: list[Any]) -> Iterator[Any]:
    """Values on both sides of every rule that a field has."""
    yield from (*COMMON, *more)
    match spec["type"]:
        case "array":
            yield from ([probe] for probe in probes(spec["items"], more))
        case "object" | "one_of":
            for key, fields in members(spec).items():
                yield from ({key: probe} for field in fields for probe in probes(field, more))
    yield from allowed(spec) or []
    for bound in (spec[key] for key in ("min", "max") if key in spec):
        yield from (bound - 1, bound, bound + 1, bound - Decimal("0.01"), bound + Decimal("0.01"))
    for length in (spec[key] + step for key in ("min_length", "max_length") if key in spec for step in (-1, 0, 1)):
        yield from ("x" * length, "x" * (length - 6) + "@ab.io")


def members(spec: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The fields of an object; of one of several objects, each field in all the forms that it has in them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for fields in kinds(spec["schemas"]) if spec["type"] == "one_of" else [spec["fields"]]:
        for key, field in fields.items():
            found.setdefault(key, []).append(field)
    return found


def allowed(spec: dict[str, Any]) -> list[Any] | None:
    return ENUMS[spec["enum_ref"]]["values"] if "enum_ref" in spec else spec.get("enum")


def literals(hint: Any) -> Iterator[Any]:
    """The values that the table lists for a field, at any depth."""
    if get_origin(hint) is Literal:
        yield from get_args(hint)
    else:
        inner = get_type_hints(hint, include_extras=True).values() if is_typeddict(hint) else get_args(hint)
        yield from (value for each in inner for value in literals(each))


REFUSED = "refused"


def written(spec: dict[str, Any], value: Any) -> Any:
    """What the facts make of a value: its JSON, or that it is refused."""
    if value is None:
        return None if spec.get("nullable") else REFUSED
    kind = spec["format"] if spec.get("format") in WRITERS else spec["type"]
    return WRITERS[kind](spec, value)


def write_list(spec: dict[str, Any], value: Any) -> Any:
    if not isinstance(value, list | tuple):
        return REFUSED
    items = [written(spec["items"], item) for item in value]
    return REFUSED if REFUSED in items else items


def write_object(spec: dict[str, Any], value: Any) -> Any:
    if not isinstance(value, dict) or not value.keys() <= members(spec).keys():
        return REFUSED
    found = {key: first([written(field, each) for field in members(spec)[key]]) for key, each in value.items()}
    return REFUSED if REFUSED in found.values() else found


def first(results: list[Any]) -> Any:
    return next((each for each in results if each != REFUSED), REFUSED)


def write_text(spec: dict[str, Any], value: Any) -> Any:
    if not isinstance(value, str) or not spec.get("min_length", 0) <= len(value) <= spec.get("max_length", 10**9):
        return REFUSED
    flags = re.IGNORECASE if spec.get("pattern_ignore_case") else 0
    fits = re.search(spec.get("pattern", ""), value, flags) and value in (allowed(spec) or [value])
    return value if fits else REFUSED


def write_id(_: dict[str, Any], value: Any) -> Any:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text if re.fullmatch(r"[0-9]{1,19}", text) else REFUSED


def write_number(spec: dict[str, Any], value: Any) -> Any:
    wanted = int if spec["type"] == "integer" else (int, Decimal)
    if not isinstance(value, wanted) or isinstance(value, bool) or not Decimal(value).is_finite():
        return REFUSED
    inside = spec.get("min", value) <= value <= spec.get("max", value) and value in (allowed(spec) or [value])
    on_edge = (spec.get("exclusive_min") and value == spec["min"]) or (
        spec.get("exclusive_max") and value == spec["max"]
    )
    if not inside or on_edge:
        return REFUSED
    return format(Decimal(value), "f") if spec["type"] == "string" else Decimal(value)


def write_moment(_: dict[str, Any], value: Any) -> Any:
    fits = isinstance(value, dt.datetime) and value.tzinfo
    return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if fits else REFUSED


WRITERS: dict[str, Any] = {
    "array": write_list,
    "object": write_object,
    "one_of": write_object,
    "string": write_text,
    "int64": write_id,
    "decimal": write_number,
    "integer": write_number,
    "number": write_number,
    "boolean": lambda _, value: value if isinstance(value, bool) else REFUSED,
    "date": lambda _, value: value.isoformat() if type(value) is dt.date else REFUSED,
    "date-time": write_moment,
}


def sent(name: str, kind: str) -> type:
    """The TypedDict of a create or an update."""
    (fields,) = get_args(inspect.signature(getattr(table(name), kind)).parameters["fields"].annotation)
    return fields


def body(name: str, kind: str) -> dict[str, Any]:
    """The fields of a body by the facts."""
    for operation in RESOURCES[name]["operations"].values():
        if operation["kind"] == kind and "body_fields" in operation:
            return operation["body_fields"]
    found = {key: spec for key, spec in RESOURCES[name]["body"].items() if kind in spec["in"]}
    clears = {key for key, spec in found.items() if kind == "update" and spec.get("nullable_on_update")}
    return {key: {**spec, "nullable": spec["nullable"] or key in clears} for key, spec in found.items()}


def outcome(fields: type, attribute: str, value: Any) -> Any:
    try:
        checked = check_fields(fields, {attribute: value})
    except InvalidFieldsError as error:
        return REFUSED if all(path.startswith(attribute) for path in error.faults) else error.faults
    return json.loads(msgspec.json.encode(checked), parse_float=Decimal)


def seen(result: Any) -> str:
    """Tell 1, True, "1" and Decimal(1) apart, but not the two ways to write a JSON number."""
    if isinstance(result, dict):
        return str({key: seen(each) for key, each in result.items()})
    if isinstance(result, list):
        return str([seen(each) for each in result])
    number = isinstance(result, int | Decimal) and not isinstance(result, bool)
    return f"number {Decimal(result).normalize()}" if number else repr(result)


@pytest.mark.parametrize(("name", "kind"), BODIES)
def test_a_body_has_the_fields_of_the_facts(name: str, kind: str):
    assert {wire_name(key) for key in get_type_hints(sent(name, kind))} == body(name, kind).keys()


@pytest.mark.parametrize(("name", "kind"), BODIES)
def test_a_body_takes_what_the_facts_allow_and_refuses_the_rest(name: str, kind: str):
    """Type, nullability, range, pattern, length, enumeration and form on the wire, at any depth."""
    wrong: dict[str, list[Any]] = {}
    for attribute, hint in get_type_hints(sent(name, kind), include_extras=True).items():
        key = wire_name(attribute)
        spec = body(name, kind)[key]
        for probe in probes(spec, list(literals(hint))):
            by_facts = REFUSED if (found := written(spec, probe)) == REFUSED else {key: found}
            if seen(by_table := outcome(sent(name, kind), attribute, probe)) != seen(by_facts):
                wrong.setdefault(key, []).append((probe, by_table, by_facts))
    assert wrong == {}


def part_values(spec: dict[str, Any], hint: Any) -> Iterator[Any]:
    """A value for each place in a field where a part of the record may stand."""
    if spec["type"] == "array":
        for each in alternatives(hint):
            yield from ([value] for item in get_args(each)[:1] for value in part_values(spec["items"], item))
    for part in filter(attrs.has, alternatives(hint) if spec["type"] in ("object", "one_of") else ()):
        yield part()
        hints = get_type_hints(part, include_extras=True)
        for key, fields in members(spec).items():
            yield from ({key: value} for field in fields for value in part_values(field, hints[key]))


@pytest.mark.parametrize(("name", "kind"), BODIES)
def test_a_part_of_a_record_can_be_sent_again(name: str, kind: str):
    hints = get_type_hints(table(name).record, include_extras=True)
    for key, spec in body(name, kind).items():
        for value in part_values(spec, hints.get(key, type(None))):
            check_fields(sent(name, kind), {key: value})


@pytest.mark.parametrize("name", [name for name in RESOURCES if name not in dict(BODIES)])
def test_what_the_facts_do_not_let_be_written_has_no_body(name: str):
    assert not any(hasattr(table(name), method) for method in ("create", "update"))


# What may be asked for, and what is offered


def lists(name: str) -> list[dict[str, Any]]:
    return [operation for operation in RESOURCES[name]["operations"].values() if operation["kind"] == "list"]


@pytest.mark.parametrize("name", RESOURCES)
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
    """The name of the method that an operation is offered under."""
    operation = RESOURCES[name]["operations"][key]
    if operation["kind"] != "list":
        return {"archive_by_delete": "delete"}.get(operation["kind"], operation["kind"])
    parent = "".join(f"_for_{each.removesuffix('_id')}" for each in operation["path_params"][:1])
    last = operation["path"].rpartition("/")[2]
    return "list" + (f"_{last}" if last != RESOURCES[name]["envelope"] else "") + parent


# Operations that are offered under a name of their own.
ODD = {
    "get_all_available_times": "list",
    "get_next_available_time": "get_next",
    "get_authenticated_user": "get_authenticated",
    "presigned_post": "presigned_post",
}
IDS = ("1412345678901234114", "7", "9")
DAYS = {"from_": dt.date(2025, 7, 21), "to": dt.date(2025, 7, 22)}
BASE = "https://api.example.test/v1"


class Sent(Exception):  # noqa: N818  (it is how a request comes to light, no fault)
    """Stops an operation at the moment when its request is handed over."""

    def __init__(self, request: Request):
        super().__init__()
        self.request = request


class Recorder:
    """Stands in for a client: it sends nothing, and shows what it was asked to send."""

    server = Server(BASE)
    account = b"account"
    unsortable: ClassVar[set[str]] = set()

    async def send(self, request: Request) -> Response:
        raise Sent(request)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(work)


async def request_of(name: str, key: str) -> Request:
    """The request that an operation makes."""
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


@pytest.mark.parametrize(("name", "key"), OPERATIONS)
async def test_an_operation_sends_the_method_and_the_path_of_the_facts(name: str, key: str):
    """A deprecated deletion, which only archives, archives instead."""
    operation = RESOURCES[name]["operations"][key]
    request = await request_of(name, key)
    path = operation["path"].format(**dict(zip(operation["path_params"], IDS, strict=False)))
    expected = ("POST", path + "/archive") if operation["kind"] == "archive_by_delete" else (operation["method"], path)
    assert (request.method, request.url.partition("?")[0].removeprefix(BASE)) == expected


@pytest.mark.parametrize(("name", "key"), OPERATIONS)
def test_an_operation_has_its_options_and_its_mark(name: str, key: str):
    """Archived, cancelled and deleted records can be asked for where there is a filter; what is deprecated says so."""
    operation = RESOURCES[name]["operations"][key]
    method = getattr(table(name), ODD.get(key) or method_of(name, key))
    expected = {option for option in VISIBILITIES if f"{option}_at" in (operation.get("filters") or {})}
    assert arguments(method) & set(VISIBILITIES) == expected
    marked = inspect.getsource(method).lstrip().startswith("@deprecated(")
    assert marked is operation.get("deprecated", False)
