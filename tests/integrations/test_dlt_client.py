"""Reading with a client of another event loop: dlt never waits for an abandoned read."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from cliniko_async import Cliniko, UsageError
from cliniko_async.integrations._dlt_client import GivenClient


class Reads:
    """Yields one item, and waits for the next one until it is closed."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        self.ended = False

    async def __call__(self, _: Cliniko) -> AsyncGenerator[int]:
        try:
            yield 1
            self.waiting.set()
            await asyncio.Event().wait()
        finally:
            self.ended = True


@asynccontextmanager
async def connection() -> AsyncIterator[GivenClient]:
    async with Cliniko("MS0xLWl4-au2", app_name="Tests", contact_email="it@example.com") as cliniko:
        yield GivenClient(cliniko, asyncio.get_running_loop())


async def read_all(connection: GivenClient, reads: Reads) -> None:
    async for _ in connection.stream(reads):
        pass


async def test_a_waiting_read_ends_with_an_error_when_all_are_cancelled():
    reads = Reads()

    async with connection() as client:
        reading = asyncio.ensure_future(asyncio.to_thread(asyncio.run, read_all(client, reads)))
        await asyncio.to_thread(reads.waiting.wait)
        client.cancel()
        with pytest.raises(UsageError, match="the sync was cancelled"):
            await reading
    assert reads.ended


async def test_nothing_more_is_read_after_all_was_cancelled_between_two_reads():
    reads, got, cancelled = Reads(), threading.Event(), threading.Event()

    async def read(connection: GivenClient) -> None:
        async for _ in connection.stream(reads):
            got.set()
            cancelled.wait()

    async with connection() as client:
        reading = asyncio.ensure_future(asyncio.to_thread(asyncio.run, read(client)))
        await asyncio.to_thread(got.wait)
        client.cancel()
        cancelled.set()
        with pytest.raises(UsageError, match="the sync was cancelled"):
            await reading
    assert reads.ended
    assert not reads.waiting.is_set()


async def test_a_read_that_dlt_abandons_is_cancelled_and_its_source_closed():
    reads = Reads()

    async def give_up(connection: GivenClient) -> None:
        reading = asyncio.ensure_future(read_all(connection, reads))
        await asyncio.to_thread(reads.waiting.wait)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading

    async with connection() as client:
        await asyncio.to_thread(asyncio.run, give_up(client))
    assert reads.ended
