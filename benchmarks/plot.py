"""The picture of the budget: the requests over time, and how many the server had in its window."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cliniko_async.limits import Priority

from .hammering import Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FINER = re.compile(r"(\d\.\d)\d+")
_BINS_A_PERIOD = 20
_STEPS_A_PERIOD = 30
_PRIORITIES: tuple[Priority, Priority] = ("bulk", "interactive")
_COLOURS = {"bulk": ("#08306b", "#b9d3ea"), "interactive": ("#8c2d04", "#fdb366")}
"""Colours, from the first process to the last."""
_STYLE: Any = {
    "svg.hashsalt": "budget",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
}


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """Draw the setups one below the other: requests over time beside bulk, and the window under both loads."""
    import matplotlib as mpl  # noqa: PLC0415  (needed only for drawing, and it takes a second)

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    full = [one for one in outcomes if one.case.load == "full load"]
    beside = [one for one in outcomes if one.case.load == "mixed load"]
    with mpl.rc_context(_STYLE):
        figure, axes = plt.subplots(
            len(full), 2, figsize=(11, 2.3 * len(full) + 0.9), squeeze=False, sharex=True, sharey="col"
        )
        for row, (busy, mixed) in zip(axes, zip(full, beside, strict=True), strict=True):
            _requests(row[0], mixed)
            _window(row[1], busy, mixed)
        for bottom in axes[-1]:
            bottom.set_xlabel("seconds")
            bottom.set_xticks([full[0].scale.period / 2 * number for number in range(2 * full[0].scale.periods + 3)])
        axes[0][0].legend(*_handles(axes[0][0]), loc="upper right", ncols=2, frameon=False)
        axes[0][1].legend(loc="lower right", frameon=False)
        figure.tight_layout()
        metadata = {"Date": None, "Creator": None} if path.suffix == ".svg" else None
        figure.savefig(path, facecolor="white", metadata=metadata)
        plt.close(figure)
    if path.suffix == ".svg":
        _shorten(path)


def _shorten(path: Path) -> None:
    """Write a picture with a precision of a tenth of a point, and each path on one line."""
    text = _FINER.sub(r"\1", path.read_text(encoding="utf-8")).replace(" \nL ", "L")
    path.write_text("".join(f"{line.rstrip()}\n" for line in text.splitlines()), encoding="utf-8")


def _requests(axes: "Axes", outcome: Outcome) -> None:
    """Stack the processes, bulk below and interactive above."""
    case, scale = outcome.case, outcome.scale
    requests = list(outcome.requests())
    first, width = min(requests)[0], scale.period / _BINS_A_PERIOD
    bins = (scale.periods + 1) * _BINS_A_PERIOD
    edges = [width * number for number in range(bins + 1)]
    below = [0.0] * bins
    for priority in _PRIORITIES:
        for process in range(case.processes):
            counts = [0.0] * bins
            for moment, number, kind in requests:
                index = int((moment - first) / width)
                if (number, kind) == (process, priority) and index < bins:
                    counts[index] += 1
            above = [low + count for low, count in zip(below, counts, strict=True)]
            label = priority if process == 0 else None
            colour = _shade(priority, process, case.processes)
            axes.stairs(above, edges, baseline=below, fill=True, color=colour, label=label, linewidth=0)
            below = above
    processes = f"{case.processes} process{'es' if case.processes > 1 else ''}"
    axes.set_title(f"{processes} by {case.kind}: bulk without pause, 30 calls a minute")
    axes.set_ylabel(f"requests in {width:g} s")
    axes.locator_params(axis="y", integer=True)
    axes.set_ylim(0, 1.7 * scale.limit / _BINS_A_PERIOD)


def _window(axes: "Axes", full: Outcome, beside: Outcome) -> None:
    """Show how many requests a sliding window of the server had, and its limit."""
    scale = full.scale
    for outcome, label, colour in ((full, "all without pause", "#555555"), (beside, "bulk and 30 calls", "#2171b5")):
        moments = sorted(moment for moment, _, _ in outcome.requests())
        lasts = min(moments[-1] - moments[0], (scale.periods + 1) * scale.period)
        steps = int(lasts / scale.period * _STEPS_A_PERIOD)
        marks = [moments[0] + scale.period / _STEPS_A_PERIOD * number for number in range(steps + 1)]
        held = [_most(moments, begin, end, scale.period) for begin, end in pairwise(marks)]
        edges = [mark - marks[0] for mark in marks]
        axes.stairs(held, edges, baseline=None, color=colour, label=label, linewidth=1.3)
    axes.axhline(scale.limit, color="#cb181d", linestyle="--", linewidth=1, label=f"the limit, {scale.limit}")
    axes.set_title("The most that the server's window held")
    axes.set_ylabel(f"requests in the last {scale.period:g} s")
    axes.set_ylim(0, 1.12 * scale.limit)


def _most(moments: Sequence[float], begin: float, end: float, period: float) -> int:
    """Return the largest number of requests in a window that ends between two times."""
    ends = [begin, *moments[bisect_right(moments, begin) : bisect_right(moments, end)]]
    return max(bisect_right(moments, at) - bisect_right(moments, at - period) for at in ends)


def _shade(priority: Priority, process: int, processes: int) -> str:
    from matplotlib.colors import LinearSegmentedColormap, to_hex  # noqa: PLC0415

    colours = LinearSegmentedColormap.from_list(priority, _COLOURS[priority])
    return to_hex(colours(process / max(1, processes - 1)))


def _handles(axes: "Axes") -> tuple[list[Any], list[str]]:
    handles, labels = axes.get_legend_handles_labels()
    return handles[::-1], labels[::-1]
