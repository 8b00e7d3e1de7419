"""Accounts whose server hangs: whatever their number and order, they do not stop the others."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from cliniko_async import RetryPolicy
from cliniko_async.errors import TransportTimeoutError
from tests.support.clients import ONCE, virtually
from tests.support.for_each import for_each
from tests.support.limiting import now
from tests.support.many import ManyServer, key_of, pool_of
from tests.support.raw_server import Connection, RawServer, answer, deaf_port, head, read_request

ASKED = "/appointment_types"
EMPTY = {"appointment_types": [], "total_entries": 0, "links": {}}
ROUND = 0.5
"""Seconds after which a request without a response no longer counts."""
LATENCY = 0.1
SOON = 0.16
"""A few hundred accounts are tried one hundred at a time, within tenths of a second."""


def sick(count: int) -> list[str]:
    return [f"sick-{number}-au1" for number in range(count)]


class SickServer(RawServer):
    """Answers after 0.1 s; sick accounts are answered only once healed, or receive only the beginning of a response."""

    def __init__(self, *, begins: bool = False) -> None:
        super().__init__()
        self.begins = begins
        self.healed = asyncio.Event()
        self.held: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    async def _take_turn(self, line: Connection, number: int) -> bool:
        request = await read_request(line.reader, number)
        if request is None:
            return False
        key = key_of(request)
        self.held[key] += 1
        self.most[key] = max(self.most[key], self.held[key])
        try:
            if key.startswith("sick") and not await self._heals(line):
                return False
            await asyncio.sleep(LATENCY)
        finally:
            self.held[key] -= 1
        await answer(200, EMPTY)(line)
        return True

    async def _heals(self, line: Connection) -> bool:
        """Wait until the account is healed, or the client has left."""
        if self.begins:
            await line.write(head(200, {"Content-Length": "100"}) + b"{")
        gone = asyncio.create_task(line.reader.read(1))
        healed = asyncio.create_task(self.healed.wait())
        try:
            await asyncio.wait((gone, healed), return_when=asyncio.FIRST_COMPLETED)
            return not gone.done()
        finally:
            healed.cancel()
            gone.cancel()
            await asyncio.wait((gone, healed))


async def ask(account, cliniko):
    return (await cliniko.request("GET", ASKED)).status


async def times(cliniko, count: int = 1) -> float:
    """Send the given number of requests, one after the other, and return the time it took."""
    began = now()
    for _ in range(count):
        assert await ask("", cliniko) == 200
    return now() - began


@contextlib.asynccontextmanager
async def asking(*calls) -> AsyncIterator[list[asyncio.Task]]:
    """Tasks that are cancelled at the end."""
    tasks = [asyncio.create_task(call) for call in calls]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def mute() -> AsyncIterator[int]:
    """A port that accepts connections and never sends anything, not even a TLS handshake."""
    taken: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: taken.append(writer), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for writer in taken:
        writer.transport.abort()


# No delay of others


@for_each("count", [13, 100, 250])
@for_each("moment", [0.0, 0.2, 5.0])
@virtually
async def test_a_healthy_account_hardly_waits_however_many_accounts_hang(count, moment):
    """With the default sizes, and after all of them: each hanging account sends eight requests while there is room."""
    async with SickServer() as server, pool_of(server) as pool:
        clients = [pool.client(key) for key in sick(count)]
        calls = [ask("", client) for client in clients[:13] for _ in range(8)] + [
            ask("", each) for each in clients[13:]
        ]
        async with asking(*calls):
            await asyncio.sleep(moment)
            began = now()
            assert await pool.client("well-au1").appointment_types.list().collect() == []
            assert now() - began <= max(0.0, ROUND - moment) + LATENCY + SOON


@virtually
async def test_responses_to_other_accounts_do_not_delay_the_recognition_of_hanging_ones():
    async with SickServer() as server, pool_of(server) as pool:
        well = [times(pool.client(f"well-{number}"), 99) for number in range(20)]
        async with asking(*well, *(ask("", pool.client(key)) for key in sick(250))):
            await asyncio.sleep(0.2)
            assert await times(pool.client("well-au1")) <= ROUND - 0.2 + LATENCY + SOON


@virtually
async def test_accounts_that_hang_in_the_middle_of_a_response_delay_no_other():
    async with (
        SickServer(begins=True) as server,
        pool_of(server) as pool,
        asking(*(ask("", pool.client(key)) for key in sick(150) for _ in range(2))),
    ):
        assert await times(pool.client("well-au1")) <= ROUND + LATENCY + SOON


@pytest.mark.parametrize("kind", ["connect", "tls"])
@virtually
async def test_accounts_that_hang_while_connecting_delay_no_other(kind):
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(SickServer())
        pool = await stack.enter_async_context(pool_of(server, retry=ONCE))
        port = stack.enter_context(deaf_port()) if kind == "connect" else await stack.enter_async_context(mute())
        url = f"{'http' if kind == 'connect' else 'https'}://127.0.0.1:{port}/v1"
        calls = [ask("", pool.client(key, base_url=url)) for key in sick(150) for _ in range(2)]
        async with asking(*calls):
            assert await times(pool.client("well-au1")) <= ROUND + LATENCY + SOON


@virtually
async def test_the_other_accounts_keep_their_pace():
    """Over ten connections, with 60 hanging accounts that come first and retry repeatedly."""
    taken = {}
    for count in (0, 60):
        async with (
            SickServer() as server,
            pool_of(server, connections=10, timeout=1, retry=RetryPolicy()) as pool,
            asking(*(ask("", pool.client(key)) for key in sick(count) for _ in range(3))),
        ):
            began = now()
            await asyncio.gather(*(times(pool.client(f"well-{n}-au1"), 50) for n in range(20)))
            taken[count] = now() - began
    # 1,000 requests of 0.1 s.
    assert taken[0] == pytest.approx(10, abs=0.1)
    # Ten hang, then 40, then the rest, and never more than ten are tried at a time.
    assert taken[60] <= taken[0] + 4 * ROUND


@virtually
async def test_retries_of_accounts_known_to_hang_delay_no_other():
    """All of them time out at the same time, and retry at nearly the same time."""
    async with SickServer() as server, pool_of(server, connections=5, timeout=4, retry=RetryPolicy(attempts=4)) as pool:
        well = pool.client("well-au1")
        async with asking(*(ask("", pool.client(key)) for key in sick(50))):
            await asyncio.sleep(2)
            for _ in range(80):
                assert await times(well) <= LATENCY + 0.01
                await asyncio.sleep(0.1)


@virtually
async def test_hanging_jobs_do_not_count_towards_concurrency():
    async with SickServer() as server, pool_of(server, timeout=30, retry=ONCE) as pool:
        keys = {key: key for key in [*sick(150), "well-au1"]}
        began = now()
        async with contextlib.aclosing(pool.run(ask, keys)) as outcomes:
            first = await anext(outcomes)
            assert (first.account, first.result) == ("well-au1", 200)
            assert now() - began <= 2 * ROUND + LATENCY
            async for done in outcomes:
                assert isinstance(done.error, TransportTimeoutError)
        assert now() - began < 32


@virtually
async def test_a_run_does_not_start_more_jobs_of_accounts_that_answer():
    """However slow their jobs are, and although one account hangs."""
    under_way = most = 0

    async def job(account, cliniko):
        nonlocal under_way, most
        works = account != "sick"
        under_way += works
        most = max(most, under_way)
        await ask(account, cliniko)
        await asyncio.sleep(3)
        under_way -= works

    async with SickServer() as server, pool_of(server, timeout=20, retry=ONCE) as pool:
        keys = {"sick": sick(1)[0]} | {f"well {n}": f"well-{n}" for n in range(12)}
        began = now()
        async with contextlib.aclosing(pool.run(job, keys, concurrency=3)) as outcomes:
            accounts = [done.account async for done in outcomes]
        assert accounts[-1] == "sick"
        assert most == 3
        assert now() - began == pytest.approx(20, abs=0.5)


# The hanging accounts themselves


@virtually
async def test_an_account_that_hangs_gets_two_connections_at_most_once_that_is_known():
    async with SickServer() as server, pool_of(server, connections=1, timeout=5, retry=RetryPolicy(attempts=3)) as pool:
        clients = [pool.client(key) for key in sick(2)]
        async with asking(*(ask("", client) for client in clients for _ in range(20))):
            for _ in range(30):
                await asyncio.sleep(0.7)
                assert max(server.held.values()) <= 2


@virtually
async def test_one_slow_request_of_an_account_does_not_delay_its_others():
    async with ManyServer() as server, pool_of(server, connections=20) as pool:
        client = pool.client("well-au1")
        server.slow["well-au1"] = 30
        slow = asyncio.create_task(ask("", client))
        await server.read(1)
        server.slow.clear()
        await asyncio.sleep(5)
        async with asking(*(ask("", pool.client(f"other-{n}")) for n in range(20))):
            began = now()
            await asyncio.gather(*(ask("", client) for _ in range(15)))
            # One by one until the first is answered, then seven at a time.
            assert now() - began == pytest.approx(4 * LATENCY, abs=0.11)
        await slow


@virtually
async def test_an_account_that_answers_again_is_treated_like_any_other():
    async with SickServer() as server, pool_of(server, connections=4, timeout=2, retry=RetryPolicy(attempts=9)) as pool:
        client = pool.client(sick(1)[0])
        calls = [asyncio.create_task(ask("", client)) for _ in range(12)]
        async with asking(*(ask("", pool.client(f"other-{n}")) for n in range(8))):
            await asyncio.sleep(9)
        server.healed.set()
        assert await asyncio.gather(*calls) == [200] * 12
        began = now()
        await asyncio.gather(*(ask("", client) for _ in range(8)))
        assert now() - began == pytest.approx(2 * LATENCY, abs=0.01)
        assert server.most[sick(1)[0]] <= 8


@virtually
async def test_the_limit_of_connections_holds_when_all_accounts_are_slow():
    """More of them are tried only at the start, when the usual response time is unknown."""
    keys = [f"slow-{number}" for number in range(40)]
    async with (
        ManyServer(slow=dict.fromkeys(keys, 0.8)) as server,
        pool_of(server, connections=10) as pool,
        asking(*(times(pool.client(key), 999) for key in keys)),
    ):
        await asyncio.sleep(10)
        server.most = 0
        await asyncio.sleep(30)
        assert server.most == 10


async def test_a_busy_event_loop_makes_no_request_overdue():
    """Responses may have arrived and not been read yet."""
    async with ManyServer(slow=dict.fromkeys(("one", "two"), 0.01)) as server, pool_of(server, connections=1) as pool:
        calls = [asyncio.create_task(ask("", pool.client(key))) for key in ("one", "two")]
        await server.read(1)
        time.sleep(3 * ROUND)  # noqa: ASYNC251  (that is what it is about)
        assert await asyncio.gather(*calls) == [200, 200]
        assert server.most == 1
