"""The records of the invented clinic, and their consistency."""

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from cliniko_async.resources._names import RESOURCES
from cliniko_async.sandbox import Sandbox
from cliniko_async.sandbox.db.schema import load_tables
from tests.sandbox.wire import running
from tests.support.for_each import for_each

MONDAY = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)
Found = TypeVar("Found", bound=Collection[Any])
UNLISTED = {"available_times", "public_settings", "services", "settings", "signatures"}
STAMPS = ("archived_at", "cancelled_at", "closed_at", "completed_at", "finalized_at", "processed_at", "merged_at")


@asynccontextmanager
async def clinic(**options: Any):
    wall = options.pop("wall", MONDAY.timestamp() + 200_000)
    async with Sandbox(wall=lambda: wall, **options) as sandbox:
        yield sandbox


def everything(sandbox: Sandbox) -> dict[str, list[dict[str, Any]]]:
    return {name: sandbox.all(name) for name in load_tables()}


def some(found: Found) -> Found:
    """Return what was found, which is something: a loop over nothing asserts nothing."""
    assert found
    return found


def without_urls(sandbox: Sandbox) -> str:
    return str(everything(sandbox)).replace(sandbox.base_url, "")


def id_in(link: dict[str, Any]) -> str:
    return link["links"]["self"].rpartition("/")[2]


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


async def test_every_resource_has_records_from_the_start():
    async with clinic() as sandbox:
        empty = [name for name, records in everything(sandbox).items() if not records]
        assert empty == []
        assert set(RESOURCES) - set(load_tables()) == UNLISTED
        assert len(sandbox.all("appointment_types")) == 24


@pytest.mark.parametrize("ids", ["rising", "random"])
async def test_one_seed_gives_one_clinic_whether_it_is_invented_or_copied(ids):
    seed = {"rising": 901, "random": 902}[ids]
    async with clinic(seed=seed, ids=ids) as first, clinic(seed=seed, ids=ids) as second:
        assert without_urls(first) == without_urls(second)
        assert first.add("patients") == second.add("patients")


async def test_no_two_seeds_give_the_same_clinic():
    async with clinic(seed=903) as first, clinic(seed=904) as second:
        assert without_urls(first) != without_urls(second)


async def test_changes_to_one_clinic_do_not_affect_the_next():
    async with clinic() as sandbox:
        sandbox.remove("patients", sandbox.all("patients")[0]["id"])
    async with clinic() as sandbox:
        assert len(sandbox.all("patients")) == 42


async def test_a_restarted_clinic_is_invented_again():
    sandbox = Sandbox(seed=905)
    async with sandbox:
        before = sandbox.all("patients")
    async with sandbox:
        names = [one["label"] for one in sandbox.all("patients")]
    assert names == [one["label"] for one in before]


@pytest.mark.parametrize("types", [0, 1, 1001])
async def test_a_clinic_of_any_size_starts(types):
    async with clinic(appointment_types=types) as sandbox:
        assert len(sandbox.all("appointment_types")) == types
        assert bool(sandbox.all("individual_appointments")) is (types > 0)


async def test_the_calendar_lies_around_the_week_of_the_start():
    async with clinic() as sandbox:
        starts = sorted(at(one["starts_at"]) for one in sandbox.all("bookings"))
    assert starts[0] < MONDAY - dt.timedelta(weeks=3)
    assert starts[-1] > MONDAY + dt.timedelta(weeks=2)
    async with clinic(wall=0.0) as sandbox:
        assert max(at(one["starts_at"]) for one in sandbox.all("bookings")) > dt.datetime(2025, 8, 4, tzinfo=dt.UTC)


async def test_no_stamp_is_before_its_creation_or_after_the_start():
    async with clinic() as sandbox:
        for name, records in some(everything(sandbox)).items():
            for one in some(records):
                written = [at(one[stamp]) for stamp in STAMPS if one.get(stamp)]
                assert at(one["created_at"]) <= at(one["updated_at"]) <= MONDAY, name
                assert all(at(one["created_at"]) <= moment for moment in written), (name, one)


async def test_ids_rise_with_the_time_of_creation():
    async with clinic() as sandbox:
        for name, records in some(everything(sandbox)).items():
            if name != "bookings":
                created = [one["created_at"] for one in some(records)]
                assert created == sorted(created), name


@for_each("seed", [1, 906, 907, 908])
async def test_no_practitioner_has_overlapping_bookings(seed):
    async with clinic(seed=seed) as sandbox:
        found = by_practitioner(sandbox)
        assert max(map(len, found.values())) > 1
        for bookings in found.values():
            spans = sorted((at(one["starts_at"]), at(one["ends_at"])) for one in bookings)
            assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))


def by_practitioner(sandbox: Sandbox) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for one in sandbox.all("bookings"):
        found.setdefault(id_in(one["practitioner"]), []).append(one)
    return found


async def test_a_booking_is_of_what_its_practitioner_offers_where_they_work():
    async with running() as wire:
        services = await wire.list("/services", per_page=100)
        offered = {
            (id_in(one["business"]), id_in(one["appointment_type"]), id_in(who))
            for one in services
            for who in one["practitioners"]
        }
        for name in ("individual_appointments", "group_appointments"):
            for one in some(wire.sandbox.all(name)):
                where = tuple(id_in(one[field]) for field in ("business", "appointment_type", "practitioner"))
                assert where in offered


async def test_every_place_in_an_appointment_is_its_patients_own():
    async with clinic() as sandbox:
        places = Counter((id_in(one["booking"]), id_in(one["patient"])) for one in sandbox.all("attendees"))
        single = {(one["id"], id_in(one["patient"])) for one in sandbox.all("individual_appointments")}
        group = {(one["id"], who) for one in sandbox.all("group_appointments") for who in one["patient_ids"]}
        assert places == Counter(single | group)


async def test_some_appointments_are_cancelled_with_a_reason_and_some_are_repeated():
    async with clinic() as sandbox:
        appointments = sandbox.all("individual_appointments")
        cancelled = [one for one in appointments if one["cancelled_at"]]
        assert cancelled
        assert all(one["cancellation_reason_description"] for one in cancelled)
        assert any("repeated_from" in one for one in appointments)
        assert any(one["did_not_arrive"] for one in appointments)


def amounts(record: dict[str, Any], *names: str) -> Iterator[Decimal]:
    return (Decimal(str(record[name])) for name in names)


async def test_the_items_of_an_invoice_add_up():
    async with clinic() as sandbox:
        items: dict[str, list[dict[str, Any]]] = {}
        for item in some(sandbox.all("invoice_items")):
            items.setdefault(id_in(item["invoice"]), []).append(item)
            quantity, price, discount, net = amounts(item, "quantity", "unit_price", "discounted_amount", "net_price")
            tax, rate, total = amounts(item, "tax_amount", "tax_rate", "total_including_tax")
            assert net == quantity * price - discount
            assert abs(tax - net * rate / 100) <= Decimal("0.005")
            assert total == net + tax
        for invoice in some(sandbox.all("invoices")):
            net, tax, total = amounts(invoice, "net_amount", "tax_amount", "total_amount")
            own = items[invoice["id"]]
            assert net == sum(Decimal(one["net_price"]) for one in own)
            assert total == net + tax == sum(Decimal(str(one["total_including_tax"])) for one in own)


async def test_invoices_are_numbered_without_gaps_and_one_credits_another():
    async with clinic() as sandbox:
        invoices = sandbox.all("invoices")
        numbers = sorted(one["number"] for one in invoices)
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        (back,) = [one for one in invoices if "original_invoice" in one]
        original = sandbox.get("invoices", id_in(back["original_invoice"]))
        assert Decimal(back["total_amount"]) == -Decimal(original["total_amount"])


async def test_adjustments_explain_what_is_in_stock():
    async with clinic() as sandbox:
        levels = Counter[str]()
        for one in some(sandbox.all("stock_adjustments")):
            levels[id_in(one["product"])] += Decimal(one["quantity"])
        assert {one["id"]: Decimal(one["stock_level"]) for one in sandbox.all("products")} == {
            one["id"]: levels[one["id"]] for one in sandbox.all("products")
        }


async def test_communications_show_the_fields_of_their_type():
    async with clinic() as sandbox:
        messages = {(one["type"], one["category"]): one for one in sandbox.all("communications")}
        mail, text = messages["Email", "Appointment Reminder"], messages["SMS", "Appointment Reminder"]
        memo = messages["Phone call", "Memo"]
        assert "invoice" in messages["Email", "Invoice"]
        assert (mail["content_subject"], "confidential" in mail) == ("Appointment reminder", False)
        assert ("booking" in text, "content_subject" in text) == (True, False)
        assert ("confidential" in memo, "booking" in memo) == (True, False)


async def test_notes_and_forms_answer_the_questions_of_their_templates():
    async with clinic() as sandbox:
        for note in some(sandbox.all("treatment_notes")):
            template = sandbox.get("treatment_note_templates", id_in(note["treatment_note_template"]))
            assert questions(note) == questions(template)
            assert note["draft"] is (note["finalized_at"] is None)
        signed = [one for one in sandbox.all("patient_forms") if "signatures" in one]
        assert signed
        assert all(one["completed_at"] for one in signed)


def questions(record: dict[str, Any]) -> list[str]:
    return [one["name"] for section in record["content"]["sections"] for one in section["questions"]]


# Derived records


async def test_an_appointment_that_is_booked_gets_its_end_its_patient_and_a_place():
    async with running() as wire:
        known = wire.sandbox.all("individual_appointments")[0]
        names = ("patient", "practitioner", "business", "appointment_type")
        body = {"starts_at": "2031-01-06T22:00:00Z", **{f"{name}_id": id_in(known[name]) for name in names}}
        made = (await wire.post("/individual_appointments", body)).json
        appointment_type = wire.sandbox.get("appointment_types", id_in(known["appointment_type"]))
        length = at(made["ends_at"]) - at(made["starts_at"])
        assert length == dt.timedelta(minutes=appointment_type["duration_in_minutes"])
        assert made["patient_name"] == known["patient_name"]
        (place,) = await wire.list(f"/individual_appointments/{made['id']}/attendees")
        assert id_in(place["patient"]) == id_in(known["patient"])


async def test_an_attendee_of_a_group_is_one_of_its_patients():
    async with running() as wire:
        group = wire.sandbox.add("group_appointments", starts_at="2031-01-06T22:00:00Z")
        patient = wire.sandbox.all("patients")[0]["id"]
        for _ in range(2):
            assert (await wire.post("/attendees", {"booking_id": group, "patient_id": patient})).status == 201
        assert wire.sandbox.get("group_appointments", group)["patient_ids"] == [patient]


async def test_a_stock_adjustment_changes_the_stock():
    async with running() as wire:
        product = wire.sandbox.add("products", stock_level=5)
        body = {"product_id": product, "quantity": "-2.5", "adjustment_type": "Damaged"}
        assert (await wire.post("/stock_adjustments", body)).status == 201
        assert wire.sandbox.get("products", product)["stock_level"] == "2.5"
        wire.sandbox.update("stock_adjustments", wire.sandbox.all("stock_adjustments")[-1]["id"], notes="x")
        assert wire.sandbox.get("products", product)["stock_level"] == "2.5"


async def test_a_form_takes_what_it_says_from_its_template():
    async with running() as wire:
        template = wire.sandbox.all("patient_form_templates")[0]
        patient = wire.sandbox.all("patients")[0]["id"]
        body = {"patient_form_template_id": template["id"], "patient_id": patient}
        made = (await wire.post("/patient_forms", body)).json
        assert (made["name"], made["content"], made["completed_at"]) == (template["name"], template["content"], None)
        done = (await wire.patch(f"/patient_forms/{made['id']}", {"completed": True})).json
        assert done["completed_at"] == done["updated_at"]


async def test_a_case_is_closed_and_opened_and_has_its_attachments():
    async with running() as wire:
        attachment, patient = wire.sandbox.all("patient_attachments")[0]["id"], wire.sandbox.all("patients")[0]["id"]
        body = {"name": "Knee", "patient_id": patient, "closed": True, "patient_attachment_ids": [attachment]}
        case = (await wire.post("/patient_cases", body)).json
        assert case["closed_at"] == case["created_at"]
        assert [one["id"] for one in await wire.list(f"/patient_cases/{case['id']}/patient_attachments")] == [
            attachment
        ]
        assert (await wire.patch(f"/patient_cases/{case['id']}", {"closed": False})).json["closed_at"] is None


async def test_a_note_that_is_not_a_draft_is_final():
    async with running() as wire:
        made = (await wire.post("/treatment_notes", {"title": "Review", "draft": True})).json
        assert made["finalized_at"] is None
        done = (await wire.patch(f"/treatment_notes/{made['id']}", {"draft": False})).json
        assert done["finalized_at"] == done["updated_at"]


async def test_a_block_ends_after_as_long_as_its_type_takes():
    async with running() as wire:
        block_type = wire.sandbox.add("unavailable_block_types", name="Break", duration_in_minutes=20)
        for more, minutes in (({"unavailable_block_type_id": block_type}, 20), ({}, 30)):
            made = wire.sandbox.get(
                "unavailable_blocks", wire.sandbox.add("unavailable_blocks", starts_at="2031-01-06T22:00:00Z", **more)
            )
            assert at(made["ends_at"]) - at(made["starts_at"]) == dt.timedelta(minutes=minutes)


async def test_services_are_those_of_one_business_and_only_what_is_offered():
    async with running() as wire:
        business = wire.sandbox.all("businesses")[-1]["id"]
        own = await wire.list(f"/businesses/{business}/services")
        assert {id_in(one["business"]) for one in own} == {business}
        wire.sandbox.archive("appointment_types", id_in(own[0]["appointment_type"]))
        assert own[0] not in await wire.list(f"/businesses/{business}/services")
        wire.sandbox.archive("businesses", business)
        assert await wire.list(f"/businesses/{business}/services") == []
        assert (await wire.get("/businesses/1/services")).status == 404


async def test_the_file_of_an_invented_attachment_comes_into_the_store_when_it_is_asked_for():
    async with running() as wire:
        attachment = wire.sandbox.all("patient_attachments")[0]
        assert wire.sandbox.files.files == {}
        for _ in range(2):
            answer = await wire.ask("GET", attachment["content"]["links"]["self"])
            assert len(answer.body) == attachment["size"]
        assert len(wire.sandbox.files.files) == 1


@pytest.mark.parametrize(("text", "status"), [("", 201), ("A-17", 201)])
async def test_an_old_reference_can_be_any_text(text, status):
    async with running() as wire:
        body = {"first_name": "Jo", "last_name": "Doe", "old_reference_id": text}
        answer = await wire.post("/patients", body)
        assert (answer.status, answer.json["old_reference_id"]) == (status, text)


async def test_more_patients_change_nothing_else_of_the_clinic():
    async with clinic(seed=3) as few, clinic(seed=3, patients=150) as many, clinic(seed=3, patients=150) as again:
        assert len(few.all("patients")) == 42
        assert len(many.all("patients")) == 150
        assert without_urls(many) == without_urls(again)
        old, new = everything(few), everything(many)
        ids = {patient["id"] for patient in old["patients"]}
        kept = [patient for patient in new.pop("patients") if patient["id"] in ids]
        assert str(kept).replace(many.base_url, few.base_url) == str(old.pop("patients"))
        assert str(new).replace(many.base_url, few.base_url) == str(old)
