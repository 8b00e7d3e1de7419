"""Records as FastAPI's response types and request bodies, while the core neither requires nor imports FastAPI."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Annotated, Any, get_type_hints

import httpx
import pytest
from fastapi import Body, FastAPI
from pydantic import BaseModel, TypeAdapter, ValidationError

import cliniko_async
from cliniko_async import (
    AppointmentType,
    AppointmentTypeFields,
    Booking,
    Change,
    Cliniko,
    Communication,
    IndividualAppointmentFields,
    InvoiceItem,
    Page,
    PatientCaseFields,
    Settings,
    from_dict,
)
from cliniko_async._compat import is_typeddict
from cliniko_async.fields import check_fields
from cliniko_async.sandbox import Sandbox
from tests.support.clients import WHO
from tests.support.for_each import for_each
from tests.support.records import CLASSES, EXAMPLES, RECORD_OF, example

KIND = example("appointment_type")


class Offer(BaseModel):
    kind: AppointmentType
    others: list[AppointmentType] = []


def application() -> FastAPI:
    app = FastAPI()

    @app.get("/kinds")
    async def kinds() -> list[AppointmentType]:
        return [from_dict(AppointmentType, KIND)]

    @app.get("/booking")
    async def booking() -> Booking | None:
        return from_dict(Booking, example("booking"))

    @app.get("/letter")
    async def letter() -> Communication:
        return from_dict(Communication, example("communication"))

    @app.get("/settings")
    async def settings() -> Settings:
        return from_dict(Settings, example("settings"))

    @app.get("/item")
    async def item() -> InvoiceItem:
        return from_dict(InvoiceItem, example("invoice_item"))

    @app.post("/name")
    async def name(kind: Annotated[AppointmentType, Body()]) -> str:
        return kind.name

    add_bodies(app)
    add_holders(app)
    return app


def add_bodies(app: FastAPI) -> None:
    @app.post("/type")
    async def make(fields: AppointmentTypeFields) -> dict[str, str]:
        return {name: f"{type(value).__name__} {value}" for name, value in fields.items()}

    @app.post("/case")
    async def case(fields: PatientCaseFields) -> dict[str, str]:
        return {name: f"{type(value).__name__} {value}" for name, value in fields.items()}

    @app.post("/appointment")
    async def appointment(fields: IndividualAppointmentFields) -> dict[str, Any]:
        return check_fields(IndividualAppointmentFields, fields)


def add_holders(app: FastAPI) -> None:
    @app.get("/page")
    async def page() -> Page[AppointmentType]:
        async with Sandbox(appointment_types=3) as sandbox, cliniko_of(sandbox) as cliniko:
            return await cliniko.appointment_types.list(per_page=1)

    @app.get("/changes")
    async def changes() -> list[Change[AppointmentType]]:
        async with Sandbox(appointment_types=3) as sandbox, cliniko_of(sandbox) as cliniko:
            return [change async for change in cliniko.appointment_types.changes()]


def cliniko_of(sandbox: Sandbox) -> Cliniko:
    return Cliniko(sandbox.api_key, base_url=sandbox.base_url, **WHO)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application())
    async with httpx.AsyncClient(transport=transport, base_url="http://app.example") as client:
        yield client


@for_each(
    "path, expected",
    [
        ("/kinds", [KIND]),
        ("/booking", example("booking")),
        ("/letter", example("communication")),
        ("/settings", example("settings")),
        ("/item", example("invoice_item")),
    ],
)
async def test_a_record_is_a_response_type(http: httpx.AsyncClient, path: str, expected: Any):
    assert (await http.get(path)).json() == expected


async def test_a_record_is_a_request_body(http: httpx.AsyncClient):
    answer = await http.post("/name", json=KIND)
    assert (answer.status_code, answer.json()) == (200, KIND["name"])


async def test_a_body_that_does_not_fit_is_refused_with_its_faults(http: httpx.AsyncClient):
    answer = await http.post("/name", json=KIND | {"color": 5})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["msg"] == f"Value error, record {KIND['id']}: color expected a string"


async def test_a_record_is_a_named_component_of_the_description(http: httpx.AsyncClient):
    described = (await http.get("/openapi.json")).json()
    reference = {"$ref": "#/components/schemas/AppointmentType"}
    answer = described["paths"]["/kinds"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    body = described["paths"]["/name"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert (answer["items"], body) == (reference, reference)
    schemas = described["components"]["schemas"]
    assert {"AppointmentType", "Booking", "Communication", "InvoiceItem", "Settings"} <= schemas.keys()
    kind = schemas["AppointmentType"]
    assert kind["properties"]["created_at"] == {"type": "string", "format": "date-time"}
    assert {"id", "links", "name", "created_at", "updated_at"} <= set(kind["required"])


async def test_the_description_has_the_keys_of_the_api(http: httpx.AsyncClient):
    """Keys that are not Python names, the only number, and each variant of a union."""
    schemas = (await http.get("/openapi.json")).json()["components"]["schemas"]
    assert {"from", "to"} <= schemas["Communication"]["anyOf"][0]["properties"].keys()
    assert schemas["InvoiceItem"]["properties"]["total_including_tax"]["anyOf"][0] == {"type": "number"}
    assert {kind["title"] for kind in schemas["Booking"]["anyOf"]} == {
        kind.__name__ for kind in Booking.__subclasses__()
    }
    assert "hipaa_compliance-conflict_messages" in str(schemas["Settings"])
    assert "from_" not in str(schemas)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_pydantic_reads_and_writes_every_record(name: str):
    adapter = TypeAdapter(RECORD_OF[name])
    record = adapter.validate_python(example(name))
    assert adapter.validate_python(record) is record
    assert adapter.dump_python(record) == adapter.dump_python(record, mode="json") == example(name)


def test_every_record_and_every_part_is_described():
    schemas: dict[Any, dict[str, Any]] = {cls: TypeAdapter(cls).json_schema() for cls in CLASSES}
    assert [cls for cls, each in schemas.items() if cls.__name__ not in each.get("$ref", each.get("title"))] == []
    assert [cls for cls, each in schemas.items() if "#/$defs" in str(each.get("$defs", ""))] == []


# What may be sent, pages and changes


async def test_what_may_be_sent_is_a_request_body(http: httpx.AsyncClient):
    """JSON has neither decimals nor dates, so texts are converted to them."""
    answer = await http.post("/type", json={"name": "A", "deposit_price": "12.50", "practitioner_ids": ["1"]})
    assert answer.json() == {"name": "str A", "deposit_price": "Decimal 12.50", "practitioner_ids": "list ['1']"}
    answer = await http.post("/case", json={"name": "A", "issue_date": "2025-01-02", "expiry_date": None})
    assert answer.json() == {"name": "str A", "issue_date": "date 2025-01-02", "expiry_date": "NoneType None"}
    answer = await http.post("/appointment", json={"starts_at": "2025-01-02T10:00:00+10:00"})
    assert answer.json() == {"starts_at": "2025-01-02T00:00:00Z"}


@for_each(
    "path, body, reason",
    [
        ("/type", {"nam": "A"}, "Extra inputs are not permitted"),
        ("/type", {"name": "x" * 256}, "Value error, is longer than 255 characters"),
        ("/type", {"deposit_price": "-1"}, "Value error, must be at least 0 and less than 4000000000"),
        ("/type", {"color": "red"}, "Value error, does not match ^#([A-Fa-f0-9]{6}|[A-Fa-f0-9]{3})$"),
        ("/type", {"product_id": "x"}, "Value error, must be an id of 1 to 19 digits"),
        ("/appointment", {"starts_at": "2025-01-02T10:00:00"}, "Value error, must have a time zone"),
        ("/appointment", {"repeat_rule": {"repeat": "Daily"}}, "Extra inputs are not permitted"),
    ],
)
async def test_a_body_that_breaks_a_rule_is_refused_with_the_text_of_the_rule(
    http: httpx.AsyncClient, path: str, body: Any, reason: str
):
    """A misspelt field is refused and not dropped, at any depth."""
    answer = await http.post(path, json=body)
    assert answer.status_code == 422
    assert reason in [fault["msg"] for fault in answer.json()["detail"]]


async def test_the_rules_of_a_body_are_described(http: httpx.AsyncClient):
    schemas = (await http.get("/openapi.json")).json()["components"]["schemas"]
    fields = schemas["AppointmentTypeFields"]
    assert fields["additionalProperties"] is False
    assert "required" not in fields
    assert fields["properties"]["name"] == {"type": "string", "maxLength": 255, "title": "Name"}
    assert fields["properties"]["color"]["pattern"] == "^#([A-Fa-f0-9]{6}|[A-Fa-f0-9]{3})$"
    duration = {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 1440, "title": "Duration In Minutes"}
    assert fields["properties"]["duration_in_minutes"] == duration


FIELDS = [name for name in cliniko_async.__all__ if is_typeddict(getattr(cliniko_async, name))]


def test_everything_that_may_be_sent_is_described():
    """With each key and with what is needed; a part of a record, which JSON cannot be, is left out."""
    classes: dict[str, Any] = {name: getattr(cliniko_async, name) for name in FIELDS}
    schemas = {name: TypeAdapter(cls).json_schema() for name, cls in classes.items()}
    shown = {name: each["$defs"][name] if "$ref" in each else each for name, each in schemas.items()}
    found = {name: (set(each["properties"]), set(each.get("required", ()))) for name, each in shown.items()}
    expected = {
        name: (set(cls.__annotations__) | set(get_type_hints(cls)), set(cls.__required_keys__))
        for name, cls in classes.items()
    }
    assert {name: each for name, each in found.items() if each != expected[name]} == {}
    parts = {part.__name__ for part in CLASSES}
    assert [name for name, each in schemas.items() if parts & each.get("$defs", {}).keys()] == []


async def test_a_page_and_changes_are_response_types(http: httpx.AsyncClient):
    page = (await http.get("/page")).json()
    assert page.keys() == {"items", "total_entries", "next", "cursor"}
    assert (len(page["items"]), page["total_entries"]) == (1, 3)
    assert from_dict(AppointmentType, page["items"][0]).name
    changes = (await http.get("/changes")).json()
    assert [change.keys() for change in changes] == 3 * [{"record", "kind"}]
    assert {change["kind"] for change in changes} == {"upsert"}
    described = (await http.get("/openapi.json")).json()
    for path, place in (("/page", "items"), ("/changes", "record")):
        answer = described["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert "#/components/schemas/AppointmentType" in str((answer.get("items") or answer)["properties"][place])


@for_each("hint", [Page, Page[AppointmentType], Change, Change[AppointmentType | Booking]], ids=str)
def test_what_holds_records_is_taken_as_it_is(hint: Any):
    record = from_dict(AppointmentType, KIND)
    page = Page((record,), 1, None, "cursor", b"{}")
    held: Any = page if hint in (Page, Page[AppointmentType]) else Change(record, "upsert")
    adapter = TypeAdapter(hint)
    assert adapter.validate_python(held) is held
    dumped = adapter.dump_python(held, mode="json")
    assert dumped == json.loads(adapter.dump_json(held))
    assert KIND in (dumped.get("record"), *dumped.get("items", ()))
    for other in ({}, 5, None):
        with pytest.raises(ValidationError, match=f"must be a {type(held).__name__}"):
            adapter.validate_python(other)


def test_a_record_is_a_field_of_a_model():
    offer = Offer.model_validate({"kind": KIND, "others": [KIND]})
    assert offer.kind == offer.others[0] == from_dict(AppointmentType, KIND)
    assert Offer.model_validate_json(offer.model_dump_json()) == offer
    with pytest.raises(ValidationError, match="the record: expected an object"):
        Offer.model_validate({"kind": 5})


def test_pydantic_is_imported_by_no_part_of_the_client():
    code = "import sys, cliniko_async; [getattr(cliniko_async, name) for name in cliniko_async.__all__]; "
    code += "print(sorted({'pydantic', 'pydantic_core', 'cliniko_async._records.pydantic'} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout.strip() == "[]"
    assert cliniko_async.__all__
