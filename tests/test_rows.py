"""Rows: every record of a class has the same columns, each of one type, and csv, polars and pandas accept them."""

import csv
import datetime as dt
import io
from collections.abc import Iterator
from decimal import Decimal
from importlib import metadata
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cliniko_async
from cliniko_async import (
    AppointmentType,
    Booking,
    Change,
    Cliniko,
    Communication,
    GroupAppointment,
    Link,
    PatientAttachment,
    PatientForm,
    Product,
    Service,
    columns,
    from_dict,
    row,
    to_dict,
)
from cliniko_async._compat import is_typeddict
from cliniko_async._records.record import is_union, variants_of
from cliniko_async._records.record import record as define
from cliniko_async.resources._names import RESOURCES
from cliniko_async.resources._registry import resource_class
from tests.support.clients import WHO
from tests.support.frames import assert_own_frames_hidden
from tests.support.records import BASE, CLASSES, EXAMPLES, RECORDS, example, objects
from tests.support.seeded import seeded

RESOURCE_OF = {name: resource_class(name).record for name in RESOURCES}
UNIONS = [Booking, Communication, PatientAttachment]


def fits(value: Any, of: Any) -> bool:
    """Whether a value of a row is of the type of its column."""
    origin, arguments = get_origin(of), get_args(of)
    if origin in (Union, UnionType):
        return any(fits(value, each) for each in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and all(fits(item, arguments[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(isinstance(item, arguments[1]) for item in value.values())
    if is_typeddict(of):
        hints = get_type_hints(of)
        return isinstance(value, dict) and list(value) == list(hints) and all(map(fits, value.values(), hints.values()))
    return type(value) is of


def misfits(record: Any, cls: Any) -> dict[str, Any]:
    return {
        name: value
        for (name, value), of in zip(row(record).items(), columns(cls).values(), strict=True)
        if not fits(value, of)
    }


# Columns


@pytest.mark.parametrize("name", RESOURCES)
def test_every_record_of_a_resource_has_the_columns_of_its_class(name: str):
    cls = RESOURCE_OF[name]
    records = seeded()[name]
    assert records
    assert {tuple(row(record)) for record in records} == {tuple(columns(cls))}
    assert [found for record in records if (found := misfits(record, cls))] == []


@given(st.data())
def test_any_record_has_the_columns_of_its_class_and_values_of_their_types(data: st.DataObject):
    cls = data.draw(st.sampled_from(CLASSES))
    record = from_dict(cls, data.draw(objects(cls)))
    assert list(row(record)) == list(columns(cls)) == list(columns(type(record)))
    assert misfits(record, cls) == {}


def test_fields_keep_their_names_and_values_and_their_order():
    record = from_dict(AppointmentType, EXAMPLES["appointment_type"])
    found = row(record)
    assert list(found)[:4] == ["id", "color", "created_at", "duration_in_minutes"]
    assert found["id"] == record.id
    assert found["created_at"] is record.created_at
    assert found["deposit_price"] is record.deposit_price
    assert found["appointment_reminder_template_ids"] is record.appointment_reminder_template_ids
    assert columns(AppointmentType)["created_at"] is dt.datetime
    assert columns(AppointmentType)["deposit_price"] == Decimal | None
    assert columns(Communication)["from_"] == str | None


def test_a_link_is_its_id_and_lists_and_the_link_to_itself_are_left_out():
    record = from_dict(AppointmentType, EXAMPLES["appointment_type"])
    found = row(record)
    assert record.treatment_note_template
    assert found["treatment_note_template_id"] == record.treatment_note_template.id
    assert columns(AppointmentType)["treatment_note_template_id"] == str | None
    assert found.keys().isdisjoint({"links", "treatment_note_template", "practitioners", "practitioners_id"})


def test_a_link_that_is_missing_or_ends_in_a_name_is_none():
    record = from_dict(GroupAppointment, EXAMPLES["group_appointment"])
    assert record.conflicts
    assert row(record)["conflicts_id"] is None
    assert row(attrs.evolve(record, business=None))["business_id"] is None


def test_a_tuple_of_links_is_a_tuple_of_ids():
    links = tuple(Link.to(f"{BASE}/practitioners/{number}") for number in (1, 2))
    assert row(Service(practitioners=links))["practitioner_ids"] == ("1", "2")
    assert row(Service())["practitioner_ids"] is None


def test_a_field_and_a_link_with_the_same_id_are_one_column():
    product = from_dict(Product, EXAMPLES["product"])
    assert list(columns(Product)).count("product_supplier_id") == 1
    link = Link.to(f"{BASE}/product_suppliers/7")
    ids = [
        row(attrs.evolve(product, product_supplier=to, product_supplier_id=key))["product_supplier_id"]
        for to in (link, None)
        for key in ("8", None)
    ]
    assert ids == ["8", "7", "8", None]


def test_a_part_is_a_dict_with_every_key_at_any_depth():
    form = from_dict(
        PatientForm, example("patient_form") | {"content": {"sections": [{"questions": [{"name": "Age"}]}]}}
    )
    (section,) = row(form)["content"]["sections"]
    assert section == {
        "description": None,
        "name": None,
        "questions": (
            {
                "answer": None,
                "answer_object": None,
                "answer_list": None,
                "answers": None,
                "name": "Age",
                "options_object": None,
                "options_list": None,
                "other": None,
                "patient_field_connection": None,
                "required": None,
                "signature_id": None,
                "type": None,
            },
        ),
    }


@pytest.mark.parametrize(
    ("answer", "column", "value"),
    [
        ("Yes", "answer", "Yes"),
        ({"first_name": "Ada"}, "answer_object", "Ada"),
        ([{"number": "1", "phone_type": "Home"}], "answer_list", ({"number": "1", "phone_type": "Home"},)),
    ],
)
def test_a_field_of_several_types_has_a_column_for_each(answer: Any, column: str, value: Any):
    content = {"sections": [{"questions": [{"answer": answer}]}]}
    form = from_dict(PatientForm, example("patient_form") | {"content": content})
    question = row(form)["content"]["sections"][0]["questions"][0]
    found = {name: question[name] for name in ("answer", "answer_object", "answer_list")}
    if column == "answer_object":
        found[column] = found[column]["first_name"]
    assert found == {"answer": None, "answer_object": None, "answer_list": None, column: value}


@pytest.mark.parametrize("base", UNIONS, ids=lambda cls: cls.__name__)
def test_variants_share_the_columns_of_their_base_so_that_a_list_of_them_is_one_table(base: Any):
    variants = variants_of(base)
    assert len(variants) > 1
    assert {tuple(columns(each).items()) for each in variants} == {tuple(columns(base).items())}
    for variant in variants:
        fields = {field.name for field in attrs.fields(variant)}
        assert {name for name in fields if name in columns(base)} == fields & columns(base).keys()


@pytest.mark.parametrize("base", UNIONS, ids=lambda cls: cls.__name__)
def test_a_variant_is_named_once(base: Any):
    """Although attrs creates each of them twice, first without slots."""
    names = [cls.__name__ for cls in variants_of(base)]
    assert sorted(names) == sorted({cls.__name__ for cls in base.__subclasses__()})
    assert [getattr(cliniko_async, name) for name in names] == variants_of(base)
    assert [each["title"] for each in base.__get_pydantic_json_schema__(None, None)["anyOf"]] == names


def test_the_columns_of_a_base_are_those_of_all_its_variants_and_may_be_empty():
    """A field that one variant lacks may be None, even if another variant always has it."""
    assert columns(Booking)["max_attendees"] == int | None
    assert columns(Booking)["starts_at"] is dt.datetime
    group = row(from_dict(Booking, EXAMPLES["group_appointment"]))
    block = row(from_dict(Booking, EXAMPLES["unavailable_block"]))
    assert (group["max_attendees"], group["patient_name"]) == (example("group_appointment")["max_attendees"], None)
    assert (block["max_attendees"], block["unavailable_block_type_id"] is None) == (None, False)
    assert [cls for cls in RECORDS if is_union(cls)] == UNIONS


def test_the_type_of_a_part_lists_its_columns_at_any_depth():
    """So that a schema can be made of the types alone."""

    def flat(of: Any) -> Iterator[type]:
        if is_typeddict(of):
            for hint in get_type_hints(of).values():
                yield from flat(hint)
        elif get_args(of):
            yield from (leaf for argument in get_args(of) if argument is not ... for leaf in flat(argument))
        else:
            yield of

    leaves = {leaf for cls in CLASSES for of in columns(cls).values() for leaf in flat(of)}
    assert leaves == {str, int, bool, Decimal, dt.datetime, dt.date, NoneType}


def test_a_class_of_ones_own_has_columns_too():
    @define
    class Marked(AppointmentType):
        mark: str | None = None

    record = from_dict(Marked, example("appointment_type") | {"mark": "x"})
    assert list(row(record)) == [*columns(AppointmentType), "mark"] == list(columns(Marked))


def test_a_value_that_is_not_a_record_is_refused_and_not_shown():
    record = from_dict(AppointmentType, EXAMPLES["appointment_type"])
    for wrong in ("Ada", None, Change(record, "upsert"), AppointmentType, to_dict(record)):
        with pytest.raises(TypeError, match=r"^expected a record, not a (str|NoneType|Change|type|dict)$"):
            row(wrong)
    for wrong_class in (str, Change, "AppointmentType", None):
        with pytest.raises(TypeError, match=r"^expected a class of records, such as AppointmentType$"):
            columns(wrong_class)


def test_no_value_is_in_the_traceback_of_a_record_that_cannot_be_read():
    record = attrs.evolve(from_dict(AppointmentType, EXAMPLES["appointment_type"]), name="Ada", product="Ada")
    with pytest.raises(AttributeError) as caught:
        row(record)
    assert_own_frames_hidden(caught.value, "Ada")


# CSV, polars and pandas take rows as they are


@pytest.mark.parametrize("name", RESOURCES)
def test_csv_takes_the_rows_of_every_resource(name: str):
    rows = [row(record) for record in seeded()[name]]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns(RESOURCE_OF[name]))
    writer.writeheader()
    writer.writerows(rows)
    file.seek(0)
    texts = [{key: "" if value is None else str(value) for key, value in each.items()} for each in rows]
    assert list(csv.DictReader(file)) == texts


@pytest.mark.parametrize("name", RESOURCES)
def test_polars_takes_the_rows_of_every_resource(name: str):
    rows = [row(record) for record in seeded()[name]]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    assert frame.columns == list(columns(RESOURCE_OF[name]))
    assert frame.to_dicts() == [{key: lists(value) for key, value in each.items()} for each in rows]


@pytest.mark.parametrize("name", RESOURCES)
def test_pandas_takes_the_rows_of_every_resource(name: str):
    rows = [row(record) for record in seeded()[name]]
    frame = pd.DataFrame(rows)
    assert list(frame.columns) == list(columns(RESOURCE_OF[name]))
    assert len(frame) == len(rows)
    for column in frame.columns:
        assert [None if is_missing(value) else value for value in frame[column]] == [each[column] for each in rows]


def lists(value: Any) -> Any:
    """The same value with lists for tuples, as polars returns them."""
    if isinstance(value, dict):
        return {key: lists(inner) for key, inner in value.items()}
    return [lists(inner) for inner in value] if isinstance(value, tuple) else value


def is_missing(value: Any) -> bool:
    return value is None or value is pd.NaT or value != value  # noqa: PLR0124  (NaN)


# The catalogue


async def test_the_catalogue_names_what_each_resource_has():
    """What a program needs to read any resource into a table: its columns, filters and operations."""
    async with Cliniko("key-au1", **WHO) as cliniko:
        assert list(cliniko.resources) == list(RESOURCES)
        for name, resource in cliniko.resources.items():
            assert (resource.name, resource.record) == (name, RESOURCE_OF[name])
            assert columns(resource.record)
            assert resource.where.fields().keys() == type(resource).searchable().keys()
            assert isinstance(resource.operations, frozenset)
            assert all(callable(getattr(resource, operation)) for operation in resource.operations)


def test_the_version_is_that_of_the_distribution():
    assert cliniko_async.__version__ == metadata.version("cliniko-async")
