"""The runner of a worker: the jobs of many accounts on one loop, with a context that is open while there are jobs."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future

import pytest

from cliniko_async import ConfigurationError, UsageError
from cliniko_async.integrations._account_job import AccountRun, JobHandle, RunnerOptions, StreamRun, WorkerContext
from cliniko_async.integrations._worker_runner import WorkerRunner
from tests.support import cluster

SOON = 60.0


class Context:
    """A context that records the task in which it was opened and closed each time."""

    def __init__(self) -> None:
        self.opened: list[object] = []
        self.closed: list[object] = []
        self.fails_at_the_end = False

    @contextlib.asynccontextmanager
    async def __call__(self):
        self.opened.append(asyncio.current_task())
        yield WorkerContext(client=cluster.nobodys_client, cursors=cluster.NoCursors(), streams=["nothing"])
        self.closed.append(asyncio.current_task())
        if self.fails_at_the_end:
            raise OSError("the context cannot be closed")


@pytest.fixture
def context() -> Context:
    return Context()


@pytest.fixture
def runner_of(context: Context) -> Iterator[Callable[..., WorkerRunner]]:
    made = []

    def make(job, concurrency: int = 2, idle_timeout: float = 3600.0, **options) -> WorkerRunner:
        wanted = RunnerOptions(job=job, context=context, concurrency=concurrency, idle_timeout=idle_timeout, **options)
        made.append(WorkerRunner(wanted))
        return made[-1]

    yield make
    for runner in made:
        runner.close()
    until(lambda: [each for each in threading.enumerate() if each.name == "cliniko_async"] == [])


def until(reached: Callable[[], object]) -> None:
    deadline = time.monotonic() + SOON
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.005)


async def shout(run: AccountRun) -> str:
    return run.account.upper()


async def stay(run: AccountRun) -> None:
    await asyncio.Event().wait()


def test_nothing_is_opened_before_the_first_job_and_all_jobs_share_one_context(context: Context, runner_of):
    threads = threading.active_count()
    runner = runner_of(shout)
    assert (context.opened, threading.active_count()) == ([], threads)
    handles = [runner.submit(each) for each in "abcdef"]
    assert [each.outcome.result(SOON).result for each in handles] == list("ABCDEF")
    assert len(context.opened) == 1
    runner.close()
    assert context.closed == context.opened


def test_the_context_closes_without_jobs_and_opens_for_the_next_one(context: Context, runner_of):
    runner = runner_of(shout, idle_timeout=0.0)
    for count in (1, 2):
        assert runner.submit("a").outcome.result(SOON).result == "A"
        until(lambda count=count: len(context.closed) == count)
    assert len(context.opened) == 2


def test_a_job_that_comes_in_time_keeps_the_context_open(context: Context, runner_of):
    """Here it is submitted just before the context would be closed."""
    listening = threading.Event()
    second: Future[JobHandle] = Future()

    async def job(run: AccountRun) -> str:
        while not listening.is_set():  # noqa: ASYNC110  (it is set in another thread)
            await asyncio.sleep(0.005)
        return run.account

    def submit_soon(_: object) -> None:
        asyncio.get_running_loop().call_soon(lambda: second.set_result(runner.submit("b")))

    runner = runner_of(job, idle_timeout=0.0)
    runner.submit("a").outcome.add_done_callback(submit_soon)
    listening.set()
    assert second.result(SOON).outcome.result(SOON).result == "b"
    assert len(context.opened) == 1


def test_a_job_that_waits_for_a_slot_has_not_begun(runner_of):
    runner = runner_of(stay, concurrency=1)
    first = runner.submit("a")
    first.begun.result(SOON)
    second = runner.submit("b")
    assert not second.begun.done()
    first.drop()
    second.begun.result(SOON)


def test_a_job_that_is_dropped_is_cancelled_at_any_stage(runner_of):
    runner = runner_of(stay, concurrency=1)
    handles = [runner.submit("running"), runner.submit("waiting to begin")]
    handles[0].begun.result(SOON)
    for handle in reversed(handles):
        handle.drop()
        with pytest.raises(CancelledError):
            handle.outcome.result(SOON)


def test_a_job_that_is_dropped_before_the_loop_sees_it_is_cancelled(runner_of):
    blocked, resume = threading.Event(), threading.Event()

    async def job(run: AccountRun) -> None:
        if run.account == "blocking the loop":
            blocked.set()
            resume.wait(SOON)
        await asyncio.Event().wait()

    runner = runner_of(job)
    runner.submit("blocking the loop")
    assert blocked.wait(SOON)
    early = runner.submit("not yet seen")
    early.drop()
    resume.set()
    with pytest.raises(CancelledError):
        early.outcome.result(SOON)


def test_dropping_a_job_that_has_ended_does_nothing(runner_of):
    runner = runner_of(shout)
    handle = runner.submit("a")
    handle.outcome.result(SOON)
    runner.close()
    handle.drop()
    assert handle.outcome.result().result == "A"


def test_closing_ends_every_job_and_then_the_context(context: Context, runner_of):
    runner = runner_of(stay, concurrency=1)
    handles = [runner.submit("a"), runner.submit("b")]
    handles[0].begun.result(SOON)
    runner.close()
    assert [each.outcome.cancelled() for each in handles] == [True, True]
    assert len(context.closed) == 1


def test_a_context_that_does_not_open_is_tried_again_for_the_next_job(runner_of, monkeypatch: pytest.MonkeyPatch):
    runner = runner_of(shout, idle_timeout=0.0)
    monkeypatch.setattr(cluster, "NoCursors", None)
    assert isinstance(runner.submit("a").outcome.result(SOON).error, TypeError)
    monkeypatch.undo()
    until(lambda: not runner.is_open)
    assert runner.submit("b").outcome.result(SOON).result == "B"


def test_a_context_that_fails_to_close_is_logged_with_the_class_of_its_error(
    context: Context, runner_of, caplog: pytest.LogCaptureFixture
):
    context.fails_at_the_end = True
    runner = runner_of(shout)
    runner.submit("a").outcome.result(SOON)
    with caplog.at_level(logging.WARNING, "cliniko_async"):
        runner.close()
    assert [each.getMessage() for each in caplog.records] == ["closing the worker context failed: OSError"]


class UnusualError(BaseException):
    pass


async def in_its_own_task(error: BaseException) -> None:
    async def end() -> None:
        raise error

    await asyncio.create_task(end())


async def in_the_job(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt, UnusualError])
@pytest.mark.parametrize("how", [in_the_job, in_its_own_task])
def test_a_job_that_exits_fails_alone(context: Context, runner_of, how, raised):
    """Neither another job, nor the loop, the context or the process ends."""
    leaving = threading.Event()

    async def job(run: AccountRun) -> str:
        if run.account == "exit":
            await how(raised())
        while not leaving.is_set():  # noqa: ASYNC110  (it is set in another thread)
            await asyncio.sleep(0.005)
        return run.account

    runner = runner_of(job)
    beside = runner.submit("beside")
    beside.begun.result(SOON)
    error = runner.submit("exit").outcome.result(SOON).error
    assert (type(error), str(error)) == (UsageError, f"the job raised {raised.__name__}")
    leaving.set()
    assert beside.outcome.result(SOON).result == "beside"
    assert len(context.opened) == 1


@pytest.mark.parametrize("raised", [SystemExit, asyncio.CancelledError])
def test_a_context_that_exits_is_the_error_of_each_account(runner_of, monkeypatch: pytest.MonkeyPatch, raised):
    def refuse() -> None:
        raise raised

    runner = runner_of(shout)
    monkeypatch.setattr(cluster, "NoCursors", refuse)
    errors = [handle.outcome.result(SOON).error for handle in map(runner.submit, "ab")]
    assert [str(error) for error in errors] == [f"the worker context raised {raised.__name__}"] * 2


def test_a_job_that_exits_while_it_is_being_ended_ends_nothing_else(context: Context, runner_of):
    left = []

    async def job(run: AccountRun) -> None:
        async def exit_when_cancelled() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                raise SystemExit

        left.append(asyncio.create_task(exit_when_cancelled()))
        await asyncio.sleep(0)

    runner = runner_of(job)
    assert runner.submit("a").outcome.result(SOON).error is None
    runner.close()
    assert len(context.closed) == 1
    assert isinstance(left[0].exception(), SystemExit)


def test_a_job_that_takes_too_long_fails_alone(runner_of):
    async def job(run: AccountRun) -> str:
        if run.account == "long":
            await asyncio.Event().wait()
        return run.account

    runner = runner_of(job, timeout=0.2)
    long = runner.submit("long").outcome.result(SOON).error
    assert (type(long), str(long)) == (TimeoutError, "the job took longer than 0.2 s")
    assert runner.submit("short").outcome.result(SOON).result == "short"


def test_a_timeout_error_of_the_job_itself_is_passed_on(runner_of):
    async def job(run: AccountRun) -> str:
        raise TimeoutError("its own")

    assert str(runner_of(job, timeout=SOON).submit("a").outcome.result(SOON).error) == "its own"


def test_closing_waits_no_longer_than_its_timeout_for_a_job_that_does_not_end(runner_of):
    released = threading.Event()

    async def job(run: AccountRun) -> None:
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.005)

    runner = runner_of(job)
    handle = runner.submit("a")
    handle.begun.result(SOON)
    runner.close(timeout=0.05)
    assert not handle.outcome.done()
    released.set()


async def test_a_run_shows_no_cursor():
    stream = StreamRun("north", "nightly", "cursor", 1, cluster.NoCursors())
    run = AccountRun("north", cluster.nobodys_client("north"), {"nightly": stream}, None)
    shown = "StreamRun(account='north', name='nightly', token=1)"
    assert repr(run) == f"AccountRun(account='north', streams={{'nightly': {shown}}})"


@pytest.mark.parametrize("streams", ["nightly", ["nightly", "nightly"]])
def test_stream_names_that_are_invalid_or_repeated_are_refused(streams):
    with pytest.raises(ConfigurationError, match="streams"):
        WorkerContext(client=cluster.nobodys_client, cursors=cluster.NoCursors(), streams=streams)
