"""A program that posts the changes of a sandbox. Arguments: base URL, key, folder, and the URL of the receiver."""

import asyncio
import sys
from pathlib import Path

from cliniko_async import Cliniko, SlidingWindowLimiter
from cliniko_async.cursors import SqliteCursors
from cliniko_async.webhooks import WebhookSender
from tests.support.clients import WHO


async def main(base_url: str, api_key: str, folder: Path, url: str) -> None:
    limiter = SlidingWindowLimiter(limit=100_000)
    async with (
        Cliniko(api_key, base_url=base_url, rate_limiter=limiter, **WHO) as cliniko,
        WebhookSender.from_env(url, wait_max=0.02, timeout=0.5) as sender,
    ):
        await sender.forward(
            cliniko.appointment_types.watch(store=SqliteCursors(folder / "cursors.sqlite"), every=0.02)
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]))
