"""The delays of requests and replies."""

import asyncio
import random

import attrs


@attrs.frozen
class Delays:
    """How long requests and replies take."""

    latency: float
    jitter: float
    rng: random.Random
    """A generator of its own, so that the invented records do not depend on the number of requests."""

    async def of_request(self) -> None:
        """Wait before a request is recorded and counted: for a random part of the jitter."""
        if self.jitter > 0:
            await asyncio.sleep(self.rng.uniform(0, self.jitter))

    async def of_reply(self) -> None:
        """Wait before a reply is sent: for the latency and a random part of the jitter."""
        if self.latency > 0:
            await asyncio.sleep(self.latency)
        await self.of_request()
