"""Utilisation: the hours that were booked and those that could be, per practitioner and week, each minute once."""

import datetime as dt

from tests.support.clients import virtually
from tests.support.cookbook import MELBOURNE, PERTH, clinic, run, without

NOW = dt.datetime(2026, 3, 2, 11, tzinfo=dt.UTC)
BOOKINGS = ("individual_appointments", "group_appointments", "attendees", "unavailable_blocks")
HOURS = ("daily_availabilities", "availability_blocks")
WEEKS = ["2026-02-02", "2026-02-09", "2026-02-16", "2026-02-23"]


class Practice:
    """A sandbox with nothing in the calendar, and one practitioner at one business."""

    def __init__(self, sandbox, zone=MELBOURNE):
        without(sandbox, *BOOKINGS, *HOURS)
        self.sandbox, self.zone = sandbox, zone
        self.place = sandbox.add("businesses", business_name="Here", time_zone_identifier=zone.key)
        self.who = sandbox.add("practitioners", first_name="Kim", last_name="Day")

    def add(self, resource, day, start, end, **fields):
        """Times are hours after midnight of a day of February."""
        midnight = dt.datetime(2026, 2, day, tzinfo=self.zone)
        first, last = (midnight + dt.timedelta(hours=each) for each in (start, end))
        shared = {"starts_at": first, "ends_at": last, "practitioner_id": self.who, "business_id": self.place}
        return self.sandbox.add(resource, **{**shared, **fields})

    def usual(self, weekday, *spans, **fields):
        hours = [{"starts_at": first, "ends_at": last} for first, last in spans]
        shared = {"practitioner_id": self.who, "business_id": self.place, "time_zone_identifier": self.zone.key}
        self.sandbox.add("daily_availabilities", day_of_week=weekday, availabilities=hours, **{**shared, **fields})

    async def rows(self, now=NOW):
        printed = await run("utilisation", self.sandbox, now)
        assert printed.priorities == {"bulk"}
        return {
            line[29:39]: (float(line[39:46]), float(line[49:56]), line[58:].strip())
            for line in printed.lines
            if line.startswith("Kim Day ")
        }


@virtually
async def test_the_invented_clinic_has_a_row_per_practitioner_and_week():
    async with clinic(NOW) as sandbox:
        printed = await run("utilisation", sandbox, NOW)
        active = {each["label"] for each in sandbox.all("practitioners") if each["active"]}
    assert [(line[:28].strip(), line[29:39]) for line in printed.lines] == [
        (name, week) for name in sorted(active) for week in WEEKS
    ]


@virtually
async def test_booked_and_usual_hours_are_counted_in_the_week_of_the_business():
    async with clinic(NOW) as sandbox:
        practice = Practice(sandbox, PERTH)
        for weekday in (1, 2):
            practice.usual(weekday, ("09:00", "13:00"), ("14:00", "17:00"))
        practice.add("individual_appointments", 2, 0, 1)
        practice.add("individual_appointments", 8, 23, 24)
        practice.add("group_appointments", 10, 9, 10.5)
        practice.add("individual_appointments", 1, 22, 24)
        practice.add("individual_appointments", 28, 48, 50)
        rows = await practice.rows()
    assert rows == {
        "2026-02-02": (2.0, 14.0, "14%"),
        "2026-02-09": (1.5, 14.0, "11%"),
        "2026-02-16": (0.0, 14.0, "0%"),
        "2026-02-23": (0.0, 14.0, "0%"),
    }


@virtually
async def test_time_that_overlaps_is_counted_once_and_blocked_time_not_at_all():
    async with clinic(NOW) as sandbox:
        practice = Practice(sandbox)
        practice.usual(1, ("09:00", "13:00"))
        practice.add("availability_blocks", 2, 12, 15)
        practice.add("unavailable_blocks", 2, 8, 10)
        practice.add("unavailable_blocks", 2, 9.5, 11)
        practice.add("individual_appointments", 2, 12, 13)
        practice.add("individual_appointments", 2, 12.5, 13.5)
        rows = await practice.rows()
    assert rows["2026-02-02"] == (1.5, 4.0, "38%")
    assert rows["2026-02-09"] == (0.0, 4.0, "0%")


@virtually
async def test_a_leave_that_began_before_the_weeks_blocks_them():
    async with clinic(NOW) as sandbox:
        practice = Practice(sandbox)
        practice.usual(5, ("09:00", "10:00"))
        practice.add("unavailable_blocks", 1, -24 * 4000, 14 * 24)
        rows = await practice.rows()
    assert [rows[week][1:] for week in WEEKS] == [(0.0, "-"), (0.0, "-"), (1.0, "0%"), (1.0, "0%")]


@virtually
async def test_sunday_may_be_the_first_or_the_last_day_and_a_day_may_end_at_midnight():
    async with clinic(NOW) as sandbox:
        practice = Practice(sandbox)
        practice.usual(0, ("20:00", "00:00"))
        practice.usual(7, ("08:00", "09:00"))
        practice.usual(3, ("22:00", "24:00"))
        practice.usual(None, ("08:00", "20:00"))
        rows = await practice.rows()
    assert {each[1] for each in rows.values()} == {7.0}


@virtually
async def test_cancelled_or_deleted_appointments_are_not_counted_as_booked():
    async with clinic(NOW) as sandbox:
        practice = Practice(sandbox)
        practice.add("individual_appointments", 2, 9, 10, cancelled_at=NOW)
        practice.add("individual_appointments", 2, 10, 11, deleted_at=NOW)
        practice.add("individual_appointments", 2, 11, 12, did_not_arrive=True)
        rows = await practice.rows()
    assert rows["2026-02-02"] == (1.0, 0.0, "-")


@virtually
async def test_a_practitioner_who_left_is_shown_only_if_booked():
    async with clinic(NOW) as sandbox:
        practice = Practice(sandbox)
        practice.usual(1, ("09:00", "10:00"))
        sandbox.update("practitioners", practice.who, active=False)
        without_bookings = await practice.rows()
        practice.add("individual_appointments", 2, 9, 9.5)
        with_bookings = await practice.rows()
    assert without_bookings == {}
    assert with_bookings["2026-02-02"] == (0.5, 1.0, "50%")


@virtually
async def test_a_week_is_reported_when_it_is_over_at_every_business():
    """It is Monday in Melbourne and still Sunday in Perth."""
    now = dt.datetime(2026, 3, 1, 14, tzinfo=dt.UTC)
    async with clinic(now) as sandbox:
        practice = Practice(sandbox)
        practice.usual(1, ("09:00", "10:00"))
        sandbox.add("businesses", business_name="West", time_zone_identifier=PERTH.key)
        rows = await practice.rows(now)
    assert list(rows) == ["2026-01-26", *WEEKS[:3]]
