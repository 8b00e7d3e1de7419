"""Drafts the calendar of the clinic: who works when and where, and what stands in it over past and coming weeks."""

import datetime as dt
import itertools
import json
from typing import Any

import attrs

from ..db.columns import Row
from .drafts import DAY, Draft, Drafts, local
from .people import BLOCK_TYPES, REASONS

WEEK = 7 * DAY
_PAST, _COMING = 8, 4
"""Weeks."""
_WORKDAYS = 5
_HOURS = tuple(60 * hour for hour in (9, 10, 11, 12, 14, 15, 16))
_LUNCH, _CLASS, _LONGEST = 13 * 60, 17 * 60, 60
_FINAL = 90


@attrs.define
class Diary:
    """The hours that are still free."""

    drafts: Drafts
    places: list[Row]
    practitioners: list[Row]
    types: list[Row]
    taken: set[tuple[int, dt.date, int]] = attrs.field(factory=set[tuple[int, dt.date, int]])
    """Practitioners, days, and minutes into the day."""

    @classmethod
    def of(cls, drafts: Drafts) -> "Diary":
        """Open it for the practitioners who work there."""
        working = [row for row in drafts.known("practitioners") if row["active"]]
        return cls(drafts, drafts.known("businesses"), working, drafts.known("appointment_types")[:40])

    def place(self, practitioner: Row, day: dt.date) -> Row:
        """Where a practitioner works on a day: on each weekday at one of the places that have them."""
        own = [one for one in self.places if str(practitioner["id"]) in json.loads(str(one["practitioner_ids"]))]
        return own[day.weekday() % len(own)]

    def offered(self, practitioner: Row, *, group: bool) -> list[Row]:
        """What a practitioner does, alone with a patient or with several."""
        return [
            one
            for one in self.types
            if str(practitioner["id"]) in json.loads(str(one["practitioner_ids"]))
            and (int(one["max_attendees"] or 0) > 1) is group
            and int(one["duration_in_minutes"] or 0) <= _LONGEST
        ]

    def take(self, practitioner: Row, day: dt.date, minutes: int) -> bool:
        """Take an hour and say whether it was free."""
        slot = (int(practitioner["id"] or 0), day, minutes)
        free = slot not in self.taken
        self.taken.add(slot)
        return free

    def span(self, practitioner: Row, day: dt.date, minutes: int, length: int) -> dict[str, Any]:
        """The fields of whatever takes so many minutes."""
        place = self.place(practitioner, day)
        starts = local(day, minutes, str(place["time_zone_identifier"]))
        return {
            "starts_at": starts,
            "ends_at": starts + dt.timedelta(minutes=length),
            "practitioner_id": practitioner["id"],
            "business_id": place["id"],
        }


def draft_diary(drafts: Drafts) -> None:
    """Draft the hours of work, what is in the way of them, and what is booked."""
    diary = Diary.of(drafts)
    _hours(diary)
    _blocks(diary)
    _classes(diary)
    for patient in drafts.of("patients"):
        if patient.get("archived_at") is None:
            _visits(diary, patient)
    for patient in drafts.of("patients"):
        own = [one for one in drafts.of("individual_appointments") if one["patient_id"] is patient]
        patient["latest_booking_id"] = max(own, key=lambda one: one["starts_at"], default=None)


def _hours(diary: Diary) -> None:
    drafts = diary.drafts
    for practitioner, weekday in itertools.product(diary.practitioners, range(_WORKDAYS)):
        place = diary.place(practitioner, drafts.today.date() + weekday * DAY)
        drafts.add(
            "daily_availabilities",
            drafts.moment(900, 2000),
            practitioner_id=practitioner["id"],
            business_id=place["id"],
            day_of_week=weekday + 1,
            availabilities=[{"starts_at": "09:00", "ends_at": "13:00"}, {"starts_at": "14:00", "ends_at": "18:00"}],
            time_zone=place["time_zone"],
            time_zone_identifier=place["time_zone_identifier"],
        )
    for practitioner in diary.practitioners:
        place = diary.place(practitioner, drafts.today.date())
        drafts.add(
            "practitioner_reference_numbers",
            drafts.moment(900, 2000),
            practitioner_id=practitioner["id"],
            business_id=place["id"],
            name="Provider number",
            reference_number=f"{drafts.rng.randrange(10**6):06}AA",
        )


def _blocks(diary: Diary) -> None:
    drafts = diary.drafts
    types = [
        drafts.add(
            "unavailable_block_types",
            drafts.moment(900, 2000),
            name=name,
            color=color,
            duration_in_minutes=length,
            system_controlled=False,
        )
        for name, color, length in BLOCK_TYPES
    ]
    for practitioner in diary.practitioners[:3]:
        _meetings(diary, practitioner, types[0])
        _extra_day(diary, practitioner)
    for practitioner in diary.practitioners[3:6]:
        day = drafts.today.date() + drafts.rng.randrange(0, 26) // _WORKDAYS * WEEK + drafts.rng.randrange(5) * DAY
        diary.taken.update((int(practitioner["id"] or 0), day, minutes) for minutes in (*_HOURS, _CLASS))
        fields = diary.span(practitioner, day, _HOURS[0], 8 * 60)
        fields |= {"unavailable_block_type_id": types[1], "notes": None, "repeat_rule": {}}
        drafts.add("unavailable_blocks", drafts.moment(5, 60), **fields)


def _meetings(diary: Diary, practitioner: Row, kind: Draft) -> None:
    """One at midday, every other week."""
    first: Draft | None = None
    for week in range(-4, _COMING, 2):
        fields = diary.span(practitioner, diary.drafts.today.date() + week * WEEK + 2 * DAY, _LUNCH, 60)
        rule = {} if first else {"number_of_repeats": 3, "repeat_type": "Weekly", "repeating_interval": 2}
        fields |= {"unavailable_block_type_id": kind, "notes": "Staff meeting", "repeat_rule": rule}
        block = diary.drafts.add("unavailable_blocks", diary.drafts.moment(40, 41), **fields, repeated_from_id=first)
        first = first or block


def _extra_day(diary: Diary, practitioner: Row) -> None:
    """A Saturday morning."""
    day = diary.drafts.today.date() + diary.drafts.rng.randrange(_COMING) * WEEK + _WORKDAYS * DAY
    rule = {"number_of_repeats": 2, "repeat_type": "Weekly", "repeating_interval": 4}
    fields = diary.span(practitioner, day, _HOURS[0], 4 * 60)
    diary.drafts.add("availability_blocks", diary.drafts.moment(5, 60), **fields, repeat_rule=rule)


def _classes(diary: Diary) -> None:
    """One each week for some kinds of class, with some of the patients."""
    patients = [one for one in diary.drafts.of("patients") if one.get("archived_at") is None]
    offers = [(who, kind) for who in diary.practitioners for kind in diary.offered(who, group=True)]
    for weekday, (practitioner, kind) in enumerate(offers[:3]):
        group = diary.drafts.rng.sample(patients, min(5, int(kind["max_attendees"] or 0)))
        first: Draft | None = None
        start = diary.drafts.today.date() + (weekday + 1) * DAY
        days = [start + week * WEEK for week in range(-_PAST // 2, _COMING - 1)]
        for day in [day for day in days if diary.take(practitioner, day, _CLASS)]:
            booked = _class(diary, practitioner, kind, day, group, first=first)
            first = first or booked


def _class(
    diary: Diary, practitioner: Row, kind: Row, day: dt.date, group: list[Draft], *, first: Draft | None
) -> Draft:
    drafts = diary.drafts
    present = [one for one in group if drafts.rng.random() < 0.8 and one["created_at"] < drafts.today - 60 * DAY]
    booked = drafts.add(
        "group_appointments",
        drafts.moment(60, 61),
        **diary.span(practitioner, day, _CLASS, int(kind["duration_in_minutes"] or 0)),
        appointment_type_id=kind["id"],
        max_attendees=kind["max_attendees"],
        patient_ids=present,
        notes=None,
        repeat_rule={} if first else {"number_of_repeats": 6, "repeat_type": "Weekly", "repeating_interval": 1},
        repeated_from_id=first,
    )
    for patient in present:
        _attend(diary, booked, patient, None)
    return booked


def _visits(diary: Diary, patient: Draft) -> None:
    """Come every week or two for a while, mostly to the same practitioner at the same hour."""
    drafts, rng = diary.drafts, diary.drafts.rng
    offers = [(who, diary.offered(who, group=False)) for who in diary.practitioners]
    offers = [offer for offer in offers if offer[1]]
    if not offers:
        return
    practitioner, kinds = rng.choice(offers)
    weekday, minutes, every = rng.randrange(_WORKDAYS), rng.choice(_HOURS), rng.choice((1, 2, 2, 3))
    case = next((one for one in drafts.of("patient_cases") if one["patient_id"] is patient), None)
    start, repeated = rng.randrange(-_PAST, _COMING - 1), rng.random() < 0.2
    first: Draft | None = None
    for visit in range(rng.randrange(2, 8)):
        week = start + visit * every
        day = drafts.today.date() + week * WEEK + weekday * DAY
        if week >= _COMING or not diary.take(practitioner, day, minutes):
            continue
        fields = diary.span(
            practitioner, day, minutes, int(kinds[min(visit, 1) % len(kinds)]["duration_in_minutes"] or 0)
        )
        fields |= {"appointment_type_id": kinds[min(visit, 1) % len(kinds)]["id"], "patient_case_id": case}
        booked = _visit(diary, patient, fields, first if repeated else None, repeats=repeated and not first)
        first = first or booked


def _visit(diary: Diary, patient: Draft, fields: dict[str, Any], first: Draft | None, *, repeats: bool) -> Draft:
    drafts = diary.drafts
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
    shared = _attend(diary, booked, patient, fields["patient_case_id"])
    booked |= {name: shared[name] for name in ("cancelled_at", "cancellation_reason", "cancellation_note")}
    booked |= {name: shared[name] for name in ("email_reminder_sent", "sms_reminder_sent", "telehealth_url")}
    booked |= {"did_not_arrive": shared["arrived"] is False, "patient_arrived": shared["arrived"] is True}
    return booked


def _attend(diary: Diary, booked: Draft, patient: Draft, case: Draft | None) -> Draft:
    """What became of a visit: come, stayed away, cancelled, or still to come."""
    drafts = diary.drafts
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
        cancellation_reason=drafts.rng.choice(tuple(REASONS)) if cancelled else None,
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
