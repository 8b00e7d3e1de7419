"""Iterators that are left or closed: no request stays under way, even without the garbage collector."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Iterator

import pytest

from cliniko_async import DeadlineExceededError, DecodingError, PaginationError, ServerError, TransportError
from cliniko_async.errors import BadRequestError, ClinikoError, TransportTimeoutError
from tests.support.clients import virtually
from tests.support.for_each import for_each
from tests.support.listed import TYPES, listed, names, other_tasks, read, run_turns

SECOND = {"path": "&page=2"}


def invalid(page):
    page[TYPES][0]["name"] = None


def lead_away(page):
    page["links"]["next"] = "https://elsewhere.example/v1/appointment_types?page=3"


FAULTS = {
    "a lost connection": (lambda faults: faults.drop(**SECOND), TransportError),
    "an answer cut off": (lambda faults: faults.cut(**SECOND), TransportError),
    "a timeout": (lambda faults: faults.slow(7.0, **SECOND), TransportTimeoutError),
    "a deadline": (lambda faults: faults.slow(7.0, **SECOND), DeadlineExceededError),
    "a refusal": (lambda faults: faults.status(400, **SECOND), BadRequestError),
    "a failure": (lambda faults: faults.status(503, **SECOND), ServerError),
    "an invalid record": (lambda faults: faults.edit(invalid, **SECOND), DecodingError),
    "a page that is none": (lambda faults: faults.edit(lambda _: b"<html>", **SECOND), DecodingError),
    "a link away": (lambda faults: faults.edit(lead_away, **SECOND), PaginationError),
}


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def options_of(fault):
    return {"a timeout": {"timeout": 5.0}, "a deadline": {"deadline": 5.0}}.get(fault, {})


async def failure_of(pages):
    """Read until an error and return its class, because the frames of the error itself hold the iterator."""
    try:
        while True:
            await anext(pages)
    except ClinikoError as error:
        return type(error)


@pytest.mark.usefixtures("without_collector")
@for_each("prefetch", [0, 4])
@for_each("fault", [*FAULTS])
@virtually
async def test_leaving_after_a_handled_error_leaves_nothing_without_the_garbage_collector(fault, prefetch):
    async with listed(30, client=options_of(fault)) as (sandbox, cliniko):
        script, expected = FAULTS[fault]
        script(sandbox.faults)
        pages = cliniko.appointment_types.list(per_page=2, prefetch=prefetch).pages()
        iterator = weakref.ref(pages)
        assert issubclass(await failure_of(pages), expected)
        with contextlib.suppress(ClinikoError):
            await anext(pages)
        del pages
        await run_turns()
        assert iterator() is None
        assert not other_tasks()


@pytest.mark.usefixtures("without_collector")
@for_each("fault", ["a lost connection", "a failure", "an invalid record", "a page that is none"])
@virtually
async def test_changes_that_are_left_after_a_handled_error_are_gone_without_the_garbage_collector(fault):
    async with listed(6) as (sandbox, cliniko):
        script, expected = FAULTS[fault]
        script(type("", (), {name: _anywhere(sandbox.faults, name) for name in ("drop", "status", "edit")}))
        stream = aiter(cliniko.appointment_types.changes())
        run = weakref.ref(stream)
        with pytest.raises(expected) as caught:
            await anext(stream)
        del caught
        await anext(stream)
        del stream
        await run_turns()
        assert run() is None


def _anywhere(faults, name):
    """A fault that applies to every request."""
    return staticmethod(lambda *args, **_: getattr(faults, name)(*args))


@pytest.mark.usefixtures("without_collector")
@for_each("prefetch", [0, 1])
@virtually
async def test_an_iteration_whose_sort_was_refused_leaves_nothing_for_the_garbage_collector(prefetch):
    async with listed(6, unsortable=["id"]) as (_, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=2, prefetch=prefetch, stable=True))
        assert (await anext(iterator)).name == "a"
        gone = weakref.ref(iterator)
        del iterator
        await run_turns()
        assert gone() is None
        assert not other_tasks()


@pytest.mark.usefixtures("without_collector")
@virtually
async def test_a_step_ended_by_a_timeout_leaves_nothing_for_the_garbage_collector():
    async with listed(20, latency=5.0) as (_, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=2, prefetch=4))
        await anext(iterator)
        await anext(iterator)
        gone = weakref.ref(iterator)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await anext(iterator)
        del iterator
        await run_turns(2)
        assert gone() is None
        assert not other_tasks()


# Closing.


@for_each("prefetch", [0, 4])
@for_each("shape", ["records", "pages"])
@virtually
async def test_a_closed_iterator_has_nothing_under_way_and_keeps_its_position(shape, prefetch):
    async with listed(12, latency=1.0) as (sandbox, cliniko):
        listing = cliniko.appointment_types.list(per_page=3, prefetch=prefetch)
        async with contextlib.aclosing(aiter(listing) if shape == "records" else listing.pages()) as iterator:
            await anext(iterator)
            if shape == "records":
                await anext(iterator)
            assert bool(other_tasks()) == bool(prefetch)
            before = iterator.cursor
        assert not other_tasks()
        asked = len(sandbox.requests)
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await anext(iterator)
            await iterator.aclose()
        assert iterator.cursor == before
        await asyncio.sleep(10)
        assert len(sandbox.requests) == asked
        rest = await cliniko.appointment_types.list(per_page=3, cursor=iterator.cursor).collect()
        assert names(rest) == ("cdefghijkl" if shape == "records" else "defghijkl")


@pytest.mark.parametrize("options", [{}, {"sort": "name"}, {"stable": True}])
@virtually
async def test_an_iterator_closed_before_its_first_step_or_after_its_last_is_at_its_end(options):
    async with listed(3) as (sandbox, cliniko):
        iterator = aiter(cliniko.appointment_types.list(**options))
        await iterator.aclose()
        assert await read(iterator) == ("", None)
        assert not sandbox.requests
        assert await read(cliniko.appointment_types.list(cursor=iterator.cursor, **options)) == ("abc", None)
        iterator = aiter(cliniko.appointment_types.list(**options))
        assert await read(iterator) == ("abc", None)
        await iterator.aclose()
        assert await read(cliniko.appointment_types.list(cursor=iterator.cursor, **options)) == ("", None)


@for_each("prefetch", [0, 4])
@for_each("refused", [False, True])
@virtually
async def test_closing_an_iterator_ends_the_step_of_every_consumer(prefetch, refused):
    async with listed(9, latency=1.0) as (sandbox, cliniko):
        # A refused sort is replaced by another request, unless the iterator is closed.
        if refused:
            sandbox.faults.status(400, path="sort=id")
        iterator = aiter(cliniko.appointment_types.list(per_page=2, prefetch=prefetch, stable=True))
        readers = [asyncio.create_task(read(iterator)) for _ in range(3)]
        await asyncio.sleep(0.5)
        await iterator.aclose()
        assert await asyncio.gather(*readers) == [("", None)] * 3
        assert not other_tasks()
        assert len(sandbox.requests) == 1
        assert await read(cliniko.appointment_types.list(stable=True, cursor=iterator.cursor)) == ("abcdefghi", None)


@virtually
async def test_closed_changes_are_exhausted_and_the_cursor_continues_after_the_last_one():
    async with listed(6, latency=1.0) as (_, cliniko):
        types = cliniko.appointment_types
        async with contextlib.aclosing(aiter(types.changes())) as stream:
            got = [(await anext(stream)).record.name for _ in range(2)]
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
            await stream.aclose()
        rest = [change.record.name async for change in types.changes(stream.cursor)]
        assert sorted(got + rest) == list("abcdef")
        stream = aiter(types.changes())
        step = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.5)
        await stream.aclose()
        with pytest.raises(StopAsyncIteration):
            await step
        assert len([change async for change in types.changes(stream.cursor)]) == 6


@virtually
async def test_a_collection_that_fails_or_is_cancelled_leaves_no_page_under_way():
    async with listed(20, latency=1.0) as (sandbox, cliniko):
        sandbox.faults.edit(lambda _: b"<html>", path="&page=2")
        listing = cliniko.appointment_types.list(per_page=2, prefetch=8)
        with pytest.raises(DecodingError) as kept:
            await listing.collect()
        assert not other_tasks()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(listing.collect(), 1.5)
        assert not other_tasks()
        del kept


@virtually
async def test_while_the_next_page_is_awaited_the_last_one_is_not_kept(without_collector):
    """It may be long in coming, and a page may be large."""
    async with listed(4) as (sandbox, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=2))
        records = [weakref.ref(await anext(iterator)) for _ in range(2)]
        sandbox.faults.slow(7.0, **SECOND)
        step = asyncio.create_task(anext(iterator))
        await asyncio.sleep(1)
        assert [record() for record in records] == [None, None]
        assert (await step).name == "c"
