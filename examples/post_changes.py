"""Post the changes of appointments and patients to a URL as signed webhooks, for as long as it runs.

    CLINIKO_API_KEY, CLINIKO_APP_NAME, CLINIKO_CONTACT_EMAIL and CLINIKO_WEBHOOK_SECRET must be set.
    python examples/post_changes.py https://example.com/cliniko

Stop it whenever you like: it continues where it was, and posts only what changes from its first start on.
"""

import asyncio
import logging
import sys
from datetime import UTC, datetime

from cliniko_async import Cliniko
from cliniko_async.cursors import SqliteCursors
from cliniko_async.webhooks import WebhookSender


async def main(url: str) -> None:
    """Post every change until it is stopped."""
    cursors, now = SqliteCursors("cursors.sqlite"), datetime.now(UTC)
    async with (
        Cliniko.from_env() as cliniko,
        WebhookSender.from_env(url, dead_letters="dead-letters.ndjson") as sender,
    ):
        resources = (cliniko.individual_appointments, cliniko.group_appointments, cliniko.patients)
        await sender.forward(*(each.watch(store=cursors, since=now) for each in resources))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)  # What the watches and the sender survive.
    try:
        asyncio.run(main(sys.argv[1]))
    except KeyboardInterrupt:
        print("stopped; the next run continues here")
