"""Tests of the example: each has a sandbox of its own, from the pytest plugin of `cliniko_async`."""

import json
import time

import pytest
from fastapi.testclient import TestClient

from examples.fastapi_app import main


@pytest.fixture
def http(cliniko_sandbox, monkeypatch, tmp_path):
    """A synchronous client of the application, which uses the sandbox."""
    monkeypatch.setenv("CLINIKO_API_KEY", cliniko_sandbox.api_key)
    monkeypatch.setenv("CLINIKO_BASE_URL", cliniko_sandbox.base_url)
    monkeypatch.setenv("CLINIKO_APP_NAME", "Rosters")
    monkeypatch.setenv("CLINIKO_CONTACT_EMAIL", "it@example.com")
    monkeypatch.setattr(main, "LIMITS", str(tmp_path / "limits.sqlite"))
    with TestClient(main.app) as http:
        yield http


def test_a_page_leads_to_the_next(http, cliniko_sandbox):
    """Every appointment type comes once."""
    names, cursor = [], None
    while True:
        page = http.get("/appointment-types", params={"cursor": cursor} if cursor else {}).json()
        names += [each["name"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = page["cursor"]
    active = [each for each in cliniko_sandbox.all("appointment_types") if each["archived_at"] is None]
    assert sorted(names) == sorted(each["name"] for each in active)


def test_what_is_created_can_be_changed(http, cliniko_sandbox):
    """With the fields that were sent, and no others."""
    created = http.post("/appointment-types", json={"name": "First visit", "duration_in_minutes": 45})
    assert created.status_code == 201, created.text
    id = created.json()["id"]
    changed = http.patch(f"/appointment-types/{id}", json={"description": "Bring your letter."})
    assert changed.json()["name"] == "First visit"
    assert cliniko_sandbox.get("appointment_types", id)["description"] == "Bring your letter."


def test_an_invalid_field_is_refused_before_anything_is_sent(http, cliniko_sandbox):
    """The schema of the body has Cliniko's rules."""
    refused = http.post("/appointment-types", json={"name": "x" * 300, "duration_in_minutes": -1})
    assert refused.status_code == 422
    assert {fault["loc"][-1] for fault in refused.json()["detail"]} == {"name", "duration_in_minutes"}
    assert cliniko_sandbox.requests == []


@pytest.mark.parametrize(("id", "status"), [("1", 404), ("x", 400)])
def test_an_unknown_id_is_answered_with_a_matching_status(http, id, status):
    """Not with a 500."""
    assert http.get(f"/appointment-types/{id}").status_code == status


def test_all_patients_are_streamed(http, cliniko_sandbox):
    """One a line."""
    lines = http.get("/patients.ndjson").text.splitlines()
    active = [each for each in cliniko_sandbox.all("patients") if each["archived_at"] is None]
    assert sorted(json.loads(line)["id"] for line in lines) == sorted(each["id"] for each in active)


def test_appointments_are_counted_in_the_background(http, cliniko_sandbox):
    """The request returns at once."""
    assert http.post("/utilisation").json() == {"running": True}
    while (found := http.get("/utilisation").json())["running"]:
        time.sleep(0.01)
    appointments = cliniko_sandbox.all("individual_appointments")
    active = [each for each in appointments if each["cancelled_at"] is None and each["deleted_at"] is None]
    assert sum(found["appointments"].values()) >= len([each for each in active if each["archived_at"] is None])
