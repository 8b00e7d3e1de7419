"""Lists that change while they are read: what is recovered, what is reported, and what it costs."""

import functools

import pytest

from cliniko_async.errors import PaginationDriftError, PaginationError
from tests.support.clients import virtually
from tests.support.for_each import for_each
from tests.support.listed import EPOCH, TYPES, add, id_of, listed, names, pages_asked, read
from tests.support.model_api import ModelApi, things
from tests.support.model_server import START, Model, Stored, Tape


def anchored(sandbox):
    """The requests that start at a second of creation."""
    return [request for request in sandbox.requests if "created_at" in request.url]


@virtually
async def test_archiving_a_record_on_a_page_already_read_loses_no_later_record():
    async with listed(9) as (sandbox, cliniko):
        sandbox.faults.between(lambda: sandbox.archive(TYPES, id_of(sandbox, "a")))
        listing = cliniko.appointment_types.list(per_page=3)
        assert names(await listing.collect()) == "abcdefghi"
        assert len(anchored(sandbox)) == 4


@virtually
async def test_a_record_that_appears_late_on_a_page_already_read_repeats_none():
    async with listed(9) as (sandbox, cliniko):
        sandbox.faults.between(lambda: add(sandbox, 25, 0.5))
        assert names(await cliniko.appointment_types.list(per_page=3).collect()) == "abcdefghi"


@virtually
async def test_a_record_created_at_the_end_is_yielded_too():
    async with listed(6) as (sandbox, cliniko):
        sandbox.faults.between(lambda: add(sandbox, 6, 60))
        assert names(await cliniko.appointment_types.list(per_page=4).collect()) == "abcdefg"


@virtually
async def test_pages_have_the_total_of_the_list_before_and_after_the_drift():
    async with listed(9) as (sandbox, cliniko):
        sandbox.faults.between(lambda: sandbox.archive(TYPES, id_of(sandbox, "a")), times=1)
        pages = [page async for page in cliniko.appointment_types.list(per_page=3).pages()]
        assert [(names(page.items), page.total_entries) for page in pages] == [
            ("abc", 9),
            ("de", 9),
            ("fg", 9),
            ("hi", 9),
        ]


@pytest.mark.parametrize("prefetch", [1, 2, 8])
@virtually
async def test_prefetched_pages_are_dropped_at_the_first_sign_of_drift(prefetch):
    async with listed(24) as (sandbox, cliniko):
        sandbox.faults.between(lambda: sandbox.archive(TYPES, id_of(sandbox, "a")))
        got = names(await cliniko.appointment_types.list(per_page=3, prefetch=prefetch).collect())
        assert got == "abcdefghijklmnopqrstuvwx"


@pytest.mark.parametrize("prefetch", [0, 3])
@virtually
async def test_a_custom_order_yields_what_it_reads_and_raises_at_the_end_if_the_list_moved(prefetch):
    async with listed(9) as (sandbox, cliniko):
        sandbox.faults.between(lambda: sandbox.archive(TYPES, id_of(sandbox, "a")))
        iterator = aiter(cliniko.appointment_types.list(per_page=3, sort="name", prefetch=prefetch))
        got, error = await read(iterator)
        assert got == "abcefghi"
        assert isinstance(error, PaginationDriftError)
        assert not anchored(sandbox)
        sent = len(sandbox.requests)
        with pytest.raises(PaginationDriftError):
            await anext(iterator)
        assert len(sandbox.requests) == sent


@virtually
async def test_a_resumed_iteration_in_a_custom_order_remembers_that_the_list_moved():
    async with listed(9) as (sandbox, cliniko):
        sandbox.faults.between(lambda: sandbox.archive(TYPES, id_of(sandbox, "a")))
        iterator = aiter(cliniko.appointment_types.list(per_page=3, sort="name"))
        assert [(await anext(iterator)).name for _ in range(5)] == ["a", "b", "c", "e", "f"]
        rest, error = await read(cliniko.appointment_types.list(per_page=3, sort="name", cursor=iterator.cursor))
        assert rest == "ghi"
        assert isinstance(error, PaginationDriftError)


@virtually
async def test_a_cursor_in_a_custom_order_is_refused_once_its_page_has_changed():
    async with listed(9) as (sandbox, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=3, sort="name"))
        for _ in range(5):
            await anext(iterator)
        sandbox.archive(TYPES, id_of(sandbox, "a"))
        with pytest.raises(PaginationDriftError) as caught:
            await cliniko.appointment_types.list(per_page=3, sort="name", cursor=iterator.cursor).first()
        assert caught.value.cursor == iterator.cursor


@virtually
async def test_a_cursor_in_a_custom_order_is_refused_if_a_record_before_it_was_exchanged():
    """The total is the same, and the last record that was read is still at its place."""
    async with listed(9) as (sandbox, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=3, sort="name"))
        assert [(await anext(iterator)).name for _ in range(5)] == list("abcde")
        sandbox.archive(TYPES, id_of(sandbox, "d"))
        add(sandbox, 0, 100)
        rest, error = await read(cliniko.appointment_types.list(per_page=3, sort="name", cursor=iterator.cursor))
        assert rest == ""
        assert isinstance(error, PaginationDriftError)


@virtually
async def test_a_resumed_iteration_in_a_custom_order_stops_at_the_first_sign_of_drift():
    async with listed(9) as (sandbox, cliniko):
        iterator = aiter(cliniko.appointment_types.list(per_page=3, sort="name"))
        for _ in range(4):
            await anext(iterator)
        sandbox.faults.between(lambda: add(sandbox, 0, 100))
        rest, error = await read(cliniko.appointment_types.list(per_page=3, sort="name", cursor=iterator.cursor))
        assert rest == "ef"
        assert isinstance(error, PaginationDriftError)


@virtually
async def test_a_cursor_may_be_continued_with_another_page_size():
    async with listed(9) as (_, cliniko):
        for options in ({}, {"sort": "name"}, {"stable": True}):
            iterator = aiter(cliniko.appointment_types.list(per_page=4, **options))
            for _ in range(5):
                await anext(iterator)
            rest = cliniko.appointment_types.list(per_page=2, cursor=iterator.cursor, **options)
            assert names(await rest.collect()) == "fghi"


@virtually
async def test_after_a_hundred_records_of_one_second_a_cursor_holds_an_offset():
    async with listed(250, seconds=[0.001 * number for number in range(250)]) as (sandbox, cliniko):
        listing = cliniko.appointment_types.list()
        iterator = aiter(listing)
        got = [(await anext(iterator)).id for _ in range(150)]
        assert len(iterator.cursor) < 200
        rest = await cliniko.appointment_types.list(cursor=iterator.cursor).collect()
        assert len({*got, *(kind.id for kind in rest)}) == 250
        assert pages_asked(sandbox) == [1, 2, 2, 3]
        sandbox.archive(TYPES, got[0])
        with pytest.raises(PaginationDriftError):
            await cliniko.appointment_types.list(cursor=iterator.cursor).collect()


@for_each("second", [0, -int(EPOCH.timestamp())], ids=["a second", "the first second of Unix time"])
@virtually
async def test_a_divided_second_is_read_completely_and_a_cursor_is_short_after_any_record(second):
    async with listed(251, seconds=[second] * 250 + [second + 1], unsortable=["id"]) as (_, cliniko):
        iterator = aiter(cliniko.appointment_types.list(stable=True))
        read = [(record.name, len(iterator.cursor)) async for record in iterator]
        assert len(read) == len(dict(read)) == 251
        assert max(size for _, size in read) < 100


@virtually
async def test_a_second_with_more_records_than_a_page_is_divided_after_a_drift():
    async with listed(250, seconds=[0.001 * number for number in range(250)]) as (sandbox, cliniko):
        sandbox.faults.between(lambda: sandbox.archive(TYPES, id_of(sandbox, "a")))
        got = [kind.id async for kind in cliniko.appointment_types.list()]
        assert len(got) == len(set(got)) == 250
        assert any("id%3A%3E" in request.url for request in sandbox.requests)


@pytest.mark.parametrize("counted", [0, 1])
@for_each("options", [{}, {"sort": "name"}, {"stable": True}, {"prefetch": 2}])
@virtually
async def test_a_record_repeated_on_one_page_is_yielded_once_and_is_not_a_sign_of_drift(options, counted):
    """Whether or not the server counts it in `total_entries`, and when continued from the cursor of any record."""

    def twice(page):
        if page[TYPES]:
            page[TYPES].insert(0, page[TYPES][0])
            page["total_entries"] += counted

    async with listed(6) as (sandbox, cliniko):
        sandbox.faults.edit(twice, times=None)
        listing = functools.partial(cliniko.appointment_types.list, per_page=2, **options)
        assert await read(listing()) == ("abcdef", None)
        iterator = aiter(listing())
        for name in "abcdef":
            assert (await anext(iterator)).name == name
            rest, error = await read(listing(cursor=iterator.cursor))
            assert (rest, error) == ("abcdef".partition(name)[2], None)


@virtually
async def test_a_total_that_is_too_high_is_an_error_after_the_last_record():
    async with listed(5) as (sandbox, cliniko):
        sandbox.faults.edit(lambda page: page.update(total_entries=50), times=None)
        got, error = await read(cliniko.appointment_types.list(per_page=2))
        assert got == "abcde"
        assert isinstance(error, PaginationError)
        assert len(sandbox.requests) < 20


@for_each("total", [0, 1, 2, 3])
@virtually
async def test_a_total_that_is_too_low_hides_nothing(total):
    async with listed(7) as (sandbox, cliniko):
        sandbox.faults.edit(lambda page: page.update(total_entries=total), times=None)
        got, error = await read(cliniko.appointment_types.list(per_page=2))
        assert got == "abcdefg"
        # For the last record alone, the total would be too high.
        assert isinstance(error, PaginationError) == (total > 1)


@virtually
async def test_a_total_that_is_too_low_is_drift_in_a_custom_order():
    async with listed(7) as (sandbox, cliniko):
        sandbox.faults.edit(lambda page: page.update(total_entries=3), times=None)
        got, error = await read(cliniko.appointment_types.list(per_page=2, sort="name"))
        assert got == "abcdefg"
        assert isinstance(error, PaginationDriftError)


@for_each("options", [{}, {"sort": "name"}, {"prefetch": 3}, {"stable": True}])
@pytest.mark.parametrize("edit", [lambda page: page.pop("total_entries"), lambda page: page.update(total_entries=None)])
@virtually
async def test_without_a_total_the_links_lead_to_the_end(options, edit):
    async with listed(7) as (sandbox, cliniko):
        sandbox.faults.edit(lambda page: (edit(page), None)[1], times=None)
        pages = [page async for page in cliniko.appointment_types.list(per_page=2, **options).pages()]
        assert "".join(names(page.items) for page in pages) == "abcdefg"
        assert {page.total_entries for page in pages} == {None}


@virtually
async def test_missing_links_are_replaced_in_the_default_order():
    async with listed(7) as (sandbox, cliniko):
        sandbox.faults.edit(lambda page: (page.pop("links"), None)[1], times=None)
        assert names(await cliniko.appointment_types.list(per_page=2).collect()) == "abcdefg"
        with pytest.raises(PaginationDriftError):
            await cliniko.appointment_types.list(per_page=2, sort="name").collect()


@virtually
async def test_a_server_that_ignores_the_anchor_is_an_error():
    async with listed(6) as (sandbox, cliniko):
        first = {}
        sandbox.faults.edit(lambda page: first.update(page) if not first else None, times=1)
        sandbox.faults.between(lambda: sandbox.archive(TYPES, id_of(sandbox, "a")))
        sandbox.faults.edit(lambda page: first, path="created_at", times=None)
        with pytest.raises(PaginationError, match="created_at") as caught:
            await cliniko.appointment_types.list(per_page=2).collect()
        assert caught.value.cursor


@virtually
async def test_a_default_order_that_is_not_by_creation_is_read_by_links_alone():
    async with listed(6) as (sandbox, cliniko):
        sandbox.faults.edit(lambda page: page[TYPES].reverse(), times=None)
        assert names(await cliniko.appointment_types.list(per_page=2).collect()) == "badcfe"
        assert pages_asked(sandbox) == [1, 2, 3]


@virtually
async def test_an_order_that_a_link_drops_is_restored_or_refused():
    async with listed(6) as (sandbox, cliniko):
        sandbox.faults.edit(lambda page: page[TYPES].reverse(), after=1)
        assert names(await cliniko.appointment_types.list(per_page=2).collect()) == "abcdef"
        sandbox.faults.edit(lambda page: page[TYPES].reverse(), after=1, times=None)
        with pytest.raises(PaginationError, match="did not sort by created_at"):
            await cliniko.appointment_types.list(per_page=2).collect()


@virtually
async def test_a_server_that_ignores_ranges_of_ids_is_an_error():
    async with listed(101, seconds=[0] * 101, unsortable=["id"]) as (sandbox, cliniko):
        sandbox.faults.edit(lambda page: page[TYPES][0].update(id="9" * 19), path="id%3A%3C")
        with pytest.raises(PaginationError, match="ignored the filter on id"):
            await cliniko.appointment_types.list(stable=True).collect()


@pytest.mark.parametrize(("size", "fits"), [(3, True), (99, True), (100, False)])
async def test_where_ids_cannot_be_filtered_by_a_second_may_hold_as_many_records_as_the_largest_page(size, fits):
    model = Model(Tape(b""), rows={key: Stored(key, START, "a") for key in range(1, size + 1)})
    options = {"per_page": 2, "dividable": False}
    iterator = aiter(things(ModelApi(model), **options))
    await anext(iterator)
    rest = things(ModelApi(model), iterator.cursor, **options)
    if fits:
        assert len(await rest.collect()) == size - 1
    else:
        with pytest.raises(PaginationDriftError, match="share a second"):
            await rest.collect()
