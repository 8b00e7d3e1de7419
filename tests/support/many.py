"""A server of many accounts, each with its own behaviour, that records how many requests were under way at once."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from cliniko_async import AccountPool, SlidingWindowLimiter

from .clients import WHO
from .raw_server import Connection, RawRequest, RawServer, answer, read_request

LIST = {"appointment_types": [], "total_entries": 0, "links": {}}


class ManyServer(RawServer):
    """Answers each key after a delay with a status; a status of 0 resets the connection."""

    def __init__(self, *, slow: Mapping[str, float] | None = None, status: Mapping[str, int] | None = None) -> None:
        super().__init__()
        self.slow = dict(slow or {})
        self.status = dict(status or {})
        self.under_way: Counter[str] = Counter()
        self.most_of: Counter[str] = Counter()
        self.most = 0
        self.most_open = 0
        self.asked: list[str] = []

    async def _take_turn(self, line: Connection, number: int) -> bool:
        self.most_open = max(self.most_open, self.open)
        request = await read_request(line.reader, number)
        if request is None:
            return False
        self.requests.append(request)
        self._news.set()
        key = key_of(request)
        self.asked.append(key)
        self.under_way[key] += 1
        self.most_of[key] = max(self.most_of[key], self.under_way[key])
        self.most = max(self.most, self.under_way.total())
        try:
            await asyncio.sleep(self.slow.get(key, 0.1))
        finally:
            self.under_way[key] -= 1
        status = self.status.get(key, 200)
        if status:
            await answer(status, json.dumps(LIST).encode())(line)
        else:
            line.reset()
        return True


def key_of(request: RawRequest) -> str:
    return base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode().rstrip(":")


def pool_of(server: Any, **options: Any) -> AccountPool:
    """Return a pool of a server's clients; each account has its own limiter on the clock of the running loop."""
    clock = asyncio.get_running_loop().time
    made = {"limiter": lambda _: SlidingWindowLimiter(clock=clock), "base_url": server.base_url}
    return AccountPool(**{**WHO, **made, **options})
