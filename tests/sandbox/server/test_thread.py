"""The sandbox served from a thread, for synchronous code."""

import asyncio
import contextlib
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from cliniko_async.sandbox import Sandbox
from tests.support.clients import client_of


def test_synchronous_code_uses_it_with_a_plain_with():
    with Sandbox(appointment_types=3) as sandbox:
        tax = sandbox.add("taxes", name="VAT")
        sandbox.update("taxes", tax, name="GST")
        assert sandbox.get("taxes", tax)["name"] == "GST"
        assert tax in {each["id"] for each in sandbox.all("taxes")}
        sandbox.archive("appointment_types", sandbox.all("appointment_types")[0]["id"])
        sandbox.remove("taxes", tax)
        with pytest.raises(LookupError, match=f"taxes has no record {tax}"):
            sandbox.get("taxes", tax)
        with pytest.raises(TypeError, match="taxes has no field colour"):
            sandbox.add("taxes", colour="red")
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(sandbox.base_url + "/taxes", timeout=10)
        assert [request.status for request in sandbox.requests] == [401]


def test_the_thread_of_a_sandbox_ends_with_the_block_and_when_the_port_is_taken():
    with Sandbox(appointment_types=1) as sandbox:
        port = int(sandbox.base_url.split(":")[2].partition("/")[0])
        assert sum(thread.name == "cliniko-sandbox" for thread in threading.enumerate()) == 1
        with pytest.raises(OSError, match="address already in use"), Sandbox(port=port):
            pass
        assert sum(thread.name == "cliniko-sandbox" for thread in threading.enumerate()) == 1
    assert not any(thread.name == "cliniko-sandbox" for thread in threading.enumerate())


def test_leaving_a_sandbox_twice_does_nothing():
    sandbox = Sandbox(appointment_types=1)
    with sandbox, contextlib.ExitStack() as early:
        early.push(sandbox)
        early.close()
        assert not any(thread.name == "cliniko-sandbox" for thread in threading.enumerate())
        assert repr(sandbox) == "<Sandbox not running>"


def test_clients_of_several_event_loops_use_one_while_other_threads_change_its_rows():
    async def names(sandbox):
        async with client_of(sandbox) as client:
            return [tax.name async for tax in client.taxes.list()]

    with Sandbox(appointment_types=1, limit=10_000) as sandbox, ThreadPoolExecutor(8) as threads:
        before = len(sandbox.all("taxes"))
        written = [threads.submit(sandbox.add, "taxes", name=f"Tax {number}") for number in range(40)]
        read = [threads.submit(lambda: asyncio.run(names(sandbox))) for _ in range(4)]
        assert all(future.result() for future in [*written, *read])
        assert len(sandbox.all("taxes")) == before + 40


def test_a_fault_that_changes_rows_runs_where_they_are_served():
    async def first(sandbox):
        async with client_of(sandbox) as client:
            return await client.taxes.list(sort="created_at:desc").first()

    with Sandbox(appointment_types=1) as sandbox:
        sandbox.faults.between(lambda: sandbox.add("taxes", name="Late"), before=True)
        assert asyncio.run(first(sandbox)).name == "Late"


async def test_a_running_sandbox_cannot_be_started_and_a_closed_one_can():
    """In nested blocks of either kind; the outer block keeps a working server."""

    async def count(sandbox):
        async with client_of(sandbox) as client:
            return await client.taxes.list().count()

    sandbox = Sandbox(appointment_types=1)
    with sandbox:
        with pytest.raises(RuntimeError, match="the sandbox is running already"), sandbox:
            pass
        with pytest.raises(RuntimeError, match="the sandbox is running already"):
            await sandbox.start()
        assert await count(sandbox)
    async with sandbox:
        with pytest.raises(RuntimeError, match="the sandbox is running already"), sandbox:
            pass
        assert await count(sandbox)
