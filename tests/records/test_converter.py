"""Records to JSON-able dicts and back, for records that are made by a caller."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import attrs
import pytest

from cliniko_async import (
    AppointmentType,
    Booking,
    BookingRepeatRule,
    Communication,
    DecodingError,
    IndividualAppointment,
    InvoiceItem,
    PatientForm,
    from_dict,
    to_dict,
    to_json,
)
from tests.support.for_each import for_each
from tests.support.records import EXAMPLES, RECORD_OF, example, written

KIND = example("appointment_type")


def fault_of(cls: Any, data: Any) -> str:
    with pytest.raises(DecodingError) as caught:
        from_dict(cls, data)
    assert caught.value.__context__ is None
    assert caught.value.request is None
    (fault,) = caught.value.faults
    return fault


@pytest.mark.parametrize("cls", [AppointmentType, Booking, Communication])
@for_each("data", [None, [], "x", 5])
def test_a_value_that_is_not_a_dict_is_not_a_record(cls: Any, data: Any):
    assert fault_of(cls, data) == "the record: expected an object"


def test_every_fault_is_reported_with_the_id_and_without_a_value():
    assert fault_of(AppointmentType, KIND | {"name": 5, "color": ["secret"]}) == (
        f"record {KIND['id']}: color expected a string, name expected a string"
    )
    assert fault_of(AppointmentType, KIND | {"id": 57}) == "record 57: id expected a string"
    assert fault_of(AppointmentType, KIND | {"id": "secret", "name": 5}) == "the record: name expected a string"


@for_each("missing", ["id", "links", "created_at", "name"])
def test_a_key_that_every_record_has_may_not_be_missing(missing: str):
    data = {key: value for key, value in KIND.items() if key != missing}
    assert fault_of(AppointmentType, data).endswith(f": {missing} is missing")


def test_json_as_bytes_is_read_like_the_dict_that_it_holds():
    body = json.dumps(KIND).encode()
    assert from_dict(AppointmentType, body) == from_dict(AppointmentType, KIND)
    assert fault_of(AppointmentType, body[:-1]) == "is not JSON"
    assert fault_of(AppointmentType, b"[" + b"0," * 1_000_001 + b"0]") == "holds too many values to be read"


def test_python_values_are_taken_as_they_are():
    """A dict may come from a database that has decimals, times and tuples."""
    data = KIND | {
        "created_at": dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
        "deposit_price": Decimal("10.50"),
        "appointment_reminder_template_ids": ("1", "2"),
    }
    appointment_type = from_dict(AppointmentType, data)
    assert (appointment_type.created_at, appointment_type.deposit_price) == (data["created_at"], data["deposit_price"])
    assert appointment_type.appointment_reminder_template_ids == ("1", "2")


@pytest.mark.parametrize("value", [dt.datetime(2025, 1, 1), dt.date(2025, 1, 1), 5])  # noqa: DTZ001  (that is the point)
def test_a_time_without_its_zone_does_not_fit(value: Any):
    fault = fault_of(AppointmentType, KIND | {"created_at": value})
    assert fault.endswith("created_at expected a datetime with a time zone")


def test_no_value_is_coerced():
    """A number is not a text, a bool not a number, and a text not a list of its characters."""
    for key, value, expected in (
        ("name", 5, "a string"),
        ("name", b"x", "a string"),
        ("max_attendees", "5", "an integer"),
        ("max_attendees", True, "an integer"),
        ("telehealth_enabled", "true", "true or false"),
        ("deposit_price", [], "a decimal"),
        ("appointment_reminder_template_ids", "12", "a list"),
    ):
        assert fault_of(AppointmentType, KIND | {key: value}).endswith(f"{key} expected {expected}")


def test_a_dict_is_read_as_the_variant_that_it_is():
    data = example("individual_appointment")
    assert type(from_dict(Booking, data)) is IndividualAppointment
    assert from_dict(Booking, data) == from_dict(IndividualAppointment, data)
    assert to_dict(from_dict(Booking, data)) == data


@for_each("type_code", [[], {}, "1", True])
def test_a_discriminator_may_be_of_any_type(type_code: Any):
    data = example("communication") | {"type_code": type_code}
    assert fault_of(Communication, data).endswith("type_code expected an integer")


def test_an_empty_part_stays_an_empty_object_and_null_stays_null():
    for rule in ({}, {"repeat_type": "Weekly"}, None):
        data = example("individual_appointment") | {"repeat_rule": rule}
        found = from_dict(IndividualAppointment, data)
        assert found.repeat_rule == (None if rule is None else BookingRepeatRule(**rule))
        assert to_dict(found) == data


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_record_is_written_with_null_for_none_but_without_unset_links_and_parts_without_any_none(name: str):
    """Whatever came, and with every link and every list unset."""
    record = from_dict(RECORD_OF[name], example(name))
    optional = {field.name: None for field in attrs.fields(type(record)) if field.default is None}
    for each in (record, attrs.evolve(record, **optional)):
        assert json.loads(to_json(each)) == to_dict(each) == written(each)


def test_what_is_written_is_json_without_spaces_in_utf_8():
    form = from_dict(PatientForm, example("patient_form") | {"name": "Zoë"})
    assert json.loads(to_json(form)) == to_dict(form)
    assert '"name":"Zoë"'.encode() in to_json(form)


def test_a_dict_has_only_what_json_has():
    """So that it can be handed to any encoder."""
    data = example("invoice_item") | {"total_including_tax": 66.5}
    written = to_dict(from_dict(InvoiceItem, data))
    assert written == data
    assert json.loads(json.dumps(written)) == written


def test_values_that_json_lacks_cannot_be_written():
    with pytest.raises(TypeError, match="a complex cannot be written as JSON"):
        to_json({"value": 1j})
