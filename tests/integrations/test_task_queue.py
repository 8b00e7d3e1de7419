"""The workers of a task queue share budget and cursors in Redis: this runs the module that docs/scaling.md prints."""

import asyncio
import contextlib
import importlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from cliniko_async.cursors import RedisCursors
from cliniko_async.sandbox import Sandbox
from tests.support.paths import ROOT
from tests.support.redis_server import RedisServer

SOON = 60.0


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def printed() -> str:
    text = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    (code,) = (
        each
        for each in re.findall(r"^```python \{\.no-run\}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if "taskiq" in each
    )
    return code


def write_modules(folder: Path, server: RedisServer, sandbox: Sandbox) -> None:
    """Write the printed module, with this Redis and this server, and the vault that it imports."""
    code = printed().replace("redis://cache:6379", server.url)
    (folder / "tasks.py").write_text(code.replace("    )\n", f'        base_url="{sandbox.base_url}",\n    )\n', 1))
    (folder / "vault.py").write_text(f"key_of = {{'north': {sandbox.api_key!r}}}.__getitem__\n")


@contextlib.contextmanager
def worker(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "taskiq", "worker", "tasks:broker", "--workers", "1", "--max-async-tasks", "50"]
    process = subprocess.Popen([*command, "--app-dir", folder], cwd=folder, stderr=subprocess.DEVNULL, process_group=0)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(SOON)


async def until(reached) -> None:
    async with asyncio.timeout(SOON):
        while not await reached():  # noqa: ASYNC110  (another process does it)
            await asyncio.sleep(0.02)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(appointment_types=250) as sandbox:
        yield sandbox


async def test_the_account_of_a_killed_worker_continues_from_its_cursor_with_the_next_task(
    redis_server: RedisServer, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # The version that goes with the oldest client of Redis cannot be imported beside a newer taskiq.
    pytest.importorskip("taskiq_redis", exc_type=ImportError)
    write_modules(tmp_path, redis_server, sandbox)
    monkeypatch.syspath_prepend(str(tmp_path))
    tasks = importlib.import_module("tasks")
    for name in ("tasks", "vault"):
        monkeypatch.delitem(sys.modules, name)
    await tasks.broker.startup()
    slow = sandbox.faults.slow(SOON, after=2)
    async with Redis.from_url(redis_server.url) as redis:
        cursors = RedisCursors(redis)

        async def saved() -> bool:
            return slow.hits == 1 and await cursors.load("north", tasks.STREAM) is not None

        with worker(tmp_path):
            await tasks.copy.kiq("north")
            await until(saved)

        async def gone() -> bool:
            return (await redis.info("clients"))["blocked_clients"] == 0

        # Until Redis has noticed, it would deliver the next task to the killed worker.
        await until(gone)
        middle = await cursors.load("north", tasks.STREAM)
        first = len(sandbox.requests)

        async def complete() -> bool:
            return await redis.hlen("types of north") == 250 and await cursors.load("north", tasks.STREAM) != middle

        with worker(tmp_path):
            await tasks.copy.kiq("north")
            await until(complete)
        assert sandbox.budget.refused == 0
        # It did not start over, which would take as many requests again.
        assert len(sandbox.requests) - first < first
        await tasks.broker.shutdown()
