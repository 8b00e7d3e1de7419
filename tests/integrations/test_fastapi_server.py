"""The example application behind a real server: several processes, clients that leave, and a shutdown under load."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import attrs
import pytest

from cliniko_async.sandbox import Sandbox
from tests.support.clients import WHO
from tests.support.paths import ROOT
from tests.support.raw_server import free_port
from tests.support.small_budget import LIMIT, PERIOD

LONG = 60.0


@attrs.frozen
class Server:
    process: asyncio.subprocess.Process
    http: aiohttp.ClientSession

    async def ready(self) -> None:
        async with asyncio.timeout(LONG):
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with self.http.get("/utilisation") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)


@asynccontextmanager
async def serving(sandbox: Sandbox, folder, workers: int) -> AsyncIterator[Server]:
    port = free_port()
    command = ["-m", "uvicorn", "tests.support.small_budget:app", "--port", str(port), "--workers", str(workers)]
    variables = {"api_key": sandbox.api_key, "base_url": sandbox.base_url, **WHO}
    environment = {
        **os.environ,
        **{f"CLINIKO_{name.upper()}": value for name, value in variables.items()},
        "LIMITS_FILE": str(folder / "limits.sqlite"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, env=environment, stderr=asyncio.subprocess.PIPE, start_new_session=True
    )
    connector = aiohttp.TCPConnector(force_close=True)  # So that every worker gets requests.
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector) as http:
        server = Server(process, http)
        try:
            await server.ready()
            yield server
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()


async def ended(server: Server) -> str:
    """Stop the server as a service manager does, and return what it wrote."""
    server.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(LONG):
        _, written = await server.process.communicate()
    return written.decode()


async def get(server: Server, path: str) -> int:
    async with server.http.get(path) as answer:
        await answer.read()
        return answer.status


async def leave_half_way(server: Server) -> None:
    """Read the first bytes of a stream, and close the connection."""
    async with server.http.get("/patients.ndjson") as answer:
        await answer.content.readany()
        answer.close()


def assert_clean(written: str, server: Server, sandbox: Sandbox, workers: int) -> None:
    """Every process closed its client, and nothing went wrong. One process alone ends by the signal itself."""
    assert server.process.returncode in (0, -signal.SIGTERM)
    assert written.count("Application shutdown complete") == workers
    assert "Traceback" not in written
    assert "never" not in written
    assert sandbox.api_key not in written


@pytest.mark.parametrize("workers", [1, 4])
async def test_processes_share_the_budget_and_clients_may_leave(workers, tmp_path):
    """Three windows of requests, with a job in the background; no 429, and everything is answered."""
    async with Sandbox(limit=LIMIT, period=PERIOD) as sandbox, serving(sandbox, tmp_path, workers) as server:
        async with server.http.post("/utilisation") as answer:
            assert answer.status == 202
        reads = [get(server, "/appointment-types") for _ in range(2 * LIMIT)]
        unknown = [get(server, f"/appointment-types/{number}") for number in range(5)]
        leaving = [leave_half_way(server) for _ in range(10)]
        answers = await asyncio.gather(*reads, *unknown, *leaving)
        assert Counter(answers) == {200: len(reads), 404: len(unknown), None: len(leaving)}
        assert_clean(await ended(server), server, sandbox, workers)
        assert Counter(request.status for request in sandbox.requests)[429] == 0


@pytest.mark.parametrize("workers", [1, 4])
async def test_shutting_down_under_load_leaves_nothing_open(workers, tmp_path):
    """Accepted requests are answered, others are not connected, and the background job ends."""
    async with Sandbox(latency=0.2) as sandbox, serving(sandbox, tmp_path, workers) as server:
        async with server.http.post("/utilisation"):
            pass
        reads = [asyncio.create_task(get(server, "/appointment-types")) for _ in range(20)]
        await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
        written = await ended(server)
        answers = await asyncio.gather(*reads, return_exceptions=True)
        assert {answer for answer in answers if isinstance(answer, int)} == {200}
        assert all(isinstance(answer, int | aiohttp.ClientError) for answer in answers)
        assert_clean(written, server, sandbox, workers)
