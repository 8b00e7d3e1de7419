"""Available times: long spans are requested in parts that the API accepts, one after the other."""

import datetime as dt
from typing import Any

import attrs
import pytest

from cliniko_async import AvailableTime, BadRequestError, DecodingError, InvalidRequestError, NotFoundError, to_dict
from tests.support.attachments import EPOCH, Clinic, clinic
from tests.support.clients import virtually
from tests.support.for_each import for_each

TODAY = dt.datetime.fromtimestamp(EPOCH, dt.UTC).date()
MONDAY = TODAY + dt.timedelta(days=7 - TODAY.weekday())
A_DAY = 8


@attrs.frozen
class BookableService:
    at: Clinic
    ids: tuple[str, str, str]

    def times(self, days: int, **options: Any) -> Any:
        last = MONDAY + dt.timedelta(days=days - 1)
        return self.at.cliniko.available_times.list(*self.ids, from_=MONDAY, to=last, **options)

    @property
    def spans(self) -> list[tuple[str, str]]:
        """The requested spans, each once."""
        found = [(one.query["from"][0], one.query["to"][0]) for one in self.at.sandbox.requests]
        return list(dict.fromkeys(found))


def place(at: Clinic, *, online: bool = True) -> BookableService:
    """A service that can be booked online."""
    names = ("businesses", "practitioners", "appointment_types")
    return BookableService(at, tuple(at.sandbox.add(name, show_in_online_bookings=online) for name in names))


def day(number: int) -> str:
    return (MONDAY + dt.timedelta(days=number)).isoformat()


@virtually
async def test_the_times_of_a_week_are_asked_for_at_once():
    async with clinic() as at:
        here = place(at)
        times = await here.times(7).collect()
        assert here.spans == [(day(0), day(6))]
        assert len(times) == 6 * A_DAY
        assert times[0].appointment_start.tzinfo is not None
        assert to_dict(times[0]).keys() == {"appointment_start"}
        assert repr(times[0]) == "AvailableTime(…)"


@pytest.mark.parametrize(("days", "spans"), [(1, [(0, 0)]), (8, [(0, 6), (7, 7)]), (21, [(0, 6), (7, 13), (14, 20)])])
def test_a_longer_span_is_cut_into_spans_of_at_most_six_days_apart(days: int, spans: list[tuple[int, int]]):
    """Each day is requested once, and the times come in order."""

    @virtually
    async def test():
        async with clinic() as at:
            here = place(at)
            times: list[AvailableTime] = await here.times(days, per_page=10).collect()
            assert here.spans == [(day(first), day(last)) for first, last in spans]
            stamps = [time.appointment_start for time in times]
            assert stamps == sorted(set(stamps))
            assert len(stamps) == A_DAY * sum(number % 7 != 6 for number in range(days))

    test()


@virtually
async def test_the_count_is_that_of_all_the_spans():
    async with clinic() as at:
        assert await place(at).times(14).count() == 12 * A_DAY


@virtually
async def test_a_limit_counts_times_and_requests_no_further_spans():
    async with clinic() as at:
        here = place(at)
        assert len(await here.times(30, limit=10).collect()) == 10
        assert here.spans == [(day(0), day(6))]


@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_cursor_continues_in_the_span_it_was_taken_in(prefetch: int):
    @virtually
    async def test():
        async with clinic() as at:
            here = place(at)
            times = await here.times(14).collect()
            iterator = aiter(here.times(14, per_page=20, prefetch=prefetch))
            head = [await anext(iterator) for _ in range(60)]
            rest = await here.times(14, per_page=20, cursor=iterator.cursor).collect()
            assert [*head, *rest] == times

    test()


@virtually
async def test_a_span_that_ends_before_it_begins_is_refused_before_anything_is_sent():
    async with clinic() as at:
        with pytest.raises(InvalidRequestError, match="before"):
            place(at).times(0)
        with pytest.raises(InvalidRequestError, match="before"):
            await at.cliniko.available_times.get_next(1, 2, 3, from_=MONDAY, to=MONDAY - dt.timedelta(days=1))
        assert at.asked == []


@for_each("wrong", ["2025-07-21", dt.datetime(2025, 7, 21, tzinfo=dt.UTC), None, 7])
def test_a_day_is_a_date_without_a_time(wrong: Any):
    @virtually
    async def test():
        async with clinic() as at:
            for days in ({"from_": wrong, "to": MONDAY}, {"from_": MONDAY, "to": wrong}):
                with pytest.raises(InvalidRequestError, match="must be a date without a time"):
                    at.cliniko.available_times.list(1, 2, 3, **days)
                with pytest.raises(InvalidRequestError, match="must be a date without a time"):
                    await at.cliniko.available_times.get_next(1, 2, 3, **days)

    test()


@pytest.mark.parametrize("option", [{"sort": "id"}, {"stable": True}, {"archived": "include"}])
def test_the_times_can_be_neither_sorted_nor_filtered(option: dict[str, Any]):
    @virtually
    async def test():
        async with clinic() as at:
            with pytest.raises((TypeError, InvalidRequestError)):
                place(at).times(1, **option)

    test()


@virtually
async def test_days_that_have_passed_are_a_bad_request():
    async with clinic() as at:
        past = MONDAY - dt.timedelta(days=30)
        with pytest.raises(BadRequestError):
            await at.cliniko.available_times.list(*place(at).ids, from_=past, to=past)


@virtually
async def test_an_appointment_type_that_cannot_be_booked_online_is_not_found():
    async with clinic() as at:
        here = place(at, online=False)
        with pytest.raises(NotFoundError):
            await here.times(1)
        with pytest.raises(NotFoundError):
            await at.cliniko.available_times.get_next(*here.ids, from_=MONDAY, to=MONDAY + dt.timedelta(days=90))
        assert len(at.sandbox.requests) == 2


@virtually
async def test_the_next_time_is_the_first_of_the_span():
    async with clinic() as at:
        here = place(at)
        first = await here.times(1).first()
        found = await at.cliniko.available_times.get_next(*here.ids, from_=MONDAY, to=MONDAY)
        assert first is not None
        assert found is not None
        assert found.appointment_start == first.appointment_start
        assert found.total_entries == 1


@virtually
async def test_the_next_time_is_looked_for_span_by_span_up_to_the_first_that_has_one():
    async with clinic() as at:
        here = place(at)
        at.sandbox.faults.edit(lambda _: {"total_entries": 0, "links": {"self": "x"}}, times=2)
        found = await at.cliniko.available_times.get_next(*here.ids, from_=MONDAY, to=MONDAY + dt.timedelta(days=90))
        assert found is not None
        assert here.spans == [(day(0), day(6)), (day(7), day(13)), (day(14), day(20))]
        assert found.appointment_start.date() in (MONDAY + dt.timedelta(days=13), MONDAY + dt.timedelta(days=14))


@virtually
async def test_there_is_no_next_time_where_all_are_taken():
    async with clinic() as at:
        here = place(at)
        sunday = MONDAY + dt.timedelta(days=6)
        assert await at.cliniko.available_times.get_next(*here.ids, from_=sunday, to=sunday) is None


@virtually
async def test_a_malformed_next_time_is_a_decoding_error():
    async with clinic() as at:
        for body in (b"[]", b"<html>"):
            at.sandbox.faults.status(200, body=body)
            with pytest.raises(DecodingError):
                await at.cliniko.available_times.get_next(*place(at).ids, from_=MONDAY, to=MONDAY)
