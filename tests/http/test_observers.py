"""The events and log lines of calls."""

import asyncio
import contextlib
import json
import logging

import msgspec
import pytest

from cliniko_async import AccountPool, Cliniko, RetryPolicy
from cliniko_async.errors import ClinikoError, ConfigurationError, NotFoundError, UsageError
from cliniko_async.limits import SlidingWindowLimiter
from cliniko_async.observers import (
    AttemptEnded,
    CallEnded,
    CallStarted,
    PermitGranted,
    RequestsPaused,
    RetryScheduled,
)
from tests.support.attachments import clinic
from tests.support.clients import KEY, ONCE, QUICK, WHO, RecordingLimiter, client_of, virtually
from tests.support.for_each import for_each
from tests.support.paths import EXAMPLES
from tests.support.raw_server import RawServer, answer, close, silence

BODY = json.loads((EXAMPLES / "tax.json").read_text())


def of_kind(events, *kinds):
    """The events, without numbers that differ from run to run."""
    return [msgspec.structs.replace(event, call=1) for event in events if isinstance(event, kinds)]


async def sent(*turns, priority="interactive", retry=QUICK, **options):
    """The events of one `GET /taxes/7`, and the error that it raised."""
    events = []
    async with (
        RawServer(*turns) as server,
        client_of(server, retry=retry, priority=priority, observers=[events.append], **options) as client,
    ):
        try:
            await client.taxes.get("7")
        except ClinikoError as error:
            return server, events, error
    return server, events, None


@virtually
async def test_a_call_emits_events_from_its_start_to_its_end():
    server, events, _ = await sent(answer(200, BODY), priority="bulk")
    target = {"method": "GET", "server": server.base_url, "route": "/taxes/{id}"}
    number = events[0].call
    assert [
        msgspec.structs.replace(event, seconds=0.0) if hasattr(event, "seconds") else event for event in events
    ] == [
        CallStarted(call=number, priority="bulk", **target),
        PermitGranted(call=number, attempt=1, priority="bulk", seconds=0.0),
        AttemptEnded(call=number, attempt=1, status=200, error=None, seconds=0.0, waited=0.0, **target),
        CallEnded(call=number, attempts=1, status=200, error=None, seconds=0.0, **target),
    ]


@virtually
async def test_each_call_has_a_number_of_its_own():
    events = []
    async with (
        RawServer(answer(200, BODY), answer(200, BODY)) as server,
        client_of(server, observers=(events.append,)) as client,
    ):
        await asyncio.gather(client.taxes.get("7"), client.with_options(priority="bulk").taxes.get("7"))
    started = [event for event in events if isinstance(event, CallStarted)]
    assert len({event.call for event in started}) == 2
    assert {event.priority for event in started} == {"interactive", "bulk"}


@virtually
async def test_waits_retries_and_pauses_emit_events_with_their_seconds():
    """A call that waits for a permit, is refused and loses its connection, and succeeds."""
    limiter = SlidingWindowLimiter(limit=1, period=10, clock=asyncio.get_running_loop().time)
    await_free = await limiter.acquire("interactive")
    await_free.complete()
    turns = answer(429, b"", {"X-RateLimit-Reset": "x"}), close(), answer(200, BODY)
    _, events, error = await sent(*turns, rate_limiter=limiter)
    assert error is None
    permits = of_kind(events, PermitGranted)
    assert [permit.attempt for permit in permits] == [1, 2, 3]
    assert permits[0].seconds == pytest.approx(10, abs=0.1)
    assert [(ended.status, ended.error) for ended in of_kind(events, AttemptEnded)] == [
        (429, None),
        (None, "TransportError"),
        (200, None),
    ]
    assert [ended.waited for ended in of_kind(events, AttemptEnded)] == [permit.seconds for permit in permits]
    (pause,) = of_kind(events, RequestsPaused)
    assert permits[1].seconds >= pause.seconds > 1
    first, second = of_kind(events, RetryScheduled)
    assert first == RetryScheduled(call=1, attempt=1, reason="429", seconds=0.0)
    assert (second.attempt, second.reason) == (2, "TransportError")
    (ended,) = of_kind(events, CallEnded)
    assert (ended.attempts, ended.status, ended.error) == (3, 200, None)
    assert ended.seconds == pytest.approx(sum(permit.seconds for permit in permits), abs=1)


@virtually
async def test_the_event_of_a_failed_call_has_its_error():
    _, events, error = await sent(answer(404))
    (ended,) = of_kind(events, CallEnded)
    assert isinstance(error, NotFoundError)
    assert (ended.attempts, ended.status, ended.error) == (1, 404, "NotFoundError")


@virtually
async def test_an_interrupted_attempt_emits_its_end():
    """By the deadline of the call, and by a cancellation."""
    _, events, _ = await sent(silence(), deadline=3)
    (attempt,), (call,) = of_kind(events, AttemptEnded), of_kind(events, CallEnded)
    assert (attempt.status, attempt.error, attempt.seconds) == (None, "CancelledError", pytest.approx(3, abs=0.1))
    assert (call.error, call.attempts) == ("DeadlineExceededError", 1)
    events = []
    async with RawServer(silence()) as server, client_of(server, observers=[events.append]) as client:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await client.taxes.get("7")
    assert [event.error for event in of_kind(events, AttemptEnded, CallEnded)] == ["CancelledError", "CancelledError"]


@virtually
async def test_a_call_that_never_had_a_permit_emits_no_attempt():
    events = []
    client = Cliniko(KEY, **WHO, observers=[events.append], rate_limiter=RecordingLimiter())
    await client.aclose()
    with pytest.raises(UsageError):
        await client.taxes.get("7")
    assert [type(event) for event in events] == [CallStarted, CallEnded]
    assert (events[1].attempts, events[1].status, events[1].error) == (0, None, "UsageError")


@virtually
async def test_no_event_has_an_id_a_query_a_name_or_the_key():
    events = []
    async with (
        RawServer(*[answer(200, b"{}") for _ in range(4)]) as server,
        client_of(server, observers=[events.append], retry=ONCE) as client,
    ):
        await client.request("GET", "/patients/471147114711?q[]=last_name:=Appleseed")
        await client.request("POST", "/patients/471147114711/Appleseed/archive", json={"name": "Appleseed"})
        await client.request("GET", "/Appleseed", params={"page": 471147114711})
    assert {event.route for event in events if isinstance(event, CallStarted)} == {
        "/patients/{id}",
        "/patients/{id}/{other}/archive",
        "/{other}",
    }
    text = "".join(map(repr, events))
    assert all(secret not in text for secret in ("471147114711", "Appleseed", KEY, "q[]"))


@pytest.mark.parametrize("error", [ValueError("mine"), asyncio.CancelledError()])
@virtually
async def test_an_observer_that_raises_is_logged_and_does_no_harm(caplog, error):
    seen = []

    def broken(event):
        raise error

    async with (
        RawServer(answer(200, BODY)) as server,
        client_of(server, observers=[broken, seen.append]) as client,
    ):
        assert (await client.taxes.get("7")).name == "GST"
    assert len(seen) == 4
    failed = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.message for record in failed] == ["an observer failed"] * 4
    assert failed[0].exc_info[0] is type(error)


@for_each("observers", [None, 5, ["print"], [print, None], [asyncio.sleep]])
def test_observers_must_be_functions(observers):
    with pytest.raises(ConfigurationError, match="observers"):
        Cliniko(KEY, **WHO, observers=observers)


@virtually
async def test_the_clients_of_a_pool_have_observers():
    events, own = [], []
    async with (
        RawServer(answer(200, BODY), answer(200, BODY)) as server,
        AccountPool(**WHO, base_url=server.base_url, observers=[events.append]) as pool,
    ):
        await pool.client(KEY).taxes.get("7")
        await pool.client(KEY, observers=[own.append]).taxes.get("7")
    assert len(of_kind(events, CallEnded)) == len(of_kind(own, CallEnded)) == 1


@virtually
async def test_each_attempt_has_a_line_in_the_log(caplog):
    """With its values as attributes of the record, for formatters that write JSON."""
    turns = answer(503), answer(429), answer(200, BODY)
    async with (
        RawServer(*turns) as server,
        client_of(server, retry=RetryPolicy(attempts=3)) as client,
    ):
        with caplog.at_level(logging.DEBUG, "cliniko_async"):
            await client.taxes.get("7")
    records = [record for record in caplog.records if record.name == "cliniko_async"]
    attempts = [record for record in records if record.levelno == logging.DEBUG]
    assert [(each.method, each.path, each.status, each.attempt) for each in attempts] == [
        ("GET", "/v1/taxes/7", 503, 1),
        ("GET", "/v1/taxes/7", 429, 2),
        ("GET", "/v1/taxes/7", 200, 3),
    ]
    assert all(isinstance(each.ms, float) and isinstance(each.waited_ms, float) for each in attempts)
    retry, pause = (record for record in records if record.levelno == logging.INFO)
    assert (retry.status, retry.attempt, pause.status, pause.attempt) == (503, 1, 429, 2)
    assert attempts[2].waited_ms == pytest.approx(pause.delay_ms, abs=100)
    host = server.base_url.removeprefix("http://").removesuffix("/v1")
    assert attempts[0].message.startswith(f"GET {host}/v1/taxes/7: 503 in ")


@virtually
async def test_no_line_in_the_log_has_a_query_a_body_or_the_key(caplog):
    async with (
        RawServer(answer(503), answer(200, b'{"secret": "answer"}')) as server,
        client_of(server, retry=QUICK) as client,
    ):
        with caplog.at_level(logging.DEBUG):
            await client.request("PATCH", "/patients/1", params={"q": "Appleseed"}, json={"name": "Appleseed"})
    logged = "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "/patients/1" in logged
    assert not [secret for secret in ("Appleseed", "answer", KEY, "Authorization") if secret in logged]


@virtually
async def test_events_of_files_have_no_path(caplog):
    """Each request to the file store is a call; a path there may name a patient."""
    events = []
    async with clinic(observers=[events.append]) as at:
        at.sandbox.faults.status(503, method="GET", path="/patient_attachments", times=1)
        with caplog.at_level(logging.DEBUG, "cliniko_async"):
            attachments = at.cliniko.patient_attachments
            record = await attachments.upload(at.patient_id, b"text", filename="Appleseed.txt")
            async with attachments.download(record) as download:
                assert await download.read() == b"text"
    calls = [(event.method, event.status) for event in of_kind(events, CallEnded) if not event.route]
    assert calls == [("POST", 201), ("GET", 200)]
    assert len(of_kind(events, AttemptEnded)) == len(of_kind(events, CallEnded)) + len(of_kind(events, RetryScheduled))
    logged = "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "Appleseed" not in logged + "".join(map(repr, events))
