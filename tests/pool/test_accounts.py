"""The connections of a pool: their order and number, and that none is ever lost."""

import asyncio
import gc
import random
import threading

import pytest

from cliniko_async._pool.account import AccountLimiter, AccountRegistry, TrackedLimiter
from cliniko_async._pool.connections import AccountConnections, ConnectionLimiter
from cliniko_async.errors import InvalidRequestError
from cliniko_async.limits import SlidingWindowLimiter, process_limiter
from tests.support.clients import RecordingLimiter, virtually
from tests.support.for_each import for_each
from tests.support.limiting import limiter_of, now, settle_down, step

URL = "https://api.au1.cliniko.com/v1"


async def waits(connections, account, priority="bulk"):
    """A task that waits for a connection."""
    task = asyncio.create_task(connections.acquire(account, priority))
    await settle_down()
    return task


async def cancelled(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def account_of(connections, limiter=None):
    return AccountLimiter(TrackedLimiter(limiter or limiter_of(), asyncio.get_running_loop().time), connections)


async def asks(account, priority="bulk"):
    """A task that waits for a permit of an account."""
    task = asyncio.create_task(account.acquire(priority))
    await settle_down()
    return task


class SlowLimiter(RecordingLimiter):
    """A limiter that grants its permits after some seconds, or raises an error."""

    delay = 0.0
    error: Exception | None = None

    async def acquire(self, priority):
        await asyncio.sleep(self.delay)
        if self.error is not None:
            raise self.error
        return await super().acquire(priority)


# The connections.


@virtually
async def test_a_free_slot_is_granted_at_once():
    connections = ConnectionLimiter(2, 2)
    step(connections.acquire(AccountConnections(), "bulk"))
    step(connections.acquire(AccountConnections(), "interactive"))
    assert connections.free == 0


@virtually
async def test_an_account_has_at_most_its_share_of_connections():
    connections, account = ConnectionLimiter(3, 2), AccountConnections()
    slot = await connections.acquire(account, "bulk")
    await connections.acquire(account, "bulk")
    third = await waits(connections, account)
    assert not third.done()
    step(connections.acquire(AccountConnections(), "bulk"))
    connections.release(slot)
    await third
    assert account.held == 2


@virtually
async def test_interactive_calls_go_first():
    connections, other = ConnectionLimiter(1, 1), AccountConnections()
    first = await connections.acquire(AccountConnections(), "bulk")
    bulk = await waits(connections, other)
    interactive = await waits(connections, AccountConnections(), "interactive")
    connections.release(first)
    await interactive
    assert not bulk.done()
    await cancelled(bulk)


@virtually
async def test_the_account_that_has_the_fewest_goes_first():
    connections, many, one, none = (
        ConnectionLimiter(3, 3),
        AccountConnections(),
        AccountConnections(),
        AccountConnections(),
    )
    slots = [await connections.acquire(account, "bulk") for account in (many, many, one)]
    greedy, middling, humble = [await waits(connections, account) for account in (many, one, none)]
    connections.release(slots[0])
    connections.release(await humble)
    # Both have one connection by now: the account that had it first goes first.
    await middling
    assert not greedy.done()
    connections.release(slots[2])
    await greedy
    assert (many.held, one.held, none.held, connections.free) == (2, 1, 0, 0)


@virtually
async def test_accounts_with_equally_many_connections_take_turns():
    connections, accounts = ConnectionLimiter(1, 1), [AccountConnections() for _ in range(3)]
    first = await connections.acquire(accounts[0], "bulk")
    order: list[int] = []

    async def turns(number: int) -> None:
        for _ in range(3):
            slot = await connections.acquire(accounts[number], "bulk")
            order.append(number)
            await asyncio.sleep(0.1)
            connections.release(slot)

    tasks = [asyncio.create_task(turns(number)) for number in range(3)]
    await settle_down()
    connections.release(first)
    await asyncio.gather(*tasks)
    assert order == [1, 2, 0] * 3


@virtually
async def test_a_cancelled_wait_leaves_nothing_behind_at_any_moment():
    connections, first, second = ConnectionLimiter(1, 1), AccountConnections(), AccountConnections()
    slot = await connections.acquire(first, "bulk")
    before = await waits(connections, second)
    await cancelled(before)
    late = await waits(connections, second)
    connections.release(slot)  # it is given the slot, and cancelled before it knows
    assert second.held == 1
    await cancelled(late)
    assert (connections.free, first.held, second.held) == (1, 0, 0)


@virtually
async def test_a_cancelled_waiter_that_is_still_queued_is_skipped():
    connections, second = ConnectionLimiter(1, 1), AccountConnections()
    slot = await connections.acquire(AccountConnections(), "bulk")
    gone, waiting = await waits(connections, second), await waits(connections, third := AccountConnections())
    gone.cancel()
    connections.release(slot)
    await waiting
    await cancelled(gone)
    assert (connections.free, second.held, third.held) == (0, 0, 1)


@for_each("count, seconds", [(99, 0), (399, 0.65), (1000, 1.4), (10_000, 10)])
@virtually
async def test_many_hanging_accounts_are_recognised_within_a_few_rounds(count, seconds):
    """No more than a hundred are tried at a time."""
    connections = ConnectionLimiter(100, 8)
    crowd = [asyncio.create_task(connections.acquire(AccountConnections(), "bulk")) for _ in range(count)]
    await asyncio.sleep(0)
    await connections.acquire(AccountConnections(), "bulk")
    assert now() - 1000 <= seconds + 0.01
    for task in crowd:
        await cancelled(task)


# An account.


@virtually
async def test_a_permit_holds_a_connection_until_it_is_settled():
    connections, limiter = ConnectionLimiter(3, 3), RecordingLimiter()
    account = account_of(connections, limiter)
    permits = [step(account.acquire("bulk" if number else "interactive")) for number in range(1)]
    permits += [step(account.acquire("interactive")) for _ in range(2)]
    assert connections.free == 0
    for permit, say in zip(permits, ("complete", "abandon", "cancel"), strict=True):
        getattr(permit, say)()
        getattr(permit, say)()
        permit.complete()
        permit.abandon()
        permit.cancel()
    await settle_down()
    assert connections.free == 3
    assert limiter.settled_by == ["complete", "abandon", "cancel"]


@virtually
async def test_a_permit_that_is_garbage_collected_frees_its_connection():
    connections = ConnectionLimiter(1, 1)
    account = account_of(connections)
    permit = await account.acquire("interactive")
    del permit
    gc.collect()
    await settle_down()
    assert connections.free == 1


async def test_a_permit_may_be_settled_by_another_thread():
    connections = ConnectionLimiter(1, 1)
    account = account_of(connections)
    permit = await account.acquire("interactive")
    thread = threading.Thread(target=permit.complete)
    thread.start()
    await asyncio.to_thread(thread.join)
    await asyncio.wait_for(connections.acquire(AccountConnections(), "bulk"), 30)


def test_a_permit_that_outlives_its_loop_is_settled_without_an_error():
    async def taken():
        return await account_of(ConnectionLimiter(1, 1)).acquire("interactive")

    asyncio.run(taken()).complete()


@virtually
async def test_calls_waiting_for_connections_hold_at_most_one_permit_per_priority():
    connections, limiter = ConnectionLimiter(1, 1), RecordingLimiter()
    account = account_of(connections, limiter)
    permit = await account.acquire("interactive")
    tasks = [await asks(account, "interactive") for _ in range(5)]
    assert len(limiter.permits) == 2
    assert (await account.limits()).waiting == {"interactive": 5, "bulk": 0}
    permit.complete()
    for task in tasks:
        (await task).complete()
    await settle_down()
    assert (connections.free, (await account.limits()).waiting["interactive"]) == (1, 0)


@virtually
async def test_a_call_that_waits_for_a_permit_is_counted_once():
    account = account_of(ConnectionLimiter(9, 9), limiter_of(limit=1))
    permit = await account.acquire("interactive")
    tasks = [await asks(account, "interactive") for _ in range(2)]
    assert (await account.limits()).waiting == {"interactive": 2, "bulk": 0}
    for task in tasks:
        await cancelled(task)
    permit.complete()


@virtually
async def test_waiting_for_the_budget_takes_no_connection():
    connections = ConnectionLimiter(1, 1)
    poor, rich = account_of(connections, limiter_of(limit=1)), account_of(connections)
    (await poor.acquire("interactive")).complete()
    await settle_down()
    waiting = await asks(poor, "interactive")
    (await rich.acquire("interactive")).complete()
    assert now() == 1000
    (await waiting).complete()


@virtually
async def test_interactive_overtakes_the_bulk_of_its_account():
    connections = ConnectionLimiter(1, 1)
    account = account_of(connections)
    permit = await account.acquire("bulk")
    await asyncio.sleep(1)  # bulk is evenly spaced
    bulk = [await asks(account) for _ in range(3)]
    interactive = await asks(account, "interactive")
    permit.complete()
    (await interactive).complete()
    assert not any(task.done() for task in bulk)
    for task in bulk:
        (await task).complete()


@virtually
async def test_a_cancelled_wait_for_a_connection_gives_the_permit_back_unsent():
    connections, limiter = ConnectionLimiter(1, 1), RecordingLimiter()
    account = account_of(connections, limiter)
    permit = await account.acquire("interactive")
    await cancelled(await asks(account, "interactive"))
    permit.complete()
    await settle_down()
    assert limiter.settled_by == ["complete", "cancel"]
    assert connections.free == 1


@virtually
async def test_a_permit_granted_before_a_pause_is_not_used_after_it():
    """A caller that waited for a connection requests a new permit, and others use the connection until then."""
    connections, limiter = ConnectionLimiter(1, 1), RecordingLimiter()
    account, other = account_of(connections, limiter), account_of(connections)
    permit = await account.acquire("interactive")
    waiting = await asks(account, "interactive")
    permit.complete()
    assert account.pause(30.0) == 30.0
    await asyncio.sleep(1)
    (await other.acquire("interactive")).complete()
    assert now() == 1001
    (await waiting).complete()
    assert now() == 1030
    assert limiter.settled_by == ["complete", "cancel", "complete"]


@virtually
async def test_a_pause_started_by_another_caller_is_obeyed():
    """By a client outside of the pool, or on another machine: only the limiter knows."""
    connections, limiter = ConnectionLimiter(1, 1), limiter_of()
    account = account_of(connections, limiter)
    permit = await account.acquire("interactive")
    waiting = await asks(account, "interactive")
    await asyncio.sleep(1)
    limiter.pause(30.0)
    await asyncio.sleep(1)
    permit.complete()
    (await waiting).complete()
    assert now() == 1031


@virtually
async def test_a_stale_permit_is_replaced_and_its_connection_kept():
    """A limiter that several processes share eventually grants it to others."""
    connections, limiter = ConnectionLimiter(1, 1), RecordingLimiter()
    account, other = account_of(connections, limiter), account_of(connections)
    permit = await account.acquire("interactive")
    waiting = await asks(account, "interactive")
    await asyncio.sleep(20)
    occupant = await other.acquire("interactive")
    behind = await asks(other, "interactive")
    permit.complete()
    occupant.complete()
    permit = await waiting
    assert limiter.settled_by == ["complete", "cancel", None]
    assert not behind.done()
    permit.complete()
    (await behind).complete()


@pytest.mark.parametrize("end", ["cancelled", "failed"])
@virtually
async def test_no_connection_is_lost_while_a_permit_is_replaced(end):
    connections, limiter = ConnectionLimiter(1, 1), SlowLimiter()
    account = account_of(connections, limiter)
    permit = await account.acquire("interactive")
    waiting = await asks(account, "interactive")
    account.pause(None)
    permit.complete()
    limiter.delay = 0.05
    limiter.error = ValueError("it went away")
    await settle_down()
    assert connections.free == 0
    if end == "cancelled":
        await cancelled(waiting)
    else:
        with pytest.raises(ValueError, match="went away"):
            await waiting
    await settle_down()
    assert connections.free == 1


@virtually
async def test_an_unknown_priority_is_refused():
    with pytest.raises(InvalidRequestError):
        await account_of(ConnectionLimiter(1, 1)).acquire("urgent")


@for_each("seed", range(20))
def test_no_connection_and_no_permit_is_lost_whatever_is_cancelled(seed):
    rng = random.Random(seed)

    @virtually
    async def some():
        connections, limiters = ConnectionLimiter(4, 2), [RecordingLimiter(limiter_of(20, 10.0)) for _ in range(5)]
        accounts = [account_of(connections, limiter) for limiter in limiters]
        under_way = [0] * 5

        async def call(number):
            permit = await accounts[number].acquire(rng.choice(("interactive", "bulk")))
            under_way[number] += 1
            assert under_way[number] <= 2
            try:
                await asyncio.sleep(rng.choice((0, 0.1, 1, 30)))
            except asyncio.CancelledError:
                permit.abandon()
                raise
            else:
                permit.complete()
            finally:
                under_way[number] -= 1
            if rng.random() < 0.1:
                accounts[number].pause(rng.choice((None, 5.0)))

        tasks = [asyncio.create_task(call(rng.randrange(5))) for _ in range(150)]
        for task in rng.sample(tasks, 60):
            await asyncio.sleep(rng.choice((0, 0, 0.05, 0.3)))
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await settle_down()
        assert connections.free == 4
        assert not any(None in limiter.settled_by for limiter in limiters)
        for account in accounts:
            assert (await account.limits()).waiting == {"interactive": 0, "bulk": 0}

    some()


# All accounts.


@virtually
async def test_clients_with_one_server_and_key_share_one_account():
    accounts = AccountRegistry(ConnectionLimiter(1, 1))
    one = accounts.get(URL, "key")
    assert accounts.get(URL, "key") is one
    assert accounts.get(URL, "other") is not one
    assert accounts.get(URL + "/other", "key") is not one
    assert one.period == 60


@virtually
async def test_by_default_the_limiter_is_the_one_that_the_process_shares():
    accounts = AccountRegistry(ConnectionLimiter(1, 1))
    permit = await accounts.get(URL, "a key of this test").acquire("interactive")
    assert (await process_limiter(URL, "a key of this test").limits()).used == 1
    permit.cancel()


@virtually
async def test_a_limiter_that_was_made_is_remembered_until_its_window_is_empty():
    """Otherwise the next client of the account would send as if nothing had been sent."""
    made: list[str] = []
    clock = asyncio.get_running_loop().time

    def make(key):
        made.append(key)
        return SlidingWindowLimiter(clock=clock)

    accounts = AccountRegistry(ConnectionLimiter(1, 1), make, clock=clock)
    (await accounts.get(URL, "a").acquire("interactive")).complete()
    kept = accounts.get(URL, "b")
    gc.collect()
    assert (await accounts.get(URL, "a").limits()).used == 1
    await asyncio.sleep(181)
    for number in range(4):
        accounts.get(URL, f"c{number}")
    assert len(accounts) == 5
    assert accounts.get(URL, "b") is kept
    assert accounts.get(URL, "a").period == 60
    assert made == ["a", "b", "c0", "c1", "c2", "c3", "a"]
