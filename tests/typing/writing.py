"""A write accepts its fields by name and type."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import assert_type

from cliniko_async import (
    AppointmentType,
    AppointmentTypeFields,
    BookingRepeatRule,
    Cliniko,
    Communication,
    IndividualAppointment,
    Patient,
    PatientForm,
    PatientFormContent,
    Product,
)


async def fields(cliniko: Cliniko, ids: Sequence[str]) -> None:
    types = cliniko.appointment_types
    created = await types.create(
        name="First visit",
        duration_in_minutes=45,
        max_attendees=1,
        color="#2F80ED",
        deposit_price=Decimal("10.50"),
        online_bookings_lead_time_hours=24,
        online_payments_mode="required",
        practitioner_ids=ids,
        product_id=5,
        treatment_note_template_id="5",
    )
    assert_type(created, AppointmentType)
    assert_type(await types.update(created.id, name="Review", description=None, deposit_price=10), AppointmentType)
    prepared: AppointmentTypeFields = {"name": "First visit", "practitioner_ids": [1, "2"]}
    assert_type(await types.create(**prepared), AppointmentType)


async def parts(cliniko: Cliniko, content: PatientFormContent, at: dt.datetime) -> None:
    forms, appointments = cliniko.patient_forms, cliniko.individual_appointments
    assert_type(await forms.update("1", content=content), PatientForm)
    questions = forms.create(content={"sections": [{"questions": [{"name": "Why?", "type": "text"}]}]})
    assert_type(await questions, PatientForm)
    rule = BookingRepeatRule(repeat_type="Weekly", number_of_repeats=2)
    assert_type(await appointments.create(starts_at=at, repeat_rule=rule), IndividualAppointment)
    assert_type(await appointments.update(1, repeat_rule={"repeat_type": "Daily"}), IndividualAppointment)
    assert_type(await appointments.update(1, repeat_rule=None, ends_at=None), IndividualAppointment)


async def others(cliniko: Cliniko) -> None:
    assert_type(await cliniko.communications.create(from_="us", category_code=12), Communication)
    assert_type(await cliniko.products.create(name="Band", price=Decimal("9.90")), Product)
    assert_type(await cliniko.patients.create(date_of_birth=dt.date(1988, 1, 1), first_name="A"), Patient)
    assert_type(await cliniko.patients.unarchive("1"), Patient)
