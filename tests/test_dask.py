"""The jobs of accounts on a cluster: each comes out once, whichever worker dies, and none outlives who asked for it."""

import asyncio
import contextlib
import dataclasses
import functools
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import Client, Future, LocalCluster, Reschedule
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker
from redis.asyncio import Redis

from cliniko_async import ConfigurationError, InvalidRequestError, UsageError
from cliniko_async.integrations import dask as adapter
from cliniko_async.integrations.dask import AccountRun, AccountRuns, Workshop, run_accounts
from cliniko_async.sandbox import Sandbox
from tests.support import cluster
from tests.support.redis_server import RedisServer

SOON = 60.0


async def until(reached: Callable[[], Any]) -> Any:
    """Wait for a condition, which may be awaitable, and give what it became."""
    async with asyncio.timeout(SOON):
        while True:
            found = reached()
            if isinstance(found, Awaitable):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def workers(count: int = 1, threads: int = 1, *, processes: bool = False) -> AsyncIterator[Client]:
    """A client of a cluster on this machine; its workers are processes, or live in this one."""
    options: dict[str, Any] = {"n_workers": count, "threads_per_worker": threads, "processes": processes}
    if not processes:
        options["protocol"] = "tcp"
    # Without an address Dask takes a port of its own choice, which another cluster may have.
    options |= {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "scheduler_kwargs": {"dashboard": False}}
    async with (
        LocalCluster(**options, asynchronous=True) as local,
        Client(local, asynchronous=True) as client,
    ):
        yield client


@pytest.fixture
async def dask_client() -> AsyncIterator[Client]:
    async with workers() as client:
        yield client


def threads_of_the_library() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "cliniko_async"]


# Processes, one of which is killed.


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@contextlib.asynccontextmanager
async def sandboxes(count: int) -> AsyncIterator[dict[str, Sandbox]]:
    async with contextlib.AsyncExitStack() as stack:
        yield {
            f"clinic {seed}": await stack.enter_async_context(
                Sandbox(seed, appointment_types=40, limit=cluster.LIMIT, period=cluster.PERIOD, window="sliding")
            )
            for seed in range(1, count + 1)
        }


async def kill_one_that_stands(redis: Redis) -> list[str]:
    """Kill a worker in the middle of its accounts' second page, let the others go on, and say whose accounts it had."""
    standing = await until(lambda: several(redis))
    victim = int(next(iter(standing.values())))
    os.kill(victim, signal.SIGKILL)
    await redis.set("go", 1)
    return [account.decode() for account, pid in standing.items() if int(pid) == victim]


async def several(redis: Redis) -> dict[bytes, bytes] | None:
    standing = await redis.hgetall("standing")
    return standing if len(standing) >= 3 else None


async def copied_by_transactions(site: cluster.Site, redis: Redis, account: str) -> list[str]:
    return cluster.Books(site.folder).ids(account)


async def copied_by_id(site: cluster.Site, redis: Redis, account: str) -> list[str]:
    return [each.decode() for each in await redis.hkeys(f"rows {account}")]


@pytest.mark.parametrize(
    ("job", "workshop", "copied"),
    [
        (cluster.copy_into_books, cluster.bookkeeping, copied_by_transactions),
        (cluster.copy_by_id, cluster.upserting, copied_by_id),
    ],
    ids=["rows and cursor in one transaction", "rows by id, then the cursor in Redis"],
)
async def test_a_worker_that_is_killed_loses_nothing_doubles_nothing_and_meets_no_429(
    job, workshop, copied, redis_server: RedisServer, tmp_path: Path
):
    site = cluster.Site(redis_server.url, tmp_path)
    async with (
        sandboxes(7) as accounts,
        Redis.from_url(redis_server.url) as redis,
        workers(3, 2, processes=True) as client,
    ):
        site.write_keys(accounts)
        runs = run_accounts(client, job, accounts, workshop=functools.partial(workshop, site), concurrency=2)
        killing = asyncio.create_task(kill_one_that_stands(redis))
        outcomes = [each async for each in runs]
        assert [each.error for each in outcomes] == [None] * 7
        assert sorted(each.account for each in outcomes) == sorted(accounts)
        for account, sandbox in accounts.items():
            rows = await copied(site, redis, account)
            assert sorted(rows) == sorted(kind["id"] for kind in sandbox.all("appointment_types"))
        assert sum(sandbox.budget.refused for sandbox in accounts.values()) == 0
        for account in await killing:
            (first, _, begin), (second, _, resumed) = map(json.loads, await redis.lrange(f"begun {account}", 0, -1))
            assert begin is None
            assert resumed is not None
            assert first != second
            # Eight pages, the end, and the one that was under way twice: not all of them twice.
            assert len(accounts[account].requests) < 14
        logs = str(await client.get_worker_logs()) + str(await client.get_scheduler_logs())
        assert "cliniko_async-" in logs
        assert [each for each in accounts.values() if each.api_key in logs] == []
        assert "clinic 1" not in logs


async def test_an_account_that_kills_its_workers_comes_out_as_an_error_and_the_next_one_is_served():
    """A worker that its nanny started again has a workshop too."""
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        async with workers(1, processes=True) as client:
            accounts = ["poison", "north"]
            runs = run_accounts(client, cluster.own_process, accounts, workshop=cluster.bare, concurrency=1)
            poison, north = [each async for each in runs]
    assert isinstance(poison.error, KilledWorker)
    assert north.error is None
    assert north.result not in (None, os.getpid())


# Workers in this process, so that a job can be looked at from outside.


@dataclasses.dataclass
class Here:
    """Something of this process, which travels to its workers and stays what it is."""

    name: int

    def __call__(self, *args: Any) -> Any:
        return HERE[self.name](*args)


HERE: dict[int, Any] = {}


def here(thing: Callable[..., Any]) -> Here:
    HERE[id(thing)] = thing
    return Here(id(thing))


class Hall:
    """A job that stays until it is let go, and what was seen of it."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.ended: list[str] = []
        self.cancelled: list[str] = []
        self.most = 0
        self.open = threading.Event()

    async def job(self, run: AccountRun) -> str:
        self.inside.append(run.account)
        self.most = max(self.most, len(self.inside))
        try:
            while not self.open.is_set():  # noqa: ASYNC110  (it is set in another loop)
                await asyncio.sleep(0.01)
            self.ended.append(run.account)
        except asyncio.CancelledError:
            self.cancelled.append(run.account)
            raise
        finally:
            self.inside.remove(run.account)
        return f"done with {run.account}"


def enter(
    client: Client, job: Callable[..., Any], accounts, workshop=cluster.bare, concurrency: int = 50
) -> AccountRuns:
    return run_accounts(client, here(job), accounts, workshop=workshop, concurrency=concurrency)


async def plugins_of(client: Client) -> list[str]:
    found = await client.run(lambda dask_worker: [name for name in dask_worker.plugins if "cliniko" in name])
    return [name for names in found.values() for name in names]


async def test_each_account_comes_out_once_and_one_that_fails_does_so_alone(dask_client: Client):
    async def job(run: AccountRun) -> str:
        if run.account == "3":
            raise ValueError("about a patient")
        return run.account * 2

    outcomes = {each.account: each async for each in enter(dask_client, job, map(str, range(40)))}
    assert len(outcomes) == 40
    error = outcomes.pop("3").error
    assert isinstance(error, ValueError)
    assert {account: each.result for account, each in outcomes.items()} == {each: each * 2 for each in outcomes}


async def test_what_a_job_ends_with_is_in_no_log(dask_client: Client):
    async def job(run: AccountRun) -> str:
        raise ValueError("about a patient")

    assert [str(each.error) async for each in enter(dask_client, job, ["north road"])] == ["about a patient"]
    logs = str(await dask_client.get_worker_logs()) + str(await dask_client.get_scheduler_logs())
    assert "about a patient" not in logs
    assert "north road" not in logs


async def test_many_are_under_way_on_one_slot_and_never_more_than_at_once(dask_client: Client):
    hall = Hall()
    runs = enter(dask_client, hall.job, map(str, range(10)), concurrency=4)
    first = asyncio.ensure_future(anext(runs))
    await until(lambda: len(hall.inside) == 4)
    hall.open.set()
    rest = [await first, *[each async for each in runs]]
    assert len({each.account for each in rest}) == len(rest) == 10
    assert hall.most == 4


async def test_a_worker_has_no_more_than_at_once_even_when_the_other_one_is_gone():
    """The accounts of a worker that left wait for room at those that stay."""
    hall = Hall()
    async with workers(2) as client:
        runs = enter(client, hall.job, map(str, range(6)), concurrency=3)
        first = asyncio.ensure_future(anext(runs))
        await until(lambda: len(hall.inside) >= 4)
        leaving = next(iter(client.cluster.workers.values()))
        await leaving.close()
        hall.most = 0
        await until(lambda: len(hall.inside) == 3)
        hall.open.set()
        assert sorted([(await first).account, *[each.account async for each in runs]]) == list("012345")
    assert hall.cancelled
    assert hall.most <= 3


async def test_accounts_that_wait_at_a_full_worker_go_to_one_that_joins():
    hall = Hall()
    async with workers(2) as client:
        runs = enter(client, hall.job, map(str, range(4)), concurrency=2)
        first = asyncio.ensure_future(anext(runs))
        await until(lambda: len(hall.inside) == 4)
        await next(iter(client.cluster.workers.values())).close()
        await until(lambda: len(hall.cancelled) == 2)
        client.cluster.scale(3)
        await until(lambda: len(hall.inside) == 4)
        hall.open.set()
        assert sorted([(await first).account, *[each.account async for each in runs]]) == list("0123")


async def test_a_job_that_cannot_be_sent_is_an_error_of_the_run(dask_client: Client):
    lock = threading.Lock()

    async def job(run: AccountRun) -> bool:
        return lock.locked()

    runs = run_accounts(dask_client, job, "a", workshop=cluster.bare)
    for _ in range(2):
        with pytest.raises(TypeError, match="pickle"):
            await anext(runs)


async def test_accounts_are_taken_from_their_source_as_there_is_room(dask_client: Client):
    hall, taken = Hall(), []
    hall.open.set()
    accounts = (taken.append(number) or str(number) for number in range(100))
    runs = enter(dask_client, hall.job, accounts, concurrency=5)
    assert taken == []
    for count in range(1, 10):
        await anext(runs)
        assert len(taken) < count + 5
    await runs.aclose()


async def test_leaving_cancels_the_jobs_and_leaves_nothing_on_the_workers(dask_client: Client):
    hall = Hall()
    runs = enter(dask_client, hall.job, "abc")
    first = asyncio.ensure_future(anext(runs))
    await until(lambda: len(hall.inside) == 3)
    first.cancel()
    await runs.aclose()
    assert sorted(hall.cancelled) == ["a", "b", "c"]
    assert threads_of_the_library() == []
    assert await plugins_of(dask_client) == []
    with pytest.raises(StopAsyncIteration):
        await anext(runs)


async def test_breaking_out_cancels_the_jobs_too(dask_client: Client):
    hall = Hall()

    async def job(run: AccountRun) -> str:
        return "at once" if run.account == "first" else await hall.job(run)

    async for each in enter(dask_client, job, ["first", *"abc"]):
        assert each.result == "at once"
        await until(lambda: len(hall.inside) == 3)
        break
    await until(lambda: len(hall.cancelled) == 3)
    await until(lambda: not threads_of_the_library())

    async def alone() -> bool:
        return not await plugins_of(dask_client)

    await until(alone)


async def test_two_who_take_from_one_run_get_each_outcome_once(dask_client: Client):
    hall = Hall()
    hall.open.set()
    runs = enter(dask_client, hall.job, map(str, range(9)))

    async def take() -> list[str]:
        return [each.account async for each in runs]

    one, other = await asyncio.gather(take(), take())
    assert sorted(one + other) == list("012345678")


async def test_leaving_ends_the_wait_of_somebody_else(dask_client: Client):
    hall = Hall()
    runs = enter(dask_client, hall.job, "abc")
    waiting = asyncio.create_task(anext(runs, "nothing more"))
    await until(lambda: len(hall.inside) == 3)
    await runs.aclose()
    assert await waiting == "nothing more"


async def test_leaving_twice_or_before_the_first_outcome_does_nothing(dask_client: Client):
    runs = enter(dask_client, Hall().job, "abc")
    for _ in range(2):
        await runs.aclose()
    assert [each async for each in runs] == []
    assert await plugins_of(dask_client) == []


async def test_a_consumer_that_is_cancelled_takes_the_jobs_with_it(dask_client: Client):
    hall = Hall()

    async def consume() -> None:
        async for _ in enter(dask_client, hall.job, "abc"):
            pass

    task = asyncio.create_task(consume())
    await until(lambda: len(hall.inside) == 3)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    del task
    await until(lambda: len(hall.cancelled) == 3)


async def test_a_client_that_is_gone_takes_the_jobs_with_it():
    hall = Hall()
    async with workers() as client:
        async with Client(client.cluster, asynchronous=True, set_as_default=False) as other:
            runs = enter(other, hall.job, "abc")
            first = asyncio.ensure_future(anext(runs))
            await until(lambda: len(hall.inside) == 3)
        await until(lambda: len(hall.cancelled) == 3)
        outcomes = [await first, *[each async for each in runs]]
    assert sorted(each.account for each in outcomes) == ["a", "b", "c"]
    assert {type(each.error) for each in outcomes} == {FutureCancelledError}


async def test_what_comes_after_the_cluster_is_gone_ends_with_an_error_each():
    hall = Hall()
    async with workers() as client:
        runs = enter(client, hall.job, "abcd", concurrency=2)
        first = asyncio.ensure_future(anext(runs))
        await until(lambda: len(hall.inside) == 2)
    outcomes = [await first, *[each async for each in runs]]
    assert sorted(each.account for each in outcomes) == ["a", "b", "c", "d"]
    assert [each for each in outcomes if each.error is None] == []


async def test_a_task_that_somebody_else_cancels_is_the_error_of_its_account(dask_client: Client):
    hall = Hall()
    runs = enter(dask_client, hall.job, "ab", concurrency=1)
    first = asyncio.ensure_future(anext(runs))
    await until(lambda: hall.inside == ["a"])
    await dask_client.cancel([Future(key, dask_client) for key in dask_client.futures])
    assert isinstance((await first).error, FutureCancelledError)
    await until(lambda: hall.cancelled == ["a"])
    hall.open.set()
    assert [each.result async for each in runs] == ["done with b"]


async def test_a_job_that_is_cancelled_from_within_is_an_error_and_is_not_begun_again(dask_client: Client):
    async def job(run: AccountRun) -> None:
        raise asyncio.CancelledError

    (outcome,) = [each async for each in enter(dask_client, job, "a")]
    assert isinstance(outcome.error, UsageError)


class UnreadableError(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(one)


@pytest.mark.parametrize("what", [threading.Lock, lambda: UnreadableError("a", "b")], ids=["lock", "error"])
async def test_what_cannot_travel_is_the_error_of_its_account(dask_client: Client, what):
    async def job(run: AccountRun) -> object:
        thing = what()
        if isinstance(thing, Exception):
            raise thing
        return thing

    (outcome,) = [each async for each in enter(dask_client, job, "a")]
    assert isinstance(outcome.error, UsageError)
    assert "TypeError" in str(outcome.error)


async def test_runs_do_not_mix(dask_client: Client):
    """Two at the same time, each with the tools of its own workshop."""

    def workshop_with(tool: str) -> Here:
        @contextlib.asynccontextmanager
        async def opened() -> AsyncIterator[Workshop[str]]:
            yield Workshop(client=cluster.nobodys_client, cursors=cluster.NoCursors(), tools=tool)

        return here(opened)

    async def job(run: AccountRun[str]) -> str:
        return run.tools

    async def run(tool: str) -> set[str]:
        return {each.result async for each in enter(dask_client, job, map(str, range(20)), workshop_with(tool))}

    assert await asyncio.gather(run("saw"), run("plane")) == [{"saw"}, {"plane"}]


@contextlib.asynccontextmanager
async def workshop_without_tools() -> AsyncIterator[Workshop]:
    raise OSError("no tools")
    yield


async def test_a_workshop_that_cannot_be_opened_is_the_error_of_each_account(dask_client: Client):
    outcomes = [each async for each in enter(dask_client, Hall().job, "abc", workshop_without_tools)]
    assert [str(each.error) for each in outcomes] == ["no tools"] * 3


async def test_the_run_can_save_its_cursor_until_it_is_taken_over(dask_client: Client):
    async def job(run: AccountRun) -> None:
        await run.save("anything")

    (outcome,) = [each async for each in enter(dask_client, job, "a")]
    assert isinstance(outcome.error, UsageError)
    assert str(outcome.error) == "taken over"


def test_a_run_that_was_left_in_a_loop_that_is_closed_is_forgotten():
    left = []

    async def leave() -> None:
        async with workers() as client:
            left.append(enter(client, Hall().job, "a"))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(anext(left[0]), 0.1)

    asyncio.run(leave())
    left.clear()


async def test_a_task_that_nobody_wants_any_more_is_not_even_begun(dask_client: Client):
    """Dask says so while the thread that would run it is on its way."""
    hall = Hall()
    plugin = adapter._RunnerPlugin("run", here(hall.job), cluster.bare, 1)
    plugin.setup(None)
    plugin.transition("run-1", "executing", "released")
    for other in [
        ("another", "executing", "released"),
        ("run-2", "waiting", "released"),
        ("run-2", "executing", "memory"),
    ]:
        plugin.transition(*other)
    with pytest.raises(Reschedule):
        plugin.run(adapter._TaskSpec("a", "run", "run-1"))
    assert plugin._unwanted == set()
    await plugin.teardown(None)


# What is refused.


async def test_a_client_that_is_not_asynchronous_is_refused(dask_client: Client):
    address = dask_client.scheduler.address

    def refused() -> None:
        with Client(address, set_as_default=False) as client, pytest.raises(InvalidRequestError, match="asynchronous"):
            run_accounts(client, cluster.own_process, "a", workshop=cluster.bare)

    await asyncio.to_thread(refused)


async def test_less_than_one_at_once_is_refused(dask_client: Client):
    with pytest.raises(InvalidRequestError, match="concurrency"):
        run_accounts(dask_client, cluster.own_process, "a", workshop=cluster.bare, concurrency=0)


async def test_a_plain_for_is_refused(dask_client: Client):
    with pytest.raises(TypeError, match="async for"):
        iter(run_accounts(dask_client, cluster.own_process, "a", workshop=cluster.bare))


def test_the_library_is_imported_without_dask():
    code = "import cliniko_async, sys; print({'dask', 'distributed', 'redis'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], encoding="utf-8").strip() == "set()"


def test_without_dask_the_adapter_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "cliniko_async.integrations.dask")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigurationError, match=r"cliniko-async\[dask\]"):
        importlib.import_module("cliniko_async.integrations.dask")
