"""Links of a list: followed only on the same server, never in an endless loop, and with the whole query."""

import json
import re

import pytest

from cliniko_async.errors import BadRequestError, DecodingError, PaginationError, ServerError
from cliniko_async.sandbox import Sandbox
from tests.support.clients import virtually
from tests.support.for_each import for_each
from tests.support.listed import TYPES, listed, names, pages_asked, read, run_turns


def leading_to(url):
    """An edit that sends the iteration elsewhere."""

    def edit(page):
        page["links"]["next"] = url

    return edit


@pytest.mark.parametrize("prefetch", [0, 1, 8])
@virtually
async def test_a_next_link_to_another_server_is_an_error_and_that_server_receives_nothing(prefetch):
    async with listed(6) as (sandbox, cliniko), Sandbox() as other:
        sandbox.faults.edit(leading_to(f"{other.base_url}/appointment_types?page=2"))
        iterator = aiter(cliniko.appointment_types.list(per_page=2, prefetch=prefetch))
        got, error = await read(iterator)
        assert got == "ab"
        assert isinstance(error, PaginationError)
        assert error.cursor == iterator.cursor
        await run_turns(5)
        assert not other.requests
        assert names(await cliniko.appointment_types.list(per_page=2, cursor=error.cursor).collect()) == "cdef"


@pytest.mark.parametrize("prefetch", [1, 8])
@virtually
async def test_a_link_to_another_server_is_an_error_with_prefetched_pages_too(prefetch):
    async with listed(8) as (sandbox, cliniko), Sandbox() as other:
        sandbox.faults.edit(leading_to(f"{other.base_url}/appointment_types?per_page=2&page=3"), after=1)
        got, error = await read(cliniko.appointment_types.list(per_page=2, prefetch=prefetch))
        assert got == "abcd"
        assert isinstance(error, PaginationError)
        assert not other.requests


@for_each(
    "url",
    [
        "https://example.com/v1/x",
        "//example.com/v1/x",
        "/v1/appointment_types",
        "x",
        "http://[",
        "http://é.com/v1/x",
        "ftp:",
    ],
)
@virtually
async def test_a_link_that_is_not_an_address_of_the_server_is_an_error(url):
    async with listed(3) as (sandbox, cliniko):
        sandbox.faults.edit(leading_to(url))
        got, error = await read(cliniko.appointment_types.list(per_page=2))
        assert got == "ab"
        assert isinstance(error, PaginationError)
        assert len(sandbox.requests) == 1


@virtually
async def test_a_link_outside_of_the_base_path_is_an_error():
    async with listed(3) as (sandbox, cliniko):
        sandbox.faults.edit(leading_to(sandbox.base_url.removesuffix("/v1") + "/v2/appointment_types?page=2"))
        assert isinstance((await read(cliniko.appointment_types.list(per_page=2)))[1], PaginationError)


@pytest.mark.parametrize("prefetch", [0, 1, 8])
@virtually
async def test_a_repeated_link_is_an_error_and_not_an_endless_loop(prefetch):
    async with listed(8) as (sandbox, cliniko):
        url = f"{sandbox.base_url}/appointment_types?sort=name&per_page=2&page=2"
        sandbox.faults.edit(leading_to(url), after=1, times=None)
        got, error = await read(cliniko.appointment_types.list(per_page=2, sort="name", prefetch=prefetch))
        assert got == "abcd"
        assert isinstance(error, PaginationError)
        assert "read before" in str(error)


@virtually
async def test_a_link_that_leads_back_two_pages_is_an_error_and_that_page_is_not_requested_again():
    async with listed(8) as (sandbox, cliniko):
        url = f"{sandbox.base_url}/appointment_types?sort=name&per_page=2&page=2"
        sandbox.faults.edit(leading_to(url), after=2, times=None)
        got, error = await read(cliniko.appointment_types.list(per_page=2, sort="name"))
        assert got == "abcdef"
        assert isinstance(error, PaginationError)
        assert "read before" in str(error)
        assert pages_asked(sandbox) == [1, 2, 3]


@virtually
async def test_a_link_back_to_the_first_page_repeats_no_record():
    async with listed(4) as (sandbox, cliniko):
        sandbox.faults.edit(leading_to(f"{sandbox.base_url}/appointment_types?sort=name&per_page=2"), times=None)
        got, error = await read(cliniko.appointment_types.list(per_page=2, sort="name"))
        assert got == "ab"
        assert isinstance(error, PaginationError)
        assert len(sandbox.requests) == 1


@for_each("options", [{}, {"sort": "name"}, {"prefetch": 2}, {"sort": "name", "prefetch": 2}])
@virtually
async def test_an_empty_page_in_the_middle_is_not_the_end(options):
    async with listed(7) as (sandbox, cliniko):
        url = f"{sandbox.base_url}/appointment_types?per_page=2"

        def nothing(page):
            page[TYPES] = []
            page["links"]["next"] = f"{url}&page=2"

        sandbox.faults.edit(leading_to(f"{url}&gap=1&page=1"))
        sandbox.faults.edit(nothing, path="gap=1")
        iterator = aiter(cliniko.appointment_types.list(per_page=2, **options))
        assert await read(iterator) == ("abcdefg", None)


@pytest.mark.parametrize("options", [{}, {"sort": "name"}])
@virtually
async def test_a_cursor_taken_at_an_empty_page_is_the_one_before_it(options):
    async with listed(6) as (sandbox, cliniko):
        url = f"{sandbox.base_url}/appointment_types?per_page=2"

        def nothing(page):
            page[TYPES] = []
            page["links"]["next"] = f"{url}&page=2"

        sandbox.faults.edit(leading_to(f"{url}&gap=1&page=1"))
        sandbox.faults.edit(nothing, path="gap=1")
        sandbox.faults.status(503, path=re.compile(r"&page=2"), times=None)
        iterator = aiter(cliniko.appointment_types.list(per_page=2, **options))
        got, error = await read(iterator)
        assert got == "ab"
        assert isinstance(error, ServerError)
        assert error.cursor == iterator.cursor
        sandbox.faults.clear()
        assert (
            names(await cliniko.appointment_types.list(per_page=2, cursor=error.cursor, **options).collect()) == "cdef"
        )


@virtually
async def test_a_list_that_never_ends_raises_an_error():
    async with listed(2) as (sandbox, cliniko):

        def on_and_on(page):
            number = int(sandbox.requests[-1].query.get("page", ["1"])[0]) + 1
            page[TYPES] = page[TYPES] if number == 2 else []
            page["total_entries"] = 500
            page["links"]["next"] = f"{sandbox.base_url}/appointment_types?sort=name&per_page=2&page={number}"

        sandbox.faults.edit(on_and_on, times=None)
        got, error = await read(cliniko.appointment_types.list(per_page=2, sort="name"))
        assert got == "ab"
        assert isinstance(error, PaginationError)
        assert len(sandbox.requests) < 110


@virtually
async def test_a_link_past_the_end_costs_one_request():
    async with listed(4) as (sandbox, cliniko):

        def one_more(page):
            number = int(sandbox.requests[-1].query.get("page", ["1"])[0]) + 1
            page["links"]["next"] = f"{sandbox.base_url}/appointment_types?per_page=2&page={number}"

        sandbox.faults.edit(one_more, times=None)
        assert names(await cliniko.appointment_types.list(per_page=2).collect()) == "abcd"
        assert pages_asked(sandbox) == [1, 2, 3]


@pytest.mark.parametrize("prefetch", [0, 2])
@virtually
async def test_filters_sort_and_size_hold_on_every_page_whatever_the_links_leave_out(prefetch):
    async with listed(9) as (sandbox, cliniko):

        def forgetful(page):
            following = page["links"].get("next")
            if following:
                page["links"]["next"] = f"{sandbox.base_url}/appointment_types?page={following.rpartition('=')[2]}"

        sandbox.faults.edit(forgetful, times=None)
        where = cliniko.appointment_types.where
        listing = cliniko.appointment_types.list(
            where.created_at.is_not_null(), "id:>1", sort="name:desc", per_page=2, prefetch=prefetch
        )
        assert names(await listing.collect()) == "ihgfedcba"
        asked = [{**request.query, "page": None} for request in sandbox.requests]
        assert all(one == asked[1] for one in asked)
        assert asked[0]["q[]"] == ["created_at:?", "id:>1"]


@virtually
async def test_links_that_repeat_the_query_are_followed_unchanged():
    async with listed(6) as (sandbox, cliniko):
        sandbox.faults.edit(leading_to(f"{sandbox.base_url}/appointment_types?page=2&per_page=2&token=x%2By&q[]=id:>1"))
        assert names(await cliniko.appointment_types.list("id:>1", per_page=2).collect()) == "abcdef"
        assert sandbox.requests[1].url == "/v1/appointment_types?page=2&per_page=2&token=x%2By&q[]=id:>1"


@virtually
async def test_links_without_page_numbers_are_followed_one_after_the_other():
    async with listed(6) as (sandbox, cliniko):

        def opaque(page):
            following = page["links"].get("next")
            if following:
                number = int(following.rpartition("=")[2])
                page["links"]["next"] = (
                    f"{sandbox.base_url}/appointment_types?per_page=2&p=ge%3D{number}&page={number}&x"
                )
                if number == 3:
                    page["links"]["next"] += "y"

        sandbox.faults.edit(opaque, times=None)
        for prefetch in (0, 3):
            assert names(await cliniko.appointment_types.list(per_page=2, prefetch=prefetch).collect()) == "abcdef"


@virtually
async def test_a_refused_sort_by_id_is_sent_once_per_client():
    async with listed(5, unsortable=["id"]) as (sandbox, cliniko):
        types = cliniko.appointment_types
        assert names(await types.list(stable=True, per_page=2).collect()) == "abcde"
        assert names(await types.list(stable=True, per_page=2, prefetch=1).collect()) == "abcde"
        assert [request.query.get("sort") for request in sandbox.requests].count(["id"]) == 1


@virtually
async def test_a_cursor_of_the_order_of_ids_is_an_error_where_that_sort_is_refused_and_no_end():
    """No other order could go on after it without a gap."""
    async with listed(5) as (sandbox, cliniko):
        types = cliniko.appointment_types
        iterator = aiter(types.list(stable=True, per_page=2))
        assert [(await anext(iterator)).name for _ in range(2)] == ["a", "b"]
        sandbox.faults.status(400, path="sort=id", times=None)
        assert names(await types.list(stable=True, per_page=2).collect()) == "abcde"
        got, error = await read(types.list(stable=True, per_page=2, cursor=iterator.cursor))
        assert got == ""
        assert isinstance(error, BadRequestError)
        assert error.cursor == iterator.cursor
        sandbox.faults.clear()
        assert names(await types.list(stable=True, cursor=error.cursor).collect()) == "cde"


@virtually
async def test_a_filter_that_is_refused_is_not_taken_for_a_refused_sort():
    async with listed(5) as (sandbox, cliniko):
        types = cliniko.appointment_types
        with pytest.raises(BadRequestError) as caught:
            await types.list("nonsense:=1", stable=True).collect()
        assert caught.value.cursor
        sandbox.requests.clear()
        assert names(await types.list(stable=True, per_page=2).collect()) == "abcde"
        assert all(request.query["sort"] == ["id"] for request in sandbox.requests)


@virtually
async def test_a_filter_that_is_refused_is_an_error_of_a_plain_iteration_too():
    async with listed(5) as (sandbox, cliniko):
        with pytest.raises(BadRequestError):
            await cliniko.appointment_types.list("nonsense:=1").collect()
        assert len(sandbox.requests) == 1


@virtually
async def test_a_refusal_in_the_middle_of_a_stable_iteration_is_an_error_with_a_cursor():
    async with listed(5) as (sandbox, cliniko):
        sandbox.faults.status(400, after=1)
        iterator = aiter(cliniko.appointment_types.list(stable=True, per_page=2))
        got, error = await read(iterator)
        assert got == "ab"
        assert isinstance(error, BadRequestError)
        assert names(await cliniko.appointment_types.list(stable=True, cursor=error.cursor).collect()) == "cde"
        assert await read(iterator) == ("cde", None)


@virtually
async def test_a_server_that_does_not_sort_by_id_is_read_by_creation():
    async with listed(5) as (sandbox, cliniko):
        sandbox.faults.edit(lambda page: page[TYPES].reverse(), path="sort=id", times=None)
        assert names(await cliniko.appointment_types.list(stable=True, per_page=2).collect()) == "abcde"


@virtually
async def test_a_server_that_stops_sorting_by_id_is_an_error():
    async with listed(6) as (sandbox, cliniko):
        sandbox.faults.edit(lambda page: page[TYPES].reverse(), after=1)
        got, error = await read(cliniko.appointment_types.list(stable=True, per_page=2))
        assert got == "ab"
        assert isinstance(error, PaginationError)


@pytest.mark.parametrize("unsortable", [(), ("id",)])
@virtually
async def test_a_stable_iteration_with_empty_pages_before_the_total_retries_and_then_fails(unsortable):
    async with listed(4, unsortable=unsortable) as (sandbox, cliniko):
        sandbox.faults.edit(lambda page: page.get(TYPES, []).clear(), times=2)
        assert names(await cliniko.appointment_types.list(stable=True).collect()) == "abcd"
        sandbox.faults.edit(lambda page: page.get(TYPES, []).clear(), times=None)
        sandbox.requests.clear()
        got, error = await read(cliniko.appointment_types.list(stable=True))
        assert got == ""
        assert isinstance(error, PaginationError)
        assert len(sandbox.requests) == 4


@for_each(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b"null",
        b'{"appointment_types": null}',
        b'{"appointment_types": {}}',
        b'{"appointment_types": [], "total_entries": "7"}',
        b'{"appointment_types": [], "total_entries": 7.5}',
        b'{"appointment_types": [], "links": []}',
        b'{"appointment_types": [], "links": {"next": 7}}',
        b"[" * 100_000,
        json.dumps({"patients": []}).encode(),
    ],
)
@pytest.mark.parametrize("options", [{}, {"stable": True}, {"prefetch": 2}])
@virtually
async def test_a_malformed_page_is_a_decoding_error_and_is_requested_again(body, options):
    async with listed(4) as (sandbox, cliniko):
        sandbox.faults.edit(lambda page: body, after=1)
        iterator = aiter(cliniko.appointment_types.list(per_page=2, **options))
        got, error = await read(iterator)
        assert got == "ab"
        assert isinstance(error, DecodingError)
        assert error.page is None
        assert not error.written
        rest = cliniko.appointment_types.list(per_page=2, cursor=error.cursor, **options)
        assert names(await rest.collect()) == "cd"
        assert await read(iterator) == ("cd", None)
