"""Resources without any code of their own in the sandbox: their tables are enough."""

from typing import Annotated, Literal, Required

import pytest

from cliniko_async import from_dict
from cliniko_async.resources._registry import resource_class
from cliniko_async.sandbox.db.annotations import FieldAnnotation
from cliniko_async.sandbox.db.columns import DECIMAL, ID, IDS, OBJECT, TEXT
from cliniko_async.sandbox.db.relations import plural, snake_case
from cliniko_async.sandbox.db.schema import load_tables
from tests.sandbox.wire import running

TABLES = load_tables()
STARTS = "2031-02-02T22:00:00Z"


@pytest.mark.parametrize("name", sorted(set(TABLES) - {"bookings"}))
async def test_a_record_of_any_resource_is_listed_and_read_by_the_library(name):
    async with running() as wire:
        added = wire.sandbox.add(name)
        (record,) = await wire.list(f"/{name}", f"id:={added}") if "id" in TABLES[name].filters else [None]
        if record is not None:
            assert record == wire.sandbox.get(name, added)
            assert from_dict(resource_class(name).record, record).id == added


async def test_bookings_are_the_appointments_and_blocks():
    async with running() as wire:
        add = wire.sandbox.add
        patient = add("patients", first_name="Jo", last_name="Doe")
        single = add("individual_appointments", starts_at=STARTS, patient_id=patient)
        group = add("group_appointments", starts_at=STARTS, patient_ids=[patient])
        block = add("unavailable_blocks", starts_at=STARTS)
        records = {one["id"]: one for one in await wire.list("/bookings", f"starts_at:>={STARTS}")}
        assert set(records) == {single, group, block}
        assert records[single]["links"]["self"] == f"{wire.sandbox.base_url}/bookings/{single}"
        assert records[group]["conflicts"]["links"]["self"].endswith(f"/group_appointments/{group}/conflicts")
        assert records[single]["patient"]["links"]["self"].endswith(f"/patients/{patient}")
        found = await wire.list("/bookings", f"patient_ids:~{patient}", sort="id:desc")
        assert [one["id"] for one in found] == [group, single]
        assert (await wire.get(f"/bookings/{block}")).json == records[block]


async def test_an_appointment_is_cancelled_without_an_answer_and_leaves_its_list():
    async with running() as wire:
        added = wire.sandbox.add("individual_appointments", starts_at=STARTS)
        wrong = await wire.patch(f"/individual_appointments/{added}/cancel", {"cancellation_reason": "mood"})
        assert wrong.status == 422
        answer = await wire.patch(f"/individual_appointments/{added}/cancel", {"cancellation_reason": 50})
        assert (answer.status, answer.body) == (204, b"")
        own = f"id:={added}"
        assert await wire.list("/individual_appointments", own) == []
        (record,) = await wire.list("/individual_appointments", "cancelled_at:?", own)
        assert record["cancelled_at"] == record["updated_at"]
        assert record["cancellation_reason"] == 50
        assert (await wire.patch(f"/individual_appointments/{added}/cancel", {})).status == 404


async def test_the_records_of_a_patient_are_listed_below_it():
    async with running() as wire:
        ids = [wire.sandbox.add("patients", first_name=name, last_name="Doe") for name in ("Jo", "Al")]
        for patient in ids:
            assert (await wire.post("/medical_alerts", {"name": patient, "patient_id": patient})).status == 201
        assert await wire.names(f"/patients/{ids[1]}/medical_alerts") == {ids[1]}


async def test_open_cases_have_a_list_of_their_own():
    async with running() as wire:
        for closed in (True, False):
            wire.sandbox.add("patient_cases", name=str(closed), closed=closed)
        assert await wire.names("/patient_cases") >= {"True", "False"}
        assert "True" not in await wire.names("/patient_cases/active")
        assert "False" in await wire.names("/patient_cases/active")


ANNOTATIONS = [
    (Literal["a", "b"], TEXT, False),
    (Literal["a"] | None, TEXT, True),
    (Required[Annotated[str, "rule"]], TEXT, False),
    (Annotated[str | int, "rule"], ID, False),
    (tuple[str, ...], IDS, False),
    (tuple[dict[str, str], ...], OBJECT, False),
    (Annotated[str | None, "rule"], TEXT, True),
    (dict[str, str] | None, OBJECT, True),
    (list[str] | dict[str, str], OBJECT, False),
]


def test_an_annotation_determines_how_its_values_are_stored():
    parsed = [FieldAnnotation.of(annotation) for annotation, _, _ in ANNOTATIONS]
    assert [(each.column_type, each.nullable) for each in parsed] == [expected[1:] for expected in ANNOTATIONS]


def test_decimals_and_ids_are_recognised_by_type():
    assert TABLES["products"].columns["price"] is DECIMAL
    assert TABLES["products"].columns["tax_id"] is ID


def test_every_name_of_a_record_leads_to_its_resource():
    names = {name: snake_case(resource_class(name).record.__name__) for name in TABLES}
    assert {name: plural(one) for name, one in names.items()} == {name: name for name in TABLES}


def test_every_target_of_a_link_is_a_resource_or_known_not_to_be():
    targets = {target for table in TABLES.values() for name, target in table.targets.items() if name.endswith("_id")}
    assert targets - TABLES.keys() == {"appointments", "letters", "payments", "signatures"}
