"""What is read has its type, from the client to the last field."""

import datetime as dt
from collections.abc import Awaitable  # noqa: TC003  (a user would import it so)
from decimal import Decimal
from typing import Any, assert_type

import cattrs

from cliniko_async import (
    AppointmentType,
    Booking,
    BookingRepeatRule,
    Cliniko,
    Communication,
    Conflicts,
    Contact,
    EmailCommunication,
    IndividualAppointment,
    Link,
    ListLink,
    Page,
    Paginator,
    Patient,
    PatientAttachment,
    Practitioner,
    Response,
    RetryPolicy,
    Tax,
    TreatmentNoteTemplate,
    configure_converter,
    from_dict,
    to_dict,
    to_json,
)


async def a_client(key: str) -> None:
    async with Cliniko(key, app_name="Rosters", contact_email="it@example.com") as cliniko:
        assert_type(cliniko, Cliniko)
        view = cliniko.with_options(timeout=5.0, deadline=None, retry=RetryPolicy(attempts=1), priority="bulk")
        assert_type(view, Cliniko)
        assert_type(await cliniko.request("GET", "/settings", params={"page": 1, "q[]": ["a", "b"]}), Response)
        assert_type((await cliniko.request("GET", "/settings")).json(), Any)


async def a_list(cliniko: Cliniko) -> None:
    types = cliniko.appointment_types.list(limit=250, per_page=50, prefetch=2, archived="include", cursor=None)
    assert_type(types, Paginator[AppointmentType])
    async for kind in types:
        assert_type(kind, AppointmentType)
    async for page in types.pages():
        assert_type(page, Page[AppointmentType])
    page = await types
    assert_type(page, Page[AppointmentType])
    assert_type(page.items, tuple[AppointmentType, ...])
    assert_type(page.total_entries, int | None)
    assert_type(page.next, str | None)
    assert_type(page.cursor, str)
    assert_type(page.raw, Any)
    assert_type(await types.first(), AppointmentType | None)
    assert_type(await types.collect(), list[AppointmentType])
    assert_type(await types.count(), int)
    walk = aiter(types)
    assert_type(await anext(walk), AppointmentType)
    assert_type(walk.cursor, str)
    assert_type([kind.name async for kind in walk], list[str])


async def lists_of_a_parent(cliniko: Cliniko) -> None:
    assert_type(cliniko.appointment_types.list_for_practitioner("1", archived="only"), Paginator[AppointmentType])
    assert_type(cliniko.practitioners.list_inactive(stable=True), Paginator[Practitioner])
    assert_type(cliniko.practitioners.list_for_business(1, limit=5), Paginator[Practitioner])


async def a_record(cliniko: Cliniko) -> None:
    kind = await cliniko.appointment_types.get(5, archived="include")
    assert_type(kind, AppointmentType)
    assert_type(kind.id, str)
    assert_type(kind.name, str)
    assert_type(kind.duration_in_minutes, int)
    assert_type(kind.created_at, dt.datetime)
    assert_type(kind.deposit_price, Decimal | None)
    assert_type(kind.appointment_reminder_template_ids, tuple[str, ...] | None)
    assert_type(kind.online_payments_mode, str | None)
    assert_type(kind.link, Link[AppointmentType])
    assert_type(kind.links.href, str)
    assert_type(hash(kind), int)


async def parts_and_kinds(cliniko: Cliniko) -> None:
    visit = await cliniko.individual_appointments.get("1", cancelled="include")
    assert_type(visit.repeat_rule, BookingRepeatRule | None)
    assert_type(visit.repeats, ListLink[IndividualAppointment] | None)
    booking = await cliniko.bookings.get("1")
    assert_type(booking.repeats, ListLink[Booking] | None)
    if isinstance(booking, IndividualAppointment):
        assert_type(booking.patient_name, str | None)
    letter = await cliniko.communications.get("1")
    assert_type(letter, Communication)
    assert_type(letter.from_, str | None)
    if isinstance(letter, EmailCommunication):
        assert_type(letter.content_subject, str | None)
    assert_type(await cliniko.patient_attachments.get("1"), PatientAttachment)


async def followed(cliniko: Cliniko, kind: AppointmentType, visit: IndividualAppointment) -> None:
    assert_type(await cliniko.follow(kind.link), AppointmentType)
    if kind.treatment_note_template is not None:
        assert_type(kind.treatment_note_template, Link[TreatmentNoteTemplate])
        assert_type(kind.treatment_note_template.id, str | None)
        assert_type(await cliniko.follow(kind.treatment_note_template), TreatmentNoteTemplate)
        awaited: Awaitable[TreatmentNoteTemplate] = cliniko.follow(kind.treatment_note_template)
        assert_type(await awaited, TreatmentNoteTemplate)
    if kind.practitioners is not None:
        assert_type(cliniko.follow(kind.practitioners), Paginator[Practitioner])
        async for person in cliniko.follow(kind.practitioners):
            assert_type(person, Practitioner)
    if visit.conflicts is not None:
        assert_type((await cliniko.follow(visit.conflicts)), Conflicts)
    source = await cliniko.referral_sources.list().first()
    if source is not None and source.referrer is not None:
        assert_type(await cliniko.follow(source.referrer), Patient | Contact)


async def resolved(cliniko: Cliniko, visits: list[IndividualAppointment]) -> None:
    assert_type(await cliniko.resolve(visit.practitioner for visit in visits), dict[str, Practitioner])
    assert_type(await cliniko.resolve([visit.link for visit in visits]), dict[str, IndividualAppointment])
    assert_type(await cliniko.resolve([Link[Tax].to("https://api.example.test/v1/taxes/1")]), dict[str, Tax])


def converted(kind: AppointmentType) -> None:
    assert_type(to_dict(kind), dict[str, Any])
    assert_type(to_json(kind), bytes)
    assert_type(from_dict(AppointmentType, {}), AppointmentType)
    assert_type(from_dict(Booking, {}), Booking)


def configured(converter: cattrs.Converter) -> None:
    configure_converter(converter)
    assert_type(converter.structure(b"{}", AppointmentType), AppointmentType)
    assert_type(converter.structure([], list[Patient]), list[Patient])
