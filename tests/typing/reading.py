"""Everything you read has its exact type, from the client to the last field."""

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
    async for appointment_type in types:
        assert_type(appointment_type, AppointmentType)
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
    records = aiter(types)
    assert_type(await anext(records), AppointmentType)
    assert_type(records.cursor, str)
    assert_type([appointment_type.name async for appointment_type in records], list[str])


async def lists_of_a_parent(cliniko: Cliniko) -> None:
    assert_type(cliniko.appointment_types.list_for_practitioner("1", archived="only"), Paginator[AppointmentType])
    assert_type(cliniko.practitioners.list_inactive(stable=True), Paginator[Practitioner])
    assert_type(cliniko.practitioners.list_for_business(1, limit=5), Paginator[Practitioner])


async def a_record(cliniko: Cliniko) -> None:
    appointment_type = await cliniko.appointment_types.get(5, archived="include")
    assert_type(appointment_type, AppointmentType)
    assert_type(appointment_type.id, str)
    assert_type(appointment_type.name, str)
    assert_type(appointment_type.duration_in_minutes, int)
    assert_type(appointment_type.created_at, dt.datetime)
    assert_type(appointment_type.deposit_price, Decimal | None)
    assert_type(appointment_type.appointment_reminder_template_ids, tuple[str, ...] | None)
    assert_type(appointment_type.online_payments_mode, str | None)
    assert_type(appointment_type.link, Link[AppointmentType])
    assert_type(appointment_type.links.href, str)
    assert_type(hash(appointment_type), int)


async def parts_and_variants(cliniko: Cliniko) -> None:
    appointment = await cliniko.individual_appointments.get("1", cancelled="include")
    assert_type(appointment.repeat_rule, BookingRepeatRule | None)
    assert_type(appointment.repeats, ListLink[IndividualAppointment] | None)
    booking = await cliniko.bookings.get("1")
    assert_type(booking.repeats, ListLink[Booking] | None)
    if isinstance(booking, IndividualAppointment):
        assert_type(booking.patient_name, str | None)
    communication = await cliniko.communications.get("1")
    assert_type(communication, Communication)
    assert_type(communication.from_, str | None)
    if isinstance(communication, EmailCommunication):
        assert_type(communication.content_subject, str | None)
    assert_type(await cliniko.patient_attachments.get("1"), PatientAttachment)


async def followed(cliniko: Cliniko, appointment_type: AppointmentType, appointment: IndividualAppointment) -> None:
    assert_type(await cliniko.follow(appointment_type.link), AppointmentType)
    if appointment_type.treatment_note_template is not None:
        assert_type(appointment_type.treatment_note_template, Link[TreatmentNoteTemplate])
        assert_type(appointment_type.treatment_note_template.id, str | None)
        assert_type(await cliniko.follow(appointment_type.treatment_note_template), TreatmentNoteTemplate)
        awaited: Awaitable[TreatmentNoteTemplate] = cliniko.follow(appointment_type.treatment_note_template)
        assert_type(await awaited, TreatmentNoteTemplate)
    if appointment_type.practitioners is not None:
        assert_type(cliniko.follow(appointment_type.practitioners), Paginator[Practitioner])
        async for practitioner in cliniko.follow(appointment_type.practitioners):
            assert_type(practitioner, Practitioner)
    if appointment.conflicts is not None:
        assert_type((await cliniko.follow(appointment.conflicts)), Conflicts)
    source = await cliniko.referral_sources.list().first()
    if source is not None and source.referrer is not None:
        assert_type(await cliniko.follow(source.referrer), Patient | Contact)


async def resolved(cliniko: Cliniko, appointments: list[IndividualAppointment]) -> None:
    assert_type(
        await cliniko.resolve(appointment.practitioner for appointment in appointments), dict[str, Practitioner]
    )
    assert_type(
        await cliniko.resolve([appointment.link for appointment in appointments]), dict[str, IndividualAppointment]
    )
    assert_type(await cliniko.resolve([Link[Tax].to("https://api.example.test/v1/taxes/1")]), dict[str, Tax])


def converted(appointment_type: AppointmentType) -> None:
    assert_type(to_dict(appointment_type), dict[str, Any])
    assert_type(to_json(appointment_type), bytes)
    assert_type(from_dict(AppointmentType, {}), AppointmentType)
    assert_type(from_dict(Booking, {}), Booking)


def configured(converter: cattrs.Converter) -> None:
    configure_converter(converter)
    assert_type(converter.structure(b"{}", AppointmentType), AppointmentType)
    assert_type(converter.structure([], list[Patient]), list[Patient])
