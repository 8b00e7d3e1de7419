"""Load a clinic into a DuckDB file, and answer a question from it. Run it again: it then reads only what changed.

    python examples/sync_clinic.py clinic.duckdb

Without CLINIKO_API_KEY, this starts a sandbox on this machine. If CLINIKO_API_KEY, CLINIKO_APP_NAME and
CLINIKO_CONTACT_EMAIL are set, it reads that account. It never writes to the account.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import duckdb

from cliniko_async import Cliniko, ClinikoError
from cliniko_async.integrations.dlt import sync
from cliniko_async.sandbox import Sandbox

RESOURCES = ("individual_appointments", "practitioners")
BUSIEST = """
SELECT practitioners.label, count(*) AS appointments
FROM cliniko.individual_appointments JOIN cliniko.practitioners ON practitioner_id = practitioners.id
WHERE cancelled_at IS NULL AND individual_appointments.archived_at IS NULL AND deleted_at IS NULL
GROUP BY ALL ORDER BY appointments DESC, practitioners.label
"""


@asynccontextmanager
async def account() -> AsyncIterator[Cliniko]:
    """Yield a client of the account in the environment, or else of a sandbox started for this run."""
    if "CLINIKO_API_KEY" in os.environ:
        async with Cliniko.from_env(priority="bulk") as cliniko:
            yield cliniko
        return
    async with Sandbox(seed=1, api_key="a-key-of-the-sandbox-au1", port=8322) as sandbox:
        options = {"app_name": "Demo", "contact_email": "demo@example.com"}
        async with Cliniko(sandbox.api_key, base_url=sandbox.base_url, **options) as cliniko:
            yield cliniko


async def main(path: str) -> int:
    """Load the file, print who had most appointments, and return the exit code."""
    async with account() as cliniko:
        try:
            result = await sync(cliniko, f"duckdb:///{path}", resources=RESOURCES)
        except ClinikoError as error:
            print(f"{error}; it is safe to run this again", file=sys.stderr)
            return 1
    for table, rows in result.rows.items():
        print(f"{rows:>9,} rows read into {table}")
    with duckdb.connect(path, read_only=True) as database:
        for label, appointments in database.execute(BUSIEST).fetchall():
            print(f"{appointments:>9,} appointments of {label}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/sync_clinic.py clinic.duckdb")
    sys.exit(asyncio.run(main(sys.argv[1])))
