"""The jobs of accounts on a cluster: each is yielded once, whichever worker dies, and none outlives its run."""

import asyncio
import contextlib
import dataclasses
import functools
import gc
import importlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import types
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import Client, Future, LocalCluster, Reschedule, Scheduler, Worker
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker
from redis.asyncio import Redis

from cliniko_async import InvalidRequestError, UsageError, integrations
from cliniko_async.cursors import RedisCursors
from cliniko_async.integrations import _pickling
from cliniko_async.integrations._dask_worker import Assignment
from cliniko_async.integrations.dask import AccountRun, AccountRuns, WorkerContext, run_accounts
from cliniko_async.sandbox import Sandbox
from tests.support import cluster
from tests.support.inside import dask_task
from tests.support.paths import ROOT
from tests.support.redis_server import RedisServer

SOON = 60.0


async def until(reached: Callable[[], Any]) -> Any:
    """Wait until a condition, which may be awaitable, is true, and return its value."""
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
    """A client of a cluster on this machine, whose workers are processes or run in this one."""
    options: dict[str, Any] = {"n_workers": count, "threads_per_worker": threads, "processes": processes}
    if not processes:
        options["protocol"] = "tcp"
    # Without an address, Dask chooses a port that another cluster may be using.
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


async def kill_a_waiting_worker(redis: Redis) -> list[str]:
    """Kill a worker while its accounts wait for their second page, and return the accounts that it had."""
    standing = await until(lambda: several(redis))
    victim = int(next(iter(standing.values())))
    os.kill(victim, signal.SIGKILL)
    await redis.set("go", 1)
    return [account.decode() for account, pid in standing.items() if int(pid) == victim]


async def several(redis: Redis) -> dict[bytes, bytes] | None:
    standing = await redis.hgetall("standing")
    return standing if len(standing) >= 3 else None


async def copied_by_transactions(site: cluster.Site, redis: Redis, account: str) -> list[str]:
    return cluster.Ledgers(site.folder).ids(account)


async def copied_by_id(site: cluster.Site, redis: Redis, account: str) -> list[str]:
    return [each.decode() for each in await redis.hkeys(f"rows {account}")]


@pytest.mark.parametrize(
    ("job", "context", "copied"),
    [
        (cluster.copy_in_transactions, cluster.transactional, copied_by_transactions),
        (cluster.copy_by_id, cluster.upserting, copied_by_id),
    ],
    ids=["rows and cursor in one transaction", "rows by id, then the cursor in Redis"],
)
async def test_a_killed_worker_loses_nothing_duplicates_nothing_and_causes_no_429(
    job, context, copied, redis_server: RedisServer, tmp_path: Path
):
    site = cluster.Site(redis_server.url, tmp_path)
    async with (
        sandboxes(7) as accounts,
        Redis.from_url(redis_server.url) as redis,
        workers(3, 2, processes=True) as client,
    ):
        site.write_keys(accounts)
        runs = run_accounts(client, job, accounts, context=functools.partial(context, site), concurrency=2)
        killing = asyncio.create_task(kill_a_waiting_worker(redis))
        outcomes = [each async for each in runs]
        assert [each.error for each in outcomes] == [None] * 7
        assert sorted(each.account for each in outcomes) == sorted(accounts)
        for account, sandbox in accounts.items():
            rows = await copied(site, redis, account)
            assert sorted(rows) == sorted(row["id"] for row in sandbox.all("appointment_types"))
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


async def test_an_account_that_kills_its_workers_is_yielded_with_an_error_and_the_next_one_is_served():
    """A worker that its nanny restarted has a context too."""
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        async with workers(1, processes=True) as client:
            accounts = ["poison", "north"]
            runs = run_accounts(client, cluster.own_process, accounts, context=cluster.bare, concurrency=1)
            poison, north = [each async for each in runs]
    assert isinstance(poison.error, KilledWorker)
    assert north.error is None
    assert north.result not in (None, os.getpid())


# Workers in this process, so that a test can observe their jobs.


@dataclasses.dataclass
class LocalFunction:
    """A function of this process, pickled by its id, so that the workers in this process call the same object."""

    name: int

    def __call__(self, *args: Any) -> Any:
        return LOCAL[self.name](*args)


LOCAL: dict[int, Any] = {}


def local(thing: Callable[..., Any]) -> LocalFunction:
    LOCAL[id(thing)] = thing
    return LocalFunction(id(thing))


class HeldJobs:
    """Jobs that run until they are released, and a record of them."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.ended: list[str] = []
        self.cancelled: list[str] = []
        self.most = 0
        self.released = threading.Event()

    async def job(self, run: AccountRun) -> str:
        self.running.append(run.account)
        self.most = max(self.most, len(self.running))
        try:
            while not self.released.is_set():  # noqa: ASYNC110  (it is set in another loop)
                await asyncio.sleep(0.01)
            self.ended.append(run.account)
        except asyncio.CancelledError:
            self.cancelled.append(run.account)
            raise
        finally:
            self.running.remove(run.account)
        return f"done with {run.account}"


def run_here(client: Client, job: Callable[..., Any], accounts, context=cluster.bare, **options: Any) -> AccountRuns:
    return run_accounts(client, local(job), accounts, context=context, **options)


async def plugins_of(client: Client) -> list[str]:
    found = await client.run(lambda dask_worker: [name for name in dask_worker.plugins if "cliniko" in name])
    return [name for names in found.values() for name in names]


async def test_each_account_is_yielded_once_and_one_that_fails_affects_no_other(dask_client: Client):
    async def job(run: AccountRun) -> str:
        if run.account == "3":
            raise ValueError("about a patient")
        return run.account * 2

    outcomes = {each.account: each async for each in run_here(dask_client, job, map(str, range(40)))}
    assert len(outcomes) == 40
    error = outcomes.pop("3").error
    assert isinstance(error, ValueError)
    assert {account: each.result for account, each in outcomes.items()} == {each: each * 2 for each in outcomes}


async def test_the_error_of_a_job_is_in_no_log(dask_client: Client):
    async def job(run: AccountRun) -> str:
        raise ValueError("about a patient")

    assert [str(each.error) async for each in run_here(dask_client, job, ["north road"])] == ["about a patient"]
    logs = str(await dask_client.get_worker_logs()) + str(await dask_client.get_scheduler_logs())
    assert "about a patient" not in logs
    assert "north road" not in logs


async def test_many_accounts_run_on_one_slot_of_dask_and_never_more_than_concurrency(dask_client: Client):
    held = HeldJobs()
    runs = run_here(dask_client, held.job, map(str, range(10)), concurrency=4)
    first = asyncio.ensure_future(anext(runs))
    await until(lambda: len(held.running) == 4)
    held.released.set()
    rest = [await first, *[each async for each in runs]]
    assert len({each.account for each in rest}) == len(rest) == 10
    assert held.most == 4


async def test_a_worker_has_no_more_than_concurrency_even_when_the_other_one_is_gone():
    """The accounts of a worker that left wait for a slot at the others."""
    held = HeldJobs()
    async with workers(2) as client:
        runs = run_here(client, held.job, map(str, range(6)), concurrency=3)
        first = asyncio.ensure_future(anext(runs))
        await until(lambda: len(held.running) >= 4)
        leaving = next(iter(client.cluster.workers.values()))
        await leaving.close()
        held.most = 0
        await until(lambda: len(held.running) == 3)
        held.released.set()
        assert sorted([(await first).account, *[each.account async for each in runs]]) == list("012345")
    assert held.cancelled
    assert held.most <= 3


async def test_accounts_that_wait_at_a_full_worker_go_to_one_that_joins():
    held = HeldJobs()
    async with workers(2) as client:
        runs = run_here(client, held.job, map(str, range(4)), concurrency=2)
        first = asyncio.ensure_future(anext(runs))
        await until(lambda: len(held.running) == 4)
        await next(iter(client.cluster.workers.values())).close()
        await until(lambda: len(held.cancelled) == 2)
        client.cluster.scale(3)
        await until(lambda: len(held.running) == 4)
        held.released.set()
        assert sorted([(await first).account, *[each.account async for each in runs]]) == list("0123")


async def test_closing_cancels_the_jobs_and_leaves_nothing_on_the_workers(dask_client: Client):
    held = HeldJobs()
    runs = run_here(dask_client, held.job, "abc")
    first = asyncio.ensure_future(anext(runs))
    await until(lambda: len(held.running) == 3)
    first.cancel()
    await runs.aclose()
    assert sorted(held.cancelled) == ["a", "b", "c"]
    assert threads_of_the_library() == []
    assert await plugins_of(dask_client) == []
    with pytest.raises(StopAsyncIteration):
        await anext(runs)


async def test_break_cancels_the_jobs_too(dask_client: Client):
    held = HeldJobs()

    async def job(run: AccountRun) -> str:
        return "at once" if run.account == "first" else await held.job(run)

    async for each in run_here(dask_client, job, ["first", *"abc"]):
        assert each.result == "at once"
        await until(lambda: len(held.running) == 3)
        break
    await until(lambda: len(held.cancelled) == 3)
    await until(lambda: not threads_of_the_library())

    async def alone() -> bool:
        return not await plugins_of(dask_client)

    await until(alone)


async def test_two_consumers_of_one_run_share_its_results(dask_client: Client):
    held = HeldJobs()
    held.released.set()
    runs = run_here(dask_client, held.job, map(str, range(9)))

    async def take() -> list[str]:
        return [each.account async for each in runs]

    one, other = await asyncio.gather(take(), take())
    assert sorted(one + other) == list("012345678")


async def test_closing_ends_the_wait_of_another_consumer(dask_client: Client):
    held = HeldJobs()
    runs = run_here(dask_client, held.job, "abc")
    waiting = asyncio.create_task(anext(runs, "nothing more"))
    await until(lambda: len(held.running) == 3)
    await runs.aclose()
    assert await waiting == "nothing more"


async def test_closing_twice_or_before_the_first_result_does_nothing(dask_client: Client):
    runs = run_here(dask_client, HeldJobs().job, "abc")
    for _ in range(2):
        await runs.aclose()
    assert [each async for each in runs] == []
    assert await plugins_of(dask_client) == []


async def test_cancelling_the_consumer_cancels_the_jobs(dask_client: Client):
    held = HeldJobs()

    async def consume() -> None:
        async for _ in run_here(dask_client, held.job, "abc"):
            pass

    task = asyncio.create_task(consume())
    await until(lambda: len(held.running) == 3)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    del task
    await until(lambda: len(held.cancelled) == 3)


async def test_closing_the_client_of_dask_cancels_the_jobs():
    held = HeldJobs()
    async with workers() as client:
        async with Client(client.cluster, asynchronous=True, set_as_default=False) as other:
            runs = run_here(other, held.job, "abc")
            first = asyncio.ensure_future(anext(runs))
            await until(lambda: len(held.running) == 3)
        await until(lambda: len(held.cancelled) == 3)
        outcomes = [await first, *[each async for each in runs]]
    assert sorted(each.account for each in outcomes) == ["a", "b", "c"]
    assert {type(each.error) for each in outcomes} == {FutureCancelledError}


async def test_a_run_that_loses_its_cluster_says_how_many_accounts_were_not_sent():
    """Each account in progress is yielded with an error."""
    held = HeldJobs()
    async with workers() as client:
        runs = run_here(client, held.job, "abcd", concurrency=2)
        first = asyncio.ensure_future(anext(runs))
        await until(lambda: len(held.running) == 2)
    outcomes = [await first, await anext(runs)]
    assert sorted(each.account for each in outcomes) == ["a", "b"]
    assert [each for each in outcomes if each.error is None] == []
    with pytest.raises(UsageError, match="2 accounts were not sent"):
        await anext(runs)
    await runs.aclose()


async def test_a_task_that_is_cancelled_from_outside_is_the_error_of_its_account(dask_client: Client):
    held = HeldJobs()
    runs = run_here(dask_client, held.job, "ab", concurrency=1)
    first = asyncio.ensure_future(anext(runs))
    await until(lambda: held.running == ["a"])
    await dask_client.cancel([Future(key, dask_client) for key in dask_client.futures])
    assert isinstance((await first).error, FutureCancelledError)
    await until(lambda: held.cancelled == ["a"])
    held.released.set()
    assert [each.result async for each in runs] == ["done with b"]


async def test_a_job_that_is_cancelled_from_inside_is_an_error_and_is_not_begun_again(dask_client: Client):
    async def job(run: AccountRun) -> None:
        raise asyncio.CancelledError

    (outcome,) = [each async for each in run_here(dask_client, job, "a")]
    assert isinstance(outcome.error, UsageError)


class UnreadableError(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(one)


@pytest.mark.parametrize(
    "what", [threading.Lock, lambda: UnreadableError("about a patient", "b")], ids=["lock", "error"]
)
async def test_a_result_that_cannot_be_pickled_is_the_error_of_its_account_and_in_no_log(dask_client: Client, what):
    async def job(run: AccountRun) -> object:
        thing = what()
        if isinstance(thing, Exception):
            raise thing
        return thing

    (outcome,) = [each async for each in run_here(dask_client, job, "a")]
    assert isinstance(outcome.error, UsageError)
    assert "TypeError" in str(outcome.error)
    logs = str(await dask_client.get_worker_logs()) + str(await dask_client.get_scheduler_logs())
    assert "serialize" not in logs
    assert "about a patient" not in logs


async def test_two_runs_do_not_interfere(dask_client: Client):
    """Two at the same time, each with the tools of its own context."""

    def context_with(tool: str) -> LocalFunction:
        @contextlib.asynccontextmanager
        async def opened() -> AsyncIterator[WorkerContext[str]]:
            yield WorkerContext(
                client=cluster.nobodys_client, cursors=cluster.NoCursors(), streams=["nothing"], tools=tool
            )

        return local(opened)

    async def job(run: AccountRun[str]) -> str:
        return run.tools

    async def run(tool: str) -> set[str]:
        return {each.result async for each in run_here(dask_client, job, map(str, range(20)), context_with(tool))}

    assert await asyncio.gather(run("saw"), run("plane")) == [{"saw"}, {"plane"}]


async def test_a_redis_that_is_lost_for_a_while_fails_no_account(dask_client: Client, redis_server: RedisServer):

    async def job(run: AccountRun) -> None:
        await run.streams["nightly"].save("here")

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[WorkerContext]:
        async with Redis.from_url(redis_server.url) as redis:
            cursors = RedisCursors(redis, timeout=0.1)
            yield WorkerContext(client=cluster.nobodys_client, cursors=cursors, streams=["nightly"])

    runs = run_here(dask_client, job, ["first", "second", "third"], local(opened), concurrency=1)
    assert (await anext(runs)).error is None
    with redis_server.frozen():
        waiting = asyncio.ensure_future(anext(runs))
        await asyncio.sleep(0.5)
        assert not waiting.done()
    assert [each.error for each in [await waiting, *[each async for each in runs]]] == [None, None]


@contextlib.asynccontextmanager
async def context_without_tools() -> AsyncIterator[WorkerContext]:
    raise OSError("no tools")
    yield


async def test_a_context_that_cannot_be_opened_is_the_error_of_each_account(dask_client: Client):
    outcomes = [each async for each in run_here(dask_client, HeldJobs().job, "abc", context_without_tools)]
    assert [str(each.error) for each in outcomes] == ["no tools"] * 3


async def test_the_run_can_save_its_cursor_until_it_is_taken_over(dask_client: Client):
    async def job(run: AccountRun) -> None:
        await run.streams["nothing"].save("anything")

    (outcome,) = [each async for each in run_here(dask_client, job, "a")]
    assert isinstance(outcome.error, UsageError)
    assert str(outcome.error) == "taken over"


async def test_each_stream_of_an_account_has_a_cursor_of_its_own_and_all_are_fenced(
    dask_client: Client, redis_server: RedisServer
):
    names = ["patients", "invoices"]

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[WorkerContext[Redis]]:
        async with Redis.from_url(redis_server.url) as redis:
            yield WorkerContext(client=cluster.nobodys_client, cursors=RedisCursors(redis), streams=names, tools=redis)

    async def job(run: AccountRun[Redis]) -> dict[str, str | None]:
        found = {name: stream.cursor for name, stream in run.streams.items()}
        for name, stream in run.streams.items():
            await stream.save(f"{run.account} {name}")
        await RedisCursors(run.tools).begin(run.account, "invoices")
        await run.streams["patients"].save(f"{run.account} patients again")
        with contextlib.suppress(UsageError):
            await run.streams["invoices"].save("never")
        return found

    first, second = [
        {each.account: each.result async for each in run_here(dask_client, job, ["north", "south"], local(opened))}
        for _ in range(2)
    ]
    assert first == dict.fromkeys(["north", "south"], dict.fromkeys(names))
    assert second == {
        account: {"patients": f"{account} patients again", "invoices": f"{account} invoices"}
        for account in ("north", "south")
    }


def test_a_run_abandoned_in_a_closed_loop_is_collected():
    left = []

    async def leave() -> None:
        async with workers() as client:
            left.append(run_here(client, HeldJobs().job, "a"))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(anext(left[0]), 0.1)

    asyncio.run(leave())
    abandoned = weakref.ref(left[0])
    left.clear()
    gc.collect()
    assert abandoned() is None


# A program that ends, in any way.

DRIVER = """
import asyncio, contextlib, sys
from distributed import Client
from cliniko_async.integrations.dask import run_accounts
from tests.support import cluster

async def main():
    async with Client(sys.argv[1], asynchronous=True) as client:
        runs = run_accounts(client, cluster.stay, sys.argv[2:], context=cluster.bare, idle_timeout=0.1)
        async with contextlib.aclosing(runs):
            async for done in runs:
                print(done)

asyncio.run(main())
"""


def driver(client: Client, *accounts: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", DRIVER, client.scheduler.address, *accounts]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)


async def test_a_program_that_ends_abruptly_leaves_nothing_on_the_cluster(dask_client: Client):
    """Its jobs are cancelled and its contexts closed, although the scheduler knows of neither."""
    signals = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
    programs = [driver(dask_client, each.name) for each in signals]
    await until(lambda: sorted(cluster.staying) == sorted(each.name for each in signals))
    assert [name for name in dask_client.cluster.scheduler.worker_plugins if "cliniko" in name] == []
    for program, each in zip(programs, signals, strict=True):
        program.send_signal(each)
    for program in programs:
        await asyncio.to_thread(program.communicate, timeout=SOON)
    await until(lambda: cluster.staying == [])
    await until(lambda: threads_of_the_library() == [])

    async def plain() -> bool:
        return await plugins_of(dask_client) == []

    await until(plain)


async def test_a_cancellation_that_dask_swallows_ends_the_run(dask_client: Client, monkeypatch: pytest.MonkeyPatch):
    """As `asyncio.wait_for` of Python 3.11 may, if the scheduler replies at that very moment."""
    waits = asyncio.Event()

    async def nthreads() -> dict[str, int]:
        waits.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return {}

    monkeypatch.setattr(dask_client, "nthreads", nthreads)
    waiting = asyncio.create_task(anext(run_here(dask_client, HeldJobs().job, "abc")))
    await waits.wait()
    waiting.cancel()
    await asyncio.wait([waiting], timeout=SOON)
    assert waiting.cancelled()


async def test_a_wait_that_is_cancelled_ends_the_run(dask_client: Client):
    """The jobs in progress are cancelled before the cancellation is raised."""
    held = HeldJobs()
    runs = run_here(dask_client, held.job, "abc")
    waiting = asyncio.create_task(anext(runs))
    await until(lambda: len(held.running) == 3)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert sorted(held.cancelled) == ["a", "b", "c"]
    assert await plugins_of(dask_client) == []
    assert [each async for each in runs] == []


async def test_a_task_that_is_no_longer_wanted_is_not_begun(dask_client: Client):
    """Dask may release a task while its thread starts; here it never knew the task."""
    held = HeldJobs()
    parts = _pickling.dumps((local(held.job), cluster.bare))
    packed = _pickling.dumps(Assignment("run", "run-1", "a", parts, {"concurrency": 1}))
    assert await dask_client.submit(ended_with, packed, pure=False) == "Reschedule"
    assert await plugins_of(dask_client) == []


def ended_with(packed: bytes) -> Any:
    try:
        return dask_task(packed)()
    except Reschedule as error:
        return type(error).__name__


# Workers that cannot run the job, or do not answer.

WORKER = """
import asyncio, sys
sys.modules.update(dict.fromkeys(sys.argv[2:]))
from distributed import Worker

async def main():
    async with Worker(sys.argv[1], nthreads=1, host="127.0.0.1", dashboard=False) as worker:
        await worker.finished()

asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def another_worker(client: Client, *missing: str) -> AsyncIterator[tuple[str, subprocess.Popen[bytes]]]:
    """A worker in its own process, in which some modules are missing: its address and the process."""
    before = set(await client.nthreads())
    command = [sys.executable, "-c", WORKER, client.scheduler.address, *missing]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)  # noqa: ASYNC220  (it starts at once)

    async def come() -> set[str]:
        return set(await client.nthreads()) - before

    try:
        (address,) = await until(come)
        yield address, process
    finally:
        process.kill()
        process.wait()


async def test_a_worker_without_the_package_is_named_and_its_accounts_go_to_others(
    dask_client: Client, caplog: pytest.LogCaptureFixture
):
    held = HeldJobs()
    held.released.set()
    async with another_worker(dask_client, "cliniko_async") as (address, process):
        with caplog.at_level(logging.WARNING, "cliniko_async"):
            outcomes = [each async for each in run_here(dask_client, held.job, map(str, range(30)), concurrency=4)]
        assert {each.account: each.error for each in outcomes} == {str(number): None for number in range(30)}
        assert process.poll() is None
        assert address in await dask_client.nthreads()
    (named,) = (each.getMessage() for each in caplog.records if each.name == "cliniko_async")
    assert address in named
    assert "ModuleNotFoundError: No module named 'cliniko_async" in named


async def test_the_function_that_is_sent_reports_a_missing_package_instead_of_failing(
    dask_client: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delattr(integrations, "_dask_worker")
    monkeypatch.setitem(sys.modules, "cliniko_async.integrations._dask_worker", None)
    (address,) = await dask_client.nthreads()
    kind, worker, reason = await dask_client.submit(ended_with, b"anything", pure=False)
    assert (kind, worker) == ("unfit", address)
    assert reason.startswith("ModuleNotFoundError: ")


async def test_where_no_worker_can_run_the_job_the_error_names_each(dask_client: Client):
    """Here the workers lack the module of the job."""
    module = types.ModuleType("only_here")
    exec("async def job(run): pass", module.__dict__)
    sys.modules["only_here"] = module
    try:
        runs = run_accounts(dask_client, module.job, "ab", context=cluster.bare)
    finally:
        del sys.modules["only_here"]
    outcomes = [each async for each in runs]
    (address,) = await dask_client.nthreads()
    assert sorted(each.account for each in outcomes) == ["a", "b"]
    expected = f"no worker can run the job: {address}: ModuleNotFoundError: No module named 'only_here'"
    assert {str(each.error) for each in outcomes} == {expected}


async def test_a_job_that_cannot_be_unpickled_for_another_reason_shows_only_the_class_of_the_error(dask_client: Client):
    """The text of such an error may contain what the job refers to."""

    class Broken:
        def __reduce__(self) -> Any:
            return exec, ("raise ValueError('a secret')",)

        async def __call__(self, run: AccountRun) -> None: ...

    (outcome,) = [each async for each in run_accounts(dask_client, Broken(), "a", context=cluster.bare)]
    assert "ValueError" in str(outcome.error)
    assert "secret" not in str(outcome.error)


async def test_a_frozen_worker_without_an_account_delays_neither_start_nor_end(dask_client: Client):
    held = HeldJobs()

    async def job(run: AccountRun) -> str:
        return run.account if run.account == "first" else await held.job(run)

    async with another_worker(dask_client) as (address, process):
        # It has other work, so that Dask gives it no account.
        other = dask_client.submit(time.sleep, 600, workers=[address])

        async def busy() -> list[Any]:
            return (await dask_client.processing())[address]

        await until(busy)
        process.send_signal(signal.SIGSTOP)
        async with asyncio.timeout(SOON):
            assert [each.account async for each in run_here(dask_client, job, ["first"])] == ["first"]
            runs = run_here(dask_client, job, ["first", "a"], close_timeout=SOON)
            assert (await anext(runs)).account == "first"
            await until(lambda: held.running == ["a"])
            await runs.aclose()
        assert held.cancelled == ["a"]
        other.release()


async def test_closing_waits_no_longer_than_close_timeout_for_a_frozen_worker():
    async with workers(0) as client, another_worker(client) as (address, process):
        runs = run_accounts(client, cluster.stay, "a", context=cluster.bare, close_timeout=0.3)
        waiting = asyncio.create_task(anext(runs, None))

        async def begun() -> bool:
            return any("cliniko" in name for name in (await client.run(plugins_here)).get(address, []))

        await until(begun)
        process.send_signal(signal.SIGSTOP)
        async with asyncio.timeout(SOON):
            await runs.aclose()
            assert await waiting is None


def plugins_here(dask_worker: Any) -> list[str]:
    return list(dask_worker.plugins)


# A scheduler that disappears and comes back.


async def test_a_scheduler_that_comes_back_is_sent_the_unfinished_accounts():
    held = HeldJobs()
    options = {"host": "127.0.0.1", "dashboard": False}
    async with Scheduler(port=0, **options) as scheduler, Worker(scheduler.address, nthreads=1, host="127.0.0.1"):
        address = scheduler.address
        client = await Client(address, asynchronous=True, set_as_default=False)
        runs = run_here(client, held.job, "abcd", concurrency=2)
        first = asyncio.ensure_future(anext(runs))
        await until(lambda: len(held.running) == 2)
        await scheduler.close()
        await until(lambda: len(held.cancelled) == 2)
    held.released.set()
    port = int(address.rpartition(":")[2])
    async with Scheduler(port=port, **options), Worker(address, nthreads=1, host="127.0.0.1"):
        outcomes = [await first, *[each async for each in runs]]
        assert {each.account: each.error for each in outcomes} == dict.fromkeys("abcd")
        await client.close()


# Retries and timeouts.


async def test_an_account_that_fails_is_begun_again_as_often_as_asked(dask_client: Client):
    begun: list[str] = []

    async def job(run: AccountRun) -> int:
        begun.append(run.account)
        if run.account == "bad" or begun.count(run.account) == 1:
            raise OSError("not this time")
        return begun.count(run.account)

    outcomes = {each.account: each async for each in run_here(dask_client, job, ["bad", "shaky"], retries=2)}
    assert outcomes["shaky"].result == 2
    assert str(outcomes["bad"].error) == "not this time"
    assert begun.count("bad") == 3


async def test_a_job_that_exits_or_takes_too_long_is_an_error_of_its_account_only(dask_client: Client):
    async def job(run: AccountRun) -> str:
        if run.account == "exit":
            sys.exit(1)
        if run.account == "long":
            await asyncio.Event().wait()
        return run.account

    outcomes = {each.account: each async for each in run_here(dask_client, job, ["exit", "long", "a"], timeout=0.5)}
    assert str(outcomes["exit"].error) == "the job raised SystemExit"
    assert isinstance(outcomes["long"].error, TimeoutError)
    assert outcomes["a"].result == "a"


# What is refused.


async def test_a_client_that_is_not_asynchronous_is_refused(dask_client: Client):
    address = dask_client.scheduler.address

    def refused() -> None:
        with Client(address, set_as_default=False) as client, pytest.raises(InvalidRequestError, match="asynchronous"):
            run_accounts(client, cluster.own_process, "a", context=cluster.bare)

    await asyncio.to_thread(refused)


def job_with_a_lock() -> Callable[..., Any]:
    lock = threading.Lock()

    async def locked(run: AccountRun) -> bool:
        return lock.locked()

    return locked


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"accounts": ["north", "south", "north"]}, "accounts are repeated: 'north'"),
        ({"accounts": ["north", 7]}, "the name of an account must be a str, not 7"),
        ({"job": job_with_a_lock()}, "job job_with_a_lock.<locals>.locked cannot be pickled"),
        ({"context": job_with_a_lock()}, "context job_with_a_lock.<locals>.locked cannot be pickled"),
        ({"job": "job"}, "job must be a function"),
        ({"concurrency": 0}, "concurrency must be a whole number, at least 1"),
        ({"concurrency": True}, "concurrency must be a whole number, at least 1"),
        ({"concurrency": 1.5}, "concurrency must be a whole number, at least 1"),
        ({"retries": -1}, "retries must be a whole number, at least 0"),
        ({"timeout": 0}, "timeout must be a number of seconds above 0"),
        ({"idle_timeout": 0}, "idle_timeout must be a number of seconds above 0"),
        ({"close_timeout": float("inf")}, "close_timeout must be a number of seconds above 0"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
async def test_invalid_arguments_are_refused_before_anything_is_sent(dask_client: Client, arguments, said: str):
    wanted = {"job": cluster.own_process, "accounts": "a", "context": cluster.bare, **arguments}
    with pytest.raises(InvalidRequestError) as caught:
        run_accounts(dask_client, wanted.pop("job"), wanted.pop("accounts"), **wanted)
    assert said in str(caught.value)
    assert caught.value.argument in arguments


async def test_a_plain_for_is_refused(dask_client: Client):
    with pytest.raises(TypeError, match="async for"):
        iter(run_accounts(dask_client, cluster.own_process, "a", context=cluster.bare))


def test_the_library_is_imported_without_dask():
    code = "import cliniko_async, sys; print({'dask', 'distributed', 'redis'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], encoding="utf-8").strip() == "set()"


def test_without_dask_the_error_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "cliniko_async.integrations.dask")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r'pip install "cliniko-async\[dask\]"'):
        importlib.import_module("cliniko_async.integrations.dask")
