"""Bulk creates of patients on a sandbox, and a program that runs one until it is killed."""

import asyncio
import contextlib
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from cliniko_async import Cliniko, Limits, RetryPolicy
from cliniko_async.bulk import BulkOutcome, bulk_create
from cliniko_async.sandbox import Sandbox

WHO = {"app_name": "Tests", "contact_email": "it@example.com"}
RETRY = RetryPolicy(attempts=2, wait_initial=0.01, wait_max=0.01)
SETTLE = 1.0
"""Seconds within which the last requests of a killed program take effect."""


class Unlimited:
    """A limiter that grants every permit, and records the requested priorities."""

    period = 1.0

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.wait = 0.0

    async def acquire(self, priority: str) -> "Unlimited":
        self.asked.append(priority)
        await asyncio.sleep(self.wait)
        return self

    def complete(self) -> None:
        pass

    abandon = cancel = complete

    def pause(self, seconds: float | None) -> float:
        return 0.0

    async def limits(self) -> Limits:
        return Limits(1, 0, 1, {}, 0.0, 0.0)


@attrs.frozen
class Clinic:
    """A sandbox without patients, a client of it, and a journal."""

    sandbox: Sandbox
    cliniko: Cliniko
    journal: Path

    def create(self, rows: Sequence[Mapping[str, Any]], **options: Any) -> Any:
        return bulk_create(self.cliniko.patients, rows, journal=self.journal, **options)

    async def run(self, rows: Sequence[Mapping[str, Any]], **options: Any) -> dict[int, BulkOutcome[Any]]:
        return {outcome.number: outcome async for outcome in self.create(rows, **options)}

    def posts(self) -> int:
        return sum(request.method == "POST" for request in self.sandbox.requests)

    def names(self) -> Counter[tuple[str, str]]:
        return names_in(self.sandbox)


def clear(sandbox: Sandbox) -> None:
    """Remove the invented patients."""
    for patient in sandbox.all("patients"):
        sandbox.remove("patients", patient["id"])


def names_in(sandbox: Sandbox) -> Counter[tuple[str, str]]:
    return Counter((each["first_name"], each["last_name"]) for each in sandbox.all("patients"))


@contextlib.asynccontextmanager
async def clinic(tmp_path: Path, **options: Any) -> AsyncIterator[Clinic]:
    """Open a clinic without a request limit, on the clock of the running loop."""
    clock = asyncio.get_running_loop().time
    async with Sandbox(limit=100_000, clock=clock, wall=lambda: clock() + 1.7e9) as sandbox:
        clear(sandbox)
        own = {"retry": RETRY, "rate_limiter": Unlimited(), **WHO, **options}
        async with Cliniko(sandbox.api_key, base_url=sandbox.base_url, **own) as cliniko:
            yield Clinic(sandbox, cliniko, tmp_path / "patients.journal")


def patients(count: int) -> list[dict[str, Any]]:
    """Return rows; every third one equals another."""
    return [{"first_name": f"First{n // 2 if n % 3 == 0 else n}", "last_name": "Last"} for n in range(count)]


async def main(base_url: str, api_key: str, journal: str, count: int) -> None:
    """Run a bulk create, and print the outcome of each row."""
    client = Cliniko(api_key, base_url=base_url, rate_limiter=Unlimited(), retry=RETRY, **WHO)
    async with client as cliniko:
        found: dict[str, Any] = {}
        run = bulk_create(cliniko.patients, patients(count), journal=journal, settle=SETTLE, concurrency=3)
        async for outcome in run:
            found[str(outcome.number)] = [outcome.status, outcome.id]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
