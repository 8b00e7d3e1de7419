"""Analyse the appointments of a clinic in polars: how many per weekday and practitioner, and how many were missed.

Without CLINIKO_API_KEY, this starts a sandbox on this machine. If CLINIKO_API_KEY, CLINIKO_APP_NAME and
CLINIKO_CONTACT_EMAIL are set, it reads that account. It never writes.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import polars as pl
import pyarrow as pa

from cliniko_async import Cliniko, ClinikoError, IndividualAppointment, Practitioner
from cliniko_async.integrations.arrow import batches, schema, table
from cliniko_async.sandbox import Sandbox


@asynccontextmanager
async def account() -> AsyncIterator[Cliniko]:
    """Yield a client of the account in the environment, or else of a sandbox started for this run."""
    if "CLINIKO_API_KEY" in os.environ:
        async with Cliniko.from_env(priority="bulk") as cliniko:
            yield cliniko
        return
    async with Sandbox(seed=1) as sandbox:
        options = {"app_name": "Analysis", "contact_email": "analysis@example.com"}
        async with Cliniko(sandbox.api_key, base_url=sandbox.base_url, **options) as cliniko:
            yield cliniko


async def appointments(cliniko: Cliniko) -> pl.DataFrame:
    """Return all appointments, cancelled ones included."""
    listing = cliniko.individual_appointments.list(cancelled="include", prefetch=2)
    found = [batch async for batch in batches(listing)]
    return pl.DataFrame(pa.Table.from_batches(found, schema(IndividualAppointment)))


async def practitioners(cliniko: Cliniko) -> pl.DataFrame:
    """Return the ids and names of the practitioners."""
    active = await cliniko.practitioners.list().collect()
    inactive = await cliniko.practitioners.list_inactive().collect()
    frame = pl.DataFrame(table([*active, *inactive], Practitioner))
    return frame.select(practitioner_id="id", practitioner=pl.col("first_name") + " " + pl.col("last_name"))


async def time_zone(cliniko: Cliniko) -> str:
    """Return the time zone of the first business, or UTC if there is none."""
    business = await cliniko.businesses.list().first()
    return (business and business.time_zone_identifier) or "UTC"


def attendance(booked: pl.DataFrame, people: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Return the appointments of each practitioner and weekday, and the shares that were cancelled or missed."""
    local = pl.col("starts_at").dt.convert_time_zone(zone)
    return (
        booked.join(people, on="practitioner_id", how="left")
        .group_by("practitioner", number=local.dt.weekday(), weekday=local.dt.strftime("%a"))
        .agg(
            booked=pl.len(),
            cancelled=pl.col("cancelled_at").is_not_null().mean().round(2),
            missed=pl.col("did_not_arrive").fill_null(value=False).mean().round(2),
        )
        .sort("practitioner", "number")
        .drop("number")
    )


async def main() -> int:
    """Read, compute, print, and return the exit status."""
    try:
        async with account() as cliniko:
            booked, people = await appointments(cliniko), await practitioners(cliniko)
            zone = await time_zone(cliniko)
    except ClinikoError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
        print(attendance(booked, people, zone))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
