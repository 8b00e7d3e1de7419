"""Stream every appointment type, with a progress bar that shows records, pages, the budget and the time left.

Without CLINIKO_API_KEY, this starts a sandbox on this machine. If CLINIKO_API_KEY, CLINIKO_APP_NAME and
CLINIKO_CONTACT_EMAIL are set, it reads that account. It never writes.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cliniko_async import AppointmentType, Cliniko, ClinikoError
from cliniko_async.sandbox import Sandbox

SHOWN = 12


@asynccontextmanager
async def account(console: Console) -> AsyncIterator[Cliniko]:
    """Yield a client of the account in the environment, or else of a sandbox started for this run."""
    if "CLINIKO_API_KEY" in os.environ:
        async with Cliniko.from_env() as cliniko:
            console.print(f"Reading {cliniko}")
            yield cliniko
        return
    async with Sandbox(seed=1, appointment_types=640, latency=0.06) as sandbox:
        console.print(f"No CLINIKO_API_KEY is set: reading a sandbox at {sandbox.base_url}")
        options = {"app_name": "Demo", "contact_email": "demo@example.com"}
        async with Cliniko(sandbox.api_key, base_url=sandbox.base_url, **options) as cliniko:
            yield cliniko


async def stream(cliniko: Cliniko, console: Console) -> list[AppointmentType]:
    """Return all appointment types, read page by page, and show the progress."""
    bar = Progress(
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("records  {task.fields[pages]} pages  budget {task.fields[budget]}"),
        TimeRemainingColumn(),
        console=console,
    )
    appointment_types: list[AppointmentType] = []
    pages = 0
    with bar:
        task = bar.add_task("appointment types", total=None, pages=0, budget="-")
        async for page in cliniko.appointment_types.list(per_page=20, prefetch=1).pages():
            appointment_types.extend(page.items)
            pages += 1
            limits = await cliniko.limits()
            budget = f"{limits.used}/{limits.limit}"
            bar.update(task, total=page.total_entries, completed=len(appointment_types), pages=pages, budget=budget)
    return appointment_types


def table(appointment_types: list[AppointmentType]) -> Table:
    """Return a table of the first appointment types, with the number of each category as its caption."""
    title = f"{len(appointment_types)} appointment types"
    shown = Table(title=title, caption=categories(appointment_types), caption_justify="left")
    shown.add_column("name", no_wrap=True, max_width=36)
    shown.add_column("category", no_wrap=True)
    shown.add_column("min", justify="right")
    shown.add_column("deposit", justify="right")
    for each in appointment_types[:SHOWN]:
        deposit = "" if each.deposit_price is None else f"{each.deposit_price:.2f}"
        shown.add_row(each.name, each.category or "", str(each.duration_in_minutes), deposit)
    if len(appointment_types) > SHOWN:
        shown.add_row(f"… and {len(appointment_types) - SHOWN} more", "", "", "")
    return shown


def categories(appointment_types: list[AppointmentType]) -> str:
    """Return the number of appointment types in each category, as text."""
    counts = Counter(each.category or "none" for each in appointment_types)
    return ", ".join(f"{name}: {count}" for name, count in counts.most_common())


async def main() -> int:
    """Stream the appointment types, show them, and return the exit status."""
    console = Console()
    try:
        async with account(console) as cliniko:
            appointment_types = await stream(cliniko, console)
    except ClinikoError as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}")
        return 1
    console.print(table(appointment_types))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
