"""An endless stream of changes, through the public surface, against the sandbox on virtual time."""

import asyncio
import contextlib
import datetime as dt
import itertools
import json
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from cliniko_async import (
    BadRequestError,
    ForbiddenError,
    InvalidRequestError,
    LimiterUnavailableError,
    NotFoundError,
    SlidingWindowLimiter,
    UnauthorizedError,
    UsageError,
)
from cliniko_async.observers import Event, WatchInterrupted
from cliniko_async.resources._names import RESOURCES
from cliniko_async.resources._registry import resource_class
from tests.support.for_each import for_each

from ..support.clients import KEY, RecordingLimiter, client_of, virtually
from ..support.kills import kill_watchers
from ..support.listed import TYPES, other_tasks
from ..support.watched import Clinic, clinic, names_of, nothing_comes, wall

LIST = {"path": "/appointment_types?"}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


def take(event: Event, events: list[WatchInterrupted]) -> None:
    if isinstance(event, WatchInterrupted):
        events.append(event)


def spoil(*names: str) -> Callable[[Any], Any]:
    """Makes some records of a page invalid."""

    def edit(page: Any) -> None:
        for record in page[TYPES]:
            if record["name"] in names:
                record["duration_in_minutes"] = "Smith, Jane"

    return edit


# The stream


@virtually
async def test_changes_come_as_they_are_found_by_polls_a_minute_apart_and_each_comes_once():
    async with clinic() as it:
        key = it.put("a")
        stream = it.watch()
        assert await names_of(stream, 1) == "a"
        assert await nothing_comes(stream, 200)
        it.touch(key, "b")
        it.put("c")
        assert sorted(await names_of(stream, 2)) == ["b", "c"]
        it.sandbox.archive(TYPES, key)
        change = await anext(stream)
        assert (change.kind, change.record.id) == ("archive", key)
        assert await nothing_comes(stream, 200)
        times = [request.time for request in it.sandbox.requests]
        polls = [round(after - before, 3) for before, after in itertools.pairwise(times)]
        assert set(polls) == {60}


@virtually
async def test_polls_have_the_given_interval_however_slow_the_consumer():
    async with clinic(latency=0.5) as it:
        stream = it.watch(every=7)
        assert await nothing_comes(stream, 30)
        assert [round(request.time - it.sandbox.requests[0].time) for request in it.sandbox.requests] == [
            *range(0, 30, 7)
        ]
        it.put("a")
        assert await names_of(stream, 1) == "a"
        before = len(it.sandbox.requests)
        await asyncio.sleep(100)
        it.put("b")
        assert await names_of(stream, 1) == "b"
        # The run that was under way had reached its end, and the next poll was long due.
        assert len(it.sandbox.requests) == before + 1


@virtually
async def test_a_consumer_slower_than_the_changes_gets_the_last_state_of_every_record():
    async with clinic() as it:
        keys = [it.put(f"{number}:0") for number in range(7)]
        stream, last = it.watch(), dict[str, str]()
        for step in range(200):
            key = keys[step % 7 if step % 3 else 0]
            it.touch(key, f"{keys.index(key)}:{step + 1}")
            if step % 5 == 0:
                change = await anext(stream)
                last[change.record.id] = change.record.name
            await asyncio.sleep(20)
        final = {key: it.sandbox.get(TYPES, key)["name"] for key in keys}
        async with asyncio.timeout(600):
            while last != final:
                change = await anext(stream)
                last[change.record.id] = change.record.name


class PriorityLimiter(RecordingLimiter):
    """Remembers the priority of each permit."""

    def __init__(self) -> None:
        super().__init__()
        self.priorities: list[str] = []

    async def acquire(self, priority: Any) -> Any:
        self.priorities.append(priority)
        return await super().acquire(priority)


@virtually
async def test_a_watch_polls_at_bulk_priority_whatever_the_priority_of_the_client():
    limiter = PriorityLimiter()
    async with clinic(client={"rate_limiter": limiter, "priority": "interactive"}) as it:
        it.put("a")
        assert await names_of(it.watch(), 1) == "a"
        assert await it.cliniko.appointment_types.list().count() == 1
        assert limiter.priorities == ["bulk", "interactive"]


@virtually
async def test_twenty_streams_at_full_speed_delay_no_interactive_call():
    """None of them starves, and the server refuses nothing."""
    limiter = SlidingWindowLimiter(clock=asyncio.get_running_loop().time)
    async with clinic(latency=0.2, client={"rate_limiter": limiter}) as it:
        polled, waits, loop = dict.fromkeys(range(20), 0), list[float](), asyncio.get_running_loop()

        async def consume(number: int) -> None:
            stream = it.watch(it.cliniko.appointment_types.where.category == str(number), every=1)
            async for _ in stream:
                polled[number] += 1

        async def write() -> None:
            while True:
                for number in polled:
                    it.put("a", category=str(number))
                await asyncio.sleep(10)

        tasks = [asyncio.create_task(each) for each in [write(), *map(consume, polled)]]
        await asyncio.sleep(61)
        for _ in range(60):
            begun = loop.time()
            await it.cliniko.taxes.list().first()
            waits.append(loop.time() - begun)
            await asyncio.sleep(2)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert max(waits) < 1
        assert min(polled.values()) > 10
        assert it.sandbox.budget.refused == 0
        assert len(it.sandbox.requests) > 300


@virtually
async def test_a_run_starts_at_a_moment_or_a_cursor():
    async with clinic() as it:
        it.put("a")
        await asyncio.sleep(30)
        now = dt.datetime.fromtimestamp(wall(), dt.UTC)
        it.put("b")
        stream = it.watch(since=now, store=None)
        assert stream.cursor is None
        assert await names_of(stream, 1) == "b"
        await asyncio.sleep(30)
        it.put("c")
        assert await names_of(it.watch(since=stream.cursor, store=None), 1) == "c"
        assert aiter(stream) is stream


@virtually
async def test_a_plain_for_says_async_for():
    async with clinic() as it:
        with pytest.raises(TypeError, match="async for"):
            iter(it.cliniko.appointment_types.watch())


@pytest.mark.parametrize("name", RESOURCES)
def test_every_resource_with_changes_can_be_watched(name: str):
    cls = resource_class(name)
    assert hasattr(cls, "watch") == hasattr(cls, "changes")
    assert "watch" not in cls(None).operations


# Transient errors


FAULTS: dict[str, Callable[[Clinic, int], Any]] = {
    "500": lambda it, times: it.sandbox.faults.status(500, times=times, **LIST),
    "503": lambda it, times: it.sandbox.faults.status(503, times=times, **LIST),
    "408": lambda it, times: it.sandbox.faults.status(408, times=times, **LIST),
    "302": lambda it, times: it.sandbox.faults.status(302, times=times, **LIST),
    "429": lambda it, times: it.sandbox.faults.throttle(5.0, times=times, **LIST),
    "no answer": lambda it, times: it.sandbox.faults.drop("request", times=times, **LIST),
    "half an answer": lambda it, times: it.sandbox.faults.drop("body", times=times, **LIST),
    "another page": lambda it, times: it.sandbox.faults.edit(lambda _: b"<html>", times=times, **LIST),
    "another order": lambda it, times: it.sandbox.faults.edit(lambda page: page[TYPES].reverse(), times=times, **LIST),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_transient_error_is_survived_and_reported(caplog: pytest.LogCaptureFixture, fault: str):
    @virtually
    async def test() -> None:
        events = list[WatchInterrupted]()
        async with clinic(client={"observers": [lambda event: take(event, events)]}) as it:
            where = it.cliniko.appointment_types.where
            for name in "abc":
                it.put(name, category="Jane")
                await asyncio.sleep(1)
            FAULTS[fault](it, 3)
            stream = it.watch(where.category == "Jane")
            assert await names_of(stream, 3) == "abc"
            logged = warnings(caplog)
            assert len(logged) == 3
            assert all(text.startswith("the watch of appointment_types continues in ") for text in logged)
            assert len(events) == 3
            assert {(event.resource, event.faults) for event in events} == {("appointment_types", ())}
            assert all(
                f"continues in {event.seconds:.1f} s" in text for event, text in zip(events, logged, strict=True)
            )
            assert "Jane" not in caplog.text
            assert "?" not in caplog.text
            it.put("d", category="Jane")
            FAULTS[fault](it, 1)
            assert await names_of(stream, 1) == "d"

    test()


@virtually
async def test_the_waits_after_errors_double_up_to_five_minutes_and_begin_again_after_a_success():
    async with clinic() as it:
        it.put("a")
        stream = it.watch()
        for _ in range(2):
            begun = len(it.sandbox.requests)
            fault = it.sandbox.faults.status(500, times=12, **LIST)
            assert await nothing_comes(stream, 1500) is (begun > 0)
            times = [request.time for request in it.sandbox.requests[begun:]]
            waits = [after - before for before, after in itertools.pairwise(times)][:11]
            bounds = [min(2.0**number, 300.0) for number in range(11)]
            assert all(bound / 2 <= wait <= bound + 0.1 for wait, bound in zip(waits, bounds, strict=True))
            assert fault.hits == 12


@virtually
async def test_a_limiter_without_its_store_is_waited_for():
    limiter = RecordingLimiter()
    async with clinic(client={"rate_limiter": limiter}) as it:
        it.put("a")
        left = [1, 2]

        async def fail() -> None:
            if left.pop():
                raise LimiterUnavailableError("Redis is away")

        limiter.before = fail
        left.insert(0, 0)
        stream = it.watch()
        assert await names_of(stream, 1) == "a"


# Permanent errors


@for_each(
    "status, error",
    [(401, UnauthorizedError), (403, ForbiddenError), (404, NotFoundError), (400, BadRequestError)],
)
@virtually
async def test_a_permanent_error_ends_the_stream_and_continuing_loses_nothing(status, error):
    async with clinic() as it:
        it.put("a")
        stream = it.watch()
        assert await names_of(stream, 1) == "a"
        it.put("b")
        await asyncio.sleep(100)
        # A 400 may mean that the server cannot sort: then the list is requested once more.
        it.sandbox.faults.status(status, times=2 if status == 400 else 1, **LIST)
        with pytest.raises(error):
            await anext(stream)
        assert await names_of(stream, 1) == "b"


@virtually
async def test_a_client_that_is_closed_ends_the_stream():
    async with clinic() as it:
        it.put("a")
        stream = it.watch()
        assert await names_of(stream, 1) == "a"
        await it.cliniko.aclose()
        with pytest.raises(UsageError, match="closed"):
            await anext(stream)


@virtually
async def test_a_cursor_of_other_filters_in_the_store_is_refused_before_anything_is_sent():
    async with clinic() as it:
        it.put("a")
        where = it.cliniko.appointment_types.where
        stream = it.watch(name="mine")
        assert await names_of(stream, 1) == "a"
        asked = len(it.sandbox.requests)
        for _ in range(2):
            with pytest.raises(InvalidRequestError, match="belongs to another"):
                await anext(it.watch(where.category == "a", name="mine"))
        assert len(it.sandbox.requests) == asked


# Records that do not fit


def test_an_invalid_record_is_reported_once_and_holds_up_no_other(caplog: pytest.LogCaptureFixture):
    @virtually
    async def test() -> None:
        events = list[WatchInterrupted]()
        async with clinic(client={"observers": [lambda event: take(event, events)]}) as it:
            keys = {}
            for name in "abcdefghi":
                keys[name] = it.put(name)
                await asyncio.sleep(1)
            fault = it.sandbox.faults.edit(spoil(*"bdefghi"), times=None, **LIST)
            stream = it.watch()
            assert await names_of(stream, 2) == "ac"
            assert await nothing_comes(stream, 300)
            (logged,) = warnings(caplog)
            assert logged.startswith("the watch of appointment_types left out invalid records: ")
            assert all(f"record {keys[name]}: duration_in_minutes expected an integer" in logged for name in "bdefghi")
            (event,) = events
            assert (event.error, event.seconds, len(event.faults)) == ("DecodingError", 0.0, 7)
            assert "Jane" not in caplog.text + repr(event)
            it.put("j")
            assert await names_of(stream, 1) == "j"
            assert await nothing_comes(stream, 1)
            assert await nothing_comes(it.watch(), 100)
            assert len(warnings(caplog)) == 1
            it.touch(keys["b"], "k")
            assert await names_of(stream, 1) == "k"
            fault.cancel()

    test()


def test_a_page_of_invalid_records_only_is_reported_and_passed(caplog: pytest.LogCaptureFixture):
    @virtually
    async def test() -> None:
        async with clinic() as it:
            for name in "ab":
                it.put(name)
            it.sandbox.faults.edit(spoil("a", "b"), times=None, **LIST)
            stream = it.watch()
            assert await nothing_comes(stream, 200)
            assert len(warnings(caplog)) == 1
            it.put("c")
            assert await names_of(stream, 1) == "c"

    test()


@virtually
async def test_within_a_page_with_an_invalid_record_the_cursor_stays_before_the_page_until_all_of_it_came():
    """A restart there repeats the page, and a restart after it does not."""
    async with clinic() as it:
        for name in "abc":
            it.put(name)
            await asyncio.sleep(1)
        it.sandbox.faults.edit(spoil("b"), times=None, **LIST)
        stream = it.watch()
        assert await names_of(stream, 1) == "a"
        await stream.save()
        assert await names_of(it.watch(), 1) == "a"
        assert await names_of(stream, 1) == "c"
        await stream.save()
        assert await nothing_comes(it.watch(), 200)


# The store


@for_each("count", range(5))
@virtually
async def test_after_a_restart_only_the_unconfirmed_change_is_repeated(count):
    async with clinic() as it:
        for name in "abcd":
            it.put(name)
            await asyncio.sleep(1)
        got = await names_of(it.watch(), count)
        assert got == "abcd"[:count]
        again = it.watch()
        rest = "abcd"[max(0, count - 1) :]
        assert await names_of(again, len(rest)) == rest
        assert await nothing_comes(again, 300)
        assert await nothing_comes(it.watch(), 300)


@virtually
async def test_the_start_is_saved_before_anything_is_sent_so_that_a_restart_with_a_later_one_loses_nothing():
    async with clinic() as it:
        it.sandbox.faults.status(500, times=None, **LIST)
        assert await nothing_comes(it.watch(since=dt.datetime.fromtimestamp(wall(), dt.UTC)), 10)
        it.put("a")
        await asyncio.sleep(1000)
        it.sandbox.faults.clear()
        assert await names_of(it.watch(since=dt.datetime.fromtimestamp(wall(), dt.UTC)), 1) == "a"


@virtually
async def test_a_consumer_can_confirm_the_last_change():
    async with clinic() as it:
        for name in "ab":
            it.put(name)
            await asyncio.sleep(1)
        stream = it.watch()
        await stream.save()
        assert it.store.calls == {}
        assert await names_of(stream, 2) == "ab"
        await stream.save()
        await stream.save()
        assert await nothing_comes(it.watch(), 300)
        assert await names_of(it.watch(store=None), 2) == "ab"


@virtually
async def test_nothing_is_saved_that_is_saved_already():
    async with clinic() as it:
        it.put("a")
        stream = it.watch()
        assert await names_of(stream, 1) == "a"
        assert await nothing_comes(stream, 10)
        saved = it.store.calls["save"]
        it.sandbox.faults.status(500, times=None, **LIST)
        await asyncio.sleep(50)
        assert await nothing_comes(stream, 5)
        assert it.store.calls["save"] == saved


@pytest.mark.parametrize("when", ["load", "save"])
@virtually
async def test_an_error_of_the_store_is_raised_and_the_watch_can_continue(when):
    async with clinic() as it:
        for name in "ab":
            it.put(name)
            await asyncio.sleep(1)
        stream, got = it.watch(), ""
        if when == "save":
            got = await names_of(stream, 1)
        it.store.failing = 2
        for _ in range(2):
            with pytest.raises(OSError, match="full"):
                await anext(stream)
        got += await names_of(stream, 2 - len(got))
        assert got == "ab"


@virtually
async def test_streams_of_one_store_have_names_of_their_own_that_tell_neither_the_key_nor_a_filter():
    async with clinic() as it, client_of(it.sandbox) as other:
        types = it.cliniko.appointment_types
        smith, jones = (types.watch(types.where.category == name, store=it.store) for name in ("Smith", "Jones"))
        watches = [types.watch(store=it.store), smith, jones, it.cliniko.taxes.watch(), types.watch(name="mine")]
        assert len({each.name for each in watches}) == 5
        assert watches[0].name == "appointment_types"
        assert watches[4].name == "mine"
        assert smith.name.startswith("appointment_types ")
        assert "Smith" not in smith.name
        assert {each.account for each in watches} == {other.appointment_types.watch().account}
        assert it.sandbox.api_key.partition("-")[0] not in watches[0].account
        it.put("a", category="Smith")
        assert await names_of(aiter(smith), 1) == "a"
        assert list(it.store.kept) == [(smith.account, smith.name)]
        assert it.sandbox.api_key not in json.dumps([*it.store.kept, *it.store.kept.values()])
        moved = attrs.evolve(it, cliniko=client_of(it.sandbox, rate_limiter=RecordingLimiter()))
        async with moved.cliniko:
            assert moved.cliniko.taxes.watch().account == watches[0].account


def test_another_key_is_another_account():
    first, second = (
        client_of(SandboxAddress(key), rate_limiter=SlidingWindowLimiter()) for key in (KEY, KEY.replace("M", "N"))
    )
    assert first.taxes.watch().account != second.taxes.watch().account
    assert first.taxes.watch().account == first.patients.watch().account


@attrs.frozen
class SandboxAddress:
    api_key: str
    base_url: str = "http://127.0.0.1:1/v1"


# Leaving


@for_each("turns", range(0, 60, 3))
@virtually
async def test_a_step_that_is_cancelled_at_any_await_loses_nothing_and_leaves_no_task(turns):
    async with clinic() as it:
        for number in range(120):
            it.put(f"{number},")
        stream = it.watch()
        got = [(await anext(stream)).record.name for _ in range(100)]
        task = asyncio.create_task(anext(stream))
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.cancel():
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            got.append(task.result().record.name)
        assert not other_tasks()
        got += [(await anext(stream)).record.name for _ in range(120 - len(got))]
        assert sorted(got, key=lambda name: int(name[:-1])) == [f"{number}," for number in range(120)]


@pytest.mark.parametrize("seconds", [0.1, 0.5, 30])
@virtually
async def test_closing_a_stream_ends_every_consumer_during_a_request_and_between_two(seconds):
    async with clinic(latency=1.0 if seconds < 30 else 0.0) as it:
        stream = it.watch()
        step = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(seconds)
        begun = asyncio.get_running_loop().time()
        await stream.aclose()
        with pytest.raises(StopAsyncIteration):
            await step
        assert asyncio.get_running_loop().time() - begun <= 1
        assert not other_tasks()
        asked = len(it.sandbox.requests)
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
            await stream.aclose()
        assert len(it.sandbox.requests) == asked == 1


@virtually
async def test_leaving_a_loop_leaves_no_task_and_does_not_confirm_the_last_change():
    async with clinic() as it:
        for name in "ab":
            it.put(name)
            await asyncio.sleep(1)
        async with contextlib.aclosing(it.watch()) as stream:
            async for change in stream:
                if change.record.name == "b":
                    break
        assert not other_tasks()
        assert stream.cursor is not None
        assert await names_of(it.watch(), 1) == "b"
        unused = it.watch()
        await unused.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(unused)
        assert unused.cursor is None


# Arguments


@for_each(
    "argument, value",
    [
        *(("every", value) for value in (0, -1, "60", True, float("inf"), float("nan"))),
        *(("overlap", value) for value in (-1, "60", True, float("inf"))),
        *(("name", value) for value in ("", 5, b"x", "\ud800")),
        *(("store", value) for value in (object(), "cursors.sqlite", {})),
        *(("since", value) for value in ("", "no cursor", dt.datetime(2024, 1, 1))),  # noqa: DTZ001
    ],
)
@virtually
async def test_an_unusable_argument_is_refused_before_anything_is_sent(argument, value):
    async with clinic() as it:
        with pytest.raises(InvalidRequestError) as refused:
            it.cliniko.appointment_types.watch(**{argument: value})
        assert refused.value.argument == argument
        with pytest.raises(InvalidRequestError):
            it.cliniko.appointment_types.watch("")
        assert not it.sandbox.requests


def test_a_program_that_is_killed_at_random_gets_every_change_in_order_and_at_most_one_again(tmp_path: Path):
    assert kill_watchers(tmp_path, times=5, seed=random.randrange(2**32)) <= 5
