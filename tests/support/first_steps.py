"""Runs the first steps that the documents describe for one extra, against a sandbox: `first_steps.py EXTRA`.

It runs in an environment that has nothing but the package and that extra, and imports nothing else.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cliniko_async import Cliniko, Patient, RedisLimiter
from cliniko_async.cursors import RedisCursors
from cliniko_async.sandbox import Sandbox

NAMES = {"app_name": "First steps", "contact_email": "steps@example.com"}


@asynccontextmanager
async def client(sandbox: Sandbox, **options: Any) -> AsyncGenerator[Cliniko]:
    """Yield a client of the sandbox."""
    async with Cliniko(sandbox.api_key, base_url=sandbox.base_url, **NAMES, **options) as cliniko:
        yield cliniko


async def core(sandbox: Sandbox) -> None:
    """List records, and read the fields of one."""
    async with client(sandbox) as cliniko:
        names = [kind.name async for kind in cliniko.appointment_types.list()]
    assert set(names) <= {row["name"] for row in sandbox.all("appointment_types")}
    assert names


async def cli(sandbox: Sandbox) -> None:
    """Check the account, and list records, with the command."""
    command = Path(sys.executable).with_name("cliniko")
    for arguments in (["check"], ["list", "taxes", "--format", "ndjson"]):
        process = await asyncio.create_subprocess_exec(command, *arguments, stdout=subprocess.PIPE)
        out, _ = await process.communicate()
        assert process.returncode == 0
        assert out
    assert len(out.splitlines()) == len(sandbox.all("taxes"))


async def arrow(sandbox: Sandbox) -> None:
    """Make a table, and write a Parquet file."""
    from pyarrow.parquet import read_table, write_table

    from cliniko_async.integrations.arrow import table

    async with client(sandbox) as cliniko:
        patients = await cliniko.patients.list().collect()
    write_table(table(patients, Patient), "patients.parquet")
    assert read_table("patients.parquet").num_rows == len(patients) > 0


async def dlt(sandbox: Sandbox) -> None:
    """Load a resource into DuckDB, and count its rows."""
    import duckdb

    from cliniko_async.integrations.dlt import sync

    async with client(sandbox) as cliniko:
        result = await sync(cliniko, "duckdb:///clinic.duckdb", resources=["taxes"])
    with duckdb.connect("clinic.duckdb") as database:
        found = database.execute("SELECT count(*) FROM cliniko.taxes").fetchall()
    assert found == [(result.rows["taxes"],)] == [(len(sandbox.all("taxes")),)]


async def fastapi(sandbox: Sandbox) -> None:
    """Answer a request with a record; the request is built by hand, as a server would build it."""
    from fastapi import FastAPI

    from cliniko_async.integrations.fastapi import ClinikoDep, add_exception_handlers, lifespan

    app = FastAPI(lifespan=lifespan(deadline=10))
    add_exception_handlers(app)

    async def first_patient(cliniko: ClinikoDep) -> Patient | None:
        return await cliniko.patients.list().first()

    app.get("/first")(first_patient)
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/first", "headers": [], "query_string": b"", "app": app}
    async with app.router.lifespan_context(app) as state:
        await app({**scope, "state": state}, receive, send)
    assert sent[0]["status"] == 200
    assert json.loads(sent[1]["body"])["id"] in {row["id"] for row in sandbox.all("patients")}


async def otel(sandbox: Sandbox) -> None:
    """Observe a call; without the SDK, the spans go nowhere."""
    from cliniko_async.integrations.opentelemetry import OpenTelemetryObserver

    async with client(sandbox, observers=[OpenTelemetryObserver()]) as cliniko:
        assert await cliniko.practitioners.list().first()


async def redis(sandbox: Sandbox) -> None:
    """Keep the budget and a cursor in Redis."""
    from redis.asyncio import Redis

    async with Redis.from_url(os.environ["REDIS_URL"]) as server:
        async with RedisLimiter(server, name="clinic-7") as limiter, client(sandbox, rate_limiter=limiter) as cliniko:
            assert await cliniko.taxes.list().count() == len(sandbox.all("taxes"))
        cursors = RedisCursors(server)
        await cursors.save("north", "taxes", "a cursor")
        assert await cursors.load("north", "taxes") == "a cursor"


async def dask(sandbox: Sandbox) -> None:
    """Run a job for two accounts on a cluster of this process."""
    from distributed import Client

    from cliniko_async import AccountPool
    from cliniko_async.cursors import SqliteCursors
    from cliniko_async.integrations.dask import AccountRun, WorkerContext, run_accounts

    key, url = sandbox.api_key, sandbox.base_url

    @asynccontextmanager
    async def context() -> AsyncGenerator[WorkerContext[None]]:
        async with AccountPool(base_url=url, **NAMES) as pool:
            yield WorkerContext(
                client=lambda _: pool.client(key),
                cursors=SqliteCursors("cursors.sqlite"),
                streams=["taxes"],
                tools=None,
            )

    async def count(run: AccountRun[None]) -> int:
        return await run.cliniko.taxes.list().count()

    async with Client(processes=False, n_workers=1, dashboard_address=None, asynchronous=True) as cluster:
        runs = run_accounts(cluster, count, ["north", "south"], context=context)
        done = {each.account: each.error or each.result async for each in runs}
    assert done == dict.fromkeys(["north", "south"], len(sandbox.all("taxes"))), done


async def webhooks(sandbox: Sandbox) -> None:
    """Post every change to a receiver that verifies the signature."""
    from aiohttp import web
    from standardwebhooks import Webhook

    from cliniko_async.webhooks import WebhookSender, generate_secret

    secret, received = generate_secret(), asyncio.Event()

    async def receive(request: web.Request) -> web.Response:
        Webhook(secret).verify(await request.text(), dict(request.headers))
        received.set()
        return web.Response()

    app = web.Application()
    app.router.add_post("/", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    async with client(sandbox) as cliniko, WebhookSender(url, secret) as sender:
        forwarding = asyncio.create_task(sender.forward(cliniko.taxes.watch()))
        await asyncio.wait(
            {forwarding, waiting := asyncio.create_task(received.wait())}, timeout=60, return_when="FIRST_COMPLETED"
        )
        forwarding.cancel()
        await asyncio.wait({forwarding})
    await runner.cleanup()
    assert waiting.done()


STEPS = {each.__name__: each for each in (cli, arrow, dlt, fastapi, otel, redis, dask, webhooks)}


async def main(extra: str) -> None:
    """Run the steps of an extra, or those that need none."""
    async with Sandbox(seed=1) as sandbox:
        os.environ |= {"CLINIKO_API_KEY": sandbox.api_key, "CLINIKO_BASE_URL": sandbox.base_url}
        os.environ |= {f"CLINIKO_{name.upper()}": value for name, value in NAMES.items()}
        await (STEPS[extra] if extra else core)(sandbox)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
