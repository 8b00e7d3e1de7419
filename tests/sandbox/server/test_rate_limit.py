"""The rate limit, counted in three ways."""

import asyncio

import aiohttp
import pytest

from tests.sandbox.wire import running
from tests.support.virtual import run

USERS = "/users"


def counted(main, **options):
    """Run a test of the budget on virtual time, with a wall clock that is a million seconds ahead."""

    async def whole():
        loop = asyncio.get_running_loop()
        ahead = 1_000_000.0
        async with running(clock=loop.time, wall=lambda: ahead + loop.time(), **options) as wire:
            await main(wire)

    run(whole())


async def statuses(wire, count):
    return [(await wire.get(USERS)).status for _ in range(count)]


def test_two_hundred_requests_a_minute_are_allowed_by_default():
    async def main(wire):
        await asyncio.sleep(20.5)  # virtual seconds, to 1020.5: just into a window
        assert set(await statuses(wire, 200)) == {200}
        answer = await wire.get(USERS)
        assert (answer.status, answer.body) == (429, b"")
        assert answer.headers["X-RateLimit-Reset"] == "1001080"
        assert (wire.sandbox.budget.most, wire.sandbox.budget.refused) == (201, 1)

    counted(main)


def test_a_fixed_window_forgets_everything_at_its_end():
    async def main(wire):
        await asyncio.sleep(9.9)
        assert await statuses(wire, 3) == [200, 200, 429]
        await asyncio.sleep(0.2)
        assert await statuses(wire, 3) == [200, 200, 429]

    counted(main, limit=2, period=10.0)


def test_a_sliding_window_counts_the_last_period():
    async def main(wire):
        assert await statuses(wire, 1) == [200]
        await asyncio.sleep(6)
        assert await statuses(wire, 2) == [200, 429]
        assert (await wire.get(USERS)).headers["X-RateLimit-Reset"] == "1001010"
        await asyncio.sleep(4.1)
        assert await statuses(wire, 2) == [200, 429]

    counted(main, limit=2, period=10.0, window="sliding")


def test_a_bucket_refills_continuously():
    async def main(wire):
        assert await statuses(wire, 3) == [200, 200, 429]
        assert (await wire.get(USERS)).headers["X-RateLimit-Reset"] == "1001005"
        await asyncio.sleep(5.1)
        assert await statuses(wire, 2) == [200, 429]
        await asyncio.sleep(60)
        assert await statuses(wire, 3) == [200, 200, 429]

    counted(main, limit=2, period=10.0, window="bucket")


def test_a_request_is_counted_when_it_arrives_whatever_becomes_of_it():
    async def main(wire):
        wire.sandbox.faults.status(503)
        assert await statuses(wire, 2) == [503, 200]
        assert await statuses(wire, 1) == [429]
        wire.sandbox.faults.drop()
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await wire.ask("POST", "/taxes", json={})
        assert wire.sandbox.budget.most == 4

    counted(main, limit=2, period=10.0)


def test_a_request_with_the_wrong_key_is_not_counted():
    async def main(wire):
        assert (await wire.ask("GET", USERS, key="wrong")).status == 401
        assert await statuses(wire, 2) == [200, 429]
        assert wire.sandbox.budget.most == 2

    counted(main, limit=1)


def test_a_refused_request_is_not_carried_out():
    async def main(wire):
        before = len(wire.sandbox.all("taxes"))
        await wire.get(USERS)
        assert (await wire.post("/taxes", {"name": "VAT"})).status == 429
        assert len(wire.sandbox.all("taxes")) == before

    counted(main, limit=1)


def test_the_largest_number_in_any_period_is_counted_by_a_sliding_window():
    async def main(wire):
        for pause in (6, 6, 6, 1):
            await statuses(wire, 1)
            await asyncio.sleep(pause)
        assert wire.sandbox.budget.most == 2

    counted(main, limit=100, period=10.0)
