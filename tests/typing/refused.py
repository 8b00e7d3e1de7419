"""Code that must not compile: each line is exactly the error that its comments name for each checker."""

import datetime as dt
from decimal import Decimal

from cliniko_async import (
    AppointmentType,
    AppointmentTypeFields,
    Cliniko,
    Filter,
    Link,
    ListLink,
    Paginator,
    Patient,
    Practitioner,
    from_dict,
)

NOW = dt.datetime.now(dt.UTC)
TODAY = NOW.date()


def operators_that_a_kind_lacks(cliniko: Cliniko) -> None:
    patients = cliniko.patients
    where = patients.where
    patients.list(where.updated_at == NOW)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportUnnecessaryComparison]
    patients.list(where.updated_at != NOW)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportUnnecessaryComparison]
    patients.list(where.date_of_birth != TODAY)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    patients.list(where.last_name >= "x")  # type: ignore[arg-type, operator]  # pyright: ignore[reportOperatorIssue, reportUnknownArgumentType]
    patients.list(where.last_name.is_in(["x"]))  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]
    patients.list(where.id.contains(5))  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]
    patients.list(where.date_of_birth.any())  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]
    patients.list(where.updated_at.matches("2025"))  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]
    cliniko.practitioners.list(cliniko.practitioners.where.active == True)  # type: ignore[arg-type, comparison-overlap]  # pyright: ignore[reportArgumentType, reportUnnecessaryComparison]  # noqa: E712
    cliniko.practitioners.list(cliniko.practitioners.where.active.is_null())  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]
    cliniko.group_appointments.list(cliniko.group_appointments.where.patient_ids == 5)  # type: ignore[arg-type, comparison-overlap]  # pyright: ignore[reportArgumentType, reportUnnecessaryComparison]
    cliniko.appointment_types.list(cliniko.appointment_types.where.name == "x")  # type: ignore[arg-type, comparison-overlap]  # pyright: ignore[reportArgumentType, reportUnnecessaryComparison]
    cliniko.appointment_types.list(cliniko.appointment_types.where.name.contains("x"))  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]
    _ = cliniko.appointment_types.where.no_such_field  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]


def values_of_another_type(cliniko: Cliniko) -> None:
    where = cliniko.patients.where
    _ = where.updated_at >= "2025-01-01"  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnknownVariableType]
    _ = where.updated_at >= TODAY  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnknownVariableType]
    _ = where.id > 5.0  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnknownVariableType]
    _ = where.last_name.contains(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    _ = where.id.is_in([1.0])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    _ = where.date_of_birth <= "2025"  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnknownVariableType]
    _ = cliniko.practitioners.where.active.is_("true")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def a_filter_is_no_truth(asked: Filter, cliniko: Cliniko) -> None:
    if asked:  # pyright: ignore[reportGeneralTypeIssues]
        return
    _ = not asked  # pyright: ignore[reportGeneralTypeIssues]
    _ = not cliniko.patients.where.id.is_null()  # pyright: ignore[reportGeneralTypeIssues]


def options(cliniko: Cliniko) -> None:
    cliniko.patients.list(per_page="100")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cliniko.patients.list(limit=1.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cliniko.patients.list(archived="maybe")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cliniko.patients.list(archived=True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cliniko.patients.list(cancelled="include")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    cliniko.patients.list(no_such_option=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    cliniko.patients.list(sort=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cliniko.patients.list(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cliniko.patients.list(["last_name:=x"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cliniko.practitioners.list(archived="include")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    cliniko.taxes.list(deleted="include")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    cliniko.with_options(timeout="5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cliniko.with_options(priority="urgent")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cliniko.with_options(api_key="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def reading(cliniko: Cliniko) -> None:
    for _ in cliniko.patients.list():  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
        pass
    await cliniko.patients.list().collect  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    await cliniko.practitioners.get("1", archived="include")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await cliniko.patients.get(id="1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await cliniko.patients.get(1.0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await cliniko.patients.get(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    _ = cliniko.no_such_resource  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    _ = cliniko.services.changes  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    with cliniko:  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass


async def writing(cliniko: Cliniko) -> None:
    types = cliniko.appointment_types
    await types.create(no_such_field=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await types.create(name=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await types.create(name=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await types.create(deposit_price=1.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await types.create(deposit_price="1.5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await types.create(online_payments_mode="barter")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await types.create(online_bookings_lead_time_hours=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await types.create(practitioner_ids=[1.0])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    await types.create("First visit")  # type: ignore[arg-type, call-arg]  # pyright: ignore[reportCallIssue]
    await types.update(id="1", name="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await types.update(name="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await types.update("1", id="2")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await cliniko.individual_appointments.create(starts_at="2025-01-01T00:00:00Z")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await cliniko.individual_appointments.create(ends_at=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await cliniko.individual_appointments.update("1", repeat_rule={"repeat_type": "Yearly"})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await cliniko.attendees.update("1", booking_id="5")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await cliniko.patient_forms.create(content={"sections": [{"questions": [{"type": "essay", "name": "x"}]}]})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await types.delete("1")  # type: ignore[deprecated]  # pyright: ignore[reportDeprecated]
    _: AppointmentTypeFields = {"name": 5}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]


def records(appointment_type: AppointmentType, patient: Patient) -> None:
    appointment_type.name = "x"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    del appointment_type.name  # pyright: ignore[reportAttributeAccessIssue]
    appointment_type.no_such_field = 1  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    _ = appointment_type.no_such_field  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    AppointmentType()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    AppointmentType("1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    _ = appointment_type.deposit_price + Decimal(1)  # type: ignore[operator]  # pyright: ignore[reportOptionalOperand, reportUnknownVariableType]
    _ = patient.title.upper()  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
    from_dict(AppointmentType)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def links(
    cliniko: Cliniko,
    practitioner: Link[Practitioner],
    practitioners: ListLink[Practitioner],
    appointment_type: AppointmentType,
) -> None:
    await cliniko.follow(appointment_type.product)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await cliniko.follow("https://api.example.test/v1/users/1")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    async for _ in cliniko.follow(practitioner):  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
        pass
    _ = practitioners.id  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    await cliniko.resolve([practitioners])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await cliniko.resolve(practitioner)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    _patient: Patient = await cliniko.follow(practitioner)  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
    _patients: Paginator[Patient] = cliniko.follow(practitioners)  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
