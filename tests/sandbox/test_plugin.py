"""The fixtures of the pytest plugin, as the tests of a user's program use them."""

import os
import subprocess
import sys

import pytest

PLUGINS = ("pytest_asyncio.plugin", "anyio.pytest_plugin", "cliniko_async.sandbox.pytest_plugin", "no:cacheprovider")
OPTIONS = ("-q", "-W", "error", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")


def outcome(tmp_path, text, *, plugins=PLUGINS):
    """Run a file of tests in a separate process, with every warning as an error; return what pytest prints."""
    (tmp_path / "test_mine.py").write_text(text, encoding="utf-8")
    loaded = [part for plugin in plugins for part in ("-p", plugin)]
    options = OPTIONS if "pytest_asyncio.plugin" in plugins else OPTIONS[:3]
    command = [sys.executable, "-m", "pytest", *options, *loaded, f"--rootdir={tmp_path}", str(tmp_path)]
    # Without the entry point of an installed package, which would be the same plugin again.
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    return ended.stdout + ended.stderr


ASYNCHRONOUS = """
import pytest
import pytest_asyncio

async def test_records(cliniko, cliniko_sandbox):
    first = await cliniko.appointment_types.list().first()
    assert first.name
    assert len(cliniko_sandbox.requests) == 1

async def test_no_request_of_another_test_is_seen(cliniko_sandbox):
    assert cliniko_sandbox.requests == []

@pytest_asyncio.fixture
async def tax(cliniko):
    tax = await cliniko.taxes.create(name="VAT")
    yield tax
    await cliniko.taxes.update(tax.id, name="No VAT")

async def test_an_asynchronous_fixture_of_ones_own(tax, cliniko_sandbox):
    assert cliniko_sandbox.get("taxes", tax.id)["name"] == "VAT"

async def test_a_file(cliniko, cliniko_sandbox):
    patient = cliniko_sandbox.all("patients")[0]["id"]
    await cliniko.patient_attachments.upload(patient, b"x-ray", filename="x.txt")
    assert cliniko_sandbox.files.requests

@pytest.mark.asyncio(loop_scope="session")
async def test_a_loop_of_the_session(cliniko):
    assert await cliniko.appointment_types.list().count() > 0

@pytest.mark.asyncio(loop_scope="module")
async def test_a_loop_of_the_module(cliniko):
    assert await cliniko.appointment_types.list().count() > 0

def test_a_client_that_is_not_used(cliniko):
    pass
"""

SYNCHRONOUS = """
import asyncio

from cliniko_async import Cliniko

def test_a_client_of_ones_own(cliniko_sandbox):
    async def main():
        key, url = cliniko_sandbox.api_key, cliniko_sandbox.base_url
        async with Cliniko(key, base_url=url, app_name="Mine", contact_email="it@example.com") as cliniko:
            return await cliniko.taxes.create(name="VAT")
    tax = asyncio.run(main())
    assert cliniko_sandbox.get("taxes", tax.id)["name"] == "VAT"

def test_the_client(cliniko):
    assert asyncio.run(cliniko.appointment_types.list().count()) > 0
"""

ANYIO = """
import pytest

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_records(cliniko, cliniko_sandbox):
    assert await cliniko.appointment_types.list().first()
    assert len(cliniko_sandbox.requests) == 1
"""

MARKED = """
import pytest

pytestmark = pytest.mark.cliniko(seed=2)

@pytest.mark.cliniko(appointment_types=300)
async def test_options(cliniko, cliniko_sandbox):
    assert len(cliniko_sandbox.all("appointment_types")) == 300

async def test_without_a_budget_nothing_waits(cliniko, cliniko_sandbox):
    limits = await cliniko.limits()
    assert limits.remaining > 100_000
    assert cliniko_sandbox.budget.limit > 100_000

@pytest.mark.cliniko(limit=3, period=0.5)
async def test_with_a_budget_the_client_waits_for_it(cliniko, cliniko_sandbox):
    for _ in range(7):
        await cliniko.appointment_types.list().first()
    assert cliniko_sandbox.budget.refused == 0
    assert cliniko_sandbox.budget.most == 3
"""


@pytest.mark.parametrize(
    ("text", "passed", "plugins"),
    [
        (ASYNCHRONOUS, 7, PLUGINS),
        (SYNCHRONOUS, 2, PLUGINS),
        (SYNCHRONOUS, 2, PLUGINS[2:]),
        (ANYIO, 1, PLUGINS[1:]),
        (MARKED, 3, PLUGINS),
    ],
    ids=["asynchronous", "synchronous", "synchronous without another plugin", "anyio", "marked"],
)
def test_the_fixtures_work_in_every_kind_of_test_and_leave_nothing_open(tmp_path, text, passed, plugins):
    assert f"{passed} passed" in (printed := outcome(tmp_path, text, plugins=plugins)), printed


def test_a_mark_without_names_is_an_error_that_says_so(tmp_path):
    text = "import pytest\n@pytest.mark.cliniko(2)\ndef test_it(cliniko_sandbox): pass\n"
    assert "the mark cliniko accepts only keyword arguments, such as cliniko(seed=2)" in outcome(tmp_path, text)


def test_loading_the_plugin_loads_neither_the_server_nor_the_client_nor_aiohttp():
    code = "import sys, cliniko_async.sandbox.pytest_plugin; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(ended.stdout.split())
    assert (
        loaded & {"aiohttp", "attrs", "cliniko_async.client", "cliniko_async.sandbox.server.request_handler"} == set()
    )
