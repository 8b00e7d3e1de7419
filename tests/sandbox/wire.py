"""A bare aiohttp client of a sandbox, for tests of its HTTP."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import attrs
from yarl import URL

from cliniko_async.sandbox import Sandbox

AGENT = "Wire tests (wire@example.com)"


@attrs.frozen
class WireResponse:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@attrs.frozen
class Wire:
    sandbox: Sandbox
    session: aiohttp.ClientSession

    def headers(self, key: str | None = None) -> dict[str, str]:
        """The headers that every request needs, with the right key or another."""
        user = self.sandbox.api_key if key is None else key
        basic = base64.b64encode(f"{user}:".encode()).decode()
        return {"Authorization": f"Basic {basic}", "User-Agent": AGENT, "Accept": "application/json"}

    async def ask(self, method: str, path: str, *, key: str | None = None, **options: Any) -> WireResponse:
        """Send a request with the right headers, except for those given."""
        headers = self.headers(key) | options.pop("headers", {})
        url = path if path.startswith("http") else self.sandbox.base_url + path
        async with self.session.request(method, URL(url, encoded=True), headers=headers, **options) as answer:
            return WireResponse(answer.status, dict(answer.headers), await answer.read())

    async def get(self, path: str, *filters: str, **params: Any) -> WireResponse:
        pairs = [("q[]", one) for one in filters] + [(name, str(value)) for name, value in params.items()]
        query = urlencode(pairs, quote_via=quote, safe="")
        return await self.ask("GET", f"{path}?{query}" if query else path)

    async def list(self, path: str, *filters: str, **params: Any) -> list[Any]:
        """The records of a successful page."""
        answer = await self.get(path, *filters, **params)
        assert answer.status == 200, answer.body
        return next(value for value in answer.json.values() if isinstance(value, list))

    async def names(self, path: str, *filters: str, **params: Any) -> set[str]:
        return {record["name"] for record in await self.list(path, *filters, **{"per_page": 100, **params})}

    async def post(self, path: str, body: Any = None) -> WireResponse:
        return await self.ask("POST", path, json=body)

    async def patch(self, path: str, body: Any) -> WireResponse:
        return await self.ask("PATCH", path, json=body)

    async def delete(self, path: str) -> WireResponse:
        return await self.ask("DELETE", path)


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Wire]:
    """Run a sandbox, and a client of it that keeps no cookies and has a timeout of ten seconds."""
    timeout = aiohttp.ClientTimeout(total=options.pop("timeout", 10))
    async with Sandbox(**options) as sandbox, aiohttp.ClientSession(timeout=timeout) as session:
        yield Wire(sandbox, session)
