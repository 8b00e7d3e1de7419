"""Rules of a whole body, with the error texts that are on record."""

import pytest

from cliniko_async.sandbox.db.defaults import REQUIRED_FIELDS
from cliniko_async.sandbox.db.schema import load_tables
from tests.sandbox.wire import running
from tests.support.for_each import for_each

TABLES = load_tables()
CREATED = sorted(name for name, table in TABLES.items() if "create" in table.operations)
BLANK = "can\u2019t be blank"
BLANKS = (None, "", " ", "\u00a0\n")
STARTS = "2031-02-02T22:00:00Z"
UNDER_ANOTHER_NAME = {"booking_id": "appointment_id", "upload_url": "temp_attachment_url"}
VALUES = {
    "adjustment_type": "Stock Purchase",
    "color": "#FFF",
    "confidential": False,
    "content": {"sections": []},
    "direction_code": 1,
    "ends_at": "2031-02-02T23:00:00Z",
    "quantity": "1",
    "rate": "10",
    "relation": 10,
    "starts_at": STARTS,
    "type_code": 3,
}


def minimal(wire, name):
    """Return a body with the required fields of a create and nothing else."""
    targets = TABLES[name].targets

    def value(field):
        return wire.sandbox.all(targets[field])[0]["id"] if field in targets else VALUES.get(field, "Sample")

    body = {field: value(field) for field in REQUIRED_FIELDS[name]}
    return body | ({"content": "Sample"} if name == "communications" else {})


async def errors(answer):
    assert answer.status == 422, answer.body
    assert answer.json["message"] == "Validation Failed"
    return answer.json["errors"]


@pytest.mark.parametrize("name", CREATED)
async def test_a_create_without_a_body_names_each_required_field(name):
    async with running() as wire:
        required = {UNDER_ANOTHER_NAME.get(field, field.removesuffix("_id")): BLANK for field in REQUIRED_FIELDS[name]}
        required |= {"content": None} if name == "patient_forms" else {}
        assert await errors(await wire.ask("POST", f"/{name}")) == required
        assert await errors(await wire.ask("POST", f"/{name}", json={})) == required


@pytest.mark.parametrize("name", sorted(set(CREATED) - {"patient_attachments"}))
async def test_what_a_new_record_has_by_itself_may_be_sent_back(name):
    """The sandbox keeps its own rules: null and white space are blank, and an update accepts what was read."""
    async with running() as wire:
        body = minimal(wire, name)
        texts = [field for field in REQUIRED_FIELDS[name] if isinstance(body[field], str) and "content" not in field]
        for field in texts:
            under = UNDER_ANOTHER_NAME.get(field, field.removesuffix("_id"))
            expected = [(await errors(await wire.post(f"/{name}", body | {field: value})))[under] for value in BLANKS]
            assert expected == [BLANK] * len(BLANKS), field
        made = await wire.post(f"/{name}", body)
        assert made.status == 201, made.body
        if "update" in TABLES[name].operations:
            sent = TABLES[name].body_fields["update"]
            read = {field: value for field, value in made.json.items() if field in sent and value is not None}
            answer = await wire.patch(f"/{name}/{made.json['id']}", read)
            assert answer.status == 200, answer.body


async def test_a_product_without_a_supplier_names_none():
    async with running() as wire:
        product = (await wire.post("/products", {"name": "Tape"})).json
        assert not {"product_supplier", "product_supplier_id"} & product.keys()
        supplier = wire.sandbox.all("product_suppliers")[0]["id"]
        changed = (await wire.patch(f"/products/{product['id']}", {"product_supplier_id": supplier})).json
        assert changed["product_supplier_id"] == supplier
        assert changed["product_supplier"]["links"]["self"].endswith(f"/product_suppliers/{supplier}")


@pytest.mark.parametrize("resource", ["attendees", "individual_appointments"])
async def test_a_cancellation_needs_a_reason(resource):
    async with running() as wire:
        added = wire.sandbox.add(resource)
        for options in ({}, {"json": {}}, {"json": {"cancellation_note": "Flu"}}):
            answer = await wire.ask("PATCH", f"/{resource}/{added}/cancel", **options)
            assert await errors(answer) == {"cancellation_reason": BLANK}
        assert wire.sandbox.get(resource, added)["cancelled_at"] is None


async def test_the_attendee_of_an_individual_appointment_is_cancelled_with_it():
    async with running() as wire:
        for booked, status in (("individual_appointments", 422), ("group_appointments", 204)):
            attendee = wire.sandbox.add("attendees", booking_id=wire.sandbox.add(booked, starts_at=STARTS))
            answer = await wire.patch(f"/attendees/{attendee}/cancel", {"cancellation_reason": 10})
            assert answer.status == status
            assert (wire.sandbox.get("attendees", attendee)["cancelled_at"] is None) is (status == 422)


@for_each(
    "path, field",
    [
        ("/treatment_notes", "content"),
        ("/patient_forms", "content"),
        ("/treatment_note_templates", "content"),
        ("/patients", "custom_fields"),
        ("/individual_appointments", "repeat_rule"),
    ],
)
async def test_a_value_in_place_of_an_object_is_refused_whatever_else_is_wrong(path, field):
    async with running() as wire:
        values = ("{}", "", 5, [], [{}], True)
        answers = [await wire.post(path, {field: value}) for value in values]
        assert {answer.status for answer in answers} == {422}
        assert [answer.json for answer in answers] == [{"message": "must be an object"}] * len(values)


async def test_an_object_within_a_list_is_refused_under_the_name_of_the_list():
    async with running() as wire:
        body = {"first_name": "Jo", "last_name": "Doe", "patient_phone_numbers": ["0400"]}
        assert await errors(await wire.post("/patients", body)) == {"patient_phone_numbers": "is invalid"}


async def test_a_form_takes_its_name_and_its_questions_from_its_template():
    async with running() as wire:
        patient = wire.sandbox.all("patients")[0]["id"]
        template = wire.sandbox.all("patient_form_templates")[0]
        assert await errors(await wire.post("/patient_forms", {"patient_id": patient})) == {
            "name": BLANK,
            "content": None,
        }
        made = await wire.post("/patient_forms", {"patient_id": patient, "patient_form_template_id": template["id"]})
        assert (made.status, made.json["name"], made.json["content"]) == (201, template["name"], template["content"])


async def booking(wire):
    body = minimal(wire, "individual_appointments")
    return body | {"appointment_type_id": wire.sandbox.add("appointment_types", name="New")}


async def test_the_places_of_an_unknown_appointment_type_are_shown():
    async with running() as wire:
        body = await booking(wire) | {"appointment_type_id": "1412345678903273600"}
        assert await errors(await wire.post("/individual_appointments", body)) == {"max_attendees": "is not a number"}
        own = wire.sandbox.all("individual_appointments")[0]["id"]
        answer = await wire.patch(f"/individual_appointments/{own}", {"appointment_type_id": "1"})
        assert await errors(answer) == {"max_attendees": "is not a number"}
        group = {name: value for name, value in body.items() if name != "patient_id"}
        assert await errors(await wire.post("/group_appointments", group)) == {"max_attendees": "is not a number"}
        group["max_attendees"] = 5
        assert await errors(await wire.post("/group_appointments", group)) == {"appointment_type": "must exist"}


async def test_nothing_can_be_added_to_an_archived_or_unknown_case():
    async with running() as wire:
        body = await booking(wire)
        closed = wire.sandbox.add("patient_cases", name="Knee", archived_at=1_700_000_000)
        for case in (closed, "1412345678903273600"):
            answer = await wire.post("/individual_appointments", body | {"patient_case_id": case})
            assert await errors(answer) == {"base": "Case has been archived."}
        both = body | {"patient_case_id": closed, "appointment_type_id": "1"}
        expected = {"base": "Case has been archived.", "max_attendees": "is not a number"}
        assert await errors(await wire.post("/individual_appointments", both)) == expected
        attendee = wire.sandbox.add("attendees")
        answer = await wire.patch(f"/attendees/{attendee}", {"patient_case_id": closed})
        assert await errors(answer) == {"base": "Case has been archived."}
        case = wire.sandbox.add("patient_cases", name="Hip")
        assert (await wire.post("/individual_appointments", body | {"patient_case_id": case})).status == 201


SIGNS = {
    "Stock Purchase": (True, False),
    "Returned": (True, False),
    "Other": (True, True),
    "Damaged": (False, True),
    "Out of Date": (False, True),
    "Item Sold": (False, True),
    "Correction": (False, True),
}
"""Whether an adjustment of a type may increase, and whether it may decrease the stock."""


async def test_a_stock_adjustment_has_the_sign_of_its_type():
    async with running() as wire:
        for adjustment_type, (increases, decreases) in SIGNS.items():
            product = wire.sandbox.add("products", name="Tape", stock_level=10)
            body = {"product_id": product, "adjustment_type": adjustment_type}
            for quantity, is_valid in {"1": increases, "-1": decreases, "0": False, "0e-999999999": False}.items():
                answer = await wire.post("/stock_adjustments", body | {"quantity": quantity})
                assert answer.status == (201 if is_valid else 422), (adjustment_type, quantity)
                assert is_valid or list(answer.json["errors"]) == ["quantity"]
            assert wire.sandbox.get("products", product)["stock_level"] == f"{10 + increases - decreases}.0"


async def test_a_group_appointment_has_at_least_two_places():
    async with running() as wire:
        single = wire.sandbox.add("appointment_types", name="Alone", max_attendees=1)
        group = minimal(wire, "group_appointments") | {"appointment_type_id": single}
        assert (await wire.post("/group_appointments", group)).json["max_attendees"] == 2
