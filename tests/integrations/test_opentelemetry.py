"""Spans and metrics by the semantic conventions, taken with the SDK's exporters in memory."""

import asyncio
import json

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes, url_attributes
from opentelemetry.semconv.metrics import http_metrics
from opentelemetry.trace import SpanKind, StatusCode

from cliniko_async import RetryPolicy
from cliniko_async.errors import NotFoundError
from cliniko_async.integrations.opentelemetry import OpenTelemetryObserver
from cliniko_async.limits import SlidingWindowLimiter
from tests.support.clients import KEY, ONCE, client_of, virtually
from tests.support.paths import EXAMPLES
from tests.support.raw_server import RawServer, answer, close
from tests.support.watched import clinic, names_of

TAX = json.loads((EXAMPLES / "tax.json").read_text())
THROTTLED = answer(429, b"", {"X-RateLimit-Reset": "1700000002", "Date": "Tue, 14 Nov 2023 22:13:20 GMT"})


class Telemetry:
    """Providers that record spans and metrics in memory."""

    def __init__(self):
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.observer = OpenTelemetryObserver(self.tracers, MeterProvider([self.reader]))

    @property
    def spans(self):
        return self.exporter.get_finished_spans()

    def metrics(self):
        """The data points of each metric."""
        (resource,) = self.reader.get_metrics_data().resource_metrics
        (scope,) = resource.scope_metrics
        assert scope.scope.name == "cliniko_async"
        return {metric.name: metric.data.data_points for metric in scope.metrics}


@virtually
async def test_a_call_that_waited_and_was_retried_is_one_trace():
    telemetry = Telemetry()
    limiter = SlidingWindowLimiter(limit=1, period=10, clock=asyncio.get_running_loop().time)
    (await limiter.acquire("bulk")).complete()
    async with (
        RawServer(answer(503), answer(200, TAX)) as server,
        client_of(server, rate_limiter=limiter, observers=[telemetry.observer]) as client,
    ):
        with telemetry.tracers.get_tracer("app").start_as_current_span("a user's request"):
            await client.taxes.get("7")
    spans = telemetry.spans
    assert [span.name for span in spans] == [
        "Cliniko permit",
        "GET /taxes/{id}",
        "Cliniko permit",
        "GET /taxes/{id}",
        "Cliniko GET /taxes/{id}",
        "a user's request",
    ]
    *children, call, outside = spans
    assert {span.parent.span_id for span in children} == {call.context.span_id}
    assert call.parent.span_id == outside.context.span_id
    assert {span.context.trace_id for span in spans} == {outside.context.trace_id}
    permits, attempts = children[::2], children[1::2]
    assert [span.kind for span in children] == [SpanKind.INTERNAL, SpanKind.CLIENT] * 2
    assert [(span.end_time - span.start_time) / 1e9 for span in permits] == pytest.approx([10, 10], abs=1)
    assert [span.status.status_code for span in attempts] == [StatusCode.ERROR, StatusCode.UNSET]
    assert call.status.status_code == StatusCode.UNSET
    assert call.attributes["cliniko.attempts"] == 2


@virtually
async def test_an_attempt_has_the_attributes_of_the_conventions():
    telemetry = Telemetry()
    turns = answer(503), answer(200, TAX)
    async with (
        RawServer(*turns) as server,
        client_of(server, retry=RetryPolicy(attempts=2), observers=[telemetry.observer]) as client,
    ):
        await client.request("GET", "/taxes/471147114711?q[]=name:=Appleseed")
    port = int(server.base_url.rsplit(":", 1)[1].removesuffix("/v1"))
    common = {
        http_attributes.HTTP_REQUEST_METHOD: "GET",
        server_attributes.SERVER_ADDRESS: "127.0.0.1",
        server_attributes.SERVER_PORT: port,
        url_attributes.URL_FULL: f"http://127.0.0.1:{port}/v1/taxes/{{id}}",
        "url.template": "/taxes/{id}",
    }
    first, second = (span for span in telemetry.spans if span.kind == SpanKind.CLIENT)
    failed = {http_attributes.HTTP_RESPONSE_STATUS_CODE: 503, error_attributes.ERROR_TYPE: "503"}
    assert first.attributes == common | failed
    assert second.attributes == common | {
        http_attributes.HTTP_RESPONSE_STATUS_CODE: 200,
        http_attributes.HTTP_REQUEST_RESEND_COUNT: 1,
    }
    exported = "".join(span.to_json() for span in telemetry.spans)
    assert not [secret for secret in ("471147114711", "Appleseed", KEY) if secret in exported]


@virtually
async def test_an_error_is_in_the_span_of_the_call():
    telemetry = Telemetry()
    async with (
        RawServer(answer(404)) as server,
        client_of(server, retry=ONCE, observers=[telemetry.observer]) as client,
    ):
        with pytest.raises(NotFoundError):
            await client.taxes.get("7")
    call = telemetry.spans[-1]
    assert call.status.status_code == StatusCode.ERROR
    assert call.attributes[error_attributes.ERROR_TYPE] == "NotFoundError"
    assert call.attributes[http_attributes.HTTP_RESPONSE_STATUS_CODE] == 404


@virtually
async def test_an_attempt_without_an_answer_has_its_error_and_no_status():
    telemetry = Telemetry()
    async with (
        RawServer(close(), answer(200, TAX)) as server,
        client_of(server, observers=[telemetry.observer]) as client,
    ):
        await client.taxes.get("7")
    first = next(span for span in telemetry.spans if span.kind == SpanKind.CLIENT)
    assert first.attributes[error_attributes.ERROR_TYPE] == "TransportError"
    assert http_attributes.HTTP_RESPONSE_STATUS_CODE not in first.attributes


@virtually
async def test_calls_are_counted_and_measured():
    telemetry = Telemetry()
    turns = answer(503), THROTTLED, answer(200, TAX)
    async with (
        RawServer(*turns) as server,
        client_of(server, priority="bulk", observers=[telemetry.observer]) as client,
    ):
        await client.taxes.get("7")
    metrics = telemetry.metrics()
    requests = metrics[http_metrics.HTTP_CLIENT_REQUEST_DURATION]
    statuses = [point.attributes[http_attributes.HTTP_RESPONSE_STATUS_CODE] for point in requests]
    assert sorted(statuses) == [200, 429, 503]
    assert all(url_attributes.URL_FULL not in point.attributes for point in requests)
    assert sum(point.count for point in metrics["cliniko.client.call.duration"]) == 1
    assert {point.attributes["error.type"]: point.value for point in metrics["cliniko.client.retries"]} == {
        "503": 1,
        "429": 1,
    }
    (permits,) = metrics["cliniko.client.budget.used"]
    assert (permits.value, dict(permits.attributes)) == (3, {"cliniko.priority": "bulk"})
    (waits,), (pauses,) = metrics["cliniko.client.permit.wait"], metrics["cliniko.client.pause.duration"]
    assert (waits.count, pauses.count) == (3, 1)
    assert waits.max == pytest.approx(pauses.sum, abs=0.2)


@virtually
async def test_errors_that_a_watch_survives_are_counted():
    telemetry = Telemetry()
    async with clinic(client={"observers": [telemetry.observer]}) as it:
        it.put("a")
        it.sandbox.faults.status(500, times=2)
        assert await names_of(it.watch(), 1) == "a"
    (point,) = telemetry.metrics()["cliniko.client.watch.interruptions"]
    assert (point.value, dict(point.attributes)) == (
        2,
        {"cliniko.resource": "appointment_types", "error.type": "ServerError"},
    )


@virtually
async def test_one_observer_serves_many_calls_at_once():
    telemetry = Telemetry()
    async with (
        RawServer(*[answer(200, TAX) for _ in range(20)]) as server,
        client_of(server, observers=[telemetry.observer]) as client,
    ):
        await asyncio.gather(*(client.taxes.get(str(number)) for number in range(20)))
    calls = {span.context.span_id for span in telemetry.spans if span.name.startswith("Cliniko GET")}
    parents = [span.parent.span_id for span in telemetry.spans if span.parent is not None]
    assert len(calls) == 20
    assert sorted(parents) == sorted([*calls, *calls])
