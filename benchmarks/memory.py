"""Memory: of a record that is kept, and of a long stream whose records are not kept."""

import gc
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from cliniko_async import AppointmentType
from cliniko_async._messages import Request, Response
from cliniko_async._records.page import decode_page

from . import peers
from .data import ENVELOPE, PAGE_SIZE, one_page
from .measure import Measurement
from .serving import client, serving

_PAGES = 1000
_A_FEW = 5
_FLAT = 1.25
"""How much more memory an iteration may hold after ten times as many pages: it keeps a hash of each link."""


def measure_kept() -> Sequence[Measurement]:
    """Measure the memory of records that are kept, against the same fields in other forms."""
    body = one_page()
    request, answer = Request("GET", ""), Response(200, {}, body)
    ours = _kept(lambda: decode_page(AppointmentType, ENVELOPE, request, answer).items)
    by_attrs, model = peers.attrs_page(), peers.pydantic_page()
    shapes = {
        "attrs with slots, by hand": (_kept(lambda: by_attrs(body).appointment_types), 1.1),
        "dicts": (_kept(lambda: orjson.loads(body)[ENVELOPE]), None),
        "pydantic": (_kept(lambda: model(body).appointment_types), None),
    }
    return [
        Measurement(what="a record kept", against=name, ours=[ours], theirs=[theirs], unit="kB", budget=budget)
        for name, (theirs, budget) in shapes.items()
    ]


async def measure_streams() -> Sequence[Measurement]:
    """Measure the memory of an iteration over 100,000 records, in the default order and by id."""
    page = page_kept()
    lines: list[Measurement] = []
    with serving(pages=_PAGES) as base_url:
        for what, options in {"default order": {}, "stable=True": {"stable": True}}.items():
            early, late = await _peaks(base_url, options)
            common = {"what": f"100,000 records streamed, {what}", "unit": "kB"}
            lines += [
                Measurement(
                    **common, against=f"a page ({_A_FEW} are a few)", ours=[late], theirs=[page], budget=_A_FEW
                ),
                Measurement(**common, against="its first tenth", ours=[late], theirs=[early], budget=_FLAT),
            ]
    return lines


def page_kept() -> float:
    """Return the kilobytes of a page: its body and its records."""
    return _kept(lambda: [one_page(), peers.attrs_page()(one_page())]) * PAGE_SIZE


async def _peaks(base_url: str, options: dict[str, Any]) -> tuple[float, float]:
    """Return the peak memory in the first and in the last tenth of an iteration."""
    peaks = []
    async with client(base_url) as cliniko:
        await cliniko.appointment_types.list().first()
        gc.collect()
        tracemalloc.start()
        try:
            count = 0
            async for _ in cliniko.appointment_types.list(**options):
                count += 1
                if count % (_PAGES * PAGE_SIZE // 10) == 0:
                    peaks.append(tracemalloc.get_traced_memory()[1] / 1000)
                    tracemalloc.reset_peak()
        finally:
            tracemalloc.stop()
    assert count == _PAGES * PAGE_SIZE
    return peaks[0], peaks[-1]


def _kept(make: Callable[[], object]) -> float:
    """Return the kilobytes per record of a page."""
    make()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = make()
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
        del kept
        return (after - before) / PAGE_SIZE / 1000
    finally:
        tracemalloc.stop()
