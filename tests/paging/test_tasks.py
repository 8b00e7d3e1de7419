"""The requests of an iteration: pages requested ahead, and none left running after a break or a cancellation."""

import asyncio
import contextlib
import gc
import logging
import threading

import pytest

from cliniko_async._paging.page_fetcher import PageFetcher
from cliniko_async.errors import DecodingError, ServerError, UsageError
from cliniko_async.sandbox import Sandbox
from tests.support.clients import client_of, virtually
from tests.support.for_each import for_each
from tests.support.inside import manager_of
from tests.support.listed import TYPES, id_of, listed, names, other_tasks, pages_asked, read, run_turns
from tests.support.model_api import ModelApi, things
from tests.support.model_server import START, Model, Stored, Tape
from tests.support.virtual import run


def all_connections(cliniko):
    """How many connections of a client are in use."""
    connector = manager_of(cliniko).session().connector
    return sum(map(len, connector._acquired_per_host.values())) + len(connector._acquired)


# Prefetching.


@for_each("prefetch, asked", [(0, [1]), (1, [1, 2]), (2, [1, 2, 3]), (8, [1, 2, 3, 4, 5])])
@virtually
async def test_the_first_record_starts_exactly_the_prefetched_pages(prefetch, asked):
    async with listed(10) as (sandbox, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=2, prefetch=prefetch))
        await anext(iterator)
        await asyncio.sleep(1)
        assert sorted(pages_asked(sandbox)) == asked
        assert await read(iterator) == ("bcdefghij", None)
        assert sorted(pages_asked(sandbox)) == [1, 2, 3, 4, 5]


@virtually
async def test_each_page_that_is_reached_starts_the_next_one_ahead():
    async with listed(12) as (sandbox, cliniko):
        pages = cliniko.appointment_types.list(per_page=2, prefetch=2).pages()
        seen = []
        for _ in range(6):
            await anext(pages)
            await asyncio.sleep(1)
            seen.append(len(sandbox.requests))
        assert seen == [3, 4, 5, 6, 6, 6]


@virtually
async def test_of_pages_that_arrived_together_each_sends_another_before_the_next_is_read():
    async with listed(20) as (_, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=2, prefetch=3))
        await anext(iterator)
        await asyncio.sleep(1)
        sent = []
        for _ in range(6):
            await anext(iterator)
            sent.append((await cliniko.limits()).used)
        assert sent == [4, 4, 4, 5, 5, 6]


@for_each("limit, asked", [(1, 1), (2, 1), (3, 2), (5, 3), (100, 5)])
@virtually
async def test_a_limit_caps_the_prefetched_pages(limit, asked):
    async with listed(10) as (sandbox, cliniko):
        got = await cliniko.appointment_types.list(per_page=2, prefetch=8, limit=limit).collect()
        await asyncio.sleep(1)
        assert names(got) == "abcdefghij"[:limit]
        assert len(sandbox.requests) == asked


@for_each("limit, asked", [(1, 1), (2, 1), (3, 2), (5, 3), (100, 5)])
@virtually
async def test_all_pages_within_the_limit_are_asked_for_ahead(limit, asked):
    async with listed(10) as (sandbox, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=2, prefetch=8, limit=limit))
        await anext(iterator)
        await asyncio.sleep(1)
        assert len(sandbox.requests) == asked


@virtually
async def test_prefetched_pages_are_requested_together_and_come_in_order():
    async with listed(20, latency=1.0) as (_, cliniko):
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert names(await cliniko.appointment_types.list(per_page=2, prefetch=9).collect()) == "abcdefghijklmnopqrst"
        assert loop.time() - began < 3


@virtually
async def test_a_stable_iteration_prefetches_at_most_one_page():
    async with listed(10) as (sandbox, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=2, prefetch=8, stable=True))
        await anext(iterator)
        await asyncio.sleep(1)
        assert len(sandbox.requests) == 2
        assert await read(iterator) == ("bcdefghij", None)


@virtually
async def test_a_resumed_iteration_prefetches_at_most_one_page():
    async with listed(10) as (sandbox, cliniko):
        page = await cliniko.appointment_types.list(per_page=2)
        sandbox.requests.clear()
        iterator = aiter(cliniko.appointment_types.list(per_page=2, prefetch=8, cursor=page.cursor))
        await anext(iterator)
        await asyncio.sleep(1)
        assert len(sandbox.requests) == 2


# Leaving.


@for_each("leave", ["break", "raise", "drop", "return"])
@pytest.mark.parametrize("prefetch", [1, 8])
@virtually
async def test_leaving_an_iteration_leaves_no_task_and_no_connection_behind(leave, prefetch):
    async with listed(20, latency=5.0) as (_, cliniko):
        listing = cliniko.appointment_types.list(per_page=2, prefetch=prefetch)

        async def leave_by_return():
            async for _ in listing:
                return
            pytest.fail("no record came")

        async def leave_by_error():
            async for _ in listing:
                raise RuntimeError

        kept = None
        if leave == "break":
            async for _ in listing:
                assert other_tasks()
                break
            else:
                pytest.fail("no record came")
        elif leave == "raise":
            with pytest.raises(RuntimeError) as kept:
                await leave_by_error()
        elif leave == "drop":
            iterator = aiter(listing)
            await anext(iterator)
            del iterator
        else:
            await leave_by_return()
        await run_turns()
        assert not other_tasks()
        await run_turns()
        assert all_connections(cliniko) == 0
        assert (await cliniko.limits()).waiting == {"interactive": 0, "bulk": 0}
        del kept


@virtually
async def test_an_iteration_in_a_reference_cycle_is_collected_with_it():
    async with listed(20, latency=5.0) as (_, cliniko):
        circle: list[object] = [aiter(cliniko.appointment_types.list(per_page=2, prefetch=8))]
        circle.append(circle)
        await anext(circle[0])
        del circle
        gc.collect()
        await run_turns()
        assert not other_tasks()


@virtually
async def test_an_iteration_that_is_dropped_in_another_thread_is_cleared_in_its_loop():
    async with listed(20, latency=5.0) as (_, cliniko):
        iterators = [aiter(cliniko.appointment_types.list(per_page=2, prefetch=8))]
        await anext(iterators[0])
        assert other_tasks()
        thread = threading.Thread(target=iterators.clear)
        thread.start()
        thread.join()
        await run_turns(3)
        assert not other_tasks()


@for_each("status", [200, 503])
def test_an_iteration_that_outlives_its_loop_is_dropped_in_silence(status, caplog):
    iterators = []

    async def main():
        async with listed(20) as (sandbox, cliniko):
            if status != 200:
                sandbox.faults.status(status, after=1, times=None)
            iterators.append(aiter(cliniko.appointment_types.list(per_page=2, prefetch=2)))
            await anext(iterators[0])
            await asyncio.sleep(1)
            assert len(sandbox.requests) == 3

    run(main())
    iterators.clear()
    gc.collect()
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == []


@virtually
async def test_an_error_that_is_kept_keeps_no_task():
    async with listed(20) as (sandbox, cliniko):
        sandbox.faults.status(503, path="&page=2")
        sandbox.faults.slow(60.0, path="&page=", times=None)
        kept = (await read(cliniko.appointment_types.list(per_page=2, prefetch=8)))[1]
        assert isinstance(kept, ServerError)
        await run_turns()
        assert not other_tasks()


@virtually
async def test_a_failed_prefetched_page_that_nobody_awaited_is_not_logged(caplog):
    caplog.set_level(logging.ERROR)
    async with listed(20) as (sandbox, cliniko):
        sandbox.faults.status(503, times=None, after=1)
        iterator = aiter(cliniko.appointment_types.list(per_page=2, prefetch=8))
        await anext(iterator)
        await asyncio.sleep(1)
        del iterator
        gc.collect()
        await run_turns(3)
    gc.collect()
    assert [each for each in caplog.messages if "never retrieved" in each or "503" in each] == []


@pytest.mark.parametrize("prefetch", [1, 8])
@virtually
async def test_the_step_after_an_error_requests_a_failed_prefetched_page_again(prefetch):
    async with listed(8) as (sandbox, cliniko):
        sandbox.faults.status(503, path="page=3")
        iterator = aiter(cliniko.appointment_types.list(per_page=2, prefetch=prefetch))
        got, error = await read(iterator)
        assert got == "abcd"
        assert isinstance(error, ServerError)
        assert error.cursor == iterator.cursor
        assert await read(iterator) == ("efgh", None)


# Timeouts.


@pytest.mark.parametrize(("prefetch", "asked"), [(0, None), (1, [1, 2, 3]), (8, [1, 2, 3])])
@virtually
async def test_a_timeout_around_a_step_loses_nothing_and_with_prefetch_sends_nothing_twice(prefetch, asked):
    async with listed(6, latency=1.0) as (sandbox, cliniko):
        iterator, got, timeouts = aiter(cliniko.appointment_types.list(per_page=2, prefetch=prefetch)), "", 0
        patience = 0.3 if prefetch else 0.9
        while True:
            try:
                got += (await asyncio.wait_for(anext(iterator), patience)).name
            except StopAsyncIteration:
                break
            except TimeoutError:
                timeouts += 1
                patience += 0.1
        assert got == "abcdef"
        assert timeouts
        if asked:
            assert sorted(pages_asked(sandbox)) == asked


@for_each("options", [{}, {"prefetch": 2}, {"stable": True}, {"prefetch": 1, "stable": True}])
def test_a_step_cancelled_at_any_turn_loses_nothing_and_repeats_nothing(options):
    async def cancelled_at(turn):
        model = Model(Tape(bytes([3] * 400)), changes=0)
        model.rows = {key: Stored(key, START + key, "a") for key in range(1, 8)}
        iterator = aiter(things(ModelApi(model), per_page=2, **options))
        got, left = [], turn
        while True:
            step = asyncio.ensure_future(anext(iterator))
            while not step.done() and left:
                left -= 1
                await run_turns()
            if not left:
                step.cancel()
                left = -1
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                got.append((await step).id)
                continue
            if isinstance(step.exception() if not step.cancelled() else None, StopAsyncIteration):
                break
        assert got == list("1234567")
        del iterator, step
        await run_turns(3)
        return left < 0 and len(asyncio.all_tasks()) == 1

    turns = 0
    while asyncio.run(cancelled_at(turns)):
        turns += 1
    assert turns > 10


@pytest.mark.parametrize("prefetch", [0, 4])
def test_a_consumer_cancelled_at_any_moment_leaves_nothing_under_way(prefetch):
    async def cancelled_at(seconds):
        async with Sandbox(appointment_types=8, latency=1.0) as sandbox, client_of(sandbox) as cliniko:
            listing = cliniko.appointment_types.list(per_page=2, prefetch=prefetch)
            task = asyncio.create_task(listing.collect())
            await asyncio.sleep(seconds)
            done = task.done()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            del task
            await run_turns(2)
            assert not other_tasks()
            assert all_connections(cliniko) == 0
        return done

    assert not run(cancelled_at(0))
    for quarter in range(1, 12):
        run(cancelled_at(0.25 * quarter))


@virtually
async def test_one_of_two_consumers_may_be_cancelled_and_the_other_goes_on():
    async with listed(6, latency=1.0) as (sandbox, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=2))
        first = asyncio.create_task(read(iterator))
        await run_turns()
        second = asyncio.create_task(read(iterator))
        await asyncio.sleep(0.5)
        first.cancel()
        assert await second == ("abcdef", None)
        assert pages_asked(sandbox) == [1, 1, 2, 3]


# Closing.


@pytest.mark.parametrize("prefetch", [0, 1, 8])
@virtually
async def test_an_iteration_whose_client_is_closed_under_way_ends_with_a_usage_error(prefetch):
    async with listed(9, latency=1.0) as (sandbox, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=2, prefetch=prefetch))
        assert (await anext(iterator)).name == "a"
        reader = asyncio.create_task(read(iterator))
        await asyncio.sleep(0.5)
        await cliniko.aclose()
        got, error = await reader
        assert got == "b"
        assert isinstance(error, UsageError)
        assert error.cursor == iterator.cursor
        assert isinstance((await read(iterator))[1], UsageError)
        async with client_of(sandbox) as another:
            rest = another.appointment_types.list(per_page=2, cursor=error.cursor)
            assert names(await rest.collect()) == "cdefghi"
        assert not other_tasks()


@virtually
async def test_closing_a_client_ends_its_prefetched_requests():
    async with listed(9, latency=1.0) as (_, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=2, prefetch=8))
        await anext(iterator)
        assert other_tasks()
        await cliniko.aclose()
        assert not other_tasks()
        assert (await anext(iterator)).name == "b"


# The page fetcher.


def test_cancelling_a_fetcher_before_its_first_request_does_nothing():
    PageFetcher(ModelApi(Model(Tape(b""))), Stored, "things").cancel()


@virtually
async def test_archiving_a_later_record_does_not_repeat_the_request_of_earlier_ones():
    async with listed(9) as (sandbox, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=3, prefetch=8))
        await anext(iterator)
        await asyncio.sleep(1)
        sandbox.archive(TYPES, id_of(sandbox, "b"))
        assert await read(iterator) == ("bcdefghi", None)


@virtually
async def test_a_malformed_prefetched_page_is_an_error_when_its_turn_comes():
    async with listed(6) as (sandbox, cliniko):
        sandbox.faults.edit(lambda page: b"<html>", path="page=3")
        got, error = await read(cliniko.appointment_types.list(per_page=2, prefetch=8))
        assert got == "abcd"
        assert isinstance(error, DecodingError)
