"""Records as FastAPI's response types and request bodies, with nothing to install or import for those who have none."""

import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Body, FastAPI
from pydantic import BaseModel, TypeAdapter, ValidationError

import cliniko_async
from cliniko_async import AppointmentType, Booking, Communication, InvoiceItem, Settings, from_dict
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

    return app


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application())
    async with httpx.AsyncClient(transport=transport, base_url="http://app.example") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "expected"),
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
    assert answer.json()["detail"][0]["msg"] == f"Value error, record {KIND['id']}: color expected a text"


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
    """Those that are no Python names, the one number, and each kind of a union."""
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


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_record_and_every_part_is_described(cls: Any):
    schema = TypeAdapter(cls).json_schema()
    assert cls.__name__ in schema.get("$ref", schema.get("title"))
    assert "#/$defs" not in str(schema.get("$defs", ""))


def test_a_record_is_a_field_of_a_model():
    offer = Offer.model_validate({"kind": KIND, "others": [KIND]})
    assert offer.kind == offer.others[0] == from_dict(AppointmentType, KIND)
    assert Offer.model_validate_json(offer.model_dump_json()) == offer
    with pytest.raises(ValidationError, match="the record: expected an object"):
        Offer.model_validate({"kind": 5})


def test_pydantic_is_imported_by_no_part_of_the_client():
    code = "import sys, cliniko_async; [getattr(cliniko_async, name) for name in cliniko_async.__all__]; "
    code += "print(sorted({'pydantic', 'pydantic_core', 'cliniko_async._pydantic'} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout.strip() == "[]"
    assert cliniko_async.__all__
