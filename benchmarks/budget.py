"""Measures the rate budget: `python -m benchmarks.budget [--period 10] [--write]`.

1, 4 and 8 processes share one window before servers that count in three ways, all of them at once, at the real limit
of 200 requests a minute.
"""

import argparse
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import msgspec

from cliniko_async.sandbox.server.rate_limit import WindowType

from .hammer import Kind
from .hammering import Case, Load, Outcome, Scale, hammered
from .measure import Measurement
from .plot import draw

_SETUPS: tuple[tuple[int, Kind], ...] = (
    (1, "SlidingWindowLimiter"),
    (4, "SqliteLimiter"),
    (8, "SqliteLimiter"),
    (4, "RedisLimiter"),
    (8, "RedisLimiter"),
)
_LOADS: tuple[Load, Load] = ("full load", "mixed load")
_DRAWN = (_SETUPS[0], _SETUPS[1], _SETUPS[4])
_BUDGET = 1.03
_SHORTEST_PERIOD = 10.0
_ROOT = Path(__file__).parent.parent
_DOCUMENT = _ROOT / "docs" / "budget.md"
_PICTURE = _DOCUMENT.with_suffix(".svg")
_LAST = _ROOT / ".cache" / "budget"
_BEGIN, _END = "<!-- budget:start -->", "<!-- budget:end -->"
_COUNTING: dict[WindowType, str] = {
    "fixed": "a fixed window",
    "sliding": "a sliding window",
    "bucket": "a bucket of tokens",
}
_CELLS = ("processes", "limiter", "the server counts by", "429", "most in a minute")
_HEAD = (*_CELLS, "full load", "bulk", "call wait, ms: median", "longest")


def measure_processes(scale: Scale | None = None) -> Sequence[Measurement]:
    """Load all windows, draw the results, and return the worst of each setup."""
    scale = scale or Scale()
    cases = [Case(*setup, window, load) for load in _LOADS for setup in _SETUPS for window in _COUNTING]
    most = max(case.processes for case in cases)
    seconds = scale.lasts("mixed load")
    print(f"  {len(cases)} windows, {most} processes, {seconds:.0f} s …", file=sys.stderr, flush=True)
    shutil.rmtree(_LAST, ignore_errors=True)
    outcomes = hammered(cases, scale)
    _LAST.mkdir(parents=True)
    (_LAST / "outcomes.json").write_bytes(msgspec.json.encode(outcomes))
    drawn = [one for one in outcomes if one.case.window == "sliding" and _setup(one) in _DRAWN]
    draw(drawn, _LAST / _PICTURE.name)
    print(f"  drawn: {_LAST / _PICTURE.name}", file=sys.stderr, flush=True)
    refused = {str(outcome.case): outcome.counted.refused for outcome in outcomes if outcome.counted.refused}
    assert not refused, f"answers of 429: {refused}"
    (_LAST / "table.md").write_text(_table(outcomes), encoding="utf-8")
    return list(_lines(outcomes))


def publish() -> None:
    """Write the picture and the table of the last run into the document, between its marks."""
    if not (_LAST / "table.md").exists():
        return  # That run failed, and has reported it.
    text = _DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    table = (_LAST / "table.md").read_text(encoding="utf-8")
    _DOCUMENT.write_text(f"{before}{_BEGIN}\n{table}{_END}{after}", encoding="utf-8")
    _PICTURE.write_bytes((_LAST / _PICTURE.name).read_bytes())


def _setup(outcome: Outcome) -> tuple[int, Kind]:
    return outcome.case.processes, outcome.case.kind


def _of(outcomes: Sequence[Outcome], load: Load) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.case.load == load]


def _lines(outcomes: Sequence[Outcome]) -> Iterator[Measurement]:
    ideal, requests = outcomes[0].scale.ideal, outcomes[0].scale.limit * outcomes[0].scale.periods
    for setup in _SETUPS:
        slowest = max(one.taken for one in _of(outcomes, "full load") if _setup(one) == setup)
        processes, kind = setup
        what = f"{requests} requests, {processes} process{'es' if processes > 1 else ''} by {kind}, no 429"
        yield Measurement(what=what, against="the limit", ours=[slowest], theirs=[ideal], unit="s", budget=_BUDGET)
    beside = _of(outcomes, "mixed load")
    slowest = max(one.taken for one in beside)
    what = "bulk beside 30 interactive calls a minute, no 429"
    yield Measurement(what=what, against="its share", ours=[slowest], theirs=[ideal], unit="s", budget=_BUDGET)
    longest = max(one.waits_in_a_minute()[-1] for one in beside)
    yield Measurement(
        what="the longest wait of one of those calls",
        against="a second",
        ours=[longest],
        theirs=[1.0],
        unit="s",
        budget=1,
    )


def _table(outcomes: Sequence[Outcome]) -> str:
    rows = [_HEAD, ("--:", "---", "---", *["--:"] * 6)]
    pairs = zip(_of(outcomes, "full load"), _of(outcomes, "mixed load"), strict=True)
    rows += [_row(full, beside) for full, beside in pairs]
    scale = outcomes[0].scale
    waits = sorted(seconds for one in _of(outcomes, "mixed load") for seconds in one.waits_in_a_minute())
    rare = waits[int(0.99 * len(waits))]
    said = (
        f"Each line is measured over {scale.periods} periods of {scale.period:g} s at {scale.limit} requests each. "
        f"A response takes {scale.latency:.2g} to {scale.latency + 2 * scale.jitter:.2g} s; part of that passes before "
        f"the request counts. The rule itself allows {scale.ceiling:.1%}. Of {len(waits)} interactive calls in all, "
        f"99 in 100 waited less than {1000 * rare:.0f} ms."
    )
    return "\n".join([textwrap.fill(said, 118), "", *(f"| {' | '.join(row)} |" for row in rows), ""])


def _row(full: Outcome, beside: Outcome) -> tuple[str, ...]:
    waits = beside.waits_in_a_minute()
    return (
        str(full.case.processes),
        f"`{full.case.kind}`",
        _COUNTING[full.case.window],
        str(full.counted.refused + beside.counted.refused),
        str(max(full.counted.most, beside.counted.most)),
        f"{full.share:.1%}",
        f"{beside.share:.1%}",
        f"{1000 * median(waits):.0f}",
        f"{1000 * waits[-1]:.0f}",
    )


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budget")
    parser.add_argument(
        "--period", type=float, default=60.0, help="seconds, at least 10; a shorter one makes every delay weigh more"
    )
    parser.add_argument("--write", action="store_true", help="write the picture and the table into docs, too")
    options = parser.parse_args()
    if not options.period >= _SHORTEST_PERIOD:
        parser.error(f"--period must be at least {_SHORTEST_PERIOD:g}: shorter windows cannot all be filled")
    lines = measure_processes(Scale(period=options.period))
    print((_LAST / "table.md").read_text(encoding="utf-8"))
    for line in lines:
        print(f"{line.what}: {line.ratio:.3f} x {line.against}, {line.verdict}")
    if options.write:
        publish()


if __name__ == "__main__":
    main()
