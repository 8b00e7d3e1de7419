"""Many accounts over one connector: none delays another, and the work under way is bounded and ends with the pool."""

import asyncio
import contextlib
import gc
import threading
import traceback
from collections.abc import Mapping

import aiohttp
import pytest

from cliniko_async import AccountPool, AccountResult, Cliniko, RetryPolicy
from cliniko_async.errors import (
    ClinikoError,
    ConfigurationError,
    InvalidRequestError,
    OutcomeUnknownError,
    ServerError,
    TransportError,
    UnauthorizedError,
    UsageError,
)
from cliniko_async.limits import SlidingWindowLimiter, process_limiter
from cliniko_async.sandbox import Sandbox
from tests.support.clients import KEY, ONCE, WHO, virtually
from tests.support.for_each import for_each
from tests.support.inside import accounts_in, connections_in_use, manager_of, session_of, view_of
from tests.support.limiting import limiter_of, now, settle_down
from tests.support.many import ManyServer, pool_of
from tests.support.pools import tasks_of_jobs
from tests.support.virtual import run

ASKED = "/appointment_types"


def keys(count, *more):
    return {f"clinic {number}": f"key-{number}-au1" for number in range(count)} | {name: name for name in more}


async def ask(account, cliniko):
    """A job: one request."""
    return (await cliniko.request("GET", ASKED)).status


async def ask_often(account, cliniko):
    """A job: five requests, one after the other."""
    for _ in range(5):
        await cliniko.request("GET", ASKED)


async def finished(outcomes):
    return {done.account: done async for done in outcomes}


# The clients of a pool.


async def test_a_pool_may_be_made_outside_of_a_loop_and_opens_nothing_before_the_first_client():
    pool = await asyncio.to_thread(AccountPool, **WHO)
    assert session_of(pool) is None
    client = pool.client(KEY)
    assert manager_of(client).session() is session_of(pool)
    await pool.aclose()
    assert session_of(pool).closed


def test_no_client_is_made_outside_of_a_loop():
    with pytest.raises(UsageError, match="event loop"):
        AccountPool(**WHO).client(KEY)


def test_a_pool_belongs_to_the_loop_of_its_first_client():
    pool = AccountPool(**WHO)

    async def client():
        return pool.client(KEY)

    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(client())
        with pytest.raises(UsageError, match="another event loop"):
            second.run(client())
        with pytest.raises(UsageError, match="another event loop"):
            second.run(pool.aclose())
        first.run(pool.aclose())


@virtually
async def test_clients_of_a_pool_share_one_connector_and_send_their_own_keys():
    async with ManyServer() as server, pool_of(server) as pool:
        for key in ("a-au1", "b-au2", "c"):
            await ask("", pool.client(key))
        assert server.asked == ["a-au1", "b-au2", "c"]
        assert {request.connection for request in server.requests} == {1}


@virtually
async def test_a_client_has_the_options_of_the_pool_unless_it_has_its_own():
    retry = RetryPolicy(attempts=2)
    async with AccountPool(**WHO, shard="au3", timeout=5, deadline=9, retry=retry, priority="bulk") as pool:
        inherited = pool.client(KEY)
        options = view_of(inherited).options
        assert (options.timeout, options.deadline, options.retry, options.priority) == (5, 9, retry, "bulk")
        assert repr(inherited) == "Cliniko('https://api.au3.cliniko.com/v1')"
        own = pool.client(KEY, priority="interactive", base_url="http://localhost:1/v1")
        assert (view_of(own).options.priority, view_of(own).options.timeout) == ("interactive", 5)
        assert repr(own) == "Cliniko('http://localhost:1/v1')"
    async with AccountPool(**WHO, base_url="http://localhost:1/v1") as pool:
        assert "api.uk1" in repr(pool.client(KEY, shard="uk1"))
        with pytest.raises(ConfigurationError, match="not both"):
            pool.client(KEY, shard="uk1", base_url="http://localhost:1/v1")
        with pytest.raises(ConfigurationError, match="no option 'rate_limiter'"):
            pool.client(KEY, rate_limiter=SlidingWindowLimiter())
        with pytest.raises(ConfigurationError, match="no option 'timout'; did you mean 'timeout'"):
            pool.client(KEY, timout=5)


@for_each(
    "options",
    [
        {"connections": 0},
        {"connections": 1.5},
        {"per_account": True},
        {"limiter": SlidingWindowLimiter()},
        {"priority": "urgent"},
        {"timeout": -1},
        {"shard": "nowhere"},
        {"app_name": ""},
    ],
)
def test_invalid_options_are_refused_at_once(options):
    with pytest.raises(ConfigurationError):
        AccountPool(**{**WHO, **options})


@pytest.mark.parametrize("key", ["", None, "two words"])
async def test_a_key_that_cannot_work_is_refused(key):
    async with AccountPool(**WHO) as pool:
        with pytest.raises(ConfigurationError, match="API key"):
            pool.client(key)


async def test_no_key_is_shown():
    async with AccountPool(**WHO) as pool:
        client = pool.client(KEY)
        assert repr(pool) == "AccountPool(connections=100, per_account=8)"
        assert KEY not in repr((client, manager_of(client).limiter, vars(pool)))


async def test_by_default_an_account_has_the_limiter_that_the_process_shares():
    async with AccountPool(**WHO) as pool:
        permit = await process_limiter("https://api.au1.cliniko.com/v1", "of-this-test-au1").acquire("bulk")
        assert (await pool.client("of-this-test-au1").limits()).used == 1
        permit.cancel()


@virtually
async def test_all_clients_of_one_key_share_the_limiter_that_is_made_for_it():
    made: list[str] = []

    def make(key):
        made.append(key)
        return SlidingWindowLimiter()

    async with AccountPool(**WHO, limiter=make) as pool:
        first, second = pool.client("one"), pool.client("one").with_options(priority="bulk")
        assert manager_of(first).limiter is manager_of(second).limiter
        pool.client("two")
    assert made == ["one", "two"]


@virtually
async def test_closing_a_client_leaves_the_others_and_the_connector():
    async with ManyServer() as server, pool_of(server) as pool:
        one, other = pool.client("one"), pool.client("two")
        async with one:
            await ask("", one)
        with pytest.raises(UsageError, match="closed"):
            await ask("", one)
        assert await ask("", other) == 200
        assert {request.connection for request in server.requests} == {1}


@virtually
async def test_closing_the_pool_ends_what_is_under_way_of_every_client_and_view():
    """Also where the client itself has been dropped, and only a view or a resource of it is in use."""
    async with ManyServer(slow={"slow": 99}) as server:
        pool = pool_of(server)
        calls = [
            ask("", pool.client("slow")),
            ask("", pool.client("slow").with_options(timeout=80)),
            pool.client("slow").appointment_types.list().first(),
        ]
        tasks = [asyncio.create_task(call) for call in calls]
        await server.read(3)
        gc.collect()
        await pool.aclose()
        for task in tasks:
            with pytest.raises(UsageError, match="closed"):
                await task
        assert session_of(pool).closed
        await pool.aclose()
    assert now() < 1001


@virtually
async def test_a_create_cut_short_by_closing_the_pool_has_an_unknown_outcome():
    async with ManyServer(slow={"slow": 99}) as server:
        pool = pool_of(server)
        task = asyncio.create_task(pool.client("slow").taxes.create(name="GST", rate=10))
        await server.read(1)
        await pool.aclose()
        with pytest.raises(OutcomeUnknownError):
            await task


@virtually
async def test_a_create_that_waited_for_a_connection_was_not_sent():
    async with ManyServer(slow={"slow": 9}) as server, pool_of(server, per_account=1) as pool:
        before = asyncio.create_task(ask("", pool.client("slow")))
        await server.read(1)
        with pytest.raises(ClinikoError, match="deadline") as caught:
            await pool.client("slow", deadline=5).taxes.create(name="GST", rate=10)
        assert not isinstance(caught.value, OutcomeUnknownError)
        await before
        assert server.asked == ["slow"]


@virtually
async def test_a_session_that_is_given_is_used_and_stays_open():
    """With its own connector, whose limit is the user's."""
    async with ManyServer() as server, aiohttp.ClientSession(headers={"X-Of": "the user"}) as session:
        async with pool_of(server, session=session) as pool:
            assert await ask("", pool.client("one")) == 200
            done = await finished(pool.run(ask, keys(3)))
            assert [each.result for each in done.values()] == [200] * 3
        assert not session.closed
        assert {request.headers["x-of"] for request in server.requests} == {"the user"}
        assert dict(session.headers) == {"X-Of": "the user"}


async def test_a_session_that_cannot_be_used_is_refused():
    for options in ({"headers": {"Authorization": "Basic key"}}, {"base_url": "http://localhost"}):
        async with aiohttp.ClientSession(**options) as session:
            with pytest.raises(ConfigurationError, match="has its own"):
                AccountPool(**WHO, session=session)
    async with aiohttp.ClientSession() as session:
        pass
    with pytest.raises(ConfigurationError, match="closed"):
        AccountPool(**WHO, session=session)


def test_a_session_that_is_given_makes_its_loop_that_of_the_pool():
    async def made():
        session = aiohttp.ClientSession()
        return AccountPool(**WHO, session=session), session

    async def client(pool):
        return pool.client(KEY)

    with asyncio.Runner() as first, asyncio.Runner() as second:
        pool, session = first.run(made())
        with pytest.raises(UsageError, match="another event loop"):
            second.run(client(pool))
        first.run(session.close())


@virtually
async def test_a_closed_pool_raises_a_usage_error():
    async with AccountPool(**WHO) as pool:
        pass
    with pytest.raises(UsageError, match="the pool is closed"):
        pool.client(KEY)
    with pytest.raises(UsageError, match="the pool is closed"):
        await pool.__aenter__()
    with pytest.raises(UsageError, match="the pool is closed"):
        await anext(pool.run(ask, keys(3)))


@virtually
async def test_files_go_up_and_down_by_a_client_of_a_pool():
    async with Sandbox(clock=now, wall=now) as sandbox, pool_of(sandbox) as pool:
        cliniko = pool.client(sandbox.api_key)
        patient = await cliniko.patients.create(first_name="Kim", last_name="Day")
        kept = await cliniko.patient_attachments.upload(patient.id, b"%PDF-1.7", filename="referral.pdf")
        async with cliniko.patient_attachments.download(kept) as file:
            assert await file.read() == b"%PDF-1.7"
        await settle_down()
        assert connections_in_use(pool) == 0


# No account delays another.


@virtually
async def test_a_slow_account_delays_no_other():
    """It has at most its share of the connections, and the others finish as soon as without it."""

    async def many_at_once(account, cliniko):
        await asyncio.gather(*(cliniko.request("GET", ASKED) for _ in range(5)))
        return now()

    taken = {}
    for slow in ((), ("slow",)):
        async with ManyServer(slow={"slow": 30}) as server, pool_of(server, connections=10, per_account=2) as pool:
            begun = now()
            done = await finished(pool.run(many_at_once, keys(8, *slow)))
            taken[bool(slow)] = max(each.result - begun for name, each in done.items() if name != "slow")
    # 40 requests of 0.1 s: by ten connections, and by the eight that the slow one leaves; the last ones go alone.
    assert 0.39 < taken[False] < 0.55
    assert 0.39 < taken[True] < 0.65


@virtually
async def test_slow_accounts_lose_their_connections_to_waiting_ones():
    slow = [f"slow {number}".replace(" ", "-") for number in range(4)]

    async def all_at_once(account, cliniko):
        await asyncio.gather(*(cliniko.request("GET", ASKED) for _ in range(20)))
        return now()

    async with ManyServer(slow=dict.fromkeys(slow, 30)) as server, pool_of(server, connections=8) as pool:
        done = await finished(pool.run(all_at_once, keys(20, *slow)))
        others = max(each.result for name, each in done.items() if name not in slow)
        # 400 requests of 0.1 s by eight connections, of which the slow ones have four for half a second.
        assert others - 1000 == pytest.approx(5.3, abs=0.3)


@pytest.mark.parametrize(("status", "error"), [(500, ServerError), (0, TransportError), (401, UnauthorizedError)])
@virtually
async def test_a_failing_account_affects_no_other(status, error):
    async with ManyServer(status={"bad": status}) as server, pool_of(server, connections=2, retry=ONCE) as pool:
        done = await finished(pool.run(ask_often, keys(5, "bad")))
        assert isinstance(done.pop("bad").error, error)
        assert [each.error for each in done.values()] == [None] * 5
        assert server.asked.count("bad") == 1


@virtually
async def test_a_failing_account_holds_no_connection_between_attempts():
    retry = RetryPolicy(attempts=5, wait_initial=60, wait_max=60)
    async with ManyServer(status={"bad": 503}) as server, pool_of(server, connections=1, retry=retry) as pool:
        failing = asyncio.create_task(ask("", pool.client("bad")))
        await server.read(1)
        for _ in range(20):
            await ask("", pool.client("good"))
        assert not failing.done()
        with pytest.raises(ServerError):
            await failing


@virtually
async def test_no_more_is_under_way_than_connections_and_than_the_share_of_an_account():
    async def many_at_once(account, cliniko):
        await asyncio.gather(*(ask_often(account, cliniko) for _ in range(9)))

    async with ManyServer() as server, pool_of(server, connections=7, per_account=3) as pool:
        done = await finished(pool.run(many_at_once, keys(12)))
        assert [each.error for each in done.values()] == [None] * 12
        assert len(server.requests) == 12 * 9 * 5
        assert server.most == 7
        assert max(server.most_of.values()) == 3
        assert server.most_open <= 7


@virtually
async def test_the_same_key_under_two_names_has_one_share():
    async with ManyServer() as server, pool_of(server, per_account=2) as pool:
        clients = [pool.client("same-au1") for _ in range(3)]
        await asyncio.gather(*(ask_often("", client) for client in clients for _ in range(3)))
        assert server.most == 2
        names = {f"name {number}": "same-au1" for number in range(5)}
        assert (await finished(pool.run(ask_often, names))).keys() == names.keys()
        assert server.most == 2


@virtually
async def test_a_wait_for_a_connection_does_not_count_against_the_timeout():
    """Inside the connector it would: each request would get one within three quarters of its timeout, or fail."""
    server = ManyServer(slow=dict.fromkeys(keys(50).values(), 0.4))
    async with server, pool_of(server, connections=2, timeout=0.6, retry=ONCE) as pool:
        done = await finished(pool.run(ask, keys(50)))
        assert [each.error for each in done.values()] == [None] * 50
    assert now() == pytest.approx(1010, abs=0.1)


@virtually
async def test_a_deadline_applies_while_waiting_for_a_connection_and_the_slot_is_freed():
    async with ManyServer(slow={"slow": 30}) as server, pool_of(server, per_account=1) as pool:
        slow = asyncio.create_task(ask("", pool.client("slow")))
        await server.read(1)
        with pytest.raises(ClinikoError, match="deadline"):
            await ask("", pool.client("slow", deadline=5))
        assert now() == pytest.approx(1005, abs=0.1)
        await slow
        server.slow.clear()
        assert await ask("", pool.client("slow", deadline=5)) == 200


# A run.


@virtually
async def test_outcomes_come_as_each_job_ends_with_its_result_or_its_error():
    async def job(account, cliniko):
        seconds = {"slow": 3, "quick": 1, "bad": 2}[account]
        await asyncio.sleep(seconds)
        if account == "bad":
            raise ValueError(account)
        return seconds

    async with AccountPool(**WHO) as pool:
        done = [each async for each in pool.run(job, {"slow": "a", "bad": "b", "quick": "c"})]
    assert [each.account for each in done] == ["quick", "bad", "slow"]
    assert [each.result for each in done] == [1, None, 3]
    assert [type(each.error) for each in done] == [type(None), ValueError, type(None)]
    assert done[0] == AccountResult("quick", result=1)


@virtually
async def test_a_job_that_returns_none_succeeds():
    async def job(account, cliniko):
        pass

    async with AccountPool(**WHO) as pool:
        assert await finished(pool.run(job, {"a": "key"})) == {"a": AccountResult("a", None, None)}
        assert await finished(pool.run(job, {})) == {}
        assert isinstance((await anext(pool.run(lambda *_: None, {"a": "key"}))).error, TypeError)


@pytest.mark.parametrize("concurrency", [1, 3, 1000])
@virtually
async def test_concurrency_limits_the_jobs_under_way_and_the_open_clients(concurrency):
    clients: list[Cliniko] = []
    most = 0

    async def job(account, cliniko):
        nonlocal most
        clients.append(cliniko)
        await asyncio.sleep(1)
        most = max(most, sum(not manager_of(client).calls.closed for client in clients))

    async with AccountPool(**WHO) as pool:
        assert len(await finished(pool.run(job, keys(10), concurrency=concurrency))) == 10
    assert most == min(concurrency, 10)
    assert all(manager_of(client).calls.closed for client in clients)


@virtually
async def test_a_slow_reader_slows_the_jobs_down():
    """Otherwise results would pile up without bound."""
    begun = 0

    async def job(account, cliniko):
        nonlocal begun
        begun += 1

    async with AccountPool(**WHO) as pool:
        outcomes = pool.run(job, keys(100), concurrency=5)
        await anext(outcomes)
        await asyncio.sleep(60)
        assert begun == 5
        await anext(outcomes)
        await asyncio.sleep(60)
        assert begun == 6


@virtually
async def test_nothing_is_kept_of_an_account_whose_outcome_was_handed_out():
    async with AccountPool(**WHO, limiter=lambda _: SlidingWindowLimiter(period=1e-9)) as pool:
        most = [max(accounts_in(pool)) async for _ in pool.run(_nothing, keys(300), concurrency=4)]
        assert len(most) == 300
        assert max(most) < 12


async def _nothing(account, cliniko):
    return None


@virtually
async def test_a_key_that_cannot_work_ends_its_account_alone():
    async with ManyServer() as server, pool_of(server) as pool:
        done = await finished(pool.run(ask, {"bad": "a key", "good": "key"}))
    assert isinstance(done["bad"].error, ConfigurationError)
    assert done["good"].result == 200


@virtually
async def test_a_failing_limiter_factory_affects_its_account_only():
    def limiter(key):
        if key == "bad":
            raise ZeroDivisionError
        return limiter_of()

    async with ManyServer() as server, pool_of(server, limiter=limiter) as pool:
        done = await finished(pool.run(ask, {"first": "one", "bad": "bad", "last": "two"}))
    assert isinstance(done["bad"].error, ZeroDivisionError)
    assert (done["first"].result, done["last"].result) == (200, 200)


@virtually
async def test_no_frame_of_an_error_shows_a_key():
    """Programs that report errors may print the local variables."""
    async with ManyServer(status={KEY: 401}) as server, pool_of(server) as pool:
        done = await finished(pool.run(ask, {"refused": KEY, "bad": f"{KEY} "}))
        found = [each.error for each in done.values()]
        await pool.aclose()
        with pytest.raises(UsageError) as caught:
            await anext(pool.run(ask, {"late": KEY}))
    ours = traceback.walk_tb(caught.value.__traceback__.tb_next)
    for frame in [frame for error in found for frame, _ in traceback.walk_tb(error.__traceback__)]:
        assert KEY not in repr(frame.f_locals)
    for frame, _ in ours:
        assert KEY not in repr(frame.f_locals)


class Torn(Mapping):
    """A mapping that breaks while it is read."""

    def __getitem__(self, name):
        return "key"

    def __len__(self):
        return 3

    def __iter__(self):
        yield from ("a", "b")
        raise LookupError("torn")


@virtually
async def test_a_mapping_that_raises_ends_the_run_after_the_accounts_under_way():
    async with AccountPool(**WHO) as pool:
        outcomes = pool.run(_nothing, Torn())
        assert {(await anext(outcomes)).account, (await anext(outcomes)).account} == {"a", "b"}
        with pytest.raises(LookupError, match="torn"):
            await anext(outcomes)
        with pytest.raises(StopAsyncIteration):
            await anext(outcomes)


async def test_keys_that_are_not_a_mapping_are_refused():
    async with AccountPool(**WHO) as pool:
        with pytest.raises(InvalidRequestError, match="keys must be a mapping"):
            pool.run(_nothing, ["key"])
        with pytest.raises(InvalidRequestError, match="concurrency"):
            pool.run(_nothing, {}, concurrency=0)


@virtually
async def test_closing_a_pool_during_a_run_ends_its_jobs_and_starts_no_more():
    async with ManyServer(slow=dict.fromkeys(keys(9).values(), 30)) as server:
        pool = pool_of(server)
        outcomes = pool.run(ask, keys(9), concurrency=3)
        first = asyncio.create_task(anext(outcomes))
        await server.read(3)
        await pool.aclose()
        done = [await first, await anext(outcomes), await anext(outcomes)]
        assert [type(each.error) for each in done] == [UsageError] * 3
        with pytest.raises(UsageError, match="the pool is closed"):
            await anext(outcomes)
        with pytest.raises(StopAsyncIteration):
            await anext(outcomes)
        assert len(server.requests) == 3


@pytest.mark.parametrize("leave", ["break", "raise", "drop"])
@virtually
async def test_leaving_a_run_leaves_no_task_and_no_connection_behind(leave):
    async with ManyServer(slow=dict.fromkeys(keys(6).values(), 30) | {"quick": 0.1}) as server, pool_of(server) as pool:
        if leave == "drop":
            outcomes = pool.run(ask, {"quick": "quick"} | keys(6))
            await anext(outcomes)
            del outcomes
        else:
            with contextlib.suppress(LookupError):
                async for _ in pool.run(ask, {"quick": "quick"} | keys(6)):
                    assert len(tasks_of_jobs()) == 6
                    if leave == "break":
                        break
                    raise LookupError
                else:
                    pytest.fail("no result came")
        await settle_down()
        assert tasks_of_jobs() == []
        await settle_down()
        assert connections_in_use(pool) == 0


async def test_a_run_that_is_dropped_in_another_thread_takes_its_jobs_along():
    ended = asyncio.Event()

    async def job(account, cliniko):
        if account == "quick":
            return
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    async with AccountPool(**WHO) as pool:
        held = [pool.run(job, {"quick": "a", "slow": "b"})]
        await anext(held[0])
        thread = threading.Thread(target=held.clear)
        thread.start()
        await asyncio.to_thread(thread.join)
        async with asyncio.timeout(30):
            await ended.wait()


def test_a_run_that_outlives_its_loop_is_dropped_without_an_error():
    async def job(account, cliniko):
        if account == "slow":
            await asyncio.sleep(3600)

    async def begun():
        pool = AccountPool(**WHO)
        outcomes = pool.run(job, {"quick": "a", "slow": "b"})
        await anext(outcomes)
        await pool.aclose()
        return outcomes

    outcomes = asyncio.run(begun())
    del outcomes
    gc.collect()


@virtually
async def test_cancelling_the_consumer_of_a_run_cancels_its_jobs_and_waits_for_them():
    ends: list[str] = []

    async def job(account, cliniko):
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(5)
            ends.append(account)

    async with AccountPool(**WHO) as pool:
        outcomes = pool.run(job, keys(3))
        waiting = asyncio.create_task(anext(outcomes))
        await asyncio.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert sorted(ends) == sorted(keys(3))
        assert tasks_of_jobs() == []
        with pytest.raises(StopAsyncIteration):
            await anext(outcomes)


@virtually
async def test_a_job_that_waits_for_what_is_cancelled_ends_alone():
    async def job(account, cliniko):
        if account == "clinic 1":
            raise asyncio.CancelledError
        return account

    async with AccountPool(**WHO) as pool:
        done = await finished(pool.run(job, keys(3)))
    assert isinstance(done.pop("clinic 1").error, UsageError)
    assert [each.error for each in done.values()] == [None, None]


@virtually
async def test_a_job_cancelled_from_outside_ends_the_run_with_its_cancellation():
    async def job(account, cliniko):
        if account == "clinic 1":
            asyncio.current_task().cancel()
        await asyncio.sleep(3600)

    async with AccountPool(**WHO) as pool:
        outcomes = pool.run(job, keys(3))
        with pytest.raises(asyncio.CancelledError):
            await anext(outcomes)
        assert tasks_of_jobs() == []
        with pytest.raises(StopAsyncIteration):
            await anext(outcomes)
        alone = pool.run(job, {"clinic 1": "key"})
        with pytest.raises(asyncio.CancelledError):
            await anext(alone)


@virtually
async def test_closing_a_run_cancels_its_jobs_waits_for_their_end_and_starts_no_more():
    begun: list[str] = []
    ends: list[str] = []

    async def job(account, cliniko):
        begun.append(account)
        if account == "clinic 0":
            return
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(5)
            ends.append(account)

    async with AccountPool(**WHO) as pool:
        async with contextlib.aclosing(pool.run(job, keys(9), concurrency=3)) as outcomes:
            await anext(outcomes)
            waiting = asyncio.create_task(anext(outcomes, None))
            await settle_down()
        assert sorted(ends) == sorted(begun)[1:] == ["clinic 1", "clinic 2", "clinic 3"]
        assert now() == 1005
        assert await waiting is None
        assert tasks_of_jobs() == []
        await outcomes.aclose()
        assert await anext(outcomes, None) is None


@virtually
async def test_a_run_that_is_closed_twice_at_once_or_before_it_began_is_closed():
    async def job(account, cliniko):
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(5)

    async with AccountPool(**WHO) as pool:
        unused = pool.run(job, keys(3))
        await unused.aclose()
        assert await anext(unused, None) is None
        outcomes = pool.run(job, keys(3))
        reading = asyncio.create_task(anext(outcomes, None))
        await settle_down()
        await asyncio.gather(outcomes.aclose(), outcomes.aclose())
        assert (now(), tasks_of_jobs()) == (1005, [])
        assert await reading is None


def test_a_run_is_closed_in_its_own_loop():
    async def job(account, cliniko):
        if account != "quick":
            await asyncio.sleep(3600)

    async def begun():
        pool = AccountPool(**WHO)
        outcomes = pool.run(job, {"quick": "a", "slow": "b"})
        await anext(outcomes)
        return pool, outcomes

    with asyncio.Runner() as first, asyncio.Runner() as second:
        pool, outcomes = first.run(begun())
        with pytest.raises(UsageError, match="another event loop"):
            second.run(outcomes.aclose())
        first.run(outcomes.aclose())
        first.run(pool.aclose())


class Fatal(BaseException):
    """An error that is not an `Exception`."""


@virtually
async def test_a_base_exception_ends_the_run_and_is_raised():
    async def job(account, cliniko):
        if account == "clinic 1":
            raise Fatal
        await asyncio.sleep(3600)

    async with AccountPool(**WHO) as pool:
        with pytest.raises(Fatal):
            await finished(pool.run(job, keys(3)))
        await settle_down()
        assert tasks_of_jobs() == []


def test_a_keyboard_interrupt_in_a_job_ends_the_program():
    async def job(account, cliniko):
        await asyncio.sleep(1)
        raise KeyboardInterrupt

    async def main():
        async with AccountPool(**WHO) as pool:
            await finished(pool.run(job, keys(1)))

    with pytest.raises(KeyboardInterrupt):
        run(main())


@virtually
async def test_two_tasks_reading_one_run_raise_a_usage_error_and_neither_waits_forever():
    async def job(account, cliniko):
        await asyncio.sleep(1)

    async with AccountPool(**WHO) as pool:
        outcomes = pool.run(job, keys(1))
        first = asyncio.create_task(anext(outcomes))
        await settle_down()
        with pytest.raises(UsageError, match="one task"):
            await anext(outcomes)
        assert (await first).account == "clinic 0"


@virtually
async def test_two_runs_at_once_share_the_connections():
    async with ManyServer() as server, pool_of(server, connections=3) as pool:
        await asyncio.gather(finished(pool.run(ask_often, keys(10))), finished(pool.run(ask_often, keys(10))))
        assert server.most == 3
        assert len(server.requests) == 100


@virtually
async def test_a_job_may_close_its_own_client():
    async def job(account, cliniko):
        await cliniko.aclose()
        return account

    async with AccountPool(**WHO) as pool:
        assert (await finished(pool.run(job, {"a": "key"})))["a"].result == "a"
