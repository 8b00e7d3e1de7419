"""Lists in all their shapes: records, pages, the first page, the first record, everything, a count, a limit."""

import asyncio
import datetime as dt
import itertools
import pickle
from unittest import mock

import pytest

from cliniko_async.errors import InvalidRequestError, PaginationError, ServerError
from cliniko_async.sandbox import Sandbox
from tests.support.clients import client_of, virtually
from tests.support.for_each import for_each
from tests.support.listed import TYPES, add, listed, names, pages_asked, read, run_turns


@virtually
async def test_records_come_in_order_page_by_page():
    async with listed(5) as (sandbox, cliniko):
        assert "".join([kind.name async for kind in cliniko.appointment_types.list(per_page=2)]) == "abcde"
        assert pages_asked(sandbox) == [1, 2, 3]


@virtually
async def test_pages_hold_the_data_of_the_response():
    async with listed(5) as (_, cliniko):
        pages = [page async for page in cliniko.appointment_types.list(per_page=2).pages()]
        assert [names(page.items) for page in pages] == ["ab", "cd", "e"]
        assert [page.total_entries for page in pages] == [5, 5, 5]
        assert [page.next and page.next.rpartition("=")[2] for page in pages] == ["2", "3", None]
        assert pages[0].raw["total_entries"] == 5
        assert [raw["name"] for raw in pages[0].raw[TYPES]] == ["a", "b"]
        assert len({page.cursor for page in pages}) == 3


@for_each("unsortable", [(), ("id",)])
@for_each("per_page", [2, 3, 100])
@virtually
async def test_each_page_of_a_stable_iteration_has_the_total_of_the_whole_list(unsortable, per_page):
    async with listed(7, unsortable=unsortable) as (_, cliniko):
        pages = [page async for page in cliniko.appointment_types.list(per_page=per_page, stable=True).pages()]
        assert "".join(names(page.items) for page in pages) == "abcdefg"
        assert {page.total_entries for page in pages} == {7}


@virtually
async def test_the_raw_page_is_read_anew_and_cannot_spoil_the_next_reading():
    async with listed(1) as (_, cliniko):
        page = await cliniko.appointment_types.list()
        page.raw.clear()
        assert page.raw["total_entries"] == 1


@virtually
async def test_a_page_shows_sizes_and_no_records_and_can_be_pickled():
    async with listed(3) as (_, cliniko):
        page = await cliniko.appointment_types.list(per_page=2)
        assert repr(page) == "Page(2 of 3)"
        assert pickle.loads(pickle.dumps(page)) == page


@virtually
async def test_awaiting_a_list_gives_its_first_page_by_one_request():
    async with listed(5) as (sandbox, cliniko):
        assert names((await cliniko.appointment_types.list(per_page=2, prefetch=8)).items) == "ab"
        await run_turns(20)
        assert pages_asked(sandbox) == [1]


@virtually
async def test_the_first_page_of_an_empty_list_is_an_empty_page():
    async with listed(0) as (sandbox, cliniko):
        types = cliniko.appointment_types
        page = await types.list()
        assert (page.items, page.total_entries, page.next) == ((), 0, None)
        assert [one.items async for one in types.list().pages()] == [()]
        assert await types.list(cursor=page.cursor).collect() == []
        assert len(sandbox.requests) == 3


@pytest.mark.parametrize("options", [{}, {"sort": "name"}, {"stable": True}])
@virtually
async def test_an_empty_list_has_no_records_in_any_order(options):
    async with listed(0) as (sandbox, cliniko):
        assert await cliniko.appointment_types.list(**options).collect() == []
        assert len(sandbox.requests) == 1


@virtually
async def test_the_first_record_costs_one_small_request():
    async with listed(3) as (sandbox, cliniko):
        types = cliniko.appointment_types
        first = await types.list(sort="name:desc", prefetch=8).first()
        assert first is not None
        assert first.name == "c"
        assert await types.list("id:=1").first() is None
        assert [request.query["per_page"] for request in sandbox.requests] == [["1"], ["1"]]


@virtually
async def test_first_after_a_cursor_is_the_next_record_in_any_order():
    async with listed(8) as (_, cliniko):
        for options in ({}, {"sort": "name"}, {"stable": True}):
            iterator = aiter(cliniko.appointment_types.list(per_page=3, **options))
            for name in "abcdefg":
                assert (await anext(iterator)).name == name
                following = await cliniko.appointment_types.list(cursor=iterator.cursor, per_page=3, **options).first()
                assert following is not None
                assert following.name == chr(ord(name) + 1)


@virtually
async def test_collect_gives_a_list_as_long_as_the_limit():
    async with listed(7) as (sandbox, cliniko):
        types = cliniko.appointment_types
        assert names(await types.list(per_page=2, limit=3).collect()) == "abc"
        assert pages_asked(sandbox) == [1, 2]
        assert names(await types.list(per_page=2, limit=100).collect()) == "abcdefg"
        assert [names(page.items) async for page in types.list(per_page=2, limit=3).pages()] == ["ab", "c"]


@virtually
async def test_a_count_is_one_small_request_with_the_filters():
    async with listed(7) as (sandbox, cliniko):
        types = cliniko.appointment_types
        assert await types.list(prefetch=8).count() == 7
        assert await types.list("id:=1").count() == 0
        assert [request.query["per_page"] for request in sandbox.requests] == [["1"], ["1"]]


@virtually
async def test_counting_a_list_without_a_total_is_an_error():
    async with listed(7) as (sandbox, cliniko):
        sandbox.faults.edit(lambda page: {TYPES: page[TYPES]})
        with pytest.raises(PaginationError, match="how many"):
            await cliniko.appointment_types.list().count()


@virtually
async def test_nothing_is_sent_before_a_list_is_used():
    async with listed(3) as (sandbox, cliniko):
        listing = cliniko.appointment_types.list(prefetch=8)
        aiter(listing)
        listing.pages()
        aiter(listing).cursor  # noqa: B018
        await run_turns(20)
        assert not sandbox.requests


@virtually
async def test_each_use_of_a_list_sends_new_requests():
    async with listed(3) as (sandbox, cliniko):
        listing = cliniko.appointment_types.list()
        assert names(await listing.collect()) == "abc"
        add(sandbox, 3, 3)
        assert names(await listing.collect()) == "abcd"
        assert len(sandbox.requests) == 2


@virtually
async def test_a_plain_for_says_async_for():
    async with listed(1) as (sandbox, cliniko):
        with pytest.raises(TypeError, match="async for"):
            list(cliniko.appointment_types.list())
        assert not sandbox.requests


@virtually
async def test_an_iteration_continues_where_a_loop_left_it():
    async with listed(5) as (sandbox, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=2))
        async for kind in iterator:
            if kind.name == "c":
                break
        assert [kind.name async for kind in iterator] == ["d", "e"]
        assert [kind.name async for kind in iterator] == []
        assert pages_asked(sandbox) == [1, 2, 3]


@virtually
async def test_an_iteration_by_pages_continues_where_a_loop_left_it():
    async with listed(5) as (_, cliniko):
        iterator = cliniko.appointment_types.list(per_page=2).pages()
        async for page in iterator:
            assert names(page.items) == "ab"
            break
        assert iterator.cursor == page.cursor
        assert [names(page.items) async for page in iterator] == ["cd", "e"]


@pytest.mark.parametrize("prefetch", [0, 1, 8])
@virtually
async def test_two_consumers_share_an_iteration_without_a_record_twice_or_a_page_twice(prefetch):
    async with listed(9, latency=0.1) as (sandbox, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=2, prefetch=prefetch))

        async def consume():
            return [kind.name async for kind in iterator]

        shares = await asyncio.gather(consume(), consume(), consume())
        assert sorted(itertools.chain(*shares)) == list("abcdefghi")
        assert sorted(pages_asked(sandbox)) == [1, 2, 3, 4, 5]


@virtually
async def test_two_steps_that_wait_for_one_page_share_it():
    async with listed(4) as (sandbox, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=2))
        assert names(await asyncio.gather(anext(iterator), anext(iterator), anext(iterator))) == "abc"
        assert pages_asked(sandbox) == [1, 2]


@for_each(
    "option, text",
    [
        ({"limit": 0}, "limit"),
        ({"per_page": 101}, "per_page"),
        ({"prefetch": -1}, "prefetch"),
        ({"limit": True}, "int"),
    ],
)
@virtually
async def test_invalid_options_are_refused_before_anything_is_sent(option, text):
    async with listed(1) as (sandbox, cliniko):
        with pytest.raises(InvalidRequestError, match=text):
            cliniko.appointment_types.list(**option)
        assert not sandbox.requests


@virtually
async def test_a_stable_iteration_with_a_sort_or_without_ids_is_refused_before_anything_is_sent():
    async with listed(1) as (sandbox, cliniko):
        with pytest.raises(InvalidRequestError, match="stable"):
            cliniko.appointment_types.list(stable=True, sort="name")
        with pytest.raises(InvalidRequestError, match="stable"):
            cliniko.services.list_for_business(1, stable=True)
        assert not sandbox.requests


@pytest.mark.parametrize("options", [{}, {"sort": "name"}, {"stable": True}])
@virtually
async def test_a_new_client_continues_after_each_record_with_its_cursor(options):
    async with listed(7, seconds=[0, 1, 1, 1, 1, 2, 3]) as (sandbox, cliniko):
        listing = cliniko.appointment_types.list(per_page=3, **options)
        iterator = aiter(listing)
        whole = [iterator.cursor, *[iterator.cursor async for _ in iterator]]
        for place, cursor in enumerate(whole):
            async with client_of(sandbox) as another:
                rest = await another.appointment_types.list(per_page=3, cursor=cursor, **options).collect()
            assert names(rest) == "abcdefg"[place:]


@pytest.mark.parametrize("options", [{}, {"sort": "name"}, {"stable": True}])
@virtually
async def test_the_cursor_of_each_page_continues_after_it(options):
    async with listed(7) as (_, cliniko):
        done = 0
        async for page in cliniko.appointment_types.list(per_page=3, **options).pages():
            done += len(page.items)
            rest = cliniko.appointment_types.list(per_page=3, cursor=page.cursor, **options)
            assert names(await rest.collect()) == "abcdefg"[done:]
        assert done == 7


@virtually
async def test_a_limit_counts_from_the_resumption():
    async with listed(7) as (_, cliniko):
        iterator = aiter(cliniko.appointment_types.list(limit=2))
        assert [kind.name async for kind in iterator] == ["a", "b"]
        assert names(await cliniko.appointment_types.list(limit=2, cursor=iterator.cursor).collect()) == "cd"


@virtually
async def test_after_an_error_the_next_step_requests_the_same_page_again():
    async with listed(6) as (sandbox, cliniko):
        sandbox.faults.status(503, after=1, times=2)
        iterator = aiter(cliniko.appointment_types.list(per_page=2))
        got, error = await read(iterator)
        assert got == "ab"
        assert isinstance(error, ServerError)
        assert error.cursor == iterator.cursor
        assert await read(iterator) == ("", mock.ANY)
        assert await read(iterator) == ("cdef", None)
        assert pages_asked(sandbox) == [1, 2, 2, 2, 3]
        assert names(await cliniko.appointment_types.list(cursor=error.cursor).collect()) == "cdef"


@virtually
async def test_an_error_on_the_first_page_has_the_cursor_of_the_start():
    async with listed(3) as (sandbox, cliniko):
        sandbox.faults.status(503)
        iterator = cliniko.appointment_types.list().pages()
        with pytest.raises(ServerError) as caught:
            await anext(iterator)
        assert names(await cliniko.appointment_types.list(cursor=caught.value.cursor).collect()) == "abc"
        assert names((await anext(iterator)).items) == "abc"


@virtually
async def test_two_lists_that_make_up_one_are_read_one_after_the_other():
    async with listed(0) as (sandbox, cliniko):
        people = [sandbox.add("practitioners", active=active) for active in (True, False, True, False)]
        kind = await cliniko.appointment_types.get(sandbox.add(TYPES, name="a", practitioner_ids=people))
        assert kind.practitioners is not None
        listing = cliniko.follow(kind.practitioners)
        assert [one.id async for one in listing] == [people[0], people[2], people[1], people[3]]
        assert await listing.count() == 4
        assert [len(page.items) async for page in listing.pages()] == [2, 2]


@virtually
async def test_a_page_knows_when_the_server_sent_it_by_its_own_clock():
    async with Sandbox(wall=lambda: 1_790_000_000.7) as sandbox, client_of(sandbox) as cliniko:
        page = await cliniko.taxes.list()
        assert page.server_time == dt.datetime.fromtimestamp(1_790_000_000, dt.UTC)


@virtually
async def test_a_page_without_a_date_has_no_server_time():
    body = b'{"taxes":[],"total_entries":0,"links":{}}'
    for date in (b"", b"Date: soon\r\n", b"Date: Fri, 31 Dec 9999 23:59:59 -0100\r\n"):
        async with Sandbox() as sandbox, client_of(sandbox) as cliniko:
            sandbox.faults.raw(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (date, len(body), body))
            assert (await cliniko.taxes.list()).server_time is None
