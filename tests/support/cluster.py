"""The contexts, stores and jobs of the workers of a cluster, which their processes can import."""

import asyncio
import contextlib
import json
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
from redis.asyncio import Redis

from cliniko_async import AppointmentType, Cliniko, Page, RedisLimiter, UsageError
from cliniko_async.cursors import RedisCursors, SqliteCursors
from cliniko_async.integrations.dask import AccountRun, WorkerContext
from tests.support.clients import KEY, WHO

LIMIT = 8
PERIOD = 2.0
PER_PAGE = 5
TIMEOUT = 15.0
STREAM = "appointment types"


@attrs.frozen
class Site:
    """Where a worker finds its Redis and the folder of the accounts' keys, which are in no task."""

    redis: str
    folder: Path

    def write_keys(self, sandboxes: dict[str, Any]) -> None:
        accounts = {name: (sandbox.api_key, sandbox.base_url) for name, sandbox in sandboxes.items()}
        (self.folder / "keys.json").write_text(json.dumps(accounts), encoding="utf-8")

    def clients(self, redis: Redis) -> Callable[[str], Cliniko]:
        accounts = json.loads((self.folder / "keys.json").read_text(encoding="utf-8"))

        def client(account: str) -> Cliniko:
            key, base_url = accounts[account]
            limiter = RedisLimiter(redis, LIMIT, PERIOD, name=account, lease=2 * TIMEOUT)
            return Cliniko(key, base_url=base_url, timeout=TIMEOUT, rate_limiter=limiter, **WHO)

        return client


def pages_of(run: AccountRun[Any]) -> AsyncIterator[Page[AppointmentType]]:
    options = {"per_page": PER_PAGE, "archived": "include", "stable": True}
    return run.cliniko.appointment_types.list(cursor=run.streams[STREAM].cursor, **options).pages()


# Rows and cursor in one transaction.


class Ledgers:
    """A file for each account, with its cursor and its rows, so that a suspended worker blocks no other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, account: str) -> SqliteCursors:
        return SqliteCursors(self.folder / f"{account}.sqlite", timeout=60)

    async def load(self, account: str, stream: str) -> str | None:
        return await self.of(account).load(account, stream)

    async def begin(self, account: str, stream: str) -> tuple[int, str | None]:
        return await self.of(account).begin(account, stream)

    async def save(self, account: str, stream: str, cursor: str, *, token: int | None = None, write=None) -> None:
        await self.of(account).save(account, stream, cursor, token=token, write=write)

    def ids(self, account: str) -> list[str]:
        with contextlib.closing(sqlite3.connect(self.folder / f"{account}.sqlite")) as ledger:
            return [each for (each,) in ledger.execute("SELECT id FROM rows")]


@contextlib.asynccontextmanager
async def transactional(site: Site) -> AsyncIterator[WorkerContext[tuple[Redis, Ledgers]]]:
    ledgers = Ledgers(site.folder)
    async with Redis.from_url(site.redis) as redis:
        yield WorkerContext(client=site.clients(redis), cursors=ledgers, streams=[STREAM], tools=(redis, ledgers))


async def copy_in_transactions(run: AccountRun[tuple[Redis, Ledgers]]) -> int:
    redis, ledgers = run.tools
    loop = asyncio.get_running_loop()
    await note_begin(redis, run)
    async for page in pages_of(run):

        def write(ledger: sqlite3.Connection, page=page) -> None:
            ledger.execute("CREATE TABLE IF NOT EXISTS rows (id TEXT)")
            ledger.executemany("INSERT INTO rows VALUES (?)", [(kind.id,) for kind in page.items])
            asyncio.run_coroutine_threadsafe(stop_at_the_second(redis, run), loop).result()

        await ledgers.save(run.account, STREAM, page.cursor, token=run.streams[STREAM].token, write=write)
    return os.getpid()


# Rows that may be written again, and a separate cursor.


@contextlib.asynccontextmanager
async def upserting(site: Site) -> AsyncIterator[WorkerContext[Redis]]:
    async with Redis.from_url(site.redis) as redis:
        yield WorkerContext(client=site.clients(redis), cursors=RedisCursors(redis), streams=[STREAM], tools=redis)


async def copy_by_id(run: AccountRun[Redis]) -> int:
    redis = run.tools
    await note_begin(redis, run)
    async for page in pages_of(run):
        for kind in page.items:
            await redis.hincrby(f"rows {run.account}", kind.id, 1)
        await stop_at_the_second(redis, run)
        await run.streams[STREAM].save(page.cursor)
    return os.getpid()


# Where a job is killed.


async def note_begin(redis: Redis, run: AccountRun[Any]) -> None:
    stream = run.streams[STREAM]
    await redis.rpush(f"begun {run.account}", json.dumps([os.getpid(), stream.token, stream.cursor]))
    await redis.delete(f"pages {run.account}")


async def stop_at_the_second(redis: Redis, run: AccountRun[Any]) -> None:
    """Stop in the middle of the second page until the test continues it."""
    if await redis.incr(f"pages {run.account}") == 2 and run.streams[STREAM].token == 1:
        await redis.hset("standing", run.account, os.getpid())
        while not await redis.exists("go"):  # noqa: ASYNC110  (the word comes from another process)
            await asyncio.sleep(0.02)
        await redis.hdel("standing", run.account)


# Jobs and contexts without an account.


class NoCursors:
    """A cursor store that stores nothing."""

    async def load(self, account: str, stream: str) -> str | None:
        return None

    async def begin(self, account: str, stream: str) -> tuple[int, str | None]:
        return 1, None

    async def save(self, account: str, stream: str, cursor: str, *, token: int | None = None) -> None:
        raise UsageError("taken over")


def nobodys_client(account: str) -> Cliniko:
    """Return a client that sends nothing."""
    return Cliniko(KEY, **WHO)


@contextlib.asynccontextmanager
async def bare() -> AsyncIterator[WorkerContext]:
    yield WorkerContext(client=nobodys_client, cursors=NoCursors(), streams=["nothing"])


async def own_process(run: AccountRun) -> int:
    if run.account == "poison":
        os.kill(os.getpid(), 9)
    return os.getpid()


staying: list[str] = []


async def stay(run: AccountRun) -> None:
    """Wait until cancelled; a worker in the process of the test shows which jobs wait."""
    staying.append(run.account)
    try:
        await asyncio.Event().wait()
    finally:
        staying.remove(run.account)
