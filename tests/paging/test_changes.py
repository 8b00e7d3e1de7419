"""What changed, through the public surface, against the sandbox on virtual time."""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cliniko_async import BadRequestError, Cliniko, DecodingError, InvalidRequestError, PaginationError, ServerError
from cliniko_async.resources._names import RESOURCES
from cliniko_async.resources._registry import resource_class
from cliniko_async.sandbox import Sandbox
from tests.support.for_each import for_each

from ..support.clients import ONCE, client_of, virtually
from ..support.listed import TYPES

NOW = 1_900_000_000.0
LARGEST_CURSOR = 16_000
GET = {"path": "/appointment_types?"}


@attrs.define
class Scene:
    """A sandbox whose clock stands still, and a client of it."""

    sandbox: Sandbox
    cliniko: Cliniko
    clock: list[float]

    def put(self, name: str, seconds: float, **fields: Any) -> str:
        """Add a record that was last changed this many seconds after the start."""
        return self.sandbox.add(TYPES, name=name, updated_at=NOW + seconds, **fields)

    def touch(self, key: str, name: str, seconds: float) -> None:
        self.sandbox.update(TYPES, key, name=name, updated_at=NOW + seconds)

    async def read(self, since: Any = None, *filters: Any, **options: Any) -> tuple[str, str]:
        """The names that came, and the cursor at the end."""
        stream = aiter(self.cliniko.appointment_types.changes(since, *filters, **options))
        got = "".join([change.record.name async for change in stream])
        return got, stream.cursor


@asynccontextmanager
async def scene(**options: Any) -> AsyncIterator[Scene]:
    clock = [NOW]
    async with (
        Sandbox(appointment_types=0, wall=lambda: clock[0], **options) as sandbox,
        client_of(sandbox, retry=ONCE) as cliniko,
    ):
        yield Scene(sandbox, cliniko, clock)


@pytest.mark.parametrize("counted", [0, 1])
@for_each("place", [0, 1, 2, 3])
@virtually
async def test_a_version_repeated_on_a_page_is_yielded_once_wherever_it_is_repeated(place, counted):
    """Also after newer versions, where it would look as if the server did not sort."""

    def twice(page):
        if page[TYPES]:
            page[TYPES].insert(place, page[TYPES][0])
            page["total_entries"] += counted

    async with scene() as s:
        for seconds, name in enumerate("abc", -100):
            s.put(name, seconds)
        s.sandbox.faults.edit(twice, times=None)
        got, cursor = await s.read()
        assert got == "abc"
        assert (await s.read(cursor))[0] == ""


@virtually
async def test_changes_come_in_their_order_and_only_what_is_new_comes_again():
    async with scene() as it:
        key = it.put("c", -10)
        it.put("a", -30)
        it.put("b", -20.5)
        got, cursor = await it.read()
        assert got == "abc"
        assert (await it.read(cursor))[0] == ""
        it.touch(key, "d", 0)
        got, cursor = await it.read(cursor)
        assert got == "d"
        assert (await it.read(cursor))[0] == ""


@virtually
async def test_a_change_says_whether_the_record_is_there_archived_cancelled_or_deleted():
    async with scene() as it:
        stamps = {"": {}, "archived_at": {}, "cancelled_at": {}, "deleted_at": {}}
        for order, name in enumerate(stamps):
            fields = {name: NOW} if name else {}
            it.sandbox.add("individual_appointments", updated_at=NOW - 9 + order, **fields)
        since = dt.datetime.fromtimestamp(NOW - 9, dt.UTC)
        changes = [change async for change in it.cliniko.individual_appointments.changes(since)]
        assert [change.kind for change in changes] == ["upsert", "archive", "cancel", "delete"]
        both = it.put("x", 0, archived_at=NOW)
        (change,) = [change async for change in it.cliniko.appointment_types.changes()]
        assert (change.record.id, change.kind) == (both, "archive")


@virtually
async def test_archiving_is_a_change_of_the_record():
    async with scene() as it:
        key = it.put("a", -100)
        _, cursor = await it.read()
        await it.cliniko.appointment_types.archive(key)
        (change,) = [change async for change in it.cliniko.appointment_types.changes(cursor)]
        assert (change.record.id, change.kind) == (key, "archive")


@virtually
async def test_changes_begin_at_the_second_of_a_moment():
    async with scene() as it:
        for name, seconds in {"a": -31.0, "b": -30.0, "c": -29.2}.items():
            it.put(name, seconds)
        zone = dt.timezone(dt.timedelta(hours=9))
        assert (await it.read(dt.datetime.fromtimestamp(NOW - 29.5, zone)))[0] == "bc"


NAIVE = dt.datetime(2024, 1, 1)  # noqa: DTZ001  (it is to be refused)


@for_each("since", [NAIVE, NAIVE.date(), 5, "", "no cursor", "AAAA", "é", "\ud800"])
@virtually
async def test_a_start_that_is_neither_an_aware_moment_nor_a_cursor_is_refused_before_anything_is_sent(since):
    async with scene() as it:
        with pytest.raises(InvalidRequestError):
            it.cliniko.appointment_types.changes(since)
        assert not it.sandbox.requests


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
@virtually
async def test_a_moment_that_no_filter_can_name_is_refused_before_anything_is_sent(since):
    async with scene() as it:
        with pytest.raises(InvalidRequestError) as caught:
            it.cliniko.appointment_types.changes(dt.datetime.fromisoformat(since))
        assert caught.value.argument == "since"
        assert not it.sandbox.requests


@for_each("overlap", [-1, float("nan"), float("inf"), True, "60"])
@virtually
async def test_an_overlap_is_a_number_of_seconds(overlap):
    async with scene() as it:
        with pytest.raises(InvalidRequestError, match="overlap"):
            it.cliniko.appointment_types.changes(overlap=overlap)


@virtually
async def test_filters_of_ones_own_hold_and_a_cursor_belongs_to_them_to_the_account_and_to_the_resource():
    async with scene() as it, Sandbox() as other, client_of(other) as stranger:
        types = it.cliniko.appointment_types
        it.put("a", -30, category="Osteo")
        it.put("b", -20)
        got, cursor = await it.read(None, types.where.category == "Osteo")
        assert got == "a"
        assert (await it.read(cursor, types.where.category == "Osteo"))[0] == ""
        listed = aiter(types.list())
        await anext(listed)
        for wrong in (
            lambda: types.changes(cursor),
            lambda: types.changes(cursor, "category:=Physio"),
            lambda: stranger.appointment_types.changes(cursor, "category:=Osteo"),
            lambda: it.cliniko.practitioners.changes(cursor, "category:=Osteo"),
            lambda: types.changes(listed.cursor),
            lambda: types.list("category:=Osteo", cursor=cursor),
        ):
            with pytest.raises(InvalidRequestError, match="cursor"):
                wrong()


@virtually
async def test_a_cursor_kept_after_any_record_continues_exactly_there_in_another_client():
    async with scene(shuffle_ties=True) as it:
        for number in range(130):
            it.put(f"{number},", -300 + (number // 5 if number < 10 else 50))
        whole, _ = await it.read()
        names, cursor = "", None
        for _ in range(130):
            async with client_of(it.sandbox, retry=ONCE) as cliniko:
                stream = aiter(cliniko.appointment_types.changes(cursor))
                names += (await anext(stream)).record.name
                cursor = stream.cursor
        assert sorted(names.split(",")) == sorted(whole.split(","))
        assert (await it.read(cursor))[0] == ""


@virtually
async def test_a_second_with_more_changes_than_a_page_is_yielded_completely_and_once():
    async with scene(shuffle_ties=True, ids="random") as it:
        for number in range(250):
            it.put(f"{number},", -500.0)
        it.put("last,", -400)
        got, cursor = await it.read()
        assert sorted(got.split(",")) == sorted(["", "last", *map(str, range(250))])
        assert (await it.read(cursor))[0] == ""


@virtually
async def test_a_server_that_refuses_to_sort_by_updated_at_is_read_in_windows_of_time():
    async with scene(unsortable=["updated_at"]) as it:
        for number in range(151):
            it.put(f"{number},", -15_000 + number * 100)
        got, cursor = await it.read()
        assert got.split(",")[:-1] == [str(number) for number in range(151)]
        assert (await it.read(cursor))[0] == ""
        with pytest.raises(BadRequestError) as refused:
            await it.read(None, "nothing:=1")
        assert refused.value.cursor


@pytest.mark.parametrize("stamp", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
@virtually
async def test_a_change_outside_of_the_calendar_is_an_error_with_a_cursor(stamp):
    async with scene() as it:
        it.put("a", -10)
        it.sandbox.faults.edit(lambda page: page[TYPES][0].update(updated_at=stamp), **GET)
        with pytest.raises(PaginationError, match="outside the years") as caught:
            await it.read()
        assert (await it.read(caught.value.cursor))[0] == "a"


@virtually
async def test_a_refused_sort_of_changes_is_sent_once_per_client_and_the_list_can_still_be_sorted_by_id():
    async with scene(unsortable=["updated_at"]) as it:
        it.put("a", -10)
        for _ in range(3):
            assert (await it.read())[0] == "a"
        assert len(await it.cliniko.appointment_types.list(stable=True).collect()) == 1
        sorts = [request.query.get("sort") for request in it.sandbox.requests]
        assert sorts == [["updated_at"], None, None, None, ["id"]]


@virtually
async def test_a_record_changed_during_a_run_comes_at_its_new_position_and_a_run_ends_at_its_first_response():
    async with scene() as it:
        keys = [it.put(f"{number},", -500 + number) for number in range(101)]

        def touch() -> None:
            it.clock[0] += 5
            it.touch(keys[100], "touched,", 5)

        def hurry() -> None:
            it.clock[0] += 5
            for number in range(250):
                it.put(f"new {number},", 10)

        it.sandbox.faults.between(touch, **GET)
        it.sandbox.faults.between(hurry, before=True, after=1, **GET)
        got, cursor = await it.read()
        assert got.split(",")[100] == "touched"
        assert len(it.sandbox.requests) == 2
        more, _ = await it.read(cursor)
        assert len({*got.split(","), *more.split(",")} - {""}) == 351
        assert len((got + more).split(",")) == 352


@virtually
async def test_versions_visible_within_the_overlap_come_in_the_next_run_and_later_ones_do_not():
    async with scene() as it:
        it.put("a", -1)
        _, cursor = await it.read(overlap=60.0)
        it.put("b", -59)
        got, cursor = await it.read(cursor, overlap=60.0)
        assert got == "b"
        it.put("c", -62)
        assert (await it.read(cursor, overlap=60.0))[0] == ""


@virtually
async def test_two_versions_of_one_second_both_come_and_the_same_content_only_once():
    async with scene() as it:
        key = it.put("a", 0.1)
        got, cursor = await it.read()
        it.touch(key, "b", 0.6)
        more, cursor = await it.read(cursor)
        it.touch(key, "b", 0.9)
        assert (got, more, (await it.read(cursor))[0]) == ("a", "b", "")


def without_date(it: Scene) -> None:
    """Answer as the sandbox would, except for the `Date`."""
    records = sorted(it.sandbox.all(TYPES), key=lambda record: record["updated_at"])
    page = {TYPES: records, "total_entries": len(records), "links": {}}
    data = json.dumps(page).encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close"
    head += f"\r\nContent-Length: {len(data)}\r\n\r\n"
    it.sandbox.faults.raw(head.encode() + data)


@virtually
async def test_without_a_date_the_overlap_is_counted_from_the_newest_change():
    async with scene() as it:
        it.put("a", -100)
        without_date(it)
        got, cursor = await it.read()
        it.put("b", -155)
        without_date(it)
        more, _ = await it.read(cursor)
        assert (got, more) == ("a", "b")


@virtually
async def test_a_server_date_in_the_past_delays_changes_and_loses_none():
    async with scene() as it:
        for number in range(250):
            it.put(f"{number},", -250 + number)
        it.clock[0] = NOW - 3600
        got, cursor = await it.read()
        assert len(got.split(",")) == 101
        it.clock[0] = NOW + 3600
        assert len((await it.read(cursor))[0].split(",")) == 151


@virtually
async def test_a_cursor_is_short_once_the_last_change_is_older_than_the_overlap():
    async with scene() as it:
        for number in range(150):
            it.put(f"{number},", -5000 + number)
        got, cursor = await it.read()
        assert len(got.split(",")) == 151
        assert len(cursor) < 100


@virtually
async def test_a_cursor_stays_within_16_kilobytes_with_more_than_a_thousand_versions_after_the_low_watermark():
    async with scene() as it:
        for number in range(1150):
            it.put(f"{number},", -55 + number / 25)
        got, cursor = await it.read()
        assert len(set(got.split(","))) == 1151
        assert len(cursor) <= LARGEST_CURSOR
        again, cursor = await it.read(cursor)
        assert 150 <= len(again.split(",")) <= 300
        it.clock[0] += 120
        _, cursor = await it.read(cursor)
        assert (await it.read(cursor))[0] == ""


def spoil(name: str, *missing: str) -> Any:
    """Make the record with this name invalid."""

    def change(page: Any) -> None:
        for record in page[TYPES]:
            if record["name"] == name:
                record["name"] = 5
                for field in missing:
                    del record[field]

    return change


@virtually
async def test_an_invalid_record_is_reported_with_the_valid_ones_and_never_blocks_the_stream():
    async with scene() as it:
        for name, seconds in {"a": -30, "b": -20, "c": -10}.items():
            it.put(name, seconds)
        fault = it.sandbox.faults.edit(spoil("b"), times=None, **GET)
        stream = aiter(it.cliniko.appointment_types.changes())
        for _ in range(2):
            with pytest.raises(DecodingError, match=r"record \d+: name") as raised:
                await anext(stream)
        error = raised.value
        assert error.page is not None
        assert [record.name for record in error.page.items] == ["a", "c"]
        assert error.page.cursor == error.cursor
        it.put("d", -5)
        got, cursor = await it.read(error.cursor)
        assert got == "d"
        fault.cancel()
        assert (await it.read(cursor))[0] == "b"


@pytest.mark.parametrize("missing", ["id", "updated_at"])
@virtually
async def test_a_record_without_an_id_or_a_stamp_stops_the_stream_until_it_is_corrected(missing):
    async with scene() as it:
        it.put("a", -30)
        it.put("b", -20)
        fault = it.sandbox.faults.edit(spoil("b", missing), times=None, **GET)
        stream = aiter(it.cliniko.appointment_types.changes())
        with pytest.raises(DecodingError) as raised:
            await anext(stream)
        assert raised.value.cursor == stream.cursor
        with pytest.raises(DecodingError):
            await it.read(raised.value.cursor)
        fault.cancel()
        assert [change.record.name async for change in stream] == ["a", "b"]


@virtually
async def test_after_an_error_with_a_cursor_the_same_page_is_requested_again():
    async with scene() as it:
        for number in range(150):
            it.put(f"{number},", -500 + number)
        it.sandbox.faults.status(503, after=1, **GET)
        stream = aiter(it.cliniko.appointment_types.changes())
        got = [(await anext(stream)).record.name for _ in range(100)]
        with pytest.raises(ServerError) as failed:
            await anext(stream)
        assert failed.value.cursor == stream.cursor
        got += [change.record.name async for change in stream]
        assert got == [f"{number}," for number in range(150)]
        assert it.sandbox.requests[1].url == it.sandbox.requests[2].url
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


@virtually
async def test_a_server_that_ignores_the_filter_or_the_sort_of_changes_is_an_error():
    async with scene() as it:
        for name, seconds in {"a": -30, "b": -20, "c": -10}.items():
            it.put(name, seconds)
        it.sandbox.faults.edit(lambda page: page[TYPES].reverse(), **GET)
        with pytest.raises(PaginationError, match="did not sort by updated_at") as unsorted:
            await it.read()
        assert unsorted.value.cursor
        everything = {TYPES: it.sandbox.all(TYPES), "total_entries": 3, "links": {}}
        it.sandbox.faults.edit(lambda _: everything, **GET)
        with pytest.raises(PaginationError, match="ignored the filter on updated_at"):
            await it.read(dt.datetime.fromtimestamp(NOW - 15, dt.UTC))


WITH_CHANGES = [name for name in RESOURCES if hasattr(resource_class(name), "changes")]


@for_each("name", WITH_CHANGES)
def test_every_resource_with_changes_can_be_filtered_by_id(name):
    cls = resource_class(name)
    assert {"id", "updated_at"} <= cls.where.fields().keys()
    assert {"id", "updated_at"} <= {field.name for field in attrs.fields(cls.record)}


def test_only_resources_with_a_list_and_updated_at_have_changes():
    assert [
        name
        for name in RESOURCES
        if hasattr(cls := resource_class(name), "list") and "updated_at" in cls.where.fields()
    ] == WITH_CHANGES


@virtually
async def test_a_plain_for_says_async_for():
    async with scene() as it:
        with pytest.raises(TypeError, match="async for"):
            iter(it.cliniko.appointment_types.changes())


@for_each("turns", range(0, 60, 3))
@virtually
async def test_a_step_that_is_cancelled_at_any_await_loses_and_repeats_nothing(turns):
    async with scene() as it:
        for number in range(120):
            it.put(f"{number},", -500 + number)
        stream = aiter(it.cliniko.appointment_types.changes())
        got = [(await anext(stream)).record.name for _ in range(100)]
        task = asyncio.create_task(anext(stream))
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.cancel():
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            got.append(task.result().record.name)
        got += [change.record.name async for change in stream]
        assert got == [f"{number}," for number in range(120)]


@virtually
async def test_two_consumers_of_one_stream_share_its_changes():
    async with scene() as it:
        for number in range(120):
            it.put(f"{number},", -500 + number)
        stream = aiter(it.cliniko.appointment_types.changes())

        async def consume() -> list[str]:
            return [change.record.name async for change in stream]

        one, other = await asyncio.gather(consume(), consume())
        assert len(one + other) == len(set(one + other)) == 120
        assert aiter(stream) is stream


@virtually
async def test_removals_without_a_new_updated_at_are_not_changes():
    async with scene() as it:
        person = it.sandbox.all("practitioners")[0]["id"]
        tax = it.sandbox.all("taxes")[0]["id"]
        streams = [aiter(it.cliniko.practitioners.changes()), aiter(it.cliniko.taxes.changes())]
        for stream in streams:
            assert [change async for change in stream]
        it.clock[0] += 100
        it.sandbox.update("practitioners", person, active=False)
        await it.cliniko.taxes.delete(tax)
        assert [change async for change in it.cliniko.practitioners.changes(streams[0].cursor)] == []
        assert [change async for change in it.cliniko.taxes.changes(streams[1].cursor)] == []


@given(st.data())
@settings(max_examples=60)
def test_a_damaged_cursor_is_refused_or_read_as_another_valid_one(data):
    cliniko = Cliniko("MS0xLWl4SzYYc2VjcmV0-au2", app_name="Tests", contact_email="it@example.com")
    cursor = aiter(cliniko.appointment_types.changes(dt.datetime.fromtimestamp(NOW, dt.UTC))).cursor
    at = data.draw(st.integers(0, len(cursor)))
    letters = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+ \n", max_size=9)
    spoilt = data.draw(st.one_of(st.text(), letters.map(lambda text: cursor[:at] + text + cursor[at + len(text) :])))
    try:
        stream = aiter(cliniko.appointment_types.changes(spoilt))
    except InvalidRequestError:
        return
    assert stream.cursor
