"""What every record promises, whatever the resource."""

import copy
import datetime as dt
import inspect
import json
import pickle
from decimal import Decimal
from typing import Any, get_type_hints

import attrs
import pytest

from cliniko_async import AppointmentType, AttachmentPresignedPost, Booking, Link, ListLink, from_dict, to_dict, to_json
from cliniko_async._records.page import decode_record
from cliniko_async._records.record import Part, Record
from cliniko_async.links import SelfLink
from tests.support.records import BASE, CLASSES, EXAMPLES, RECORD_OF, RECORDS, example, request, response

NAMES = sorted(EXAMPLES)


def record_of(name: str) -> Any:
    return decode_record(RECORD_OF[name], request(), response(EXAMPLES[name]))


def test_every_resource_has_an_example():
    assert EXAMPLES.keys() == RECORD_OF.keys()


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_read_and_written_key_for_key(name: str):
    """From a response, a dict and JSON, including absent keys."""
    record = record_of(name)
    assert to_dict(record) == json.loads(to_json(record)) == example(name)
    assert from_dict(RECORD_OF[name], to_dict(record)) == record


@pytest.mark.parametrize("name", NAMES)
def test_a_record_is_written_in_the_form_it_came(name: str):
    """A decimal as the same text or number, a time to the same letter."""
    written = json.loads(to_json(record_of(name)), parse_float=str)
    assert written == json.loads(EXAMPLES[name], parse_float=str)


@pytest.mark.parametrize("name", NAMES)
def test_a_record_survives_pickle_and_copy(name: str):
    record = record_of(name)
    assert pickle.loads(pickle.dumps(record)) == copy.copy(record) == copy.deepcopy(record) == record


@pytest.mark.parametrize("name", NAMES)
def test_equal_records_have_equal_hashes(name: str):
    assert len({record_of(name), record_of(name)}) == 1


def test_a_free_map_makes_a_record_unhashable():
    with pytest.raises(TypeError, match="unhashable"):
        hash(AttachmentPresignedPost(fields={"key": "uploads/1"}))


def test_every_record_is_frozen_slotted_and_keyword_only():
    assert [cls for cls in CLASSES if hasattr(object.__new__(cls), "__dict__")] == []
    kinds = {cls: {each.kind for each in inspect.signature(cls).parameters.values()} for cls in CLASSES}
    assert [cls for cls in CLASSES if kinds[cls] != {inspect.Parameter.KEYWORD_ONLY}] == []
    assert [cls for cls in CLASSES if not is_frozen(cls)] == []


def is_frozen(cls: Any) -> bool:
    try:
        object.__new__(cls).anything = 1
    except attrs.exceptions.FrozenInstanceError:
        return True
    return False


def test_the_hints_of_every_record_can_be_read():
    fields: dict[Any, set[str]] = {cls: {field.name for field in attrs.fields(cls)} for cls in CLASSES}
    assert [cls for cls in CLASSES if get_type_hints(cls).keys() != fields[cls]] == []
    assert [cls for cls in CLASSES if get_type_hints(cls, include_extras=True).keys() != fields[cls]] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_repr_shows_class_and_id_and_no_value(name: str):
    record = record_of(name)
    inner = f"id={record.id!r}" if hasattr(record, "id") else "…"
    assert repr(record) == f"{type(record).__name__}({inner})"


PARTS = [cls for cls in CLASSES if issubclass(cls, Part)]


@pytest.mark.parametrize("cls", PARTS, ids=lambda cls: cls.__name__)
def test_a_part_shows_no_value_and_writes_only_what_is_set(cls: Any):
    assert repr(cls()) == f"{cls.__name__}(…)"
    assert to_dict(cls()) == {}


@pytest.mark.parametrize("cls", [cls for cls in RECORDS if issubclass(cls, Record)], ids=lambda cls: cls.__name__)
def test_the_link_of_a_record_is_its_own(cls: Any):
    record = object.__new__(cls)
    object.__setattr__(record, "links", SelfLink(BASE + "/users/5"))
    assert record.link == Link.to(BASE + "/users/5")
    assert record.link.id == "5"


def test_values_have_their_python_types():
    appointment_type = from_dict(AppointmentType, example("appointment_type") | {"deposit_price": "10.50"})
    assert isinstance(appointment_type.id, str)
    assert str(appointment_type.deposit_price) == "10.50"
    assert appointment_type.created_at.utcoffset() == dt.timedelta(0)
    assert isinstance(appointment_type.appointment_reminder_template_ids, tuple)
    assert isinstance(appointment_type.practitioners, ListLink)


def test_a_none_is_written_as_null_but_a_link_that_is_none_is_left_out():
    written = to_dict(attrs.evolve(record_of("appointment_type"), description=None, product=None, practitioners=None))
    assert written["description"] is None
    assert "product" not in written
    assert written["practitioners"] is None


def test_a_record_may_be_made_and_changed_by_hand():
    appointment_type = from_dict(AppointmentType, example("appointment_type"))
    moment = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    other = attrs.evolve(appointment_type, deposit_price=Decimal("0.30"), created_at=moment)
    assert from_dict(AppointmentType, to_dict(other)) == other
    assert to_dict(other)["created_at"] == "2025-01-01T00:00:00Z"
    assert to_dict(other)["deposit_price"] == "0.30"


def test_variants_are_records_of_their_base():
    assert {cls.__name__ for cls in Booking.__subclasses__()} == {
        "GroupAppointment",
        "IndividualAppointment",
        "UnavailableBlock",
    }
