"""The runner of a worker: the jobs of many accounts on one loop, with a workshop that is open while there is work."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError

import pytest

from cliniko_async.integrations._job_runner import AccountRun, JobRunner, Workshop
from tests.support import cluster

SOON = 60.0


class Shop:
    """A workshop that counts its openings, and in which task each was entered and left."""

    def __init__(self) -> None:
        self.opened: list[object] = []
        self.closed: list[object] = []
        self.fails_at_the_end = False

    @contextlib.asynccontextmanager
    async def __call__(self):
        self.opened.append(asyncio.current_task())
        yield Workshop(client=cluster.nobodys_client, cursors=cluster.NoCursors())
        self.closed.append(asyncio.current_task())
        if self.fails_at_the_end:
            raise OSError("the door is stuck")


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def runner_of(shop: Shop) -> Iterator[Callable[..., JobRunner]]:
    made = []

    def make(job, concurrency: int = 2, linger: float = 3600.0) -> JobRunner:
        made.append(JobRunner(job, shop, concurrency, linger))
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


def test_nothing_is_opened_before_the_first_job_and_one_opening_serves_all(shop: Shop, runner_of):
    threads = threading.active_count()
    runner = runner_of(shout)
    assert (shop.opened, threading.active_count()) == ([], threads)
    handles = [runner.submit(each) for each in "abcdef"]
    assert [each.outcome.result(SOON).result for each in handles] == list("ABCDEF")
    assert len(shop.opened) == 1
    runner.close()
    assert shop.closed == shop.opened


def test_the_workshop_closes_when_there_is_nothing_to_do_and_opens_for_the_next_job(shop: Shop, runner_of):
    runner = runner_of(shout, linger=0.0)
    for count in (1, 2):
        assert runner.submit("a").outcome.result(SOON).result == "A"
        until(lambda count=count: len(shop.closed) == count)
    assert len(shop.opened) == 2


def test_a_job_that_comes_in_time_keeps_the_workshop_open(shop: Shop, runner_of):
    runner = runner_of(shout)
    runner.submit("a").outcome.result(SOON)
    thread = runner._loop_thread
    taken = thread._taken
    runner.submit("b").outcome.result(SOON)
    thread._loop.call_soon_threadsafe(thread._end_if_idle, taken)
    runner.submit("c").outcome.result(SOON)
    assert len(shop.opened) == 1


def test_a_job_that_waits_for_its_place_has_not_begun(runner_of):
    runner = runner_of(stay, concurrency=1)
    first = runner.submit("a")
    first.begun.result(SOON)
    second = runner.submit("b")
    assert not second.begun.done()
    first.drop()
    second.begun.result(SOON)


def test_a_job_that_is_dropped_is_cancelled_wherever_it_stands(runner_of):
    runner = runner_of(stay, concurrency=1)
    handles = [runner.submit("under way"), runner.submit("waiting to begin")]
    handles[0].begun.result(SOON)
    for handle in reversed(handles):
        handle.drop()
        with pytest.raises(CancelledError):
            handle.outcome.result(SOON)
    held = threading.Event()
    runner._loop_thread._loop.call_soon_threadsafe(held.wait)
    early = runner.submit("not even seen by the loop")
    early.drop()
    held.set()
    with pytest.raises(CancelledError):
        early.outcome.result(SOON)


def test_dropping_what_has_ended_does_nothing(runner_of):
    runner = runner_of(shout)
    handle = runner.submit("a")
    handle.outcome.result(SOON)
    runner.close()
    handle.drop()
    assert handle.outcome.result().result == "A"


def test_closing_ends_every_job_and_then_the_workshop(shop: Shop, runner_of):
    runner = runner_of(stay, concurrency=1)
    handles = [runner.submit("a"), runner.submit("b")]
    handles[0].begun.result(SOON)
    runner.close()
    assert [each.outcome.cancelled() for each in handles] == [True, True]
    assert len(shop.closed) == 1


def test_a_workshop_that_does_not_open_is_tried_again_for_the_next_job(runner_of, monkeypatch: pytest.MonkeyPatch):
    runner = runner_of(shout, linger=0.0)
    monkeypatch.setattr(cluster, "NoCursors", None)
    assert isinstance(runner.submit("a").outcome.result(SOON).error, TypeError)
    monkeypatch.undo()
    until(lambda: runner._loop_thread._closed)
    assert runner.submit("b").outcome.result(SOON).result == "B"


def test_a_workshop_that_does_not_close_is_logged_by_the_kind_of_its_error(
    shop: Shop, runner_of, caplog: pytest.LogCaptureFixture
):
    shop.fails_at_the_end = True
    runner = runner_of(shout)
    runner.submit("a").outcome.result(SOON)
    with caplog.at_level(logging.WARNING, "cliniko_async"):
        runner.close()
    assert [each.getMessage() for each in caplog.records] == ["closing the workshop failed: OSError"]


def test_what_is_no_exception_reaches_who_waits(runner_of):
    class OddError(BaseException):
        pass

    async def job(run: AccountRun) -> None:
        raise OddError

    with pytest.raises(OddError):
        runner_of(job).submit("a").outcome.result(SOON)


def test_a_job_that_ends_the_loop_takes_no_later_one_with_it(runner_of):
    async def job(run: AccountRun) -> str:
        if run.account == "exit":
            raise SystemExit
        return run.account

    runner = runner_of(job)
    with pytest.raises(SystemExit):
        runner.submit("exit").outcome.result(SOON)
    until(lambda: runner._loop_thread._closed)
    assert runner.submit("b").outcome.result(SOON).result == "b"


async def test_a_run_shows_no_cursor():
    run = AccountRun("north", cluster.nobodys_client("north"), "cursor", 1, None, cluster.NoCursors())
    assert repr(run) == "AccountRun(account='north', token=1)"
