"""Sandboxes with a list whose records a test knows, and clients of them."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from cliniko_async import AppointmentType, Cliniko, ClinikoError
from cliniko_async.sandbox import Sandbox

from .clients import ONCE, client_of

EPOCH = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
TYPES = "appointment_types"
_SERVING = ("RequestHandler", "_accept_connection")


@asynccontextmanager
async def listed(
    count: int = 10, *, seconds: Iterable[float] | None = None, client: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[tuple[Sandbox, Cliniko]]:
    """Open a sandbox with appointment types a, b, c, … created a second apart, and a client that does not retry."""
    async with Sandbox(appointment_types=0, **options) as sandbox:
        for number, second in enumerate(range(count) if seconds is None else seconds):
            add(sandbox, number, second)
        async with client_of(sandbox, **{"retry": ONCE, **(client or {})}) as cliniko:
            yield sandbox, cliniko


def add(sandbox: Sandbox, number: int, second: float) -> str:
    """Add the record with a number."""
    return sandbox.add(TYPES, name=name_of(number), created_at=EPOCH + dt.timedelta(seconds=second))


def name_of(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else f"z{number:03}"


def names(records: Iterable[AppointmentType]) -> str:
    """Return the names of records as one word."""
    return "".join(record.name for record in records)


async def read(listing: AsyncIterable[AppointmentType]) -> tuple[str, ClinikoError | None]:
    """Read to the end or to an error, and return the names and the error."""
    got = ""
    try:
        async for record in listing:
            got += record.name
    except ClinikoError as error:
        return got, error
    return got, None


def id_of(sandbox: Sandbox, name: str) -> str:
    return next(record["id"] for record in sandbox.all(TYPES) if record["name"] == name)


def pages_asked(sandbox: Sandbox) -> list[int]:
    """Return the numbers of the requested pages, in order."""
    return [int(request.query.get("page", ["1"])[0]) for request in sandbox.requests]


async def run_turns(turns: int = 1) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


def other_tasks() -> set[asyncio.Task[Any]]:
    """Return the tasks of the client, without those in which the sandbox serves a connection."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    return {task for task in others if not any(name in repr(task.get_coro()) for name in _SERVING)}
