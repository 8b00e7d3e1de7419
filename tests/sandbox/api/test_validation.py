"""Invalid values in a body, and the texts of their errors."""

from tests.sandbox.wire import running
from tests.support.for_each import for_each

BLANK = "can\u2019t be blank"

INVALID = "is invalid"
NOT_LISTED = "is not included in the list"
NO_NUMBER = "is not a number"


async def errors(wire, path, body):
    answer = await wire.post(path, body)
    assert answer.status == 422, answer.body
    assert answer.json["message"] == "Validation Failed"
    return answer.json["errors"]


INVALID_FIELDS = [
    ("name", "", BLANK),
    ("name", None, BLANK),
    ("name", 5, INVALID),
    ("name", "a\0b", INVALID),
    ("name", "\ud800", INVALID),
    ("name", "n" * 256, "is too long (maximum is 255 characters)"),
    ("name", " \t\n", BLANK),
    ("color", "blue", INVALID),
    ("color", "#2F80ED\n", INVALID),
    ("color", None, BLANK),
    ("duration_in_minutes", "half an hour", NO_NUMBER),
    ("duration_in_minutes", True, NO_NUMBER),
    ("duration_in_minutes", [30], NO_NUMBER),
    ("duration_in_minutes", 30.5, "must be an integer"),
    ("duration_in_minutes", 0, "must be greater than 0"),
    ("duration_in_minutes", 1440, "must be less than 1440"),
    ("duration_in_minutes", 10**30, "must be less than 1000000000000000"),
    ("deposit_price", "-0.5", "must be greater than or equal to 0"),
    ("deposit_price", 4_000_000_000, "must be less than 4000000000"),
    ("deposit_price", "1e999999999", "must be less than 1000000000000000"),
    ("deposit_price", "Infinity", NO_NUMBER),
    ("online_payments_mode", "never", NOT_LISTED),
    ("online_bookings_lead_time_hours", 3, NOT_LISTED),
    ("online_bookings_lead_time_hours", True, NOT_LISTED),
    ("show_in_online_bookings", "yes", NOT_LISTED),
    ("practitioner_ids", "1", INVALID),
    ("practitioner_ids", ["x"], INVALID),
    ("practitioner_ids", None, BLANK),
    ("practitioner_ids", [1], "must exist"),
    ("business_ids", ["1"], "must exist"),
    ("appointment_reminder_template_ids", [1.5], INVALID),
    ("appointment_reminder_template_ids", [9_999_999_999_999_999_999], INVALID),
]
"""A field, an invalid value, and the text of its error."""


async def test_an_invalid_field_is_named_with_the_text_of_its_error():
    async with running() as wire:
        bodies = [{"name": "New", field: value} for field, value, _ in INVALID_FIELDS]
        expected = [await errors(wire, "/appointment_types", body) for body in bodies]
        assert expected == [{field: text} for field, _, text in INVALID_FIELDS]


async def test_every_fault_is_reported_at_once():
    async with running() as wire:
        body = {"duration_in_minutes": "x", "max_attendees": 100, "nonsense": 1}
        expected = {"name": BLANK, "duration_in_minutes": NO_NUMBER, "max_attendees": "must be less than 100"}
        assert await errors(wire, "/appointment_types", body) == expected


async def test_unknown_fields_and_those_that_are_only_read_are_passed_over():
    async with running() as wire:
        body = {"name": "New", "nonsense": [1], "archived_at": "2025-01-01T00:00:00Z", "id": "5"}
        record = (await wire.post("/appointment_types", body)).json
        assert record["archived_at"] is None
        assert record["id"] != "5"


@for_each(
    "path, body, expected",
    [
        ("/appointment_type_billable_items", {}, {"appointment_type": BLANK, "billable_item": BLANK}),
        ("/appointment_type_products", {"product_id": "1"}, {"appointment_type": BLANK, "product": "must exist"}),
        (
            "/billable_items",
            {"item_type": "Gift", "tax_id": "x"},
            {"name": BLANK, "item_type": NOT_LISTED, "tax_id": INVALID},
        ),
        ("/products", {"price": "free", "tax_id": 1}, {"name": BLANK, "price": NO_NUMBER, "tax": "must exist"}),
        ("/businesses", {"time_zone": "Nowhere"}, {"business_name": BLANK, "time_zone": NOT_LISTED}),
        ("/patients", {"last_name": "Doe"}, {"first_name": BLANK}),
    ],
)
async def test_each_resource_has_its_needs(path, body, expected):
    async with running() as wire:
        assert await errors(wire, path, body) == expected


async def test_a_part_is_checked_to_its_depth_and_refused_as_a_whole():
    sections = (5, {"name": 5}, {"questions": {}}, {"questions": [{"type": "riddle"}]}, {"questions": [5]})
    async with running() as wire:
        for section in sections:
            body = {"name": "New", "content": {"sections": [section]}}
            assert await errors(wire, "/treatment_note_templates", body) == {"content": INVALID}, section


async def test_a_part_may_have_unknown_keys():
    async with running() as wire:
        body = {"name": "New", "content": {"sections": [], "more": 1.5}}
        record = (await wire.post("/treatment_note_templates", body)).json
        assert record["content"] == {"sections": [], "more": 1.5}


async def test_an_update_needs_nothing_but_may_not_empty_what_is_needed():
    async with running() as wire:
        path = f"/appointment_types/{(await wire.list('/appointment_types'))[0]['id']}"
        assert (await wire.patch(path, {})).status == 200
        assert (await wire.patch(path, {"name": ""})).json["errors"] == {"name": BLANK}


async def test_a_refused_body_changes_nothing():
    async with running() as wire:
        before = wire.sandbox.all("appointment_types")
        path = f"/appointment_types/{before[0]['id']}"
        assert (await wire.patch(path, {"name": "New", "color": "blue"})).status == 422
        assert wire.sandbox.all("appointment_types") == before


MOMENTS = {
    "2026-01-05T10:00:00+11:00": "2026-01-04T23:00:00Z",
    "2026-01-04T23:00:00.9Z": "2026-01-04T23:00:00Z",
    "0001-01-01T00:00:00+14:00": None,
    "9999-12-31T23:59:59-12:00": None,
    "2026-01-04": None,
    "soon": None,
    5: None,
}
"""What is sent, and how it is shown if it is valid."""


async def test_a_moment_is_shown_in_utc_and_lies_within_the_calendar():
    async with running() as wire:
        practitioner = (await wire.list("/practitioners"))[0]["id"]
        business = (await wire.list("/businesses"))[0]["id"]
        body = {"practitioner_id": practitioner, "business_id": business, "ends_at": "2026-01-05T03:00:00Z"}
        answers = {value: await wire.post("/unavailable_blocks", body | {"starts_at": value}) for value in MOMENTS}
        assert {value: answer.json.get("starts_at") for value, answer in answers.items()} == MOMENTS
        refused = [answer.json["errors"] for value, answer in answers.items() if MOMENTS[value] is None]
        assert refused == [{"starts_at": INVALID}] * 5


async def test_a_day_is_a_day():
    async with running() as wire:
        body = {"first_name": "Jo", "last_name": "Doe", "date_of_birth": "1980-02-30"}
        assert await errors(wire, "/patients", body) == {"date_of_birth": INVALID}
        body["date_of_birth"] = "1980-02-29"
        assert (await wire.post("/patients", body)).json["date_of_birth"] == "1980-02-29"
