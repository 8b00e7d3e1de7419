"""A program that watches a sandbox and writes each change to a file. Arguments: the base URL, the key, a folder."""

import asyncio
import sys
from pathlib import Path

from cliniko_async import Cliniko, SlidingWindowLimiter
from cliniko_async.cursors import SqliteCursors
from tests.support.clients import WHO


async def main(base_url: str, api_key: str, folder: Path) -> None:
    limiter = SlidingWindowLimiter(limit=100_000)
    async with Cliniko(api_key, base_url=base_url, rate_limiter=limiter, **WHO) as cliniko:
        with (folder / "changes").open("a", encoding="utf-8") as file:
            watch = cliniko.appointment_types.watch(store=SqliteCursors(folder / "cursors.sqlite"), every=0.02)
            async for change in watch:
                file.write(f"{change.record.id} {change.record.name}\n")
                file.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
