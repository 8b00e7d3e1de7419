"""What a release contains, and the errors for missing extras."""

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

import cliniko_async
from tests.support.first_steps import STEPS
from tests.support.paths import PACKAGE, ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ALL = re.findall(r"[\w-]+", PROJECT["optional-dependencies"]["all"][0].partition("[")[2])
"""The extras of users; the others are for developers of the package."""


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheel and the source archive."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


def wheel_of(folder: Path) -> zipfile.ZipFile:
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def metadata_of(wheel: zipfile.ZipFile) -> Message:
    (name,) = (each for each in wheel.namelist() if each.endswith("/METADATA"))
    return message_from_bytes(wheel.read(name))


def test_the_wheel_has_the_package_with_its_types_and_nothing_else(archives: Path):
    wanted = {str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*") if path.suffix in {".py", ".pyi", ".typed"}}
    wanted |= {str(path.relative_to(ROOT)) for path in PACKAGE.rglob("py.typed")}
    with wheel_of(archives) as wheel:
        found = {each for each in wheel.namelist() if ".dist-info/" not in each}
    assert {"cliniko_async/py.typed", "cliniko_async/__init__.pyi"} < found
    assert found == wanted


def test_the_metadata_says_what_the_project_says(archives: Path):
    with wheel_of(archives) as wheel:
        metadata = metadata_of(wheel)
    assert metadata["Version"] == cliniko_async.__version__
    assert {*ALL, "all"} <= set(metadata.get_all("Provides-Extra", []))
    assert {each.partition(",")[0] for each in metadata.get_all("Project-URL", [])} == set(PROJECT["urls"])
    assert metadata["License-Expression"] == "MIT"


def test_the_source_archive_has_what_a_packager_builds_and_tests_with(archives: Path):
    (path,) = archives.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        found = {each.partition("/")[2] for each in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md", "Makefile", "tests/test_packaging.py"} < found
    top = {each.partition("/")[0] for each in found}
    assert {each for each in top if each.startswith(".")} <= {".gitignore"}
    assert not top & {"build", "dist", "site"}


def test_a_package_index_accepts_and_shows_the_archives(archives: Path):
    command = [sys.executable, "-m", "twine", "--no-color", "check", "--strict", *map(str, archives.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("PASSED")) == (0, 2), done.stdout


BLOCKED = """
import importlib, sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

MISSING = {"cyclopts", "distributed", "dlt", "fastapi", "opentelemetry", "pyarrow", "redis", "standardwebhooks"}

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in MISSING else super().find_spec(name, path, target)

sys.meta_path[:] = [BuiltinImporter, FrozenImporter, Finder]

from cliniko_async import RedisLimiter
from cliniko_async.cursors import RedisCursors

def load(module):
    return lambda: importlib.import_module(f"cliniko_async.{module}")

for use in (
    load("integrations.arrow"),
    load("cli.app"),
    load("integrations.dask"),
    load("integrations.dlt"),
    load("integrations.fastapi"),
    load("integrations.opentelemetry"),
    load("webhooks"),
    lambda: RedisLimiter(object(), name="north"),
    lambda: RedisCursors(object()),
):
    try:
        use()
    except ImportError as error:
        print(error)
"""


def test_a_missing_extra_is_an_error_that_says_how_to_install_it():
    """Each integration raises an ImportError that has the command."""
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, check=True)
    commands = [re.search(r'pip install "cliniko-async\[(\w+)\]"$', line) for line in done.stdout.splitlines()]
    assert sorted(each[1] if each else "" for each in commands) == sorted([*ALL, "redis"])


def test_sqlite_is_opened_without_the_positional_arguments_that_newer_pythons_deprecate():
    """Python 3.11, on which most tests run, does not warn about it."""
    calls = [
        (path.name, call)
        for path in PACKAGE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "sqlite3.connect"
    ]
    assert calls
    assert [f"{name}:{call.lineno}" for name, call in calls if len(call.args) > 1] == []


def test_every_extra_has_first_steps():
    """`make test-extras` runs them in an environment that has that extra alone."""
    assert sorted(STEPS) == sorted(ALL)


def test_the_readme_lists_every_extra():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == sorted([*ALL, "all"])


def test_the_changelog_has_the_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(?!Unreleased)([^]]+)\]", text, re.MULTILINE)[0] == cliniko_async.__version__
