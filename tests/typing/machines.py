"""Several machines: cursor stores, and the types of a job on a cluster."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import assert_type

from distributed import Client
from redis.asyncio import Redis

from cliniko_async import AccountResult, Cliniko
from cliniko_async.cursors import CursorStore, FencedCursorStore, RedisCursors, SqliteCursors
from cliniko_async.integrations.dask import AccountRun, WorkerContext, run_accounts


class Own:
    """A store with only what the protocol requires."""

    async def load(self, account: str, stream: str) -> str | None: ...

    async def save(self, account: str, stream: str, cursor: str) -> None: ...


async def kept(redis: Redis) -> None:
    stores: list[CursorStore] = [Own(), RedisCursors(redis), SqliteCursors("file", timeout=1)]
    fenced: list[FencedCursorStore] = [RedisCursors(redis, when_lost="fail"), SqliteCursors("file")]
    assert_type(await stores[0].load("north", "patients"), str | None)
    assert_type(await fenced[0].begin("north", "patients"), tuple[int, str | None])
    await fenced[0].save("north", "patients", "cursor", token=1)
    await SqliteCursors("file").save("north", "patients", "cursor", write=rows)
    RedisCursors(redis, when_lost="share")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def rows(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT 1")


@asynccontextmanager
async def context() -> AsyncGenerator[WorkerContext[SqliteCursors]]:
    cursors = SqliteCursors("file")
    yield WorkerContext(client=client, cursors=cursors, streams=["patients"], tools=cursors)
    WorkerContext(client=client, cursors=Own(), streams=[])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def client(account: str) -> Cliniko:
    return Cliniko(account, app_name="A", contact_email="a@b.co")


async def count(run: AccountRun[SqliteCursors]) -> int:
    assert_type(run.tools, SqliteCursors)
    await run.streams["patients"].save("cursor")
    return await run.cliniko.patients.list().count()


async def on_a_cluster(dask: Client) -> None:
    async for done in run_accounts(dask, count, ["north"], context=context, retries=1, timeout=5):
        assert_type(done, AccountResult[int])
