"""The page about changes and its example program: its sender and its receiver work together."""

import asyncio
import contextlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from cliniko_async.sandbox import Sandbox
from tests.support.clients import virtually
from tests.support.paths import ROOT
from tests.support.receiver import Receiver, in_a_thread
from tests.support.watched import clinic
from tests.test_docs import Block, blocks

SECRET = "whsec_" + "c2VjcmV0" * 5


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Block]:
    """The blocks of the page with a sender and a receiver."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLINIKO_WEBHOOK_SECRET", SECRET)
    shown = [block for block in blocks() if block.page == "docs/react-to-changes.md"]
    (sender,) = (block for block in shown if "async def post_changes" in block.code)
    (receiver,) = (block for block in shown if "async def receive" in block.code)
    return {"sender": sender, "receiver": receiver}


def run(block: Block) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile("\n" * block.line + block.code, block.page, "exec"), names)
    return names


@contextlib.asynccontextmanager
async def serving(app: web.Application):
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/cliniko"
    finally:
        await runner.cleanup()


def test_the_receiver_of_the_page_takes_what_the_sender_of_the_page_posts_once(
    page: dict[str, Block], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    @virtually
    async def test() -> None:
        async with clinic() as it, serving(run(page["receiver"])["app"]) as url:
            options = {"api_key": it.sandbox.api_key, "app_name": "Docs", "contact_email": "docs@example.com"}
            for name, value in {**options, "base_url": it.sandbox.base_url}.items():
                monkeypatch.setenv(f"CLINIKO_{name.upper()}", value)
            key = it.put("a")
            post_changes = run(page["sender"])["post_changes"]
            for _ in range(2):  # The last message is repeated, and the receiver skips it.
                task = asyncio.create_task(post_changes(url))
                await asyncio.sleep(100)
                task.cancel()
                await asyncio.wait([task])
            printed = capsys.readouterr().out.splitlines()
            assert f"appointment_type.upsert {key}" in printed
            assert (
                len(printed) == len(set(printed)) == 1 + sum(each["active"] for each in it.sandbox.all("practitioners"))
            )

    test()


def test_the_receiver_of_the_page_takes_nothing_that_is_not_signed(page: dict[str, Block]):
    forged = [
        {},
        {"webhook-id": "msg_1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,hush"},
        {"webhook-id": "msg_1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "hush"},
        {"webhook-id": "msg_1", "webhook-timestamp": "soon", "webhook-signature": "v1,"},
    ]

    @virtually
    async def test() -> None:
        names = run(page["receiver"])
        async with serving(names["app"]) as url, aiohttp.ClientSession() as session:
            for headers in forged:
                async with session.post(url, data=b"{}", headers=headers) as response:
                    assert response.status == 401
        assert not names["processed"]

    test()


def test_the_receiver_of_the_page_is_short(page: dict[str, Block]):
    lines = [line for line in page["receiver"].code.splitlines() if line and not line.startswith(("import", "from"))]
    assert len(lines) <= 20


def test_the_example_posts_what_changes(page: dict[str, Block], tmp_path: Path):
    receiver = Receiver(SECRET)
    with Sandbox() as sandbox, in_a_thread(receiver):
        environment = {
            "PATH": "",
            "CLINIKO_API_KEY": sandbox.api_key,
            "CLINIKO_BASE_URL": sandbox.base_url,
            "CLINIKO_APP_NAME": "Example",
            "CLINIKO_CONTACT_EMAIL": "it@example.com",
            "CLINIKO_WEBHOOK_SECRET": SECRET,
        }
        command = [sys.executable, str(ROOT / "examples" / "post_changes.py"), receiver.url]
        with subprocess.Popen(command, env=environment, cwd=tmp_path) as process:
            try:
                while len(sandbox.requests) < 3 and process.poll() is None:
                    time.sleep(0.05)
                assert process.poll() is None
            finally:
                process.kill()
        key = sandbox.add("patients", first_name="Kim", last_name="Day")
        with subprocess.Popen(command, env=environment, cwd=tmp_path) as process:
            try:
                while not receiver.got and process.poll() is None:
                    time.sleep(0.05)
            finally:
                process.kill()
    (got,) = receiver.got
    assert (got.body["type"], got.body["data"]["id"]) == ("patient.upsert", key)
