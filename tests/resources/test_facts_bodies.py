"""Every table agrees with the facts: the fields that can be sent."""

import datetime as dt
import inspect
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal, get_args, get_origin, get_type_hints

import attrs
import msgspec
import pytest
from pydantic import TypeAdapter

from cliniko_async._compat import is_typeddict
from cliniko_async.errors import InvalidFieldsError
from cliniko_async.fields import Deprecated, check_fields, wire_name
from tests.support.facts import BODIES, RESOURCES, allowed, alternatives, assert_named, kinds, table
from tests.support.for_each import for_each

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
            whole = sample(spec)
            yield from ({key: whole[key] for key in whole.keys() - {left_out}} for left_out in whole)
            for key, fields in members(spec).items():
                yield from ({**whole, key: probe} for field in fields for probe in probes(field, more))
    yield from allowed(spec) or []
    for bound in (spec[key] for key in ("min", "max") if key in spec):
        yield from (bound - 1, bound, bound + 1, bound - Decimal("0.01"), bound + Decimal("0.01"))
    for length in (spec[key] + step for key in ("min_length", "max_length") if key in spec for step in (-1, 0, 1)):
        yield from ("x" * length, "x" * (length - 6) + "@ab.io")


def sample(spec: dict[str, Any]) -> dict[str, Any]:
    """An object that has no more than it needs."""
    found: dict[str, Any] = {}
    for key in sorted(needed(spec)):
        fields = members(spec)[key]
        values = (value for field in fields for value in (*COMMON, *(allowed(field) or [])) if value is not None)
        found[key] = next(value for value in values if first([written(field, value) for field in fields]) != REFUSED)
    return found


def needed(spec: dict[str, Any]) -> set[str]:
    """The required keys of an object; of a union of objects, the keys that all of them require."""
    several = [set(each.get("required", ())) for each in kinds(spec["schemas"])] if spec["type"] == "one_of" else []
    return set.intersection(*several) if several else set(spec.get("required", ()))


def members(spec: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The fields of an object; of a union of objects, each field with all of its forms."""
    found: dict[str, list[dict[str, Any]]] = {}
    for fields in [each["fields"] for each in kinds(spec["schemas"])] if spec["type"] == "one_of" else [spec["fields"]]:
        for key, field in fields.items():
            found.setdefault(key, []).append(field)
    return {key: alike(fields) for key, fields in found.items()}


def alike(fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The forms of a field; forms that are objects are merged, as in a table, with the keys that all of them need."""
    common = [set(field.get("required", ())) for field in fields if field["type"] == "object"]
    both = set.intersection(*common) if common else set[str]()
    return [{**field, "required": both} if field["type"] == "object" else field for field in fields]


def literals(hint: Any) -> Iterator[Any]:
    """The values that the table lists for a field, at any depth."""
    if get_origin(hint) is Literal:
        yield from get_args(hint)
    else:
        inner = get_type_hints(hint, include_extras=True).values() if is_typeddict(hint) else get_args(hint)
        yield from (value for each in inner for value in literals(each))


REFUSED = "refused"


def written(spec: dict[str, Any], value: Any) -> Any:
    """The JSON of a value by the facts, or that it is refused."""
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
    if not isinstance(value, dict) or not needed(spec) <= value.keys() <= members(spec).keys():
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


def outcome(fields: Any, attribute: str, value: Any) -> Any:
    others = fields.__required_keys__ - {attribute}
    hints = get_type_hints(fields, include_extras=True)
    try:
        checked = check_fields(fields, {attribute: value} | {name: next(literals(hints[name])) for name in others})
    except InvalidFieldsError as error:
        return REFUSED if all(path.startswith(attribute) for path in error.faults) else error.faults
    alone = {name: each for name, each in checked.items() if name not in others}
    return json.loads(msgspec.json.encode(alone), parse_float=Decimal)


def seen(result: Any) -> str:
    """Distinguish 1, True, "1" and Decimal(1), but not the two ways to write a JSON number."""
    if isinstance(result, dict):
        return str({key: seen(each) for key, each in sorted(result.items())})
    if isinstance(result, list):
        return str([seen(each) for each in result])
    number = isinstance(result, int | Decimal) and not isinstance(result, bool)
    return f"number {Decimal(result).normalize()}" if number else repr(result)


@for_each("name, kind", BODIES)
def test_a_body_has_the_fields_of_the_facts(name: str, kind: str):
    assert {wire_name(key) for key in get_type_hints(sent(name, kind))} == body(name, kind).keys()


@for_each("name, kind", BODIES)
def test_deprecated_fields_of_a_body_are_marked_and_it_names_them(name: str, kind: str):
    fields = sent(name, kind)
    hints = get_type_hints(fields, include_extras=True)
    marked = {key for key, hint in hints.items() if any(isinstance(note, Deprecated) for note in get_args(hint))}
    assert {wire_name(key) for key in marked} == {k for k, spec in body(name, kind).items() if spec.get("deprecated")}
    assert_named(fields, marked)


@for_each("name, kind", BODIES)
def test_a_body_is_refused_without_what_the_operation_needs(name: str, kind: str):
    fields: Any = sent(name, kind)
    assert {wire_name(key) for key in fields.__required_keys__} == {
        key for key, spec in body(name, kind).items() if spec.get("required") is True
    }
    if fields.__required_keys__:
        with pytest.raises(InvalidFieldsError, match="is missing"):
            check_fields(fields, {})


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


def number(value: Decimal) -> float:
    """The JSON number of a decimal."""
    return int(value) if value == value.to_integral_value() else float(value)


@pytest.mark.parametrize(("name", "kind"), BODIES)
def test_pydantic_takes_a_body_in_the_form_that_is_sent(name: str, kind: str):
    """A web backend reads a body from JSON and sends the same values."""
    fields: Any = sent(name, kind)
    adapter = TypeAdapter(fields)
    wrong: dict[str, list[Any]] = {}
    for attribute, hint in get_type_hints(fields, include_extras=True).items():
        others = {each: next(literals(get_type_hints(fields)[each])) for each in fields.__required_keys__ - {attribute}}
        spec = body(name, kind)[wire_name(attribute)]
        values = (written(spec, probe) for probe in probes(spec, list(literals(hint))))
        for value in {seen(each): each for each in values if each != REFUSED}.values():
            read = adapter.validate_python(json.loads(json.dumps({attribute: value} | others, default=number)))
            if seen(outcome(fields, attribute, read[attribute])) != seen({wire_name(attribute): value}):
                wrong.setdefault(attribute, []).append((value, read))
    assert wrong == {}


def part_values(spec: dict[str, Any], hint: Any) -> Iterator[Any]:
    """A value for each position in a field that can hold a part of the record."""
    if spec["type"] == "array":
        for each in alternatives(hint):
            yield from ([value] for item in get_args(each)[:1] for value in part_values(spec["items"], item))
    for part in filter(attrs.has, alternatives(hint) if spec["type"] in ("object", "one_of") else ()):
        yield part()
        hints = get_type_hints(part, include_extras=True)
        for key, fields in members(spec).items():
            whole = sample(spec)
            yield from ({**whole, key: value} for field in fields for value in part_values(field, hints[key]))


@pytest.mark.parametrize(("name", "kind"), BODIES)
def test_a_part_of_a_record_can_be_sent_again(name: str, kind: str):
    hints = get_type_hints(table(name).record, include_extras=True)
    for key, spec in body(name, kind).items():
        for value in part_values(spec, hints.get(key, type(None))):
            check_fields(sent(name, kind), {key: value})
