"""The public names of the package: each is typed, and loaded when it is first used."""

import ast
import asyncio
import copy
import importlib
import inspect
import pickle
import pydoc
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints
from unittest.mock import AsyncMock, Mock, create_autospec, patch

import pytest
from fastapi import BackgroundTasks

import cliniko_async
from cliniko_async import AccountPool, Cliniko, ConfigurationError
from cliniko_async.resources._names import NAMES
from cliniko_async.resources._registry import RESOURCES, resource_class
from cliniko_async.sandbox import Sandbox
from tests.support.clients import WHO
from tests.support.for_each import for_each
from tests.support.surface import public_callables

PACKAGE = Path(cliniko_async.__file__).parent


def stub() -> ast.Module:
    """What type checkers and editors see in place of the package's own module."""
    return ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))


def run(code: str) -> str:
    """The output of a program in a new interpreter."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return done.stdout.strip()


def loaded_by(code: str) -> set[str]:
    return set(run(f"import sys; {code}; print(*sys.modules)").split())


# Loaded when first used


def test_the_import_loads_no_table_no_converter_and_no_sandbox():
    """It also loads nothing else that is slow to load and may never be used."""
    loaded = loaded_by("import cliniko_async")
    resources = {name for name in loaded if name.startswith("cliniko_async.resources.")}
    assert resources == {"cliniko_async.resources._names"}
    assert "aiohttp" not in loaded
    assert {name for name in loaded if name.startswith("cliniko_async.sandbox")} == set()
    assert (
        loaded & {"cattrs", "cliniko_async._records.converter", "cliniko_async._records.pydantic", "pydantic", "yaml"}
        == set()
    )


def test_a_resource_is_loaded_by_its_first_use_and_no_other_with_it():
    loaded = loaded_by(
        "import cliniko_async; c = cliniko_async.Cliniko('key-au1', app_name='A', contact_email='a@b.co'); c.taxes"
    )
    tables = {name for name in loaded if re.match(r"cliniko_async\.resources\.[^_]", name)}
    assert tables == {"cliniko_async.resources.tax"}


def test_a_record_is_loaded_by_its_name():
    loaded = loaded_by("from cliniko_async import AppointmentType")
    tables = {name for name in loaded if re.match(r"cliniko_async\.resources\.[^_]", name)}
    assert tables == {"cliniko_async.resources.appointment_type"}
    assert loaded.isdisjoint({"cliniko_async._records.pydantic", "pydantic"})


def test_a_public_module_is_loaded_by_its_name():
    assert run("import cliniko_async; print(cliniko_async.errors.ClinikoError.__name__)") == "ClinikoError"


# Names


def test_every_public_name_resolves():
    found = {name: getattr(cliniko_async, name) for name in cliniko_async.__all__}
    assert {name: each for name, each in found.items() if getattr(each, "__name__", name) != name} == {}
    assert found.keys() <= set(dir(cliniko_async))


@pytest.mark.parametrize("name", ["cursors", "limits"])
def test_a_package_shows_also_the_names_that_it_has_not_loaded(name: str):
    package = importlib.import_module(f"cliniko_async.{name}")
    assert set(package.__all__) <= set(dir(package))
    assert {each for each in package.__all__ if getattr(package, each).__name__ != each} <= {"Priority", "StateChange"}
    with pytest.raises(AttributeError, match=f"module 'cliniko_async.{name}' has no attribute 'Missing'"):
        _ = package.Missing


def test_the_public_names_are_sorted_and_each_comes_once():
    assert sorted(set(cliniko_async.__all__)) == cliniko_async.__all__ == dir(cliniko_async)


def test_everything_can_be_imported_at_once():
    assert (
        run("from cliniko_async import *; print(AppointmentType.__name__, to_dict.__name__)")
        == "AppointmentType to_dict"
    )


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Apointment'; did you mean 'Appointment"):
        _ = cliniko_async.Apointment
    assert not hasattr(cliniko_async, "_Late")


def test_the_checkers_see_the_names_that_are_there():
    """Each from the module that defines it: a name missing on one side would be typed and absent, or untyped."""
    imports = [node for node in stub().body if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: node.module for node in imports for alias in node.names if node.module}
    (listed,) = (ast.literal_eval(node.value) for node in stub().body if isinstance(node, ast.Assign))
    assert listed == sorted(seen) == cliniko_async.__all__
    modules = {name: importlib.import_module(f"cliniko_async.{module}") for name, module in seen.items()}
    assert [name for name, module in modules.items() if vars(module)[name] is not getattr(cliniko_async, name)] == []


def test_the_public_modules_are_attributes_that_the_checkers_see():
    imports = [node for node in stub().body if isinstance(node, ast.ImportFrom) and not node.module]
    names = {alias.name for node in imports for alias in node.names}
    assert {"errors", "fields", "limits"} <= names
    assert {name: inspect.ismodule(getattr(cliniko_async, name)) for name in names} == dict.fromkeys(names, True)
    assert run("import cliniko_async; print(cliniko_async.links.__name__)") == "cliniko_async.links"


@for_each("module", [*NAMES])
def test_the_names_of_a_table_are_all_that_a_user_may_need(module: str):
    """Its resource, its records and parts, and what may be sent; no filters, which are reached by `where`."""
    table = importlib.import_module(f"cliniko_async.resources.{module}")
    own = {name for name, value in vars(table).items() if getattr(value, "__module__", "") == table.__name__}
    assert {name for name in own if not name.startswith("_") and not name.endswith("Filters")} == set(NAMES[module])


def test_every_module_of_tables_is_listed():
    modules = {path.stem for path in (PACKAGE / "resources").glob("[!_]*.py")}
    assert modules == {module for module in NAMES if not module.startswith("_")}


# The client


def client(**options: Any) -> Cliniko:
    return Cliniko("key-au1", **WHO, **options)


def test_the_client_has_an_attribute_for_each_resource():
    one = client()
    assert RESOURCES.keys() <= set(dir(one)) & set(dir(Cliniko))
    for name in RESOURCES:
        assert type(getattr(one, name)) is resource_class(name) is getattr(Cliniko, name)
        assert getattr(one, name) is getattr(one, name)


def test_help_on_the_class_describes_each_resource():
    text = pydoc.render_doc(Cliniko, renderer=pydoc.plaintext)
    for name in RESOURCES:
        assert f" {name} = " in text
        assert inspect.getdoc(resource_class(name)) in text.replace(" |      ", "")
        assert inspect.getdoc(inspect.getattr_static(Cliniko, name))


async def test_a_mock_by_specification_has_the_resources_and_no_others():
    """A mock of the whole client awaits its coroutines, and refuses arguments that a method does not accept."""
    for mock in (Mock(spec=Cliniko), AsyncMock(spec=Cliniko), create_autospec(Cliniko, instance=True)):
        assert mock.patients is not None
        with pytest.raises(AttributeError):
            _ = mock.apointments
    whole = create_autospec(Cliniko, instance=True)
    whole.patients.get.return_value = "a patient"
    assert await whole.patients.get("1") == "a patient"
    with pytest.raises(AttributeError):
        _ = whole.patients.cancel
    with pytest.raises(TypeError):
        whole.patients.get()


def test_a_resource_of_one_client_can_be_replaced_for_a_test():
    one, other = client(), client()
    with patch.object(one, "patients", "stub"):
        assert one.patients == "stub"
        assert type(other.patients) is resource_class("patients")
    assert type(one.patients) is resource_class("patients")


def test_the_resources_are_mapped_by_their_names_and_loaded_when_asked_for():
    one = client()
    assert list(one.resources) == list(RESOURCES)
    assert len(one.resources) == len(RESOURCES)
    for name, resource in one.resources.items():
        assert resource is getattr(one, name)
        assert resource.name == name
        assert isinstance(resource.record, type)
        assert resource.where.fields() == resource_class(name).searchable()
    with pytest.raises(KeyError):
        _ = one.resources["apointments"]
    code = "import cliniko_async; c = cliniko_async.Cliniko('key-au1', app_name='A', contact_email='a@b.co')"
    loaded = loaded_by(f"{code}; list(c.resources); c.resources['taxes']")
    public = {name for name in loaded if re.match(r"cliniko_async\.resources\.[^_]", name)}
    assert public == {"cliniko_async.resources.tax"}


class Clinic(Cliniko):
    """A client with additional state."""

    __slots__ = ("tags",)

    def __init__(self, key: str, clinic: str, **options: Any) -> None:
        super().__init__(key, **WHO, **options)
        self.clinic = clinic
        self.tags = ["a"]


async def test_a_view_keeps_the_state_of_a_subclass_and_has_resources_of_its_own():
    """It is still a view: it closes nothing."""
    async with Clinic("key-au1", "Hill") as clinic:
        first = clinic.patients
        view = clinic.with_options(priority="bulk")
        assert (type(view), view.clinic, view.tags) == (Clinic, "Hill", ["a"])
        assert view.patients is not first
        assert clinic.patients is first
        view.clinic = "Dale"
        assert clinic.clinic == "Hill"
        clinic.users = "stub"
        assert clinic.with_options(timeout=1.0).users == "stub"
        await view.aclose()
        assert (await clinic.with_options(timeout=1.0).limits()).used == 0


@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy, pickle.dumps], ids=lambda take: take.__name__)
def test_a_client_is_neither_pickled_nor_copied(take: Any):
    """Nor are the objects that use it: its resources, lists and changes; nor pools."""
    one = client()
    owners = [one, one.with_options(timeout=1.0), AccountPool(**WHO)]
    if take is not copy.copy:
        owners += [one.patients, one.patients.list(), one.patients.changes()]
    for owner in owners:
        with pytest.raises(TypeError, match="make one in each process"):
            take(owner)


@for_each("session", ["https://example.com", object(), Mock(), 0, False])
def test_a_session_of_another_type_is_a_type_error(session: Any):
    with pytest.raises(TypeError, match=r"session must be an aiohttp\.ClientSession, not "):
        client(session=session)


@pytest.mark.parametrize("limiter", [object(), 200, Mock(spec=["acquire", "pause"])])
def test_an_object_that_is_not_a_limiter_is_refused(limiter: Any):
    with pytest.raises(ConfigurationError, match="rate_limiter must have the methods acquire, pause, limits"):
        client(rate_limiter=limiter)


CALLABLES = public_callables()


def test_the_type_hints_of_every_method_can_be_read():
    """Frameworks and documentation tools resolve them at run time without an import of this package."""
    wrong: dict[str, str] = {}
    for name, each in CALLABLES.items():
        try:
            get_type_hints(each)
        except Exception as error:  # noqa: BLE001  (whatever it is, it is a fault)
            wrong[name] = str(error)
    assert wrong == {}
    assert {
        "Patients.changes",
        "Patients.list",
        "Cliniko.follow",
        "Paginator.first",
        "AccountPool.run",
        "RedisLimiter.__init__",
        "RedisCursors.__init__",
    } <= CALLABLES.keys()


@for_each("name", [*RESOURCES])
def test_a_resource_is_known_by_the_name_of_its_envelope(name: str):
    found = resource_class(name)
    assert found.name == name
    assert found.__name__ in cliniko_async.__all__
    assert getattr(cliniko_async, found.record.__name__) is found.record


def test_an_unknown_resource_is_an_attribute_error():
    client = Cliniko("key-au1", app_name="Tests", contact_email="it@example.com")
    with pytest.raises(AttributeError, match="Cliniko has no attribute 'apointments'"):
        _ = client.apointments
    with pytest.raises(KeyError):
        resource_class("apointments")
    with pytest.raises(KeyError, match=r"no resource 'patient'; did you mean 'patients'\?"):
        _ = client.resources["patient"]


@for_each("name", [*RESOURCES])
def test_what_is_awaited_is_a_coroutine_function(name: str):
    """A framework checks this before it awaits; a method that returns a paginator is not a coroutine function."""
    one = getattr(client(), name)
    for operation in one.operations:
        awaited = not operation.startswith("list")
        for method in (getattr(one, operation), getattr(type(one), operation)):
            assert inspect.iscoroutinefunction(method) is asyncio.iscoroutinefunction(method) is awaited


async def test_a_deprecated_operation_warns_when_it_is_called():
    """Not when it is awaited, which is another line; and its signature can still be inspected."""
    delete = client().patients.delete
    with pytest.warns(DeprecationWarning, match="use archive") as caught:
        work = delete("1")
    assert caught[0].filename == __file__
    assert inspect.iscoroutine(work)
    work.close()
    assert list(inspect.signature(delete).parameters) == ["id"]


@pytest.mark.filterwarnings("ignore:DELETE only archives")
async def test_a_deprecated_operation_runs_as_a_background_task():
    async with Sandbox() as sandbox, Cliniko(sandbox.api_key, base_url=sandbox.base_url, **WHO) as cliniko:
        tasks = BackgroundTasks()
        tasks.add_task(cliniko.appointment_types.delete, sandbox.add("appointment_types", name="Old"))
        await tasks()
        assert [request.method for request in sandbox.requests] == ["POST"]


async def test_the_repr_of_each_object_says_what_it_is(cliniko):
    """At a prompt and in a notebook; it never shows the value of a filter, which may name a patient."""
    patients = cliniko.patients
    where = patients.where
    shown = {
        repr(patients.list(where.last_name == "Appleseed", sort=("last_name", "id:desc"), limit=5, stable=False)),
        repr(patients.list(where.last_name == "Appleseed", where.first_name == "Appleseed", archived="include")),
        repr(patients.list(stable=True, prefetch=2)),
        repr(patients.changes()),
        repr(cliniko.taxes.watch()),
        repr(where.last_name),
        repr(cliniko.taxes.where),
        repr(cliniko.taxes),
    }
    assert shown == {
        "<Paginator of patients, 1 filter, sort=last_name,id:desc, limit=5>",
        "<Paginator of patients, 3 filters>",
        "<Paginator of patients, prefetch=2, stable=True>",
        "<Changes of patients, 1 filter>",
        "<Watch of taxes>",
        "<column last_name>",
        f"<columns {', '.join(cliniko.taxes.where.fields())}>",
        "<taxes: create, delete, get, list, update>",
    }
    assert repr(cliniko.resources).startswith("<resources appointment_type_billable_items, ")


async def test_a_sandbox_prints_its_address():
    sandbox = Sandbox()
    assert repr(sandbox) == "<Sandbox not running>"
    async with sandbox:
        assert repr(sandbox) == f"<Sandbox at {sandbox.base_url}, 0 requests>"
