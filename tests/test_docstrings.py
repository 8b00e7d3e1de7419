"""The public docstrings are the manual: arguments, options, results and errors are in them, so `help` is enough."""

import ast
import builtins
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator
from typing import Any, Unpack, get_args, get_origin, get_type_hints

import attrs

import cliniko_async
from cliniko_async import Changes, Paginator
from cliniko_async._compat import is_typeddict
from cliniko_async.resources._base import Resource
from cliniko_async.resources._registry import RESOURCES, resource_class
from tests.support.for_each import for_each
from tests.support.paths import ROOT
from tests.support.surface import is_property, public_callables, public_objects

SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises):\n((?:    .*\n|\n)*)", re.MULTILINE)
ENTRY = re.compile(r"^    (\*{0,2}[\w.]+): \S", re.MULTILINE)
OBJECTS = public_objects()
FILES = sorted((ROOT / "cliniko_async").rglob("*.py"))


def sections(documented: Any) -> dict[str, list[str]]:
    """The sections of a docstring, each with the names of its entries."""
    return sections_of(inspect.getdoc(documented))


def sections_of(text: str | None) -> dict[str, list[str]]:
    return {name: ENTRY.findall(body) for name, body in SECTION.findall(f"{text or ''}\n")}


def top_level(documented: Any) -> str:
    return str(documented.__module__).removeprefix("cliniko_async.").partition(".")[0]


CALLABLES = {name: each for name, each in public_callables().items() if name.endswith(".__init__") or "._" not in name}


def manual_of(name: str, function: Any) -> dict[str, list[str]]:
    """The sections of a callable; those of a constructor may be in the docstring of its class."""
    found = sections(function)
    if name.endswith(".__init__"):
        found |= sections(OBJECTS[name.partition(".")[0]])
    return found


MANUALS = {name: manual_of(name, each) for name, each in CALLABLES.items()}
METHODS = {name: each for name, each in CALLABLES.items() if not is_property(name)}


def parameters(function: Any) -> Iterator[str]:
    """The names of the arguments; of keyword arguments that a TypedDict lists, its keys."""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            yield f"*{parameter.name}"
        elif parameter.kind is parameter.VAR_KEYWORD:
            unpacked = get_args(parameter.annotation) if get_origin(parameter.annotation) is Unpack else ()
            yield from unpacked[0].__annotations__ if unpacked else (f"**{parameter.name}",)
        elif parameter.name != "self" and not (parameter.name == "cls" and "." in function.__qualname__):
            yield parameter.name


def raised_in(function: Any) -> set[str]:
    """The errors that a function raises itself."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    calls = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)]
    return {ast.unparse(call.func) for call in calls} & {*dir(builtins), *cliniko_async.__all__}


def sends(name: str, function: Any) -> bool:
    """Whether a method makes a request, or returns what makes one."""
    owner = OBJECTS[name.partition(".")[0]]
    if not (owner is cliniko_async.Cliniko or (isinstance(owner, type) and issubclass(owner, Resource))):
        return False
    returned = get_origin(inspect.signature(function).return_annotation)
    return (
        name not in {"Cliniko.aclose", "Cliniko.limits"}
        and not hasattr(Resource, name.partition(".")[2])
        and (inspect.iscoroutinefunction(function) or returned in (Paginator, Changes))
    )


def test_every_public_callable_has_a_docstring():
    assert [name for name, each in CALLABLES.items() if not inspect.getdoc(each)] == []


def test_every_argument_is_described_and_nothing_else():
    expected = {name: set(parameters(each)) for name, each in METHODS.items()}
    found = {name: set(MANUALS[name].get("Args", ())) for name in METHODS}
    assert {name: found[name] ^ expected[name] for name in METHODS if found[name] != expected[name]} == {}


def test_every_result_is_described():
    returning = [
        name
        for name, each in METHODS.items()
        if inspect.signature(each).return_annotation not in (None, inspect.Signature.empty)
    ]
    assert [name for name in returning if not MANUALS[name].keys() & {"Returns", "Yields"}] == []


def test_every_error_that_a_caller_may_catch_is_listed():
    """Those that the function itself raises; of what sends a request those of the API and of the network too."""
    expected = {name: raised_in(each) for name, each in CALLABLES.items()}
    for name, each in METHODS.items():
        if sends(name, each):
            expected[name] |= {"ResponseError", "TransportError"}
    found = {name: set(MANUALS[name].get("Raises", ())) for name in CALLABLES}
    assert {name: expected[name] - found[name] for name in CALLABLES if not expected[name] <= found[name]} == {}


def test_every_listed_error_is_an_exception_class():
    named = {error for each in MANUALS.values() for error in each.get("Raises", ())}
    classes = {name: OBJECTS.get(name, getattr(builtins, name, None)) for name in named if "." not in name}
    assert {
        name for name, cls in classes.items() if not (isinstance(cls, type) and issubclass(cls, Exception))
    } == set()


def fields_of(cls: Any) -> set[str]:
    if attrs.has(cls):
        return {str(field.alias) for field in attrs.fields(cls) if not field.name.startswith("_")}
    return set(getattr(cls, "__struct_fields__", ()))


def descriptions(docstring: str) -> Iterator[str]:
    """The text of each entry in the sections of a docstring; a result is one entry."""
    for section, body in SECTION.findall(docstring + "\n"):
        is_result = section in {"Returns", "Yields"}
        entries = [body] if is_result else re.split(r"^    \*{0,2}[\w.]+: ", body, flags=re.MULTILINE)[1:]
        yield from (entry.strip() for entry in entries)


def docstrings() -> Iterator[str]:
    """Every docstring of the package as it is written, and those of public callables as they are completed."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield ast.get_docstring(node) or ""
    yield from (inspect.getdoc(each) or "" for each in CALLABLES.values())


def test_every_description_is_a_sentence():
    """It begins with a capital letter and ends with a full stop, in private docstrings too."""
    texts = {text for docstring in docstrings() for text in descriptions(docstring)}
    assert [text for text in texts if text[:1].islower() or not text.endswith(".")] == []


def test_every_field_of_a_value_is_described():
    """Of the classes that hold options or results; the fields of a record are those of the API."""
    values = {name: cls for name, cls in OBJECTS.items() if top_level(cls) != "resources"}
    expected = {name: fields for name, cls in values.items() if (fields := fields_of(cls))}
    described = {name: sections(OBJECTS[name]) for name in expected}
    found = {name: {*each.get("Args", ()), *each.get("Attributes", ())} for name, each in described.items()}
    assert {name: found[name] ^ fields for name, fields in expected.items() if found[name] != fields} == {}


def attributes_with_a_text(cls: ast.ClassDef) -> set[str]:
    """The attributes of a class that have a text of their own below them."""
    pairs = itertools.pairwise(cls.body)
    described = [each for each, text in pairs if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)]
    targets = [each.target for each in described if isinstance(each, ast.AnnAssign)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def test_no_attribute_is_described_twice():
    """Either in the docstring of its class, or below it."""
    nodes = [node for path in FILES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    below = {cls: attributes_with_a_text(cls) for cls in classes}
    listed = {cls: set(sections_of(ast.get_docstring(cls)).get("Attributes", ())) for cls in classes}
    assert any(below.values())
    assert any(listed.values())
    assert {cls.name: twice for cls in classes if (twice := below[cls] & listed[cls])} == {}


@for_each("name", [*RESOURCES])
def test_what_can_be_sent_is_described_field_by_field(name: str):
    """In the docstring of the operation, and in that of the TypedDict of its fields and of those within it."""
    cls: Any = resource_class(name)
    for operation in cls(None).operations & {"create", "update", "cancel"}:
        fields = cls.sent_fields(operation)
        names = list(parameters_of(fields))
        assert set(names) <= set(sections(getattr(cls, operation))["Args"])
        for each in (fields, *nested(fields)):
            assert sections(each)["Args"] == list(parameters_of(each))


def parameters_of(fields: Any) -> Iterator[str]:
    return iter(get_type_hints(fields))


def nested(hint: Any) -> Iterator[Any]:
    """The TypedDicts within a type, at any depth."""
    for inner in get_type_hints(hint).values() if is_typeddict(hint) else get_args(hint):
        if is_typeddict(inner):
            yield inner
        yield from nested(inner)


def test_the_rules_of_a_field_are_described_with_their_limits():
    text = inspect.getdoc(cliniko_async.AppointmentTypes.create) or ""
    assert "duration_in_minutes: An int, more than 0 and less than 1440." in text
    assert "name: A str, at most 255 characters." in text
    assert "cancellation_reason: One of 10, 20, 30, 40, 50, 60 (required)." in (
        inspect.getdoc(cliniko_async.CancelFields) or ""
    )


def test_the_manual_of_a_resource_names_it_and_its_options():
    """The text that all resources share is written once; what differs is that of the resource."""
    listed, got = (inspect.getdoc(each) or "" for each in (cliniko_async.Bookings.list, cliniko_async.Taxes.get))
    assert {"archived", "cancelled", "deleted", "prefetch"} <= set(sections(cliniko_async.Bookings.list)["Args"])
    assert '"include" adds them' in listed
    assert "id: The id of the tax." in got
    assert "Deprecated: the API has deprecated this path" in (
        inspect.getdoc(cliniko_async.Invoices.list_for_patient) or ""
    )
