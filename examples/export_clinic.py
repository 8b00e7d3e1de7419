"""Export a whole clinic to Parquet files, and continue where an earlier run stopped.

    python examples/export_clinic.py DIRECTORY

Without CLINIKO_API_KEY, this starts a sandbox on this machine. If CLINIKO_API_KEY, CLINIKO_APP_NAME and
CLINIKO_CONTACT_EMAIL are set, it reads that account. It never writes to the account.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cliniko_async import Cliniko, ClinikoError
from cliniko_async.export import ExportProgress, export, exportable
from cliniko_async.sandbox import Sandbox


@asynccontextmanager
async def account() -> AsyncIterator[Cliniko]:
    """Yield a client of the account in the environment, or else of a sandbox started for this run."""
    if "CLINIKO_API_KEY" in os.environ:
        async with Cliniko.from_env() as cliniko:
            yield cliniko
        return
    async with Sandbox(seed=1, api_key="a-key-of-the-sandbox-au1", port=8321) as sandbox:
        options = {"app_name": "Demo", "contact_email": "demo@example.com"}
        async with Cliniko(sandbox.api_key, base_url=sandbox.base_url, **options) as cliniko:
            yield cliniko


def show(progress: ExportProgress) -> None:
    """Print a line for each file that is complete."""
    if progress.complete:
        print(f"{progress.rows:>9,} {progress.resource}")


async def main(directory: str) -> int:
    """Export every resource, and return the exit code."""
    async with account() as cliniko:
        try:
            manifest = await export(
                cliniko,
                exportable(cliniko),
                to=directory,
                format="parquet",
                archived="include",
                on_progress=show,
            )
        except (ClinikoError, OSError) as error:
            print(f"{error}\nRun it again to continue.", file=sys.stderr)
            return 1
    print(f"{sum(each.rows for each in manifest.resources.values()):>9,} records in all, in {directory}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/export_clinic.py DIRECTORY")
    try:
        sys.exit(asyncio.run(main(sys.argv[1])))
    except KeyboardInterrupt:
        sys.exit("Interrupted. Run it again to continue.")
