"""Filters and sorts that a list accepts."""

import datetime as dt
from typing import assert_type

from cliniko_async import AppointmentType, Cliniko, Filter, Paginator, Patient, Sort


def every_kind(cliniko: Cliniko, since: dt.datetime, day: dt.date) -> None:
    where = cliniko.patients.where
    assert_type(where.id == 5, Filter)
    assert_type(where.id != "5", Filter)
    assert_type(where.id.is_in([1, "2"]), Filter)
    assert_type(where.id.is_in(key for key in ("1", "2")), Filter)
    assert_type(where.id >= 5, Filter)
    assert_type(where.id.is_null(), Filter)
    assert_type(where.last_name == "x", Filter)
    assert_type(where.last_name != "x", Filter)
    assert_type(where.last_name.contains("x"), Filter)
    assert_type(where.last_name.matches("ja%on"), Filter)
    assert_type(where.last_name.is_not_null(), Filter)
    assert_type(where.updated_at >= since, Filter)
    assert_type(where.updated_at < since, Filter)
    assert_type(where.archived_at.any(), Filter)
    assert_type(where.date_of_birth == day, Filter)
    assert_type(where.date_of_birth <= day, Filter)
    assert_type(where.date_of_birth.matches("****-05-**"), Filter)
    assert_type(cliniko.practitioners.where.active.is_(True), Filter)
    assert_type(cliniko.practitioners.where.active.is_not(True), Filter)
    assert_type(cliniko.group_appointments.where.patient_ids.contains(1), Filter)


def a_list_takes_filters(cliniko: Cliniko, since: dt.datetime) -> None:
    types, patients = cliniko.appointment_types, cliniko.patients
    listed = types.list(types.where.updated_at >= since, types.where.category == "Osteo", "name:=x")
    assert_type(listed, Paginator[AppointmentType])
    found = patients.list(patients.where.last_name == "x", archived="only", per_page=10, stable=True)
    assert_type(found, Paginator[Patient])


def a_list_takes_sorts(cliniko: Cliniko) -> None:
    types = cliniko.appointment_types
    where = types.where
    assert_type(where.name.desc(), Sort)
    assert_type(where.category.asc(), Sort)
    types.list(sort="name")
    types.list(sort="created_at:desc")
    types.list(sort=where.category)
    types.list(sort=where.name.desc())
    types.list(sort=[where.category, where.name.desc(), "id"])
    types.list(sort=("name", "id"))
    types.list(sort=None)


def hidden_ones(cliniko: Cliniko) -> None:
    cliniko.attendees.list(archived="include", cancelled="only", deleted="exclude")
    cliniko.invoices.list(archived="include", deleted="include")
