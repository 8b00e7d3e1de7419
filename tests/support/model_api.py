"""A client of a model server: responses arrive in any order, and some are lost."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import attrs
import msgspec

from cliniko_async._messages import Request, Response, Server
from cliniko_async._paging.pager import ListSpec
from cliniko_async.errors import TransportError, error_for
from cliniko_async.pagination import Paginator

from .model_server import BASE, Model, RefusedError, Thing, query_of

T = TypeVar("T")


@attrs.define
class ModelApi:
    """Sends requests to a model server; `choices` decides how long they take, and which fail."""

    model: Model
    failures: int = 0
    """One in this many requests fails; 0 means none."""
    server: Server = attrs.field(factory=lambda: Server(BASE))
    account_digest: bytes = b"the account"
    unsortable: set[str] = attrs.field(factory=set)
    sent: list[str] = attrs.field(factory=list)
    on_send: Callable[[], object] = lambda: None

    async def send(self, request: Request) -> Response:
        self.sent.append(request.url)
        self.on_send()
        await self._turns()
        self._fail(request)
        self.model.pass_time()
        try:
            page = self.model.snapshot(request.url)
        except RefusedError:
            raise error_for(request, Response(400, {}, b""), 1) from None
        await self._turns()
        self._fail(request)
        body = {"things": [attrs.asdict(row) for row in page.rows], "total_entries": page.total_entries}
        return Response(200, {}, msgspec.json.encode(body | {"links": {"next": page.next}}))

    async def _turns(self) -> None:
        for _ in range(self.model.choices.pick(4)):
            await asyncio.sleep(0)

    def _fail(self, request: Request) -> None:
        if self.failures and self.model.choices.pick(self.failures) == 1:
            raise TransportError("received no response", request=request)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return asyncio.get_running_loop().create_task(work)


def things(api: Any, cursor: str | None = None, *, limit: int | None = None, prefetch: int = 0, **options: Any) -> Any:
    """Return the list of a model server as a user sees it."""
    query = query_of(**options)
    return Paginator(ListSpec(api, Thing, "things", query, limit=limit, prefetch=prefetch), cursor)
