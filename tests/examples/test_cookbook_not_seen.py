"""Patients not seen for 26 weeks: everyone except those who came or are expected."""

import datetime as dt

from tests.support.clients import virtually
from tests.support.cookbook import MELBOURNE, PERTH, clinic, id_of, run, without

NOW = dt.datetime(2026, 3, 2, 11, tzinfo=dt.UTC)
WEEK = dt.timedelta(weeks=1)
THEN = NOW - 26 * WEEK
CALENDAR = ("individual_appointments", "group_appointments", "attendees")


def patient(sandbox, name, **fields):
    known = {"created_at": THEN - WEEK, "first_name": "Kim", "last_name": name}
    return sandbox.add("patients", **{**known, **fields})


def booked(sandbox, name, starts_at, zone=MELBOURNE, **fields):
    place = sandbox.add("businesses", business_name="Here", time_zone_identifier=zone.key)
    who = patient(sandbox, name)
    booking = sandbox.add("individual_appointments", patient_id=who, starts_at=starts_at, business_id=place, **fields)
    sandbox.update("patients", who, latest_booking_id=booking)


def attends(sandbox, name, group, **fields):
    sandbox.add("attendees", booking_id=group, patient_id=patient(sandbox, name), **fields)


async def listed(sandbox):
    printed = await run("not_seen", sandbox, NOW)
    assert printed.priorities == {"bulk"}
    assert printed.lines[-1] == f"{len(printed.lines) - 1} patients were not seen since 2025-09-01"
    return {line[22:]: line[:22].strip() for line in printed.lines[:-1]}


@virtually
async def test_the_patients_of_the_clinic_who_did_not_come_are_listed_once():
    async with clinic(NOW) as sandbox:
        printed = await run("not_seen", sandbox, NOW)
        singles, groups = sandbox.all("individual_appointments"), sandbox.all("group_appointments")
        attendees, patients = sandbox.all("attendees"), sandbox.all("patients")
    recent = {
        each["id"]: each
        for each in (*singles, *groups)
        if each["starts_at"] >= f"{THEN:%Y-%m-%dT%H:%M:%SZ}" and not each.get("cancelled_at")
    }
    came = {
        id_of(each["patient"])
        for each in attendees
        if not each["cancelled_at"] and each["arrived"] is not False and id_of(each["booking"]) in recent
    }
    absent = [
        each
        for each in patients
        if not each["archived_at"] and each["id"] not in came and each["created_at"] < f"{THEN:%Y-%m-%dT%H:%M:%SZ}"
    ]
    names = sorted(f"{each['first_name']} {each['last_name']}" for each in absent)
    assert sorted(line[22:].partition(":")[0] for line in printed.lines[:-1]) == names


@virtually
async def test_patients_who_came_or_are_expected_are_left_out():
    async with clinic(NOW) as sandbox:
        without(sandbox, *CALENDAR, "patients")
        for name, start in (("Early", THEN), ("Yesterday", NOW - WEEK), ("Next", NOW + 40 * WEEK)):
            booked(sandbox, name, start)
        group = sandbox.add("group_appointments", starts_at=THEN + WEEK)
        attends(sandbox, "Arrived", group, arrived=True)
        attends(sandbox, "Unmarked", group)
        assert await listed(sandbox) == {}


@virtually
async def test_a_visit_that_was_cancelled_or_missed_is_none():
    async with clinic(NOW) as sandbox:
        without(sandbox, *CALENDAR, "patients")
        booked(sandbox, "Missed", NOW - WEEK, did_not_arrive=True)
        booked(sandbox, "Cancelled", NOW + WEEK, cancelled_at=NOW)
        booked(sandbox, "Before", THEN - dt.timedelta(seconds=1))
        group = sandbox.add("group_appointments", starts_at=THEN + WEEK)
        attends(sandbox, "Absent", group, arrived=False)
        attends(sandbox, "Withdrawn", group, cancelled_at=NOW)
        found = await listed(sandbox)
    assert found == {
        "Kim Before: no phone number": "2025-09-01",
        "Kim Missed: no phone number": "2026-02-23",
        "Kim Cancelled: no phone number": "2026-03-09 cancelled",
        "Kim Absent: no phone number": "never booked",
        "Kim Withdrawn: no phone number": "never booked",
    }
    assert list(found.values()) == sorted(found.values())


@virtually
async def test_new_and_archived_patients_are_left_out():
    async with clinic(NOW) as sandbox:
        without(sandbox, *CALENDAR, "patients")
        patient(sandbox, "New", created_at=THEN + WEEK)
        sandbox.archive("patients", patient(sandbox, "Archived"))
        patient(sandbox, "Never", patient_phone_numbers=[{"phone_type": "Work", "number": "12"}])
        assert await listed(sandbox) == {"Kim Never: 12": "never booked"}


@virtually
async def test_the_day_of_the_last_booking_is_that_of_its_business():
    late = dt.datetime(2025, 3, 3, 14, 30, tzinfo=dt.UTC)
    async with clinic(NOW) as sandbox:
        without(sandbox, *CALENDAR, "patients")
        booked(sandbox, "East", late)
        booked(sandbox, "West", late, PERTH)
        found = await listed(sandbox)
    assert found == {"Kim East: no phone number": "2025-03-04", "Kim West: no phone number": "2025-03-03"}
