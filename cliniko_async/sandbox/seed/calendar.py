"""Drafts the calendar of the clinic: working hours, blocks, classes and appointments of past and coming weeks."""

import datetime as dt
import itertools
import json
from typing import Any

import attrs

from ..db.columns import Row
from ..db.labels import CURRENT_CANCELLATION_REASONS
from .drafts import DAY, Draft, Drafts, local_time
from .patient_data import BLOCK_TYPES

WEEK = 7 * DAY
_PAST_WEEKS, _COMING_WEEKS = 8, 4
_WORKDAYS = 5
_SLOTS = tuple(60 * hour for hour in (9, 10, 11, 12, 14, 15, 16))
_LUNCH, _CLASS_START, _MAX_DURATION = 13 * 60, 17 * 60, 60


@attrs.define
class Calendar:
    """The slots of the practitioners that are still free."""

    drafts: Drafts
    businesses: list[Row]
    practitioners: list[Row]
    appointment_types: list[Row]
    taken: set[tuple[int, dt.date, int]] = attrs.field(factory=set[tuple[int, dt.date, int]])
    """A practitioner, a day, and the minutes after midnight."""

    @classmethod
    def of(cls, drafts: Drafts) -> "Calendar":
        """Return an empty calendar for the active practitioners."""
        working = [row for row in drafts.inserted("practitioners") if row["active"]]
        return cls(drafts, drafts.inserted("businesses"), working, drafts.inserted("appointment_types")[:40])

    def business(self, practitioner: Row, day: dt.date) -> Row:
        """Return the business where a practitioner works on a day, which depends on the weekday."""
        own = [each for each in self.businesses if str(practitioner["id"]) in json.loads(str(each["practitioner_ids"]))]
        return own[day.weekday() % len(own)]

    def offered(self, practitioner: Row, *, group: bool) -> list[Row]:
        """Return what a practitioner offers, to single patients or to groups."""
        return [
            one
            for one in self.appointment_types
            if str(practitioner["id"]) in json.loads(str(one["practitioner_ids"]))
            and (int(one["max_attendees"] or 0) > 1) is group
            and int(one["duration_in_minutes"] or 0) <= _MAX_DURATION
        ]

    def take(self, practitioner: Row, day: dt.date, minutes: int) -> bool:
        """Take a slot, and return whether it was free."""
        slot = (int(practitioner["id"] or 0), day, minutes)
        free = slot not in self.taken
        self.taken.add(slot)
        return free

    def entry(self, practitioner: Row, day: dt.date, minutes: int, duration: int) -> dict[str, Any]:
        """Return the fields of an entry that starts some minutes after midnight and takes some minutes."""
        business = self.business(practitioner, day)
        starts = local_time(day, minutes, str(business["time_zone_identifier"]))
        return {
            "starts_at": starts,
            "ends_at": starts + dt.timedelta(minutes=duration),
            "practitioner_id": practitioner["id"],
            "business_id": business["id"],
        }


def draft_calendar(drafts: Drafts) -> None:
    """Draft the working hours, the blocks, and everything that is booked."""
    calendar = Calendar.of(drafts)
    _working_hours(calendar)
    _blocks(calendar)
    _classes(calendar)
    for patient in drafts.of("patients"):
        if patient.get("archived_at") is None:
            _visits(calendar, patient)
    for patient in drafts.of("patients"):
        own = [one for one in drafts.of("individual_appointments") if one["patient_id"] is patient]
        patient["latest_booking_id"] = max(own, key=lambda one: one["starts_at"], default=None)


def _working_hours(calendar: Calendar) -> None:
    drafts = calendar.drafts
    for practitioner, weekday in itertools.product(calendar.practitioners, range(_WORKDAYS)):
        business = calendar.business(practitioner, drafts.today.date() + weekday * DAY)
        drafts.add(
            "daily_availabilities",
            drafts.past_moment(900, 2000),
            practitioner_id=practitioner["id"],
            business_id=business["id"],
            day_of_week=weekday + 1,
            availabilities=[{"starts_at": "09:00", "ends_at": "13:00"}, {"starts_at": "14:00", "ends_at": "18:00"}],
            time_zone=business["time_zone"],
            time_zone_identifier=business["time_zone_identifier"],
        )
    for practitioner in calendar.practitioners:
        business = calendar.business(practitioner, drafts.today.date())
        drafts.add(
            "practitioner_reference_numbers",
            drafts.past_moment(900, 2000),
            practitioner_id=practitioner["id"],
            business_id=business["id"],
            name="Provider number",
            reference_number=f"{drafts.rng.randrange(10**6):06}AA",
        )


def _blocks(calendar: Calendar) -> None:
    drafts = calendar.drafts
    types = [
        drafts.add(
            "unavailable_block_types",
            drafts.past_moment(900, 2000),
            name=name,
            color=color,
            duration_in_minutes=length,
            system_controlled=False,
        )
        for name, color, length in BLOCK_TYPES
    ]
    for practitioner in calendar.practitioners[:3]:
        _meetings(calendar, practitioner, types[0])
        _extra_day(calendar, practitioner)
    for practitioner in calendar.practitioners[3:6]:
        day = drafts.today.date() + drafts.rng.randrange(0, 26) // _WORKDAYS * WEEK + drafts.rng.randrange(5) * DAY
        calendar.taken.update((int(practitioner["id"] or 0), day, minutes) for minutes in (*_SLOTS, _CLASS_START))
        fields = calendar.entry(practitioner, day, _SLOTS[0], 8 * 60)
        fields |= {"unavailable_block_type_id": types[1], "notes": None, "repeat_rule": {}}
        drafts.add("unavailable_blocks", drafts.past_moment(5, 60), **fields)


def _meetings(calendar: Calendar, practitioner: Row, block_type: Draft) -> None:
    """Draft a staff meeting at midday every other week."""
    first: Draft | None = None
    for week in range(-4, _COMING_WEEKS, 2):
        fields = calendar.entry(practitioner, calendar.drafts.today.date() + week * WEEK + 2 * DAY, _LUNCH, 60)
        rule = {} if first else {"number_of_repeats": 3, "repeat_type": "Weekly", "repeating_interval": 2}
        fields |= {"unavailable_block_type_id": block_type, "notes": "Staff meeting", "repeat_rule": rule}
        block = calendar.drafts.add(
            "unavailable_blocks", calendar.drafts.past_moment(40, 41), **fields, repeated_from_id=first
        )
        first = first or block


def _extra_day(calendar: Calendar, practitioner: Row) -> None:
    """Draft an additional Saturday morning."""
    day = calendar.drafts.today.date() + calendar.drafts.rng.randrange(_COMING_WEEKS) * WEEK + _WORKDAYS * DAY
    rule = {"number_of_repeats": 2, "repeat_type": "Weekly", "repeating_interval": 4}
    fields = calendar.entry(practitioner, day, _SLOTS[0], 4 * 60)
    calendar.drafts.add("availability_blocks", calendar.drafts.past_moment(5, 60), **fields, repeat_rule=rule)


def _classes(calendar: Calendar) -> None:
    """Draft weekly classes of some appointment types, with some of the patients."""
    patients = [one for one in calendar.drafts.of("patients") if one.get("archived_at") is None]
    offers = [(who, offer) for who in calendar.practitioners for offer in calendar.offered(who, group=True)]
    for weekday, (practitioner, appointment_type) in enumerate(offers[:3]):
        group = calendar.drafts.rng.sample(patients, min(5, int(appointment_type["max_attendees"] or 0)))
        first: Draft | None = None
        start = calendar.drafts.today.date() + (weekday + 1) * DAY
        days = [start + week * WEEK for week in range(-_PAST_WEEKS // 2, _COMING_WEEKS - 1)]
        for day in [day for day in days if calendar.take(practitioner, day, _CLASS_START)]:
            booked = _class(calendar, practitioner, appointment_type, day, group, first=first)
            first = first or booked


def _class(
    calendar: Calendar,
    practitioner: Row,
    appointment_type: Row,
    day: dt.date,
    group: list[Draft],
    *,
    first: Draft | None,
) -> Draft:
    drafts = calendar.drafts
    present = [one for one in group if drafts.rng.random() < 0.8 and one["created_at"] < drafts.today - 60 * DAY]
    booked = drafts.add(
        "group_appointments",
        drafts.past_moment(60, 61),
        **calendar.entry(practitioner, day, _CLASS_START, int(appointment_type["duration_in_minutes"] or 0)),
        appointment_type_id=appointment_type["id"],
        max_attendees=appointment_type["max_attendees"],
        patient_ids=present,
        notes=None,
        repeat_rule={} if first else {"number_of_repeats": 6, "repeat_type": "Weekly", "repeating_interval": 1},
        repeated_from_id=first,
    )
    for patient in present:
        _attend(calendar, booked, patient, None)
    return booked


def _visits(calendar: Calendar, patient: Draft) -> None:
    """Draft a patient's appointments: every week or two for a while, with one practitioner in one slot."""
    drafts, rng = calendar.drafts, calendar.drafts.rng
    offers = [(who, calendar.offered(who, group=False)) for who in calendar.practitioners]
    offers = [offer for offer in offers if offer[1]]
    if not offers:
        return
    practitioner, offered = rng.choice(offers)
    weekday, minutes, every = rng.randrange(_WORKDAYS), rng.choice(_SLOTS), rng.choice((1, 2, 2, 3))
    case = next((one for one in drafts.of("patient_cases") if one["patient_id"] is patient), None)
    start, repeated = rng.randrange(-_PAST_WEEKS, _COMING_WEEKS - 1), rng.random() < 0.2
    first: Draft | None = None
    for visit in range(rng.randrange(2, 8)):
        week = start + visit * every
        day = drafts.today.date() + week * WEEK + weekday * DAY
        if week >= _COMING_WEEKS or not calendar.take(practitioner, day, minutes):
            continue
        # The first visit is of another type than those that follow.
        appointment_type = offered[min(visit, 1) % len(offered)]
        fields = calendar.entry(practitioner, day, minutes, int(appointment_type["duration_in_minutes"] or 0))
        fields |= {"appointment_type_id": appointment_type["id"], "patient_case_id": case}
        booked = _visit(calendar, patient, fields, first if repeated else None, repeats=repeated and not first)
        first = first or booked


def _visit(calendar: Calendar, patient: Draft, fields: dict[str, Any], first: Draft | None, *, repeats: bool) -> Draft:
    drafts = calendar.drafts
    lead = dt.timedelta(minutes=drafts.rng.randrange(24 * 60, 21 * 24 * 60))
    booked = drafts.add(
        "individual_appointments",
        max(fields["starts_at"] - lead, patient["created_at"]),
        **fields,
        patient_id=patient,
        patient_name=f"{patient['first_name']} {patient['last_name']}",
        notes=drafts.rng.choice((None, None, "Brings the scans along")),
        repeat_rule={"number_of_repeats": 6, "repeat_type": "Weekly", "repeating_interval": 1} if repeats else {},
        repeated_from_id=first,
        has_patient_appointment_notes=False,
    )
    shared = _attend(calendar, booked, patient, fields["patient_case_id"])
    booked |= {name: shared[name] for name in ("cancelled_at", "cancellation_reason", "cancellation_note")}
    booked |= {name: shared[name] for name in ("email_reminder_sent", "sms_reminder_sent", "telehealth_url")}
    booked |= {"did_not_arrive": shared["arrived"] is False, "patient_arrived": shared["arrived"] is True}
    return booked


def _attend(calendar: Calendar, booked: Draft, patient: Draft, case: Draft | None) -> Draft:
    """Draft the attendee of an appointment: arrived, absent, cancelled, or still to come."""
    drafts = calendar.drafts
    past, luck = booked["starts_at"] < drafts.today, drafts.rng.random()
    cancelled = luck < 0.12
    arrived = luck > 0.18 if past and not cancelled else None
    mail, text = (past and word in patient["reminder_type"] for word in ("Email", "SMS"))
    hours = dt.timedelta(hours=drafts.rng.randrange(2, 60))
    token = f"{drafts.rng.getrandbits(64):016x}"
    attendee = drafts.add(
        "attendees",
        booked["created_at"],
        booking_id=booked,
        patient_id=patient,
        patient_case_id=case,
        arrived=arrived,
        cancelled_at=max(booked["created_at"], min(booked["starts_at"], drafts.today) - hours) if cancelled else None,
        cancellation_reason=drafts.rng.choice(tuple(CURRENT_CANCELLATION_REASONS)) if cancelled else None,
        cancellation_note="Rang in the morning" if cancelled and luck < 0.04 else None,
        cancellation_url=f"https://bluegum.example/bookings/cancel/{token}",
        telehealth_url=f"https://bluegum.example/c/{token}",
        email_reminder_sent=mail,
        sms_reminder_sent=text,
        sent_email_reminders_count=int(mail),
        sent_sms_reminders_count=int(text),
        sent_email_follow_ups_count=0,
        sent_sms_follow_ups_count=0,
        notes=None,
    )
    if case is not None:
        case["attendee_ids"].append(attendee)
    return attendee
