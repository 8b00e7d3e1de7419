"""Records and links as parts of a user's own classes, on the user's own converter."""

import datetime as dt
import json
import pickle
import traceback
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import cattrs
import pytest
from cattrs.preconf.json import make_converter as json_converter
from cattrs.preconf.msgspec import make_converter as msgspec_converter

from cliniko_async import (
    AppointmentType,
    Booking,
    Communication,
    IndividualAppointment,
    Link,
    ListLink,
    Patient,
    Practitioner,
    configure_converter,
    from_dict,
    to_dict,
)
from tests.support.for_each import for_each
from tests.support.frames import assert_frames_hidden
from tests.support.records import EXAMPLES, RECORD_OF, example

KIND_ID = example("appointment_type")["id"]
SECRET = "Robin-Sandover-1988"


@attrs.frozen
class Visit:
    """A class of the user, with Cliniko's records in every position of a type, and fields of its own."""

    number: int
    note: str
    day: dt.date
    price: Decimal
    appointment_type: AppointmentType
    patients: list[Patient]
    booking: Booking
    practitioner: Link[Practitioner]
    others: dict[str, Booking | None] = attrs.field(factory=dict)
    letters: tuple[Communication, ...] = ()
    before: AppointmentType | None = None
    practitioners: ListLink[Practitioner] | None = None


def with_own_hooks(converter: cattrs.Converter) -> None:
    """Let a converter write days and prices in a way that Cliniko does not."""
    converter.register_structure_hook(dt.date, lambda value, _: dt.date.fromordinal(value))
    converter.register_unstructure_hook(dt.date, dt.date.toordinal)
    converter.register_structure_hook(Decimal, lambda value, _: Decimal(value) / 100)
    converter.register_unstructure_hook(Decimal, lambda value: int(value * 100))
    converter.register_structure_hook(dt.datetime, lambda value, _: dt.datetime.fromtimestamp(value, dt.UTC))
    converter.register_unstructure_hook(dt.datetime, dt.datetime.timestamp)


MAKERS: dict[str, Callable[[], cattrs.Converter]] = {
    "plain": cattrs.Converter,
    "brief": lambda: cattrs.Converter(detailed_validation=False, omit_if_default=True),
    "strict": lambda: cattrs.Converter(forbid_extra_keys=True, prefer_attrib_converters=True),
    "json": json_converter,
    "msgspec": msgspec_converter,
}


@pytest.fixture(params=MAKERS)
def converter(request: pytest.FixtureRequest) -> cattrs.Converter:
    made = MAKERS[request.param]()
    configure_converter(made)
    with_own_hooks(made)
    return made


def visit() -> dict[str, Any]:
    return {
        "number": 7,
        "note": "first",
        "day": dt.date(2025, 1, 2).toordinal(),
        "price": 1050,
        "appointment_type": example("appointment_type"),
        "patients": [example("patient"), example("patient")],
        "booking": example("booking"),
        "practitioner": {"links": {"self": "https://api.au1.cliniko.com/v1/practitioners/1"}},
        "others": {"a": example("individual_appointment"), "b": None},
        "letters": [example("communication")],
        "before": example("appointment_type"),
        "practitioners": {"links": {"self": "https://api.au1.cliniko.com/v1/practitioners"}},
    }


def test_records_are_structured_and_unstructured_within_a_class_of_the_users_own(converter: cattrs.Converter):
    found = converter.structure(visit(), Visit)
    assert found.appointment_type == found.before == from_dict(AppointmentType, example("appointment_type"))
    assert [patient.id for patient in found.patients] == [example("patient")["id"]] * 2
    assert type(found.booking) is type(found.others["a"]) is IndividualAppointment
    assert (found.practitioner.id, found.others["b"]) == ("1", None)
    written = converter.unstructure(found)
    assert json.loads(json.dumps(written)) == visit()
    assert converter.structure(written, Visit) == found


def test_an_optional_record_may_be_none(converter: cattrs.Converter):
    found = converter.structure(visit() | {"before": None, "practitioners": None}, Visit)
    assert (found.before, found.practitioners) == (None, None)
    assert converter.structure(converter.unstructure(found), Visit) == found


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_record_is_read_from_a_dict_or_json_and_written_key_for_key(name: str):
    """Whatever hooks the converter has for the types of the fields."""
    converter = cattrs.Converter()
    configure_converter(converter)
    with_own_hooks(converter)
    found = converter.structure(example(name), RECORD_OF[name])
    assert found == converter.structure(EXAMPLES[name], RECORD_OF[name]) == from_dict(RECORD_OF[name], example(name))
    assert converter.unstructure(found) == converter.unstructure(found, RECORD_OF[name]) == example(name)


def test_the_users_own_values_are_read_and_written_as_before():
    """Cattrs makes an int of a str there; only within a record nothing is coerced."""

    @attrs.define
    class Own:
        number: int
        text: str
        at: dt.datetime

    own = {"number": "5", "text": 7, "at": 0.0}
    made: list[cattrs.Converter] = [cattrs.Converter(), cattrs.Converter()]
    with_own_hooks(made[0])
    configure_converter(made[1])
    with_own_hooks(made[1])
    first, second = (converter.structure(own, Own) for converter in made)
    assert first == second == Own(5, "7", dt.datetime(1970, 1, 1, tzinfo=dt.UTC))
    assert made[0].unstructure(first) == made[1].unstructure(second) == {"number": 5, "text": "7", "at": 0.0}
    with pytest.raises(cattrs.ClassValidationError):
        made[1].structure(example("appointment_type") | {"max_attendees": "5"}, AppointmentType)


def test_no_type_but_records_and_links_gets_a_hook():
    class Unknown:
        pass

    converter = cattrs.Converter()
    configure_converter(converter)
    for kind in (dt.datetime, dt.date, Decimal, Unknown):
        with pytest.raises(cattrs.StructureHandlerNotFoundError):
            converter.structure("x", kind)
    assert converter.unstructure(dt.date(2025, 1, 2)) == dt.date(2025, 1, 2)


def test_an_unknown_key_is_accepted_however_strict_the_converter():
    converter = MAKERS["strict"]()
    configure_converter(converter)
    assert converter.structure(example("patient") | {"new": 1}, Patient) == from_dict(Patient, example("patient"))


def test_a_hook_of_the_user_takes_precedence():
    converter = cattrs.Converter()
    configure_converter(converter)
    converter.register_structure_hook(AppointmentType, lambda _, __: "mine")
    converter.register_unstructure_hook(AppointmentType, lambda found: found.id)
    assert converter.structure([example("appointment_type")], list[AppointmentType]) == ["mine"]
    assert converter.unstructure(from_dict(AppointmentType, example("appointment_type"))) == KIND_ID


def test_a_record_is_part_of_a_class_that_is_read_from_json_of_its_own():
    """A column of a database may hold the JSON as it came."""
    converter = cattrs.Converter()
    configure_converter(converter)
    body = EXAMPLES["appointment_type"]
    assert converter.structure([body, body], list[AppointmentType])[1].id == example("appointment_type")["id"]


BAD = [
    example("patient") | {"first_name": {SECRET: SECRET}},
    json.dumps(example("patient") | {"first_name": {SECRET: SECRET}}).encode(),
    b'{"id": "1", "first_name": "' + SECRET.encode(),
    SECRET,
    [SECRET],
]


@for_each("bad", BAD, ids=["dict", "JSON", "no JSON", "text", "list"])
@pytest.mark.parametrize("detailed", [True, False])
def test_a_value_that_does_not_fit_raises_an_error_of_cattrs_without_the_value(bad: Any, *, detailed: bool):
    """Neither in its texts nor in a frame of this library."""
    converter = cattrs.Converter(detailed_validation=detailed)
    configure_converter(converter)
    with pytest.raises((cattrs.ClassValidationError, ValueError)) as caught:
        converter.structure(bad, Patient)
    texts = cattrs.transform_error(caught.value)
    assert len(texts) == 1
    assert SECRET not in f"{texts} {''.join(traceback.format_exception(caught.value))}"
    assert_frames_hidden(caught.value, SECRET)


def test_an_error_says_the_same_after_it_was_pickled():
    """As when it comes from another process."""
    converter = cattrs.Converter(detailed_validation=False)
    configure_converter(converter)
    for bad, text in ((b"{", "is not JSON"), ("x", "expected an object")):
        with pytest.raises(ValueError, match=text) as caught:
            converter.structure(bad, Patient)
        assert str(pickle.loads(pickle.dumps(caught.value))) == text


def test_the_error_names_the_path_through_the_users_class():
    converter = cattrs.Converter()
    configure_converter(converter)
    bad = visit() | {"patients": [example("patient"), example("patient") | {"first_name": 5}], "price": 1}
    del bad["appointment_type"]["name"]
    converter.register_structure_hook(Decimal, lambda value, _: Decimal(value))
    converter.register_structure_hook(dt.date, lambda value, _: dt.date.fromordinal(value))
    with pytest.raises(cattrs.ClassValidationError) as caught:
        converter.structure(bad, Visit)
    assert cattrs.transform_error(caught.value) == [
        "required field missing @ $.appointment_type.name",
        "invalid value for type, expected str @ $.patients[1].first_name",
    ]


def test_what_is_written_on_the_users_converter_is_what_to_dict_gives(converter: cattrs.Converter):
    found = from_dict(Booking, example("booking"))
    assert converter.unstructure(found) == to_dict(found)
