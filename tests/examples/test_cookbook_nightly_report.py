"""The nightly report: an e-mail with the numbers of the day of each business, and no patient."""

import datetime as dt
import email
import email.policy
import re
from zoneinfo import ZoneInfo

from tests.support.clients import virtually
from tests.support.cookbook import MELBOURNE, PERTH, clinic, id_of, run, without

NOW = dt.datetime(2026, 3, 2, 14, 30, tzinfo=dt.UTC)
"""Tuesday 01:30 in Melbourne, Monday 22:30 in Perth: the day is Monday in both."""
CALENDAR = ("individual_appointments", "group_appointments", "attendees", "unavailable_blocks", "invoices")


async def mailed(sandbox, now=NOW, to=("manager@example.com",)):
    printed = await run("nightly_report", sandbox, now, *to)
    assert printed.priorities == {"bulk"}
    return email.message_from_string(printed.report, policy=email.policy.default)


def sections(message):
    """The lines of each business, by its name and its day."""
    parts = message.get_content().strip().split("\n\n")
    return {part.splitlines()[0]: [line.strip() for line in part.splitlines()[1:]] for part in parts[1:]}


def alone(sandbox, zone=MELBOURNE, name="Café"):
    without(sandbox, *CALENDAR, "businesses")
    return sandbox.add("businesses", business_name=name, time_zone_identifier=zone.key)


@virtually
async def test_the_report_is_an_email_that_names_no_patient():
    async with clinic(NOW) as sandbox:
        message = await mailed(sandbox, to=("manager@example.com", "owner@example.com"))
        names = {each[part] for each in sandbox.all("patients") for part in ("first_name", "last_name")}
    assert (message["To"], message["Subject"]) == ("manager@example.com, owner@example.com", "Report of the day")
    assert names.isdisjoint(re.findall(r"\w+", message.get_content()))


@virtually
async def test_every_visit_of_the_day_counts_once():
    async with clinic(NOW) as sandbox:
        message = await mailed(sandbox)
        places = {each["id"]: each for each in sandbox.all("businesses") if not each["archived_at"]}
        bookings = {each["id"]: each for kind in CALENDAR[:2] for each in sandbox.all(kind)}
        attendees = sandbox.all("attendees")
    expected = dict.fromkeys(places, 0)
    for attendee in attendees:
        booking = bookings[id_of(attendee["booking"])]
        zone = ZoneInfo(places[id_of(booking["business"])]["time_zone_identifier"])
        day = dt.datetime.fromisoformat(booking["starts_at"]).astimezone(zone).date()
        expected[id_of(booking["business"])] += day == dt.date(2026, 3, 2)
    found = sections(message)
    assert sum(expected.values()) > 3
    assert [sum(map(int, re.findall(r"\d+", lines[0]))) for lines in found.values()] == list(expected.values())
    assert list(found) == [f"{each['label']}, Monday 02 March 2026" for each in places.values()]


@virtually
async def test_visits_are_kept_cancelled_or_missed():
    noon = dt.datetime(2026, 3, 2, 12, tzinfo=MELBOURNE)
    async with clinic(NOW) as sandbox:
        where = {"business_id": alone(sandbox), "starts_at": noon}
        for fields in ({}, {"cancelled_at": NOW}, {"did_not_arrive": True}, {"deleted_at": NOW}):
            sandbox.add("individual_appointments", **where, patient_id=1, **fields)
        group = sandbox.add("group_appointments", **where)
        for number, fields in enumerate(({"arrived": True}, {}, {"arrived": False}, {"cancelled_at": NOW})):
            sandbox.add("attendees", booking_id=group, patient_id=number + 1, **fields)
        sandbox.add("unavailable_blocks", **where)
        found = sections(await mailed(sandbox))
    assert found == {
        "Café, Monday 02 March 2026": [
            "Visits: 3 kept, 2 cancelled, 2 missed",
            "Visits tomorrow: 0",
            "Invoices: 0, in all 0.00",
        ]
    }


@virtually
async def test_the_day_begins_and_ends_by_the_clock_of_the_business():
    for zone in (MELBOURNE, PERTH):
        async with clinic(NOW) as sandbox:
            place = alone(sandbox, zone)
            for day, hour, minute in (
                (1, 23, 59),
                (2, 0, 0),
                (2, 23, 59),
                (3, 0, 0),
                (3, 23, 59),
                (3, 12, 0),
                (4, 0, 0),
            ):
                start = dt.datetime(2026, 3, day, hour, minute, tzinfo=zone)
                sandbox.add("individual_appointments", starts_at=start, business_id=place, patient_id=1)
            ((heading, lines),) = sections(await mailed(sandbox)).items()
        assert heading == "Café, Monday 02 March 2026"
        assert lines[:2] == ["Visits: 2 kept, 0 cancelled, 0 missed", "Visits tomorrow: 3"]


@virtually
async def test_a_run_before_six_reports_the_day_before():
    async with clinic(NOW) as sandbox:
        alone(sandbox)
        headings = [
            next(iter(sections(await mailed(sandbox, dt.datetime(2026, 3, 3, hour, minute, tzinfo=MELBOURNE)))))
            for hour, minute in ((0, 0), (5, 59), (6, 0), (23, 59))
        ]
    assert [heading[6:] for heading in headings] == 2 * ["Monday 02 March 2026"] + 2 * ["Tuesday 03 March 2026"]


@virtually
async def test_invoices_of_the_day_are_added_up_exactly():
    async with clinic(NOW) as sandbox:
        place = alone(sandbox)
        for day, amount in ((1, "1"), (2, "1000.10"), (2, "0.20"), (2, "-100.00"), (2, None), (3, "2")):
            issued = dt.date(2026, 3, day)
            sandbox.add("invoices", number=1, issue_date=issued, business_id=place, total_amount=amount)
        sandbox.add("invoices", number=2, issue_date=dt.date(2026, 3, 2), business_id=place, deleted_at=NOW)
        (lines,) = sections(await mailed(sandbox)).values()
    assert lines[2] == "Invoices: 4, in all 900.30"


@virtually
async def test_new_patients_are_those_of_the_last_24_hours():
    day = dt.timedelta(days=1)
    async with clinic(NOW) as sandbox:
        alone(sandbox)
        for created in (NOW - day - dt.timedelta(seconds=1), NOW - day, NOW):
            sandbox.add("patients", first_name="Kim", last_name="Day", created_at=created)
        message = await mailed(sandbox)
    assert message.get_content().startswith("New patients: 2\n")


@virtually
async def test_more_than_a_hundred_classes_are_read_in_batches():
    noon = dt.datetime(2026, 3, 2, 12, tzinfo=MELBOURNE)
    async with clinic(NOW) as sandbox:
        place = alone(sandbox)
        for _ in range(120):
            group = sandbox.add("group_appointments", starts_at=noon, business_id=place)
            sandbox.add("attendees", booking_id=group, patient_id=1)
        (lines,) = sections(await mailed(sandbox)).values()
    assert lines[0] == "Visits: 120 kept, 0 cancelled, 0 missed"
