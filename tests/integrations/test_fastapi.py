"""The client of a FastAPI application: how it is opened, how its errors are answered, how lists are streamed."""

import asyncio
import datetime as dt
import json
import logging
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient

from cliniko_async._messages import Request, Response
from cliniko_async.errors import (
    ClinikoError,
    ConfigurationError,
    DeadlineExceededError,
    DecodingError,
    InvalidFieldsError,
    InvalidRequestError,
    LimiterUnavailableError,
    OutcomeUnknownError,
    PaginationError,
    TransportError,
    UsageError,
    error_for,
)
from cliniko_async.integrations.fastapi import ClinikoDep, add_exception_handlers, get_cliniko, lifespan, ndjson
from tests.support.clients import ONCE, WHO
from tests.support.for_each import for_each

SENT = Request("PATCH", "https://api.au1.cliniko.com/v1/patients/4711?q=Appleseed", b'{"name": "Appleseed"}')
BODY = json.dumps({"errors": {"first_name": "can't be blank"}}).encode()


@pytest.fixture
def environment(cliniko_sandbox, monkeypatch):
    for name, value in {"api_key": cliniko_sandbox.api_key, "base_url": cliniko_sandbox.base_url, **WHO}.items():
        monkeypatch.setenv(f"CLINIKO_{name.upper()}", value)


# The client of the application


def with_a_client(**options) -> FastAPI:
    app = FastAPI(lifespan=lifespan(**options))
    add_exception_handlers(app)

    @app.get("/same")
    async def same(one: ClinikoDep, other: ClinikoDep) -> bool:
        return one is other

    @app.websocket("/socket")
    async def socket(websocket: WebSocket, cliniko: ClinikoDep) -> None:
        await websocket.accept()
        await websocket.send_text(type(cliniko).__name__)
        await websocket.close()

    return app


def test_one_client_lives_as_long_as_the_application(environment):
    opened = []
    app = with_a_client()

    @app.get("/count")
    async def count(cliniko: ClinikoDep) -> int:
        opened.append(cliniko)
        return await cliniko.taxes.list().count()

    with TestClient(app) as http:
        assert http.get("/count").json() == http.get("/count").json() > 0
        assert opened[0] is opened[1]
        with http.websocket_connect("/socket") as socket:
            assert socket.receive_text() == "Cliniko"
    with pytest.raises(UsageError, match="closed"):
        asyncio.run(opened[0].taxes.list().count())


def test_options_are_those_of_the_client(environment, cliniko_sandbox):
    with pytest.raises(ConfigurationError, match="timeout"), TestClient(FastAPI(lifespan=lifespan(timeout=-1))):
        pass
    cliniko_sandbox.faults.status(503, times=None)
    app = with_a_client(retry=ONCE)

    @app.get("/first")
    async def first(cliniko: ClinikoDep) -> None:
        await cliniko.taxes.list().first()

    with TestClient(app) as http:
        assert http.get("/first").status_code == 502
    assert len(cliniko_sandbox.requests) == 1


def test_a_missing_variable_fails_the_start(monkeypatch):
    monkeypatch.delenv("CLINIKO_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="CLINIKO_API_KEY"), TestClient(FastAPI(lifespan=lifespan())):
        pass


def test_without_its_lifespan_the_application_says_what_is_missing():
    with pytest.raises(RuntimeError, match=r"lifespan=lifespan\(\).*with TestClient"):
        TestClient(with_a_client()).get("/same")


async def test_the_dependency_can_be_overridden(cliniko):
    app = with_a_client()
    app.dependency_overrides[get_cliniko] = lambda: cliniko
    assert TestClient(app).get("/same").json() is True


# Errors


def response(status: int, body: bytes = b"Appleseed", **headers: str) -> Response:
    return Response(status, headers, body)


def answered(status: int, body: bytes = b"Appleseed", **headers: str) -> ClinikoError:
    return error_for(SENT, response(status, body, **headers), 1)


def deadline(retry_after: float | None) -> ClinikoError:
    error = DeadlineExceededError("was not done before the deadline", request=SENT, attempts=1, sent=False)
    error.retry_after = retry_after
    return error


ERRORS = {
    "fields": (InvalidFieldsError({"name": "is longer than 255 characters"}), 422),
    "argument": (InvalidRequestError("invalid tax id: expected 1 to 19 digits", argument="id"), 400),
    "not found": (answered(404), 404),
    "refused fields": (answered(422, BODY), 422),
    "budget": (answered(429), 503),
    "deadline": (deadline(12.2), 503),
    "limiter": (LimiterUnavailableError("Redis: timeout"), 503),
    "key": (answered(401), 502),
    "forbidden": (answered(403), 502),
    "bad request": (answered(400), 502),
    "server": (answered(500), 502),
    "redirect": (answered(302), 502),
    "connection": (TransportError("received no response", request=SENT), 502),
    "outcome": (OutcomeUnknownError("received no response", request=SENT), 502),
    "answer": (DecodingError(["name is missing"], request=SENT), 502),
    "paging": (PaginationError("the list does not end"), 502),
}


def raising(error: Exception) -> FastAPI:
    app = FastAPI()
    add_exception_handlers(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    return app


@pytest.mark.parametrize("name", ERRORS)
def test_the_status_of_an_error_says_whose_fault_it_was(name, caplog):
    """Without a query, a body or an id; a fault that is not the caller's is logged."""
    error, status = ERRORS[name]
    found = TestClient(raising(error)).get("/")
    assert found.status_code == status
    assert "Appleseed" not in found.text + caplog.text
    assert [record.levelno for record in caplog.records if record.name == "cliniko_async.fastapi"] == (
        [logging.WARNING] if status >= 500 else []
    )
    assert found.json()["detail"]


def test_faults_of_fields_are_answered_by_field():
    for name, errors in {
        "fields": {"name": "is longer than 255 characters"},
        "refused fields": {"first_name": "can't be blank"},
    }.items():
        assert TestClient(raising(ERRORS[name][0])).get("/").json()["errors"] == errors


def test_an_invalid_argument_is_answered_with_what_is_expected():
    assert TestClient(raising(ERRORS["argument"][0])).get("/").json() == {
        "detail": "invalid tax id: expected 1 to 19 digits"
    }


@for_each(
    "error, seconds",
    [
        (deadline(12.2), {13}),
        (deadline(0.2), {1}),
        (deadline(None), {5}),
        (LimiterUnavailableError("Redis: timeout"), {5}),
        (answered(429), {5}),
    ],
    ids=str,
)
def test_a_refused_caller_receives_a_retry_after(error, seconds):
    assert int(TestClient(raising(error)).get("/").headers["retry-after"]) in seconds


def test_after_a_429_retry_after_is_the_reset_of_the_server():
    reset = int(dt.datetime.now(dt.UTC).timestamp()) + 40
    error = answered(429, **{"X-RateLimit-Reset": str(reset)})
    assert 35 < int(TestClient(raising(error)).get("/").headers["retry-after"]) <= 41


@pytest.mark.parametrize("error", [ConfigurationError("wrong"), UsageError("closed"), ValueError("own")], ids=str)
def test_an_error_of_the_application_stays_a_500(error):
    http = TestClient(raising(error), raise_server_exceptions=False)
    assert http.get("/").status_code == 500


# Streams


@pytest.fixture
def streaming(environment, monkeypatch) -> Iterator[TestClient]:
    app = FastAPI(lifespan=lifespan(retry=ONCE))
    add_exception_handlers(app)

    @app.get("/patients")
    async def patients(cliniko: ClinikoDep, per_page: int = 10):
        return ndjson(cliniko.patients.list(per_page=per_page))

    @app.get("/nobody")
    async def nobody(cliniko: ClinikoDep):
        return ndjson(cliniko.patients.list(cliniko.patients.where.last_name == "Nobody"))

    @app.get("/changes")
    async def changes(cliniko: ClinikoDep):
        return ndjson(cliniko.taxes.changes())

    with TestClient(app) as http:
        yield http


def test_a_list_is_streamed_a_record_a_line(streaming, cliniko_sandbox):
    found = streaming.get("/patients")
    assert found.headers["content-type"] == "application/x-ndjson"
    assert "content-length" not in found.headers
    active = [each for each in cliniko_sandbox.all("patients") if each["archived_at"] is None]
    assert sorted(json.loads(line)["id"] for line in found.text.splitlines()) == sorted(each["id"] for each in active)
    assert streaming.get("/nobody").text == ""


def test_changes_are_streamed_a_change_a_line(streaming, cliniko_sandbox):
    lines = [json.loads(line) for line in streaming.get("/changes").text.splitlines()]
    assert len(lines) == len(cliniko_sandbox.all("taxes"))
    assert all(line.keys() == {"record", "kind"} for line in lines)


def test_an_error_before_the_first_record_has_its_status(streaming, cliniko_sandbox):
    cliniko_sandbox.faults.status(500)
    assert streaming.get("/patients").status_code == 502


def test_an_error_half_way_is_the_last_line(streaming, cliniko_sandbox):
    """Everything before it is complete."""
    cliniko_sandbox.faults.status(500, after=1)
    found = streaming.get("/patients")
    *records, last = (json.loads(line) for line in found.text.splitlines())
    assert (found.status_code, len(records)) == (200, 10)
    assert last == {"error": "ServerError", "detail": "Cliniko did not answer as expected"}


async def run_stream(cliniko, receive, send) -> None:
    response = ndjson(cliniko.patients.list(per_page=10))
    await response({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)


async def test_a_client_that_leaves_while_a_page_is_awaited_ends_the_stream(cliniko, cliniko_sandbox):
    """Nothing is sent at that time, so a send cannot notice it."""
    left, sent = asyncio.Event(), []
    cliniko_sandbox.faults.slow(60, after=1)

    async def receive():
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)
        if message.get("body"):
            asyncio.get_running_loop().call_later(0.05, left.set)

    async with asyncio.timeout(10):
        await run_stream(cliniko, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_client_that_left_before_the_first_page_gets_nothing(cliniko, cliniko_sandbox):
    sent = []
    messages = [{"type": "http.request", "body": b""}, {"type": "http.disconnect"}]

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    cliniko_sandbox.faults.slow(60)
    async with asyncio.timeout(10):
        await run_stream(cliniko, receive, send)
    assert sent == []


async def test_a_stream_that_is_cancelled_leaves_no_task(cliniko, cliniko_sandbox):
    cliniko_sandbox.faults.slow(60)

    async def receive():
        await asyncio.sleep(60)

    async def send(message):
        raise AssertionError

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await run_stream(cliniko, receive, send)
    assert asyncio.all_tasks() == {asyncio.current_task()}
