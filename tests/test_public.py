"""What the package shows: every public name, typed and loaded when it is first used."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import cliniko_async
from cliniko_async import Cliniko
from cliniko_async._tables import NAMES, RESOURCES, resource_class

PACKAGE = Path(cliniko_async.__file__).parent


def type_checking(path: Path) -> list[ast.stmt]:
    """What only the type checkers see of a module, at any depth."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    return [stmt for node in blocks if ast.unparse(node.test) == "TYPE_CHECKING" for stmt in node.body]


def imported(path: Path) -> dict[str, set[str]]:
    """The names that a module imports from each module, for the type checkers."""
    found: dict[str, set[str]] = {}
    for stmt in type_checking(path):
        if isinstance(stmt, ast.ImportFrom):
            found.setdefault(stmt.module or "", set()).update(alias.name for alias in stmt.names)
    return found


def run(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return done.stdout.strip()


def loaded_by(code: str) -> set[str]:
    return set(run(f"import sys; {code}; print(*sys.modules)").split())


# Loaded when first used


def test_the_import_loads_no_table_no_converter_and_no_sandbox():
    """Nor anything else that it takes time to load and may never be used."""
    loaded = loaded_by("import cliniko_async")
    assert {name for name in loaded if name.startswith("cliniko_async.resources.")} == set()
    assert {name for name in loaded if name.startswith("cliniko_async.sandbox")} == set()
    assert loaded & {"cattrs", "cliniko_async._converter", "cliniko_async._pydantic", "pydantic", "yaml"} == set()


def test_a_resource_is_loaded_by_its_first_use_and_no_other_with_it():
    loaded = loaded_by(
        "import cliniko_async; c = cliniko_async.Cliniko('key-au1', app_name='A', contact_email='a@b.co'); c.taxes"
    )
    assert {name for name in loaded if name.startswith("cliniko_async.resources.")} == {"cliniko_async.resources.tax"}


def test_a_record_is_loaded_by_its_name():
    loaded = loaded_by("from cliniko_async import AppointmentType")
    tables = {name.rpartition(".")[2] for name in loaded if name.startswith("cliniko_async.resources.")}
    assert tables == {"appointment_type"}
    assert "cattrs" not in loaded


def test_the_converter_is_loaded_by_its_functions():
    assert "cattrs" in loaded_by("from cliniko_async import to_dict")


# Names


@pytest.mark.parametrize("name", cliniko_async.__all__)
def test_every_public_name_resolves(name: str):
    found = getattr(cliniko_async, name)
    assert getattr(found, "__name__", name) == name
    assert name in dir(cliniko_async)


def test_the_public_names_are_sorted_and_each_comes_once():
    assert sorted(set(cliniko_async.__all__)) == cliniko_async.__all__ == dir(cliniko_async)


def test_everything_can_be_imported_at_once():
    assert (
        run("from cliniko_async import *; print(AppointmentType.__name__, to_dict.__name__)")
        == "AppointmentType to_dict"
    )


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Apointment'; did you mean 'Appointment"):
        _ = cliniko_async.Apointment  # type: ignore[attr-defined]
    assert not hasattr(cliniko_async, "_Late")


def test_the_names_of_the_tables_are_those_that_the_checkers_see():
    """A name that is missing on either side would be typed and not there, or there and not typed."""
    seen = imported(PACKAGE / "__init__.py")
    tables = {name.removeprefix("resources."): names for name, names in seen.items() if name.startswith("resources.")}
    assert tables == {module: set(names) for module, names in NAMES.items()}
    assert seen["_converter"] == {"from_dict", "to_dict", "to_json"}
    assert set().union(*seen.values()) <= set(cliniko_async.__all__)


@pytest.mark.parametrize("module", NAMES)
def test_the_names_of_a_table_are_all_that_a_user_may_need(module: str):
    """Its resource, its records and parts, and what may be sent; no filters, which are reached by `where`."""
    table = importlib.import_module(f"cliniko_async.resources.{module}")
    own = {name for name, value in vars(table).items() if getattr(value, "__module__", "") == table.__name__}
    assert {name for name in own if not name.startswith("_") and not name.endswith("Filters")} == set(NAMES[module])


def test_every_module_of_tables_is_listed():
    modules = {path.stem for path in (PACKAGE / "resources").glob("[!_]*.py")}
    assert modules == {module for module in NAMES if not module.startswith("_")}


# The client


def test_the_client_has_an_attribute_for_each_resource_and_the_checkers_see_it():
    annotated = {
        stmt.target.id: ast.unparse(stmt.annotation)
        for stmt in type_checking(PACKAGE / "client.py")
        if isinstance(stmt, ast.AnnAssign) and isinstance(stmt.target, ast.Name)
    }
    assert annotated == {name: attribute for name, (_, attribute) in RESOURCES.items()}
    client = Cliniko("key-au1", app_name="Tests", contact_email="it@example.com")
    assert RESOURCES.keys() <= set(dir(client))
    for name in RESOURCES:
        assert type(getattr(client, name)) is resource_class(name)
        assert getattr(client, name) is getattr(client, name)


@pytest.mark.parametrize("name", RESOURCES)
def test_a_resource_is_known_by_the_name_of_its_envelope(name: str):
    found = resource_class(name)
    assert found.name == name
    assert found.__name__ in cliniko_async.__all__
    assert getattr(cliniko_async, found.record.__name__) is found.record  # type: ignore[misc]


def test_an_unknown_resource_is_an_attribute_error():
    client = Cliniko("key-au1", app_name="Tests", contact_email="it@example.com")
    with pytest.raises(AttributeError, match="Cliniko has no attribute 'apointments'"):
        _ = client.apointments  # type: ignore[attr-defined]
    with pytest.raises(KeyError):
        resource_class("apointments")
