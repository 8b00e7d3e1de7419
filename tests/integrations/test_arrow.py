"""Records as Arrow: each value is exact or an error, a class has one schema, and no row is lost or repeated."""

import asyncio
import contextlib
import datetime as dt
import gc
import importlib
import io
import re
import subprocess
import sys
import weakref
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from types import NoneType
from typing import Any, get_args

import attrs
import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from cliniko_async import (
    AppointmentType,
    AttachmentPresignedPost,
    AvailableTime,
    BillableItem,
    Booking,
    DecodingError,
    InvalidRequestError,
    Patient,
    ServerError,
    columns,
    from_dict,
    row,
)
from cliniko_async.integrations.arrow import Batches, batches, schema, table
from cliniko_async.resources._names import RESOURCES
from cliniko_async.resources._registry import resource_class
from tests.support.clients import virtually
from tests.support.for_each import for_each
from tests.support.frames import assert_own_frames_hidden, chain
from tests.support.listed import TYPES, listed, other_tasks, run_turns
from tests.support.paths import ROOT
from tests.support.records import CLASSES, EXAMPLES, RECORDS, objects
from tests.support.seeded import seeded

RECORD_OF: dict[str, Any] = {name: resource_class(name).record for name in RESOURCES}
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
ITEM = from_dict(BillableItem, EXAMPLES["billable_item"])
TYPE = from_dict(AppointmentType, EXAMPLES["appointment_type"])
SECRET = "Ada Lovelace"


def plain(value: Any) -> Any:
    """A value of a row as Arrow returns it: lists for tuples, and pairs for maps."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, tuple) else value


def rows_of(records: list[Any]) -> list[dict[str, Any]]:
    return [plain(row(record)) for record in records]


# Types


def test_each_type_of_a_column_has_one_type_in_arrow():
    found = schema(AppointmentType)
    assert found.field("name").type == pa.string()
    assert found.field("created_at").type == pa.timestamp("us", tz="UTC")
    assert found.field("deposit_price").type == pa.decimal128(38, 18)
    assert found.field("max_attendees").type == pa.int64()
    assert found.field("telehealth_enabled").type == pa.bool_()
    assert found.field("appointment_reminder_template_ids").type == pa.list_(pa.string())
    assert schema(Patient).field("date_of_birth").type == pa.date32()
    rule = pa.struct(
        [("number_of_repeats", pa.int64()), ("repeat_type", pa.string()), ("repeating_interval", pa.int64())]
    )
    assert schema(Booking).field("repeat_rule").type == rule


@for_each("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_the_schema_of_a_class_is_that_of_its_columns(cls: Any):
    found = schema(cls)
    assert found.names == list(columns(cls))
    optional = {name for name, of in columns(cls).items() if NoneType in get_args(of)}
    assert {field.name for field in found if field.nullable} == optional


# Tables


@pytest.mark.parametrize("name", RESOURCES)
def test_every_resource_survives_the_way_through_arrow_and_parquet(name: str):
    found = table(seeded()[name])
    found.validate(full=True)
    assert found.to_pylist() == rows_of(seeded()[name])
    file = io.BytesIO()
    parquet.write_table(found, file)
    back = parquet.read_table(file)
    assert back.schema == found.schema
    assert back == found


@pytest.mark.parametrize("name", RESOURCES)
def test_polars_and_duckdb_take_the_table_of_every_resource(name: str):
    found = table(seeded()[name])
    frame = pl.from_arrow(found)
    assert isinstance(frame, pl.DataFrame)
    assert frame.to_dicts() == rows_of(seeded()[name])
    with duckdb.connect() as database:
        database.register("records", found)
        assert database.sql("select * from records").to_arrow_table().num_rows == len(seeded()[name])


@pytest.mark.parametrize("name", RESOURCES)
def test_an_empty_list_gives_an_empty_table_of_the_same_schema(name: str):
    empty = table([], RECORD_OF[name])
    assert empty.num_rows == 0
    assert empty.schema == table(seeded()[name]).schema == schema(RECORD_OF[name])


def exact(value: Any) -> Any:
    """A value that can be compared in any year: moments as microseconds since 1970."""
    return (value - EPOCH) // dt.timedelta(microseconds=1) if isinstance(value, dt.datetime) else plain(value)


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    else:
        yield value


def fits(value: Any) -> bool:
    if isinstance(value, Decimal):
        _, digits, exponent = value.as_tuple()
        assert isinstance(exponent, int)
        return not any(digits) or (len(digits) + exponent <= 20 and not any(digits[len(digits) + exponent + 18 :]))
    return -(2**63) <= value < 2**63 if isinstance(value, int) else True


@given(st.data())
def test_any_record_is_converted_exactly_or_not_at_all(data: st.DataObject):
    cls = data.draw(st.sampled_from([each for each in RECORDS if each is not AttachmentPresignedPost]))
    records = [from_dict(cls, each) for each in data.draw(st.lists(objects(cls), min_size=1, max_size=2))]
    unfit = {name for each in records for name, value in row(each).items() if not all(map(fits, leaves(value)))}
    if unfit:
        with pytest.raises(DecodingError) as caught:
            table(records, cls)
        assert {re.search(r"(\w+) does not fit in ", fault)[1] for fault in caught.value.faults} <= unfit
        return
    found = table(records, cls)
    moments = {field.name for field in found.schema if pa.types.is_timestamp(field.type)}
    for name in found.column_names:
        column = found[name].cast(pa.int64()) if name in moments else found[name]
        assert column.to_pylist() == [exact(row(record)[name]) for record in records]


def test_a_map_keeps_its_pairs():
    post = AttachmentPresignedPost(fields={"key": "a", "policy": "b"}, url="https://files.example")
    assert table([post])["fields"].to_pylist() == [[("key", "a"), ("policy", "b")]]


# Values that do not fit


@for_each(
    "text",
    [
        "0",
        "-0",
        "8.50",
        "99999999999999999999.999999999999999999",
        "-0.000000000000000001",
        "1E+3",
        "0.1000000000000000000000",
        "1." + 80 * "0",
        "0E-90",
    ],
)
def test_a_decimal_is_exact(text: str):
    (price,) = table([attrs.evolve(ITEM, price=Decimal(text))])["price"].to_pylist()
    assert price == Decimal(text)


# pyarrow alone stores the first three without an error, as 0 or as another number.
@for_each(
    "text",
    [
        "1E-57",
        "9.767774390333462E-78",
        "2.1837516001833E-73",
        "100000000000000000000",
        "0.0000000000000000001",
        "1E+40",
        "NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
    ],
)
def test_a_decimal_that_does_not_fit_is_an_error_that_names_record_and_column_and_not_the_value(text: str):
    records = [ITEM, attrs.evolve(ITEM, id="7", price=Decimal(text), name=SECRET), ITEM]
    with pytest.raises(DecodingError) as caught:
        table(records)
    assert caught.value.faults == ("record 7: price does not fit in decimal128(38, 18)",)
    assert str(caught.value) == "the data does not fit: record 7: price does not fit in decimal128(38, 18)"
    assert chain(caught.value) == [caught.value]
    assert_own_frames_hidden(caught.value, text, SECRET)


@for_each(
    "changes, fault",
    [
        ({"duration_in_minutes": 2**63}, "duration_in_minutes does not fit in int64"),
        ({"name": "\ud800" + SECRET}, "name does not fit in string"),
        ({"name": None}, "name does not fit in string"),
        ({"name": 7}, "name does not fit in string"),
        ({"created_at": SECRET}, "created_at does not fit in timestamp[us, tz=UTC]"),
        ({"telehealth_enabled": SECRET}, "telehealth_enabled does not fit in bool"),
        (
            {"appointment_reminder_template_ids": (7,)},
            "appointment_reminder_template_ids does not fit in list<item: string>",
        ),
    ],
)
def test_no_other_value_is_converted_if_it_is_not_of_the_type_of_its_column(changes: Any, fault: str):
    with pytest.raises(DecodingError) as caught:
        table([attrs.evolve(TYPE, id="7", **changes)])
    assert caught.value.faults == (f"record 7: {fault}",)
    assert_own_frames_hidden(caught.value, SECRET)


def test_every_record_that_does_not_fit_is_named_and_one_without_an_id_by_its_number():
    records = [attrs.evolve(ITEM, id=str(number), price=Decimal("NaN")) for number in range(3)]
    with pytest.raises(DecodingError) as caught:
        table(records)
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["record 0", "record 1", "record 2"]
    times = [AvailableTime(appointment_start=EPOCH), AvailableTime(appointment_start=None)]
    with pytest.raises(DecodingError, match="record number 2: appointment_start does not fit"):
        table(times)


def test_records_of_one_class_make_a_table_and_so_do_the_variants_of_a_base():
    group, block = (from_dict(Booking, EXAMPLES[name]) for name in ("group_appointment", "unavailable_block"))
    found = table(each for each in (group, block))
    assert found == table([group, block], Booking) == table([group, block], type(block))
    assert found["id"].to_pylist() == [group.id, block.id]


def test_threads_that_make_the_first_tables_of_a_class_at_once_agree_on_it():
    """In a new process, in which no columns have been computed yet."""
    code = """
import concurrent.futures, json, pathlib, sys, threading
from cliniko_async import Booking, from_dict
from cliniko_async.integrations.arrow import table

sys.setswitchinterval(1e-6)
folder = pathlib.Path("tests/facts/examples")
names = ("group_appointment", "individual_appointment", "unavailable_block")
records = [from_dict(Booking, (folder / f"{name}.json").read_bytes()) for name in names]
barrier = threading.Barrier(6)

def make(number):
    barrier.wait()
    return table(records[number % 3 :], type(records[number % 3])).num_rows

with concurrent.futures.ThreadPoolExecutor(6) as pool:
    found = list(pool.map(make, range(6)))
print(found, table(records, Booking).num_rows, table(records[::-1]).num_rows)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == "[3, 2, 1, 3, 2, 1] 3 3\n"


def test_records_that_make_no_table_are_refused():
    with pytest.raises(TypeError, match=r"^expected records of the class AppointmentType, not BillableItem$"):
        table([TYPE, ITEM])
    with pytest.raises(TypeError, match=r"^expected records of the class BillableItem, not AppointmentType$"):
        table([TYPE], BillableItem)
    with pytest.raises(TypeError, match=r"^expected a class of records"):
        table([SECRET])
    with pytest.raises(TypeError, match=r"^expected a class of records"):
        schema(str)
    with pytest.raises(InvalidRequestError, match=r"^a table without records needs their class$"):
        table([])


# Batches


def names_in(batch: Any) -> str:
    return "".join(batch["name"].to_pylist())


async def read_all(iterator: Batches) -> list[str]:
    return [names_in(batch) async for batch in iterator]


@for_each(
    "rows, expected",
    [(1, list("abcdefg")), (3, ["abc", "def", "g"]), (7, ["abcdefg"]), (10_000, ["abcdefg"])],
)
@virtually
async def test_a_batch_has_as_many_rows_as_asked_for_but_the_last(rows: int, expected: list[str]):
    async with listed(7) as (_, cliniko):
        assert await read_all(batches(cliniko.appointment_types.list(per_page=2), rows=rows)) == expected


@virtually
async def test_each_batch_has_the_schema_of_the_class_and_an_empty_list_has_no_batch():
    async with listed(3) as (sandbox, cliniko):
        iterator = batches(cliniko.appointment_types.list(), rows=2)
        assert [batch.schema async for batch in iterator] == [schema(AppointmentType)] * 2
        with pytest.raises(StopAsyncIteration):
            await anext(iterator)
        for record in sandbox.all(TYPES):
            sandbox.remove(TYPES, record["id"])
        empty = batches(cliniko.appointment_types.list())
        assert await read_all(empty) == []
        assert await read_all(batches(cliniko.appointment_types.list(cursor=empty.cursor))) == []


async def test_more_rows_than_are_converted_at_once_are_one_batch():
    async def many() -> AsyncIterator[BillableItem]:
        for number in range(2500):
            yield attrs.evolve(ITEM, id=str(number))

    found = [batch async for batch in batches(many(), rows=2300)]
    assert [batch.num_rows for batch in found] == [2300, 200]
    assert [key for batch in found for key in batch["id"].to_pylist()] == [str(number) for number in range(2500)]
    assert batches(many()).cursor is None


@virtually
async def test_the_cursor_after_a_batch_continues_after_its_last_row():
    async with listed(7) as (_, cliniko):
        iterator = batches(cliniko.appointment_types.list(per_page=2), rows=3)
        start = batches(cliniko.appointment_types.list(per_page=2, cursor=iterator.cursor), rows=3)
        assert names_in(await anext(start)) == names_in(await anext(iterator)) == "abc"
        rest = batches(cliniko.appointment_types.list(per_page=2, cursor=iterator.cursor), rows=3)
        assert await read_all(rest) == ["def", "g"]


@virtually
async def test_an_error_comes_after_the_records_before_it_and_the_next_step_continues():
    """So that neither the cursor of the error nor another step loses a row."""
    async with listed(7) as (sandbox, cliniko):
        sandbox.faults.status(503, path="&page=3")
        iterator = batches(cliniko.appointment_types.list(per_page=2), rows=5)
        assert names_in(await anext(iterator)) == "abcd"
        with pytest.raises(ServerError) as caught:
            await anext(iterator)
        assert caught.value.cursor == iterator.cursor
        resumed = batches(cliniko.appointment_types.list(per_page=2, cursor=caught.value.cursor))
        assert await read_all(resumed) == ["efg"]
        assert await read_all(iterator) == ["efg"]


@virtually
async def test_the_valid_records_of_a_page_with_an_invalid_one_are_on_its_error():
    async with listed(7) as (sandbox, cliniko):
        sandbox.faults.edit(lambda page: page[TYPES][0].update(name=None), path="&page=2")
        iterator = batches(cliniko.appointment_types.list(per_page=2), rows=5)
        assert names_in(await anext(iterator)) == "ab"
        with pytest.raises(DecodingError) as caught:
            await anext(iterator)
        assert caught.value.page
        assert names_in(table(caught.value.page.items)) == "d"
        resumed = batches(cliniko.appointment_types.list(per_page=2, cursor=caught.value.cursor))
        assert await read_all(resumed) == ["efg"]


@virtually
async def test_a_value_that_does_not_fit_raises_after_the_rows_before_it():
    async def items() -> AsyncIterator[BillableItem]:
        for number in range(1100):
            yield attrs.evolve(ITEM, id=str(number), price=Decimal("NaN" if number == 1050 else "1"))

    iterator = batches(items())
    assert (await anext(iterator)).num_rows == 1000
    for _ in range(3):
        with pytest.raises(DecodingError, match="record 1050: price does not fit"):
            await anext(iterator)


async def test_an_error_of_a_generator_ends_no_list_quietly():
    async def broken() -> AsyncIterator[BillableItem]:
        yield ITEM
        raise RuntimeError("broken")

    iterator = batches(broken())
    assert (await anext(iterator)).num_rows == 1
    with pytest.raises(RuntimeError, match="broken"):
        await anext(iterator)


async def test_records_of_several_classes_are_refused():
    async def mixed() -> AsyncIterator[object]:
        yield ITEM
        yield TYPE

    with pytest.raises(TypeError, match="expected records of the class BillableItem, not AppointmentType"):
        await anext(batches(mixed()))


@virtually
async def test_a_step_that_is_cancelled_loses_nothing():
    async with listed(7, latency=5.0) as (_, cliniko):
        iterator = batches(cliniko.appointment_types.list(per_page=2), rows=5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(12.0):
                await anext(iterator)
        start = batches(cliniko.appointment_types.list(per_page=2, cursor=iterator.cursor))
        assert await read_all(start) == ["abcdefg"]
        assert await read_all(iterator) == ["abcde", "fg"]


@virtually
async def test_two_consumers_share_the_rows():
    async with listed(7) as (_, cliniko):
        iterator = batches(cliniko.appointment_types.list(per_page=2), rows=2)
        found = await asyncio.gather(read_all(iterator), read_all(iterator))
        assert sorted(found[0] + found[1]) == ["ab", "cd", "ef", "g"]


@virtually
async def test_closing_ends_the_requests_and_the_iteration_and_keeps_the_cursor():
    async with listed(9) as (_, cliniko):
        async with contextlib.aclosing(batches(cliniko.appointment_types.list(per_page=2, prefetch=2), rows=3)) as some:
            await anext(some)
        assert not other_tasks()
        with pytest.raises(StopAsyncIteration):
            await anext(some)
        rest = cliniko.appointment_types.list(cursor=some.cursor)
        assert names_in(await anext(batches(rest))) == "defghi"
        await some.aclose()


async def test_an_iterator_that_cannot_be_closed_is_left_alone():
    class Endless:
        def __aiter__(self) -> "Endless":
            return self

        async def __anext__(self) -> BillableItem:
            return ITEM

    iterator = batches(Endless(), rows=2)
    assert (await anext(iterator)).num_rows == 2
    await iterator.aclose()


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("steps", [1, 2])
@virtually
async def test_leaving_leaves_nothing_also_with_an_error_to_come_or_handled(steps: int):
    async with listed(9) as (sandbox, cliniko):
        sandbox.faults.status(503, path="&page=2")
        iterator = batches(cliniko.appointment_types.list(per_page=2, prefetch=2), rows=3)
        gone = weakref.ref(iterator)
        for _ in range(steps):
            with contextlib.suppress(ServerError):
                await anext(iterator)
        del iterator
        await run_turns()
        assert gone() is None
        assert not other_tasks()


@for_each("rows", [0, -1, 1.5, True, "10", None])
def test_rows_must_be_a_whole_number(rows: Any):
    async def none() -> AsyncIterator[object]:
        return
        yield

    with pytest.raises(InvalidRequestError, match=r"^rows must be a whole number, at least 1$"):
        batches(none(), rows=rows)


# The extra


def test_without_pyarrow_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    for name in ("arrow", "_arrow_columns"):
        monkeypatch.delitem(sys.modules, f"cliniko_async.integrations.{name}")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r'^Arrow needs pyarrow: pip install "cliniko-async\[arrow\]"$'):
        importlib.import_module("cliniko_async.integrations.arrow")
