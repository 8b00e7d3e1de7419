"""Traces and metrics by OpenTelemetry (extra `otel`): an observer that turns the calls of a client into spans.

```python
cliniko = Cliniko.from_env(observers=[OpenTelemetryObserver()])
```
"""

import time
from collections.abc import Mapping
from typing import TypeAlias

from yarl import URL

from ..observers import (
    AttemptEnded,
    CallEnded,
    CallStarted,
    Event,
    PermitGranted,
    RequestsPaused,
    RetryScheduled,
    WatchInterrupted,
)

try:
    from opentelemetry import metrics, trace
    from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider
except ImportError as error:  # pragma: no cover  (the tests have it)
    raise ImportError('OpenTelemetry is not installed: pip install "cliniko-async[otel]"') from error

__all__ = ["OpenTelemetryObserver"]

Attributes: TypeAlias = dict[str, str | int]

_SCOPE = "cliniko_async"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""The boundaries that the semantic conventions recommend for the duration of a request."""
_WAITS = (0.001, 0.01, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
"""The boundaries for waits, which can last as long as the window of the rate limit, and longer."""


class OpenTelemetryObserver:
    """Records each call of a client as spans and metrics.

    A call is a span of kind `INTERNAL`, a child of the caller's current span. Each wait for a permit and each attempt
    is a child of it. An attempt is a span of kind `CLIENT` with the attributes of the semantic conventions for HTTP:
    `http.request.method`, `url.full` and `url.template` (without ids and query), `server.address`, `server.port`,
    `http.response.status_code`, `http.request.resend_count` and `error.type`.

    Metrics: `http.client.request.duration` (seconds, for each attempt), `cliniko.client.call.duration`,
    `cliniko.client.permit.wait` and `cliniko.client.pause.duration` (seconds), `cliniko.client.retries`,
    `cliniko.client.watch.interruptions`: the errors that watches survived, and `cliniko.client.budget.used`: the
    permits granted, whose increase in a minute is what is used of the rate limit.

    One observer can serve any number of clients, in any number of event loops and threads.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        """Create the observer.

        Args:
            tracer_provider: Makes the tracer. None, the default, uses the global provider.
            meter_provider: Makes the meter. None, the default, uses the global provider.
        """
        self._tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        self._meters = _Meters(metrics.get_meter(_SCOPE, meter_provider=meter_provider))
        self._calls: dict[int, Span] = {}

    def __call__(self, event: Event) -> None:
        """Record an event.

        Args:
            event: What the client reports.
        """
        match event:
            case CallStarted():
                self._calls[event.call] = self._tracer.start_span(
                    f"Cliniko {_name(event)}", attributes={"cliniko.priority": event.priority, **_target(event)}
                )
            case PermitGranted():
                self._add(event.call, "Cliniko permit", SpanKind.INTERNAL, event.seconds, _priority(event))
                self._meters.waits.record(event.seconds, _priority(event))
                self._meters.permits.add(1, _priority(event))
            case AttemptEnded():
                self._end_attempt(event)
            case RetryScheduled():
                self._meters.retries.add(1, {"error.type": event.reason})
            case RequestsPaused():
                self._meters.pauses.record(event.seconds)
            case WatchInterrupted():
                attributes = {"cliniko.resource": event.resource, "error.type": event.error}
                self._meters.interruptions.add(1, attributes)
            case _:
                self._end_call(event)

    def _end_attempt(self, event: AttemptEnded) -> None:
        attributes = _target(event) | _outcome(event)
        resent = {"http.request.resend_count": event.attempt - 1} if event.attempt > 1 else {}
        self._meters.requests.record(event.seconds, {k: v for k, v in attributes.items() if k != "url.full"})
        self._add(event.call, _name(event), SpanKind.CLIENT, event.seconds, attributes | resent)

    def _end_call(self, event: CallEnded) -> None:
        attributes = _target(event) | _outcome(event)
        self._meters.calls.record(event.seconds, {k: v for k, v in attributes.items() if k != "url.full"})
        span = self._calls.pop(event.call)
        span.set_attributes({"cliniko.attempts": event.attempts, **attributes})
        _end(span, attributes)

    def _add(self, call: int, name: str, kind: SpanKind, seconds: float, attributes: Mapping[str, str | int]) -> None:
        """Add a span that has just ended to its call."""
        ended_at = time.time_ns()
        span = self._tracer.start_span(
            name,
            trace.set_span_in_context(self._calls[call]),
            kind,
            attributes,
            start_time=ended_at - int(seconds * 1e9),
        )
        _end(span, attributes, ended_at)


class _Meters:
    """The instruments."""

    def __init__(self, meter: metrics.Meter) -> None:
        def histogram(name: str, text: str, boundaries: tuple[float, ...]) -> metrics.Histogram:
            return meter.create_histogram(name, "s", text, explicit_bucket_boundaries_advisory=boundaries)

        self.requests = histogram("http.client.request.duration", "Duration of HTTP client requests.", _SECONDS)
        self.calls = histogram("cliniko.client.call.duration", "Duration of calls, with waits and retries.", _WAITS)
        self.waits = histogram("cliniko.client.permit.wait", "Waits for a permit of the rate limiter.", _WAITS)
        self.pauses = histogram("cliniko.client.pause.duration", "Pauses of all requests after a 429.", _WAITS)
        self.retries = meter.create_counter("cliniko.client.retries", "{retry}", "Attempts that were repeated.")
        self.interruptions = meter.create_counter(
            "cliniko.client.watch.interruptions", "{interruption}", "Errors that watches survived."
        )
        self.permits = meter.create_counter("cliniko.client.budget.used", "{request}", "Permits granted.")


def _end(span: Span, attributes: Mapping[str, str | int], ended_at: int | None = None) -> None:
    if "error.type" in attributes:
        span.set_status(Status(StatusCode.ERROR))
    span.end(ended_at)


def _name(event: CallStarted | AttemptEnded) -> str:
    return f"{event.method} {event.route}".rstrip()


def _priority(event: PermitGranted) -> Attributes:
    return {"cliniko.priority": event.priority}


def _target(event: CallStarted | AttemptEnded | CallEnded) -> Attributes:
    url = URL(event.server)
    return {
        "http.request.method": event.method,
        "server.address": url.host or "",
        "server.port": url.port or 443,
        "url.full": event.server + event.route,
        "url.template": event.route,
    }


def _outcome(event: AttemptEnded | CallEnded) -> Attributes:
    attributes: Attributes = {}
    if event.status is not None:
        attributes["http.response.status_code"] = event.status
    if event.error is not None or (event.status or 0) >= 400:
        attributes["error.type"] = event.error or str(event.status)
    return attributes
