"""What the workers of a cluster do in the tests: workshops, sinks and jobs that a process of its own can import."""

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
from cliniko_async.integrations.cursors import RedisCursors
from cliniko_async.integrations.dask import AccountRun, Workshop
from tests.support.clients import KEY, WHO

LIMIT = 8
PERIOD = 0.5
PER_PAGE = 5
TIMEOUT = 15.0


@attrs.frozen
class Site:
    """Where a worker finds what it needs: a Redis, and a folder with the accounts' keys, which no task carries."""

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
    return run.cliniko.appointment_types.list(cursor=run.cursor, **options).pages()


# Rows and cursor in one transaction.


class Books:
    """A table of rows and the cursor for each account, in one file of SQLite: both are kept, or neither is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def opened(self, account: str):
        book = sqlite3.connect(self.folder / f"{account}.sqlite", timeout=60, isolation_level=None)
        book.execute("CREATE TABLE IF NOT EXISTS rows (id TEXT)")
        book.execute("CREATE TABLE IF NOT EXISTS run (one INTEGER PRIMARY KEY, token INTEGER, cursor TEXT)")
        try:
            book.execute("BEGIN IMMEDIATE")
            yield book
            book.execute("COMMIT")
        finally:
            book.close()

    async def begin(self, account: str) -> tuple[int, str | None]:
        with self.opened(account) as book:
            book.execute("INSERT OR IGNORE INTO run VALUES (1, 0, NULL)")
            book.execute("UPDATE run SET token = token + 1")
            return book.execute("SELECT token, cursor FROM run").fetchone()

    async def save(self, account: str, token: int, cursor: str) -> None:
        with self.opened(account) as book:
            if not book.execute("UPDATE run SET cursor = ? WHERE token = ?", (cursor, token)).rowcount:
                raise UsageError("taken over")

    async def enter(self, run: AccountRun, cursor: str, ids: list[str], before_the_end) -> None:
        with self.opened(run.account) as book:
            if not book.execute("UPDATE run SET cursor = ? WHERE token = ?", (cursor, run.token)).rowcount:
                raise UsageError("taken over")
            book.executemany("INSERT INTO rows VALUES (?)", [(each,) for each in ids])
            await before_the_end()

    def ids(self, account: str) -> list[str]:
        with self.opened(account) as book:
            return [each for (each,) in book.execute("SELECT id FROM rows")]


@contextlib.asynccontextmanager
async def bookkeeping(site: Site) -> AsyncIterator[Workshop[tuple[Redis, Books]]]:
    books = Books(site.folder)
    async with Redis.from_url(site.redis) as redis:
        yield Workshop(client=site.clients(redis), cursors=books, tools=(redis, books))


async def copy_into_books(run: AccountRun[tuple[Redis, Books]]) -> int:
    redis, books = run.tools
    await note_begin(redis, run)
    pages = run.cliniko.appointment_types.list(
        per_page=PER_PAGE, archived="include", stable=True, cursor=run.cursor
    ).pages()
    async for page in pages:
        ids = [kind.id for kind in page.items]
        await books.enter(run, page.cursor, ids, lambda: stop_at_the_second(redis, run))
    return os.getpid()


# Rows that are written again, and a cursor beside them.


@contextlib.asynccontextmanager
async def upserting(site: Site) -> AsyncIterator[Workshop[Redis]]:
    async with Redis.from_url(site.redis) as redis:
        yield Workshop(client=site.clients(redis), cursors=RedisCursors(redis, name="nightly"), tools=redis)


async def copy_by_id(run: AccountRun[Redis]) -> int:
    redis = run.tools
    await note_begin(redis, run)
    pages = run.cliniko.appointment_types.list(
        per_page=PER_PAGE, archived="include", stable=True, cursor=run.cursor
    ).pages()
    async for page in pages:
        for kind in page.items:
            await redis.hincrby(f"rows {run.account}", kind.id, 1)
        await stop_at_the_second(redis, run)
        await run.save(page.cursor)
    return os.getpid()


# Where a job is killed.


async def note_begin(redis: Redis, run: AccountRun[Any]) -> None:
    await redis.rpush(f"begun {run.account}", json.dumps([os.getpid(), run.token, run.cursor]))
    await redis.delete(f"pages {run.account}")


async def stop_at_the_second(redis: Redis, run: AccountRun[Any]) -> None:
    """Stand still in the middle of the second page, until the test says go on."""
    if await redis.incr(f"pages {run.account}") == 2 and run.token == 1:
        await redis.hset("standing", run.account, os.getpid())
        while not await redis.exists("go"):  # noqa: ASYNC110  (the word comes from another process)
            await asyncio.sleep(0.02)
        await redis.hdel("standing", run.account)


# What needs no account.


class NoCursors:
    """A store that keeps nothing."""

    async def begin(self, account: str) -> tuple[int, str | None]:
        return 1, None

    async def save(self, account: str, token: int, cursor: str) -> None:
        raise UsageError("taken over")


def nobodys_client(account: str) -> Cliniko:
    """A client that is asked for nothing."""
    return Cliniko(KEY, **WHO)


@contextlib.asynccontextmanager
async def bare() -> AsyncIterator[Workshop]:
    yield Workshop(client=nobodys_client, cursors=NoCursors())


async def own_process(run: AccountRun) -> int:
    if run.account == "poison":
        os.kill(os.getpid(), 9)
    return os.getpid()
