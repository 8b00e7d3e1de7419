"""Cancellations: every visit of last month counts once, under its reason, as a no-show, or as kept."""

import datetime as dt
from collections import Counter
from zoneinfo import ZoneInfo

from tests.support.clients import virtually
from tests.support.cookbook import MELBOURNE, PERTH, clinic, id_of, run, without

NOW = dt.datetime(2026, 3, 2, 11, tzinfo=dt.UTC)
BOOKINGS = ("individual_appointments", "group_appointments", "attendees", "unavailable_blocks")
FEBRUARY = (dt.datetime(2026, 2, 1, tzinfo=MELBOURNE), dt.datetime(2026, 2, 28, 23, 59, tzinfo=MELBOURNE))
TEN = dt.datetime(2026, 2, 3, 10, tzinfo=MELBOURNE)


def counted(printed):
    return Counter({line[14:]: int(line[:6]) for line in printed.lines[1:]})


def place(sandbox, zone=MELBOURNE):
    return sandbox.add("businesses", business_name="Here", time_zone_identifier=zone.key)


@virtually
async def test_every_visit_of_last_month_is_counted_once():
    async with clinic(NOW) as sandbox:
        printed = await run("cancellations", sandbox, NOW)
        zones = {each["id"]: ZoneInfo(each["time_zone_identifier"]) for each in sandbox.all("businesses")}
        singles, groups = sandbox.all("individual_appointments"), sandbox.all("group_appointments")
        attendees = sandbox.all("attendees")

    def in_february(booking):
        start = dt.datetime.fromisoformat(booking["starts_at"]).astimezone(zones[id_of(booking["business"])])
        return (start.year, start.month) == (2026, 2) and not booking["archived_at"] and not booking["deleted_at"]

    months = {each["id"] for each in groups if in_february(each)}
    visits = [(each, each["did_not_arrive"]) for each in singles if in_february(each)]
    visits += [(each, each["arrived"] is False) for each in attendees if id_of(each["booking"]) in months]
    expected = Counter()
    for visit, missed in visits:
        reason = visit["cancellation_reason_description"]
        expected[f"cancelled: {reason}" if visit["cancelled_at"] else "did not arrive" if missed else "kept"] += 1
    assert len(expected) > 4
    assert counted(printed) == expected
    kept = expected.total() - expected["kept"]
    assert printed.lines[0] == f"February 2026: {expected.total()} visits booked, {kept} of them cancelled or missed"
    assert printed.priorities == {"bulk"}


@virtually
async def test_the_month_begins_and_ends_by_the_clock_of_the_business():
    async with clinic(NOW) as sandbox:
        without(sandbox, *BOOKINGS)
        first, last = FEBRUARY
        for zone in (MELBOURNE, PERTH):
            here = place(sandbox, zone)
            for start in (first - dt.timedelta(minutes=1), first, last, last + dt.timedelta(minutes=1)):
                local = start.replace(tzinfo=zone)
                sandbox.add("individual_appointments", starts_at=local, business_id=here, patient_id=1)
        printed = await run("cancellations", sandbox, NOW)
    assert counted(printed) == {"kept": 4}


@virtually
async def test_last_month_is_over_at_every_business():
    """At the first of March in Melbourne, it is still February in Perth."""
    now = dt.datetime(2026, 2, 28, 14, tzinfo=dt.UTC)
    async with clinic(now) as sandbox:
        both = [place(sandbox), place(sandbox, PERTH)]
        printed = await run("cancellations", sandbox, now)
        for each in sandbox.all("businesses"):
            if each["id"] != both[0]:
                sandbox.remove("businesses", each["id"])
        later = await run("cancellations", sandbox, now)
    assert printed.lines[0].startswith("January 2026: ")
    assert later.lines[0].startswith("February 2026: ")


@virtually
async def test_a_visit_counts_under_its_reason_whoever_booked_it():
    async with clinic(NOW) as sandbox:
        without(sandbox, *BOOKINGS)
        where = {"starts_at": TEN, "business_id": place(sandbox)}
        singles = (
            {"cancelled_at": TEN, "cancellation_reason": 30},
            {"cancelled_at": TEN, "cancellation_reason": 30, "did_not_arrive": True},
            {"cancelled_at": TEN},
            {"did_not_arrive": True},
            {"did_not_arrive": None},
        )
        for fields in singles:
            sandbox.add("individual_appointments", **where, patient_id=1, **fields)
        group = sandbox.add("group_appointments", **where)
        shared = ({"cancelled_at": TEN, "cancellation_reason": 60}, {"arrived": False}, {"arrived": True}, {})
        for number, fields in enumerate(shared):
            sandbox.add("attendees", booking_id=group, patient_id=number + 1, **fields)
        sandbox.add("unavailable_blocks", **where)
        printed = await run("cancellations", sandbox, NOW)
    assert counted(printed) == {
        "kept": 3,
        "cancelled: Sick": 2,
        "did not arrive": 2,
        "cancelled: Work": 1,
        "cancelled: no reason given": 1,
    }


@virtually
async def test_more_than_a_hundred_classes_are_read_in_batches():
    async with clinic(NOW) as sandbox:
        without(sandbox, *BOOKINGS)
        here = place(sandbox)
        for number in range(120):
            group = sandbox.add("group_appointments", starts_at=TEN, business_id=here)
            for patient in (1, 2):
                sandbox.add("attendees", booking_id=group, patient_id=patient, arrived=number % 3 > 0)
        printed = await run("cancellations", sandbox, NOW)
    assert counted(printed) == {"kept": 160, "did not arrive": 80}


@virtually
async def test_a_month_without_visits_is_no_error():
    async with clinic(NOW) as sandbox:
        without(sandbox, *BOOKINGS)
        printed = await run("cancellations", sandbox, NOW)
    assert printed.report == "February 2026: 0 visits booked, 0 of them cancelled or missed\n"
