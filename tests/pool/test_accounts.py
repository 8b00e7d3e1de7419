"""The connections of a pool: who gets one, how many, and that none is ever lost."""

import asyncio
import gc
import random
import threading

import pytest

from cliniko_async._pool.account import Account, Accounts, Budget
from cliniko_async._pool.connections import Gate, Seat
from cliniko_async.errors import InvalidRequestError
from cliniko_async.limits import SlidingWindowLimiter, shared_limiter
from tests.support.clients import RecordingLimiter, virtually
from tests.support.limiting import limiter_of, now, settle_down, step

URL = "https://api.au1.cliniko.com/v1"


async def waits(gate, seat, priority="bulk"):
    """A task that waits at the gate."""
    task = asyncio.create_task(gate.enter(seat, priority))
    await settle_down()
    return task


async def cancelled(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def account_of(gate, limiter=None):
    return Account(Budget(limiter or limiter_of(), asyncio.get_running_loop().time), gate)


async def asks(account, priority="bulk"):
    """A task that asks an account for a permit."""
    task = asyncio.create_task(account.acquire(priority))
    await settle_down()
    return task


class SlowLimiter(RecordingLimiter):
    """A limiter that gives its permits after so many seconds, or an error instead."""

    delay = 0.0
    error: Exception | None = None

    async def acquire(self, priority):
        await asyncio.sleep(self.delay)
        if self.error is not None:
            raise self.error
        return await super().acquire(priority)


# The gate.


@virtually
async def test_a_place_that_is_free_is_given_at_once():
    gate = Gate(2, 2)
    step(gate.enter(Seat(), "bulk"))
    step(gate.enter(Seat(), "interactive"))
    assert gate.free == 0


@virtually
async def test_an_account_has_its_share_at_most_and_gets_more_when_it_gives_one_back():
    gate, seat = Gate(3, 2), Seat()
    place = await gate.enter(seat, "bulk")
    await gate.enter(seat, "bulk")
    third = await waits(gate, seat)
    assert not third.done()
    step(gate.enter(Seat(), "bulk"))
    gate.leave(place)
    await third
    assert seat.held == 2


@virtually
async def test_interactive_goes_first_whoever_came_before_it():
    gate, other = Gate(1, 1), Seat()
    first = await gate.enter(Seat(), "bulk")
    bulk = await waits(gate, other)
    interactive = await waits(gate, Seat(), "interactive")
    gate.leave(first)
    await interactive
    assert not bulk.done()
    await cancelled(bulk)


@virtually
async def test_the_account_that_has_the_fewest_goes_first():
    gate, many, one, none = Gate(3, 3), Seat(), Seat(), Seat()
    places = [await gate.enter(seat, "bulk") for seat in (many, many, one)]
    greedy, middling, humble = [await waits(gate, seat) for seat in (many, one, none)]
    gate.leave(places[0])
    gate.leave(await humble)
    # Both have one by now: who came to that first, goes first.
    await middling
    assert not greedy.done()
    gate.leave(places[2])
    await greedy
    assert (many.held, one.held, none.held, gate.free) == (2, 1, 0, 0)


@virtually
async def test_accounts_that_have_as_many_take_turns():
    gate, seats = Gate(1, 1), [Seat() for _ in range(3)]
    first = await gate.enter(seats[0], "bulk")
    order: list[int] = []

    async def turns(number: int) -> None:
        for _ in range(3):
            place = await gate.enter(seats[number], "bulk")
            order.append(number)
            await asyncio.sleep(0.1)
            gate.leave(place)

    tasks = [asyncio.create_task(turns(number)) for number in range(3)]
    await settle_down()
    gate.leave(first)
    await asyncio.gather(*tasks)
    assert order == [1, 2, 0] * 3


@virtually
async def test_a_cancelled_wait_leaves_nothing_behind_at_any_moment():
    gate, first, second = Gate(1, 1), Seat(), Seat()
    place = await gate.enter(first, "bulk")
    before = await waits(gate, second)
    await cancelled(before)
    late = await waits(gate, second)
    gate.leave(place)  # it is given the place, and cancelled before it knows
    assert second.held == 1
    await cancelled(late)
    assert (gate.free, first.held, second.held) == (1, 0, 0)


@virtually
async def test_who_is_cancelled_but_has_not_left_yet_is_passed_over():
    gate, second = Gate(1, 1), Seat()
    place = await gate.enter(Seat(), "bulk")
    gone, waiting = await waits(gate, second), await waits(gate, third := Seat())
    gone.cancel()
    gate.leave(place)
    await waiting
    await cancelled(gone)
    assert (gate.free, second.held, third.held) == (0, 0, 1)


@pytest.mark.parametrize(("count", "seconds"), [(99, 0), (399, 0.65), (1000, 1.4), (10_000, 10)])
@virtually
async def test_a_crowd_that_hangs_is_found_out_in_a_few_rounds(count, seconds):
    """No more than a hundred are tried at a time."""
    gate = Gate(100, 8)
    crowd = [asyncio.create_task(gate.enter(Seat(), "bulk")) for _ in range(count)]
    await asyncio.sleep(0)
    await gate.enter(Seat(), "bulk")
    assert now() - 1000 <= seconds + 0.01
    for task in crowd:
        await cancelled(task)


# An account.


@virtually
async def test_a_permit_has_a_connection_until_anything_is_said_of_it():
    gate, limiter = Gate(3, 3), RecordingLimiter()
    account = account_of(gate, limiter)
    permits = [step(account.acquire("bulk" if number else "interactive")) for number in range(1)]
    permits += [step(account.acquire("interactive")) for _ in range(2)]
    assert gate.free == 0
    for permit, say in zip(permits, ("complete", "abandon", "cancel"), strict=True):
        getattr(permit, say)()
        getattr(permit, say)()
        permit.complete()
        permit.abandon()
        permit.cancel()
    await settle_down()
    assert gate.free == 3
    assert limiter.fates == ["answered", "given up", "unsent"]


@virtually
async def test_a_permit_that_is_dropped_gives_its_connection_back():
    gate = Gate(1, 1)
    account = account_of(gate)
    permit = await account.acquire("interactive")
    del permit
    gc.collect()
    await settle_down()
    assert gate.free == 1


async def test_a_permit_may_be_settled_by_another_thread():
    gate = Gate(1, 1)
    account = account_of(gate)
    permit = await account.acquire("interactive")
    thread = threading.Thread(target=permit.complete)
    thread.start()
    await asyncio.to_thread(thread.join)
    await asyncio.wait_for(gate.enter(Seat(), "bulk"), 30)


def test_a_permit_that_outlives_its_loop_is_settled_without_an_error():
    async def taken():
        return await account_of(Gate(1, 1)).acquire("interactive")

    asyncio.run(taken()).complete()


@virtually
async def test_who_waits_for_a_connection_holds_one_permit_for_each_priority_and_no_more():
    gate, limiter = Gate(1, 1), RecordingLimiter()
    account = account_of(gate, limiter)
    permit = await account.acquire("interactive")
    tasks = [await asks(account, "interactive") for _ in range(5)]
    assert len(limiter.permits) == 2
    assert (await account.limits()).waiting == {"interactive": 5, "bulk": 0}
    permit.complete()
    for task in tasks:
        (await task).complete()
    await settle_down()
    assert (gate.free, (await account.limits()).waiting["interactive"]) == (1, 0)


@virtually
async def test_who_waits_for_a_permit_is_counted_once():
    account = account_of(Gate(9, 9), limiter_of(limit=1))
    permit = await account.acquire("interactive")
    tasks = [await asks(account, "interactive") for _ in range(2)]
    assert (await account.limits()).waiting == {"interactive": 2, "bulk": 0}
    for task in tasks:
        await cancelled(task)
    permit.complete()


@virtually
async def test_waiting_for_the_budget_takes_no_connection():
    gate = Gate(1, 1)
    poor, rich = account_of(gate, limiter_of(limit=1)), account_of(gate)
    (await poor.acquire("interactive")).complete()
    await settle_down()
    waiting = await asks(poor, "interactive")
    (await rich.acquire("interactive")).complete()
    assert now() == 1000
    (await waiting).complete()


@virtually
async def test_interactive_overtakes_the_bulk_of_its_account():
    gate = Gate(1, 1)
    account = account_of(gate)
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
    gate, limiter = Gate(1, 1), RecordingLimiter()
    account = account_of(gate, limiter)
    permit = await account.acquire("interactive")
    await cancelled(await asks(account, "interactive"))
    permit.complete()
    await settle_down()
    assert limiter.fates == ["answered", "unsent"]
    assert gate.free == 1


@virtually
async def test_a_permit_from_before_a_pause_is_not_used_behind_it():
    """Who waited for a connection meanwhile asks for another, and the connection goes to others until then."""
    gate, limiter = Gate(1, 1), RecordingLimiter()
    account, other = account_of(gate, limiter), account_of(gate)
    permit = await account.acquire("interactive")
    waiting = await asks(account, "interactive")
    permit.complete()
    assert account.pause(30.0) == 30.0
    await asyncio.sleep(1)
    (await other.acquire("interactive")).complete()
    assert now() == 1001
    (await waiting).complete()
    assert now() == 1030
    assert limiter.fates == ["answered", "unsent", "answered"]


@virtually
async def test_a_pause_of_which_somebody_else_was_told_is_heeded():
    """By a client outside of the pool, or on another machine: only the limiter knows."""
    gate, limiter = Gate(1, 1), limiter_of()
    account = account_of(gate, limiter)
    permit = await account.acquire("interactive")
    waiting = await asks(account, "interactive")
    await asyncio.sleep(1)
    limiter.pause(30.0)
    await asyncio.sleep(1)
    permit.complete()
    (await waiting).complete()
    assert now() == 1031


@virtually
async def test_a_permit_that_lay_about_is_changed_for_another_and_the_connection_kept():
    """A limiter that several processes share gives it to others in the end."""
    gate, limiter = Gate(1, 1), RecordingLimiter()
    account, other = account_of(gate, limiter), account_of(gate)
    permit = await account.acquire("interactive")
    waiting = await asks(account, "interactive")
    await asyncio.sleep(20)
    occupant = await other.acquire("interactive")
    behind = await asks(other, "interactive")
    permit.complete()
    occupant.complete()
    permit = await waiting
    assert limiter.fates == ["answered", "unsent", None]
    assert not behind.done()
    permit.complete()
    (await behind).complete()


@pytest.mark.parametrize("end", ["cancelled", "failed"])
@virtually
async def test_no_connection_is_lost_while_a_permit_is_changed_for_another(end):
    gate, limiter = Gate(1, 1), SlowLimiter()
    account = account_of(gate, limiter)
    permit = await account.acquire("interactive")
    waiting = await asks(account, "interactive")
    account.pause(None)
    permit.complete()
    limiter.delay = 0.05
    limiter.error = ValueError("it went away")
    await settle_down()
    assert gate.free == 0
    if end == "cancelled":
        await cancelled(waiting)
    else:
        with pytest.raises(ValueError, match="went away"):
            await waiting
    await settle_down()
    assert gate.free == 1


@virtually
async def test_an_unknown_priority_is_refused():
    with pytest.raises(InvalidRequestError):
        await account_of(Gate(1, 1)).acquire("urgent")


@pytest.mark.parametrize("seed", range(20))
def test_no_connection_and_no_permit_is_lost_whatever_is_cancelled(seed):
    rng = random.Random(seed)

    @virtually
    async def some():
        gate, limiters = Gate(4, 2), [RecordingLimiter(limiter_of(20, 10.0)) for _ in range(5)]
        accounts = [account_of(gate, limiter) for limiter in limiters]
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
        assert gate.free == 4
        assert [account._seat.held for account in accounts] == [0] * 5
        assert not any(None in limiter.fates for limiter in limiters)
        for account in accounts:
            assert (await account.limits()).waiting == {"interactive": 0, "bulk": 0}

    some()


# All accounts.


@virtually
async def test_a_server_and_a_key_have_one_account_while_anybody_has_it():
    accounts = Accounts(Gate(1, 1))
    one = accounts.get(URL, "key")
    assert accounts.get(URL, "key") is one
    assert accounts.get(URL, "other") is not one
    assert accounts.get(URL + "/other", "key") is not one
    assert one.period == 60


@virtually
async def test_by_default_the_limiter_is_the_one_that_the_process_shares():
    accounts = Accounts(Gate(1, 1))
    permit = await accounts.get(URL, "a key of this test").acquire("interactive")
    assert (await shared_limiter(URL, "a key of this test").limits()).used == 1
    permit.cancel()
    assert len(accounts) == 0


@virtually
async def test_a_limiter_that_was_made_is_remembered_until_its_window_is_empty():
    """Else the next client of the account would send as if nothing had been sent."""
    made: list[str] = []
    clock = asyncio.get_running_loop().time

    def make(key):
        made.append(key)
        return SlidingWindowLimiter(clock=clock)

    accounts = Accounts(Gate(1, 1), make, clock=clock)
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
