"""Draws `docs/images/trace.svg`: the trace of a call that waited for a permit, was retried, and succeeded.

Run it with `make pictures`. The sandbox answers it, so the times differ a little from run to run.
"""

import asyncio
from collections.abc import Sequence
from html import escape
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from cliniko_async import Cliniko, RetryPolicy, SlidingWindowLimiter
from cliniko_async.integrations.opentelemetry import OpenTelemetryObserver
from cliniko_async.sandbox import Sandbox

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "trace.svg"
WIDTH, LEFT, ROW = 840, 190, 30
STYLE = """
  text { font: 13px sans-serif; fill: #24292f }
  .call { fill: #6e7781 } .permit { fill: #bf8700 } .ok { fill: #1a7f37 } .failed { fill: #cf222e }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
"""


async def record() -> Sequence[ReadableSpan]:
    """Make the call, and return its spans in the order of their start."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    observer = OpenTelemetryObserver(tracer_provider=provider)
    limiter = SlidingWindowLimiter(limit=1, period=0.5)
    async with (
        Sandbox(latency=0.12) as sandbox,
        Cliniko(
            sandbox.api_key,
            base_url=sandbox.base_url,
            app_name="Pictures",
            contact_email="it@example.com",
            rate_limiter=limiter,
            retry=RetryPolicy(wait_initial=0.1),
            observers=[observer],
        ) as cliniko,
    ):
        await cliniko.taxes.list().first()
        exporter.clear()
        sandbox.faults.status(503)
        await cliniko.practitioners.list().first()
    return sorted(exporter.get_finished_spans(), key=lambda span: (span.start_time or 0, -(span.end_time or 0)))


def kind_of(span: ReadableSpan) -> str:
    """Return the class of the bar of a span."""
    if span.name.startswith("Cliniko GET"):
        return "call"
    if span.name == "Cliniko permit":
        return "permit"
    return "failed" if span.status.status_code is StatusCode.ERROR else "ok"


def draw(spans: Sequence[ReadableSpan]) -> str:
    """Return the picture: a bar for each span, from its start to its end."""
    begin = min(span.start_time or 0 for span in spans)
    scale = (WIDTH - LEFT - 80) / (max(span.end_time or 0 for span in spans) - begin)
    rows: list[str] = []
    for number, span in enumerate(spans):
        start, end = span.start_time or 0, span.end_time or 0
        x, y, width = LEFT + (start - begin) * scale, number * ROW + 8, max(2.0, (end - start) * scale)
        status = (span.attributes or {}).get("http.response.status_code", "") if span.name.startswith("GET") else ""
        label = f"{(end - start) / 1e6:.0f} ms {status}"
        rows.append(f'<text x="8" y="{y + 14}">{escape(span.name)}</text>')
        rows.append(f'<rect class="{kind_of(span)}" x="{x:.0f}" y="{y}" width="{width:.0f}" height="18" rx="3"/>')
        rows.append(f'<text x="{min(x + width + 6, WIDTH - 74):.0f}" y="{y + 14}">{label}</text>')
    height = len(spans) * ROW + 12
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">'
    return "\n".join([head, f"<style>{STYLE}</style>", *rows, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw(asyncio.run(record())), encoding="utf-8")
    print(f"wrote {PICTURE.name}")
