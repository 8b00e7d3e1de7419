"""Stream every appointment type, with a bar that shows pages, records, the budget and the time left.

Without CLINIKO_API_KEY it starts a sandbox on this machine. With it, and with CLINIKO_APP_NAME and
CLINIKO_CONTACT_EMAIL, it reads that account; nothing is written.
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
    """Give a client: of the account in the environment, or else of a sandbox made for this run."""
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
    """Read all appointment types page by page, and show how far it is."""
    bar = Progress(
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("records  {task.fields[pages]} pages  budget {task.fields[budget]}"),
        TimeRemainingColumn(),
        console=console,
    )
    kinds: list[AppointmentType] = []
    pages = 0
    with bar:
        task = bar.add_task("appointment types", total=None, pages=0, budget="-")
        async for page in cliniko.appointment_types.list(per_page=20, prefetch=1).pages():
            kinds.extend(page.items)
            pages += 1
            limits = await cliniko.limits()
            budget = f"{limits.used}/{limits.limit}"
            bar.update(task, total=page.total_entries, completed=len(kinds), pages=pages, budget=budget)
    return kinds


def table(kinds: list[AppointmentType]) -> Table:
    """Show the first of them, and how many there are of each category."""
    shown = Table(title=f"{len(kinds)} appointment types", caption=categories(kinds), caption_justify="left")
    shown.add_column("name", no_wrap=True, max_width=36)
    shown.add_column("category", no_wrap=True)
    shown.add_column("min", justify="right")
    shown.add_column("deposit", justify="right")
    for kind in kinds[:SHOWN]:
        deposit = "" if kind.deposit_price is None else f"{kind.deposit_price:.2f}"
        shown.add_row(kind.name, kind.category or "", str(kind.duration_in_minutes), deposit)
    if len(kinds) > SHOWN:
        shown.add_row(f"… and {len(kinds) - SHOWN} more", "", "", "")
    return shown


def categories(kinds: list[AppointmentType]) -> str:
    """Count the kinds of each category."""
    counted = Counter(kind.category or "none" for kind in kinds)
    return ", ".join(f"{name}: {count}" for name, count in counted.most_common())


async def main() -> int:
    """Stream, and show what came."""
    console = Console()
    try:
        async with account(console) as cliniko:
            kinds = await stream(cliniko, console)
    except ClinikoError as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}")
        return 1
    console.print(table(kinds))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
