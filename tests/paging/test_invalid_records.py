"""Invalid records: each is reported once, with the valid ones beside it and a cursor after it; none blocks a list."""

import datetime as dt
import itertools

import pytest

from cliniko_async.errors import DecodingError, PaginationError
from tests.support.clients import virtually
from tests.support.for_each import for_each
from tests.support.listed import EPOCH, TYPES, add, id_of, listed, name_of, names, pages_asked, read

ORDERS = ({}, {"sort": "name"}, {"stable": True}, {"prefetch": 3})
SPOILS = {
    "a null": lambda raw: raw.update(name=None),
    "another type": lambda raw: raw.update(duration_in_minutes="long"),
    "a missing key": lambda raw: raw.pop("color"),
    "a stamp that is none": lambda raw: raw.update(updated_at="yesterday"),
    "a naive stamp": lambda raw: raw.update(created_at="2024-01-01T00:00:00"),
    "no stamp": lambda raw: raw.pop("created_at"),
    "no id": lambda raw: raw.pop("id"),
    "an id of another type": lambda raw: raw.update(id=int(raw["id"])),
    "no key at all": lambda raw: raw.clear(),
}


def spoil(sandbox, name, change):
    """From now on, send the record with that name, or every record, with invalid values."""

    def edit(page):
        for raw in page.get(TYPES, []):
            if name in (raw["name"], None):
                change(raw)

    sandbox.faults.edit(edit, times=None)


async def read_on(types, options):
    """Read to the end, continuing after each invalid page; return the names and the number of errors."""
    got, cursor, errors = "", None, 0
    while errors < 5:
        some, error = await read(types.list(per_page=2, cursor=cursor, **options))
        got += some
        if error is None:
            break
        assert isinstance(error, DecodingError)
        assert error.page is not None
        got += names(error.page.items)
        cursor, errors = error.cursor, errors + 1
    return "".join(sorted(got)), errors


@for_each("options", ORDERS)
@for_each("change", SPOILS.values(), ids=SPOILS)
@virtually
async def test_an_invalid_record_raises_an_error_and_loses_no_other(options, change):
    async with listed(7) as (sandbox, cliniko):
        for name in "acdg":
            sandbox.faults.clear()
            spoil(sandbox, name, change)
            got, errors = await read_on(cliniko.appointment_types, options)
            assert got == "abcdefg".replace(name, "")
            # A row without a position may be read again where the iteration continues.
            assert 1 <= errors <= 2


@for_each("options", ORDERS)
@virtually
async def test_the_error_has_the_valid_records_and_the_cursor_after_that_page(options):
    async with listed(6) as (sandbox, cliniko):
        spoil(sandbox, "d", SPOILS["a null"])
        iterator = aiter(cliniko.appointment_types.list(per_page=3, **options))
        got, error = await read(iterator)
        assert got == "abc"
        assert isinstance(error, DecodingError)
        assert len(error.faults) == 1
        assert "name" in error.faults[0]
        assert error.status == 200
        assert not error.written
        assert error.page is not None
        assert names(error.page.items) == "ef"
        assert error.page.cursor == error.cursor != iterator.cursor
        assert error.page.raw[TYPES][0]["name"] is None
        assert error.page.server_time is not None
        rest = cliniko.appointment_types.list(per_page=3, cursor=error.cursor, **options)
        assert await rest.collect() == []


@virtually
async def test_the_iteration_itself_asks_for_that_page_again():
    async with listed(6) as (sandbox, cliniko):
        spoil(sandbox, "d", SPOILS["a null"])
        iterator = aiter(cliniko.appointment_types.list(per_page=3))
        assert (await read(iterator))[0] == "abc"
        assert isinstance((await read(iterator))[1], DecodingError)
        sandbox.faults.clear()
        assert await read(iterator) == ("def", None)
        assert pages_asked(sandbox) == [1, 2, 2, 2]


@for_each("change", ["a null", "no id", "no stamp"])
@virtually
async def test_a_cursor_taken_before_or_after_the_error_is_the_one_before_that_page(change):
    async with listed(6) as (sandbox, cliniko):
        spoil(sandbox, "f", SPOILS[change])
        for options in ({}, {"sort": "name"}, {"stable": True}):
            iterator = aiter(cliniko.appointment_types.list(per_page=2, **options))
            assert [(await anext(iterator)).name for _ in range(4)] == list("abcd")
            cursors = [iterator.cursor]
            with pytest.raises(DecodingError):
                await anext(iterator)
            cursors.append(iterator.cursor)
            for cursor, per_page in itertools.product(cursors, (2, 100)):
                rest = cliniko.appointment_types.list(per_page=per_page, cursor=cursor, **options)
                some, again = await read(rest)
                assert isinstance(again, DecodingError)
                assert again.page is not None
                assert some + names(again.page.items) == "e"


@virtually
async def test_an_unknown_key_is_accepted():
    async with listed(3) as (sandbox, cliniko):
        spoil(sandbox, "b", lambda raw: raw.update(mood={"is": ["new"]}))
        assert names(await cliniko.appointment_types.list().collect()) == "abc"


@virtually
async def test_an_invalid_record_does_not_prevent_a_count_or_the_first_page():
    async with listed(3) as (sandbox, cliniko):
        spoil(sandbox, "a", SPOILS["a null"])
        types = cliniko.appointment_types
        assert await types.list().count() == 3
        with pytest.raises(DecodingError):
            await types.list()
        with pytest.raises(DecodingError) as caught:
            await types.list(prefetch=3).first()
        following = await types.list(cursor=caught.value.cursor).first()
        assert following is not None
        assert following.name == "b"


@virtually
async def test_an_invalid_record_is_reported_after_re_anchoring_too():
    async with listed(8) as (sandbox, cliniko):
        sandbox.faults.between(lambda: sandbox.add(TYPES, name="z"))
        spoil(sandbox, "e", SPOILS["no stamp"])
        got, error = await read(cliniko.appointment_types.list(per_page=4))
        assert got == "abcd"
        assert isinstance(error, DecodingError)
        assert error.page is not None
        assert names(error.page.items) == "fg"
        assert names(await cliniko.appointment_types.list(cursor=error.cursor).collect()) == "hz"


@for_each("key", ["id", "created_at"])
@for_each("places", [(10, 240), (10, 11), (99, 100), (0, 249), range(60, 130), range(180, 250)])
@virtually
async def test_in_a_divided_second_each_invalid_record_is_reported_and_no_other_is_lost(key, places):
    everyone = [chr(0x100 + number) for number in range(250)]
    invalid = {everyone[place] for place in places}

    def edit(page):
        for raw in page.get(TYPES, []):
            if raw["name"] in invalid:
                del raw[key]

    async with listed(0, unsortable=["id"]) as (sandbox, cliniko):
        for name in everyone:
            sandbox.add(TYPES, name=name, created_at=EPOCH)
        sandbox.faults.edit(edit, times=None)
        got, error = await read(cliniko.appointment_types.list(stable=True))
        reported = []
        while error is not None:
            assert isinstance(error, DecodingError)
            assert error.page is not None
            reported += [raw["name"] for raw in error.page.raw[TYPES] if key not in raw]
            assert len(reported) <= 2 * len(invalid)
            rest, following = await read(cliniko.appointment_types.list(stable=True, cursor=error.cursor))
            got, error = got + names(error.page.items) + rest, following
    assert sorted(got) == sorted({*everyone} - invalid)
    assert {*reported} == invalid


@virtually
async def test_an_invalid_record_that_was_reported_hides_no_later_one_of_its_second():
    async with listed(3, seconds=[0] * 3, unsortable=["id"]) as (sandbox, cliniko):
        for name in "be":
            spoil(sandbox, name, SPOILS["no id"])
        cursor = None
        for added, valid in (((), "ac"), ((3,), "d"), ((4, 5), "f")):
            for number in added:
                add(sandbox, number, 0)
            with pytest.raises(DecodingError) as caught:
                await cliniko.appointment_types.list(stable=True, cursor=cursor).collect()
            assert caught.value.page is not None
            assert names(caught.value.page.items) == valid
            cursor = caught.value.cursor
        assert await cliniko.appointment_types.list(stable=True, cursor=cursor).collect() == []


@virtually
async def test_a_record_that_appears_before_an_invalid_one_that_was_reported_is_not_taken_for_it():
    async with listed(3) as (sandbox, cliniko):
        sandbox.archive(TYPES, id_of(sandbox, "b"))
        spoil(sandbox, "c", SPOILS["no id"])
        cursor = None
        for valid in ("a", ""):
            with pytest.raises(DecodingError) as caught:
                await cliniko.appointment_types.list(stable=True, cursor=cursor).collect()
            assert caught.value.page is not None
            assert names(caught.value.page.items) == valid
            cursor = caught.value.cursor
        sandbox.update(TYPES, id_of(sandbox, "b"), archived_at=None)
        assert names(await cliniko.appointment_types.list(stable=True, cursor=cursor).collect()) == "b"


@virtually
async def test_an_invalid_record_that_was_reported_hides_none_after_its_second_has_outgrown_a_page():
    async with listed(101, seconds=[0] * 101, unsortable=["id"]) as (sandbox, cliniko):
        first, second = name_of(100), name_of(221)
        for name in (first, second):
            spoil(sandbox, name, SPOILS["no id"])
        types = cliniko.appointment_types
        _, error = await read(types.list(stable=True))
        assert isinstance(error, DecodingError)
        _, error = await read(types.list(stable=True, cursor=error.cursor))
        assert isinstance(error, DecodingError)
        for number in range(101, 222):
            add(sandbox, number, 0)
        reported = set()
        while error is not None:
            assert isinstance(error, DecodingError)
            assert error.page is not None
            assert len(sandbox.requests) < 30
            reported |= {raw["name"] for raw in error.page.raw[TYPES] if "id" not in raw}
            _, error = await read(types.list(stable=True, cursor=error.cursor))
        assert reported == {first, second}


@for_each("spoiled", ["no id", "no stamp"])
@for_each("unsortable", [(), ("id",)])
@virtually
async def test_pages_without_any_key_are_an_error_and_not_an_endless_loop(spoiled, unsortable):
    async with listed(6, unsortable=unsortable) as (sandbox, cliniko):
        spoil(sandbox, None, SPOILS[spoiled])
        got, error = await read(cliniko.appointment_types.list(per_page=2, stable=True))
        assert got == ""
        assert isinstance(error, DecodingError)
        assert error.page is not None
        assert error.page.cursor == error.cursor


@for_each("odd", ["x7", "", "7.5", "9" * 20, "-7"])
@for_each("unsortable", [(), ("id",)])
@virtually
async def test_an_invalid_id_is_refused_where_the_iteration_needs_it(odd, unsortable):
    async with listed(3, unsortable=unsortable) as (sandbox, cliniko):
        spoil(sandbox, "b", lambda raw: raw.update(id=odd))
        types = cliniko.appointment_types
        assert names(await types.list(per_page=2).collect()) == "abc"
        assert names(await types.list(per_page=2, sort="name").collect()) == "abc"
        assert isinstance((await read(types.list(per_page=2, stable=True)))[1], PaginationError | DecodingError)


@virtually
async def test_an_invalid_id_in_mid_iteration_is_refused_rather_than_skipped():
    async with listed(6) as (sandbox, cliniko):
        spoil(sandbox, "d", lambda raw: raw.update(id="x"))
        got, error = await read(cliniko.appointment_types.list(per_page=2))
        assert got == "abc"
        assert isinstance(error, PaginationError)


@for_each("moment", ["0001-12-31T23:59:59", "1969-12-31T23:59:59", "1970-01-01T00:00:00", "9999-12-31T23:59:59"])
@for_each("options", ORDERS)
@virtually
async def test_no_moment_of_the_calendar_stops_an_iteration(moment, options):
    async with listed(0) as (sandbox, cliniko):
        for name in "abcdef":
            sandbox.add(TYPES, name=name, created_at=dt.datetime.fromisoformat(f"{moment}Z"))
        iterator = aiter(cliniko.appointment_types.list(per_page=2, **options))
        assert [(await anext(iterator)).name for _ in range(3)] == ["a", "b", "c"]
        rest, error = await read(cliniko.appointment_types.list(per_page=2, cursor=iterator.cursor, **options))
        # No filter of the API extends past the last second of the year 9999.
        assert (rest, error) == ("def", None) or (moment[0] == "9" and isinstance(error, PaginationError))
