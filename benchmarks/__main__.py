"""Measures the budgets and prints the table: `python -m benchmarks [--write] [part …]`.

Fails when a part cannot be run, or when a ratio is so far over its budget that no noise explains it.
"""

import argparse
import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable

from . import (
    accounts,
    budget,
    calls,
    cluster,
    databases,
    decoding,
    exports,
    frames,
    imports,
    listing,
    memory,
    report,
    stores,
    waiting,
)
from .generated import generated_client
from .measure import Measurement

Part = Callable[[], Iterable[Measurement] | Awaitable[Iterable[Measurement]]]

PARTS: dict[str, Part] = {
    "decoding": decoding.measure_decoding,
    "encoding": decoding.measure_encoding,
    "calls": calls.measure_calls,
    "steps": calls.measure_steps,
    "permits": calls.measure_permits,
    "stores": stores.measure_stores,
    "listing": listing.measure_listing,
    "ahead": waiting.measure_ahead,
    "budget": waiting.measure_budget,
    "processes": budget.measure_processes,
    "kept": memory.measure_kept,
    "streams": memory.measure_streams,
    "tables": frames.measure_tables,
    "parquet": frames.measure_parquet,
    "million": frames.measure_million,
    "accounts": accounts.measure_accounts,
    "cluster": cluster.measure_cluster,
    "databases": databases.measure_databases,
    "exports": exports.measure_exports,
    "imports": imports.measure_imports,
}


def main() -> int:
    """Run the parts that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"one of {', '.join(PARTS)}; all by default")
    parser.add_argument("--write", action="store_true", help="also write docs/performance.md and the README")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    lines, broken = _run(options.parts or PARTS)
    report.show(lines)
    if options.write:
        report.write(lines)
        if budget.measure_processes in map(PARTS.get, options.parts or PARTS):
            budget.publish()
    for fault in (faults := broken + report.faults(lines)):
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def _run(names: Iterable[str]) -> tuple[list[Measurement], list[str]]:
    lines: list[Measurement] = []
    broken: list[str] = []
    with generated_client():
        for name in names:
            print(f"{name} …", file=sys.stderr, flush=True)
            try:
                lines += _measure(PARTS[name])
            except Exception:  # noqa: BLE001  (the other parts are still measured)
                traceback.print_exc()
                broken.append(f"{name} could not be measured")
    return lines, broken


def _measure(part: Part) -> Iterable[Measurement]:
    made = part()
    return asyncio.run(_awaited(made)) if isinstance(made, Awaitable) else made


async def _awaited(made: Awaitable[Iterable[Measurement]]) -> Iterable[Measurement]:
    return await made


if __name__ == "__main__":
    sys.exit(main())
