"""One record: read, created, changed, archived, brought back, deleted."""

import json

import pytest

from tests.sandbox.wire import running
from tests.support.paths import EXAMPLES

EIGHT = {
    "appointment_type": "appointment_types",
    "appointment_type_billable_item": "appointment_type_billable_items",
    "appointment_type_product": "appointment_type_products",
    "billable_item": "billable_items",
    "business": "businesses",
    "practitioner": "practitioners",
    "product": "products",
    "treatment_note_template": "treatment_note_templates",
}
NOW = 1_750_000_000.25
SHOWN = "2025-06-15T15:06:40Z"
LATER = "2025-06-15T15:07:40Z"


class Wall:
    """A wall clock that is set by hand."""

    now = NOW

    def __call__(self):
        return self.now


async def bodies(wire):
    """The fields with which each resource is created, and then changed."""
    appointment_type, item, product, tax = [
        (await wire.list(f"/{name}", per_page=1))[0]["id"]
        for name in ("appointment_types", "billable_items", "products", "taxes")
    ]
    return {
        "appointment_types": ({"name": "New", "deposit_price": "12", "billable_item_id": item}, {"category": "Any"}),
        "appointment_type_billable_items": (
            {"appointment_type_id": appointment_type, "billable_item_id": item, "quantity": 2},
            {"discount_percentage": "10.50"},
        ),
        "appointment_type_products": (
            {"appointment_type_id": int(appointment_type), "product_id": product},
            {"discounted_amount": "2.5"},
        ),
        "billable_items": ({"name": "New", "price": "1.00", "item_type": "Other", "tax_id": tax}, {"item_code": "X1"}),
        "businesses": ({"business_name": "New"}, {"city": "Perth"}),
        "products": ({"name": "New", "price": 11, "tax_id": tax}, {"notes": "none"}),
        "treatment_note_templates": ({"name": "New"}, {"name": "Newer"}),
    }


@pytest.mark.parametrize("name", EIGHT)
async def test_a_record_has_the_keys_and_types_of_its_example_and_is_read_at_its_own_link(name):
    async with running(appointment_types=60) as wire:
        example = json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))
        records = wire.sandbox.all(EIGHT[name])
        links = {key for key, value in example.items() if isinstance(value, dict) and set(value) == {"links"}}
        assert all(set(example) - links <= set(record) <= set(example) for record in records)
        assert set().union(*records) == set(example)
        for key, value in example.items():
            types = {type(record[key]) for record in records if record.get(key) is not None}
            assert types <= {type(value)} or value is None, key
        record = (await wire.list(f"/{EIGHT[name]}"))[0]
        assert record["links"] == {"self": f"{wire.sandbox.base_url}/{EIGHT[name]}/{record['id']}"}
        answer = await wire.ask("GET", record["links"]["self"])
        assert (answer.status, answer.json) == (200, record)


@pytest.mark.parametrize("name", sorted(set(EIGHT.values()) - {"practitioners"}))
async def test_a_record_is_created_changed_and_deleted(name):
    """A deleted record is archived if its resource can be archived, and gone otherwise."""
    wall = Wall()
    async with running(wall=wall) as wire:
        first, then = (await bodies(wire))[name]
        created = await wire.post(f"/{name}", first)
        record = created.json
        assert created.status == 201
        assert len(record["id"]) in (18, 19)
        assert record["created_at"] == record["updated_at"] == SHOWN
        wall.now += 60
        changed = await wire.patch(f"/{name}/{record['id']}", then)
        assert changed.status == 200
        differing = {key for key in record if changed.json[key] != record[key]}
        assert {"updated_at", *then} <= differing
        assert changed.json["updated_at"] == LATER
        path = f"/{name}/{record['id']}"
        assert (await wire.get(path)).json == changed.json
        assert ((await wire.delete(path)).status, (await wire.delete(path)).status) == (204, 404)
        assert (await wire.get(path)).status == 404
        kept = (await wire.get(path, "archived_at:*")).status
        assert kept == (400 if name.startswith("appointment_type_") else 200)


async def test_practitioners_are_read_only():
    async with running() as wire:
        path = f"/practitioners/{(await wire.list('/practitioners'))[0]['id']}"
        for method, target in (
            ("POST", "/practitioners"),
            ("PATCH", path),
            ("DELETE", path),
            ("POST", f"{path}/archive"),
        ):
            assert (await wire.ask(method, target, json={})).status == 404


async def test_archiving_returns_no_body_and_hides_the_record():
    wall = Wall()
    async with running(wall=wall) as wire:
        path = f"/appointment_types/{(await wire.list('/appointment_types'))[0]['id']}"
        answer = await wire.post(f"{path}/archive")
        assert (answer.status, answer.body) == (204, b"")
        assert (await wire.get(path)).status == 404
        assert (await wire.get(path, "archived_at:!?")).status == 404
        shown = (await wire.get(path, "archived_at:?")).json
        assert shown["archived_at"] == shown["updated_at"] == SHOWN


async def test_an_archived_record_can_neither_be_changed_nor_archived_again():
    async with running() as wire:
        path = f"/appointment_types/{(await wire.list('/appointment_types'))[0]['id']}"
        statuses = [(await wire.post(f"{path}/archive")).status for _ in range(2)]
        assert [*statuses, (await wire.patch(path, {"name": "x"})).status] == [204, 404, 404]


async def test_archiving_can_leave_the_stamp_alone():
    async with running(archiving_touches=False) as wire:
        before = (await wire.list("/appointment_types"))[0]
        path = f"/appointment_types/{before['id']}"
        await wire.post(f"{path}/archive")
        after = (await wire.get(path, "archived_at:*")).json
        assert after["archived_at"] is not None
        assert after["updated_at"] == before["updated_at"]


async def test_a_business_comes_back_from_the_archive():
    async with running() as wire:
        path = f"/businesses/{(await wire.list('/businesses'))[0]['id']}"
        await wire.post(f"{path}/archive")
        answer = await wire.post(f"{path}/unarchive")
        assert (answer.status, answer.json["archived_at"]) == (200, None)
        assert (await wire.get(path)).json == answer.json
        assert (await wire.post("/businesses/1/unarchive")).status == 404
        assert (await wire.post("/appointment_types/1/unarchive")).status == 404


async def test_reading_one_record_accepts_only_the_filters_for_hidden_records():
    async with running() as wire:
        path = f"/appointment_types/{(await wire.list('/appointment_types'))[0]['id']}"
        assert (await wire.get(path, "category:?")).json["error"] == "category is not filterable"


async def test_null_clears_and_what_is_left_out_stays():
    async with running() as wire:
        body = {"name": "New", "description": "Text", "category": "Osteo", "color": "#2b8"}
        record = (await wire.post("/appointment_types", body)).json
        changed = (await wire.patch(f"/appointment_types/{record['id']}", {"description": None})).json
        assert (changed["description"], changed["category"]) == (None, "Osteo")


async def test_an_unset_link_to_one_is_left_out_and_other_unset_fields_are_null():
    async with running() as wire:
        record = (await wire.post("/appointment_types", {"name": "New"})).json
        assert not {"billable_item", "product", "treatment_note_template"} & record.keys()
        assert record["practitioners"]["links"]["self"] == f"{record['links']['self']}/practitioners"
        assert record["category"] is None


async def test_an_appointment_type_with_a_name_alone_has_what_it_must_have():
    async with running() as wire:
        record = (await wire.post("/appointment_types", {"name": "New"})).json
        must = ("color", "duration_in_minutes", "max_attendees", "online_payments_enabled")
        assert [record[key] for key in must] == ["#2F80ED", 30, 1, False]


async def test_decimals_come_back_as_texts_with_at_least_one_place():
    shown = {"50": "50.0", 50: "50.0", "18.18180": "18.1818", 0.1: "0.1", "1E+3": "1000.0"}
    async with running() as wire:
        bodies_sent = {sent: {"name": "New", "deposit_price": sent} for sent in shown}
        records = {sent: (await wire.post("/appointment_types", body)).json for sent, body in bodies_sent.items()}
        assert {sent: record["deposit_price"] for sent, record in records.items()} == shown


async def test_the_practitioners_of_an_appointment_type_are_set_by_their_ids():
    async with running() as wire:
        ids = [one["id"] for one in await wire.list("/practitioners")][:2]
        record = (await wire.post("/appointment_types", {"name": "New", "practitioner_ids": ids})).json
        path = f"/appointment_types/{record['id']}/practitioners"
        assert [one["id"] for one in await wire.list(path)] == ids
        await wire.patch(f"/appointment_types/{record['id']}", {"practitioner_ids": ids[1:]})
        assert [one["id"] for one in await wire.list(path)] == ids[1:]


async def test_the_businesses_of_an_appointment_type_are_seen_at_the_businesses():
    async with running() as wire:
        places = [one["id"] for one in await wire.list("/businesses")]
        created = await wire.post("/appointment_types", {"name": "New", "business_ids": places[:2]})
        own = created.json["id"]

        async def offered():
            return [one["id"] for one in await wire.list("/businesses", f"appointment_type_ids:~{own}")]

        assert await offered() == places[:2]
        await wire.patch(f"/appointment_types/{own}", {"business_ids": places[1:]})
        assert await offered() == places[1:]
        await wire.patch(f"/appointment_types/{own}", {"name": "Newer"})
        assert await offered() == places[1:]


async def test_the_prices_of_a_product_follow_from_price_and_tax():
    prices = {(True, "10"): ("10.0", "11.0"), (False, "10"): ("11.0", "12.1"), (True, "7"): ("10.28", "11.0")}
    async with running() as wire:
        for (includes_tax, rate), shown in prices.items():
            tax = (await wire.post("/taxes", {"name": "VAT", "rate": rate})).json
            assert tax["amount"] == f"{rate}.0"
            body = {"name": "New", "price": 11, "price_includes_tax": includes_tax, "tax_id": tax["id"]}
            record = (await wire.post("/products", body)).json
            assert (record["price_ex_tax"], record["price_including_tax"]) == shown
            assert not {"price", "price_includes_tax"} & record.keys()


async def test_the_prices_of_a_product_without_tax_are_one():
    async with running() as wire:
        record = (await wire.post("/products", {"name": "New", "price": 11.25})).json
        assert record["price_ex_tax"] == record["price_including_tax"] == "11.25"


async def test_the_supplier_of_a_product_is_shown_as_an_id_and_as_a_link():
    async with running() as wire:
        record = (await wire.list("/products"))[0]
        assert record["product_supplier"]["links"]["self"].endswith(
            f"/product_suppliers/{record['product_supplier_id']}"
        )


async def test_a_discount_is_monetary_when_it_is_an_amount():
    async with running() as wire:
        body = (await bodies(wire))["appointment_type_products"][0]
        record = (await wire.post("/appointment_type_products", body)).json
        changed = await wire.patch(f"/appointment_type_products/{record['id']}", {"discounted_amount": "2.5"})
        assert (record["is_monetary_discount"], changed.json["is_monetary_discount"]) == (False, True)


async def test_a_parts_appointment_type_is_not_changed():
    """The facts let an update set the item but not the appointment type; what cannot be sent is passed over."""
    async with running() as wire:
        record = (await wire.list("/appointment_type_billable_items"))[0]
        path = f"/appointment_type_billable_items/{record['id']}"
        assert (await wire.patch(path, {"appointment_type_id": "1"})).json["appointment_type"] == record[
            "appointment_type"
        ]


ZONES = [
    ({"time_zone": "Perth"}, ("Perth", "Australia/Perth")),
    ({"time_zone_identifier": "Europe/London"}, ("London", "Europe/London")),
    ({"time_zone": "Sydney", "time_zone_identifier": "Europe/London"}, ("Sydney", "Australia/Sydney")),
    ({"time_zone_identifier": "Asia/Tokyo"}, ("Melbourne", "Asia/Tokyo")),
    ({"time_zone": "Tokyo"}, ("Tokyo", "Australia/Melbourne")),
    ({}, ("Melbourne", "Australia/Melbourne")),
]
"""What is sent, and the label and the identifier that are shown."""


async def test_the_label_of_a_time_zone_has_precedence_and_each_name_sets_the_other():
    async with running() as wire:
        for sent, shown in ZONES:
            record = (await wire.post("/businesses", {"business_name": "New", **sent})).json
            assert (record["time_zone"], record["time_zone_identifier"]) == shown


async def test_the_country_and_label_of_a_business_follow_from_code_and_names():
    async with running() as wire:
        record = (await wire.post("/businesses", {"business_name": "New", "country_code": "NZ"})).json
        assert (record["country"], record["label"]) == ("New Zealand", "New")
        changed = (await wire.patch(f"/businesses/{record['id']}", {"display_name": "N", "country_code": "XX"})).json
        assert (changed["country"], changed["label"]) == (None, "N")


async def test_the_content_of_a_template_comes_back_as_it_was_sent():
    async with running() as wire:
        question = {"name": "Süd 😀", "type": "paragraph"}
        content = {"sections": [{"name": "One", "questions": [question]}]}
        record = (await wire.post("/treatment_note_templates", {"name": "New", "content": content})).json
        assert record["content"] == content
        assert record["print_settings"] is None


async def test_a_supplier_is_archived_without_showing_it():
    async with running() as wire:
        path = f"/product_suppliers/{(await wire.list('/product_suppliers'))[0]['id']}"
        assert (await wire.post(f"{path}/archive")).status == 204
        assert "archived_at" not in (await wire.get(path)).json
