"""Tomorrow's appointments: every expected patient once, by the clock of each business."""

import datetime as dt
from collections import Counter
from zoneinfo import ZoneInfo

from tests.support.clients import virtually
from tests.support.cookbook import MELBOURNE, PERTH, clinic, id_of, run, without

NOW = dt.datetime(2026, 3, 2, 11, tzinfo=dt.UTC)
BOOKINGS = ("individual_appointments", "group_appointments", "attendees")
HIDDEN = ("archived_at", "cancelled_at", "deleted_at")


def best_number(patient):
    numbers = {each["phone_type"]: each["number"] for each in patient["patient_phone_numbers"]}
    return numbers.get("Mobile") or next(iter(numbers.values()), "no phone number")


def visit(sandbox, starts_at, *, numbers=(), name="Day", **fields):
    phones = [{"phone_type": kind, "number": number} for kind, number in numbers]
    patient = sandbox.add("patients", first_name="Kim", last_name=name, patient_phone_numbers=phones)
    return sandbox.add("individual_appointments", starts_at=starts_at, patient_id=patient, **fields)


def business(sandbox, name, zone):
    return sandbox.add("businesses", business_name=name, time_zone_identifier=zone.key)


@virtually
async def test_everyone_who_is_expected_is_listed_once_with_a_number():
    async with clinic(NOW) as sandbox:
        printed = await run("tomorrow", sandbox, NOW)
        bookings = {each["id"]: each for kind in BOOKINGS[:2] for each in sandbox.all(kind)}
        patients = {each["id"]: each for each in sandbox.all("patients")}
        attendees = sandbox.all("attendees")
        zones = {each["id"]: ZoneInfo(each["time_zone_identifier"]) for each in sandbox.all("businesses")}
    expected = Counter()
    for attendee in attendees:
        booking, patient = bookings[id_of(attendee["booking"])], patients[id_of(attendee["patient"])]
        start = dt.datetime.fromisoformat(booking["starts_at"]).astimezone(zones[id_of(booking["business"])])
        if start.date() == dt.date(2026, 3, 3) and not any(
            each.get(at) for each in (attendee, booking) for at in HIDDEN
        ):
            name = f"{patient['first_name']} {patient['last_name']}"
            expected[f"  {start:%a %d %b %H:%M}  {name}: {best_number(patient)}"] += 1
    assert Counter(line for line in printed.lines if line.startswith("  ")) == expected
    assert printed.lines[-1] == f"{expected.total()} visits tomorrow"
    assert expected.total() > 3


@virtually
async def test_each_business_has_its_own_tomorrow():
    """It is Tuesday in Melbourne and still Monday in Perth."""
    now = dt.datetime(2026, 3, 2, 14, 30, tzinfo=dt.UTC)
    async with clinic(now) as sandbox:
        without(sandbox, *BOOKINGS)
        for name, zone in (("East", MELBOURNE), ("West", PERTH)):
            place = business(sandbox, name, zone)
            for day in (3, 4, 5):
                for hour, minute in ((0, 0), (23, 59)):
                    visit(sandbox, dt.datetime(2026, 3, day, hour, minute, tzinfo=zone), business_id=place)
        printed = await run("tomorrow", sandbox, now)
    assert printed.lines == [
        "East (Australia/Melbourne)",
        "  Wed 04 Mar 00:00  Kim Day: no phone number",
        "  Wed 04 Mar 23:59  Kim Day: no phone number",
        "West (Australia/Perth)",
        "  Tue 03 Mar 00:00  Kim Day: no phone number",
        "  Tue 03 Mar 23:59  Kim Day: no phone number",
        "4 visits tomorrow",
    ]


@virtually
async def test_the_last_appointment_of_a_day_with_25_hours_is_listed():
    now = dt.datetime(2026, 4, 4, tzinfo=MELBOURNE)
    async with clinic(now) as sandbox:
        without(sandbox, *BOOKINGS)
        place = business(sandbox, "East", MELBOURNE)
        visit(sandbox, dt.datetime(2026, 4, 5, 23, 55, tzinfo=MELBOURNE), business_id=place)
        visit(sandbox, dt.datetime(2026, 4, 6, tzinfo=MELBOURNE), business_id=place)
        printed = await run("tomorrow", sandbox, now)
    assert printed.lines[1:] == ["  Sun 05 Apr 23:55  Kim Day: no phone number", "1 visits tomorrow"]


@virtually
async def test_cancelled_appointments_are_left_out():
    ten = dt.datetime(2026, 3, 3, 10, tzinfo=MELBOURNE)
    async with clinic(NOW) as sandbox:
        without(sandbox, *BOOKINGS, "unavailable_blocks")
        place = business(sandbox, "East", MELBOURNE)
        visit(sandbox, ten, business_id=place, cancelled_at=NOW)
        visit(sandbox, ten, business_id=place, deleted_at=NOW)
        sandbox.archive("individual_appointments", visit(sandbox, ten, business_id=place))
        sandbox.add("unavailable_blocks", starts_at=ten, business_id=place)
        group = sandbox.add("group_appointments", starts_at=ten, business_id=place)
        for name, cancelled in (("Stays", None), ("Leaves", NOW)):
            patient = sandbox.add("patients", first_name="Kim", last_name=name)
            sandbox.add("attendees", booking_id=group, patient_id=patient, cancelled_at=cancelled)
        printed = await run("tomorrow", sandbox, NOW)
    assert printed.lines[1:] == ["  Tue 03 Mar 10:00  Kim Stays: no phone number", "1 visits tomorrow"]


@virtually
async def test_a_mobile_number_is_preferred_and_a_fax_number_ignored():
    ten = dt.datetime(2026, 3, 3, 10, tzinfo=MELBOURNE)
    async with clinic(NOW) as sandbox:
        without(sandbox, *BOOKINGS)
        place = business(sandbox, "East", MELBOURNE)
        for minute, numbers in enumerate(
            (
                [("Home", "1"), ("Mobile", "2")],
                [("Fax", "3"), ("Work", "4")],
                [("Fax", "5")],
                [("Mobile", ""), ("Home", "6")],
            )
        ):
            visit(sandbox, ten + dt.timedelta(minutes=minute), business_id=place, numbers=numbers)
        printed = await run("tomorrow", sandbox, NOW)
    assert [line.partition(": ")[2] for line in printed.lines[1:-1]] == ["2", "4", "no phone number", "6"]


@virtually
async def test_a_patient_who_is_archived_or_gone_does_not_hide_the_appointment():
    ten = dt.datetime(2026, 3, 3, 10, tzinfo=MELBOURNE)
    async with clinic(NOW) as sandbox:
        without(sandbox, *BOOKINGS)
        place = business(sandbox, "East", MELBOURNE)
        booked = [visit(sandbox, ten + dt.timedelta(minutes=minute), business_id=place) for minute in (0, 1)]
        archived, gone = (id_of(sandbox.get("individual_appointments", each)["patient"]) for each in booked)
        sandbox.archive("patients", archived)
        sandbox.remove("patients", gone)
        sandbox.archive("businesses", place)
        printed = await run("tomorrow", sandbox, NOW)
    assert [line[20:] for line in printed.lines[1:-1]] == ["Kim Day: no phone number", "(deleted patient)"]


@virtually
async def test_links_are_resolved_a_hundred_at_a_time():
    ten = dt.datetime(2026, 3, 3, 10, tzinfo=MELBOURNE)
    async with clinic(NOW) as sandbox:
        without(sandbox, *BOOKINGS)
        place = business(sandbox, "East", MELBOURNE)
        for number in range(230):
            visit(sandbox, ten, name=f"{number:03}", business_id=place)
        printed = await run("tomorrow", sandbox, NOW)
    assert sorted(line[20:27] for line in printed.lines[1:-1]) == [f"Kim {number:03}" for number in range(230)]
    # Three pages of bookings, one of businesses, three each of attendees and patients.
    assert printed.requests == 10


@virtually
async def test_a_day_without_appointments_says_so():
    async with clinic(NOW) as sandbox:
        without(sandbox, *BOOKINGS)
        printed = await run("tomorrow", sandbox, NOW)
    assert (printed.report, printed.requests) == ("0 visits tomorrow\n", 1)
