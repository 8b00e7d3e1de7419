"""The sandbox: a server, its rows, and the methods by which a test reads and changes them."""

import asyncio
import base64
import json
import random
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from types import TracebackType
from typing import Any, Self, TypeVar

from .api.attachments import Attachments
from .api.operations import Api
from .db.rows import Ids, Store
from .db.schema import Table, load
from .options import check_options
from .protocol import SandboxRequest
from .seed.clinic import plant
from .server.app import BASE_PATH, FORM, Server
from .server.faults import Faults
from .server.file_store import FileStore
from .server.listener import Listener
from .server.rate_limit import Budget, Window
from .server.routes import Routes
from .server.thread import LoopThread

T = TypeVar("T")

_tables = cache(load)


class Sandbox:
    """A whole Cliniko on loopback, with the rows of an invented clinic.

    `async with Sandbox() as sandbox:` serves from the running event loop; `with Sandbox() as sandbox:` from a thread of
    its own, for synchronous code and for tests whose event loop does not matter; then its methods may be called from
    any thread.

    Args:
        seed: of all that is invented; the same seed gives the same rows.
        appointment_types: how many are there at the start.
        limit: requests in a period.
        period: in seconds.
        window: how the limit is counted.
        latency: seconds that every answer takes.
        jitter: seconds at the most that a request takes to arrive, before it counts, and as many that its answer takes
            on top; drawn from the seed for each.
        host: where to listen.
        port: where to listen; 0 is any that is free.
        api_key: the key that is right; one of its own by default.
        ids: whether new records have larger ids than older ones.
        unsortable: columns that `sort` refuses.
        shuffle_ties: give records of one second in another order with each request.
        archiving_touches: whether archiving moves `updated_at`.
        clock: seconds, from anywhere.
        wall: seconds since 1970.
        keep_alive: whether a connection stays open after its answer.
        strict: refuse what the API is known to take although its documentation asks for something else.

    Raises:
        ConfigurationError: an option cannot work.

    Attributes:
        faults: what is to go wrong.
        files: the store beside it, where files are posted to; it has requests and faults of its own.
        attachments: how long a file is being processed, and whether its link redirects to the store.
    """

    _running = False

    def __init__(
        self,
        seed: int = 1,
        *,
        appointment_types: int = 24,
        limit: int = 200,
        period: float = 60.0,
        window: Window = "fixed",
        latency: float = 0.0,
        jitter: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        ids: Ids = "rising",
        unsortable: Iterable[str] = (),
        shuffle_ties: bool = False,
        archiving_touches: bool = True,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        keep_alive: bool = True,
        strict: bool = False,
    ) -> None:
        columns = frozenset(unsortable)
        unknown = columns.difference(*(table.columns for table in _tables().values()))
        check_options(seed=seed, appointment_types=appointment_types, limit=limit, period=period, window=window)
        check_options(latency=latency, jitter=jitter, host=host, port=port, api_key=api_key, ids=ids, strict=strict)
        check_options(unsortable=sorted(unknown), shuffle_ties=shuffle_ties, archiving_touches=archiving_touches)
        check_options(clock=clock, wall=wall, keep_alive=keep_alive)
        self.api_key = api_key or _new_key()
        self.faults = Faults()
        self.budget = Budget(limit, period, window, clock)
        self.latency, self.jitter = latency, jitter
        # One of its own, so that what is invented does not depend on how many requests came before.
        self._jitter = random.Random(f"jitter {seed}")
        self._seed, self._appointment_types = seed, appointment_types
        self._host, self._port = host, port
        rng = random.Random(f"sandbox {seed}")
        self._store = Store(_tables(), wall, rng, ids)
        api = Api(self._store, rng, columns, shuffle_ties, archiving_touches, strict)
        self.files = FileStore(wall, clock, keep_alive)
        self.attachments = Attachments(api, self.files)
        routes = Routes(api, self.attachments)
        server = Server(self.api_key, routes, self.budget, self.faults, clock, wall, self._travel, self._pause, strict)
        self._server, self._listener = server, Listener(FORM, server.handle, keep_alive)
        self._thread: LoopThread | None = None

    @property
    def base_url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:8321/v1`; known once it has started."""
        return self._store.base_url

    @property
    def requests(self) -> list[SandboxRequest]:
        """What was received, in order; may be cleared."""
        return self._server.requests

    async def start(self) -> None:
        """Invent the clinic, and listen.

        Raises:
            OSError: the port is taken.
            RuntimeError: it runs already.
        """
        self._check_stopped()
        self._running = True
        self._store.open()
        self.attachments.invented = plant(self._store, self._seed, self._appointment_types)
        try:
            origin = await self._listener.start(self._host, self._port)
            await self.files.start(self._host)
        except OSError:
            await self.close()
            raise
        self._store.base_url = origin + BASE_PATH

    async def close(self) -> None:
        """Close every connection and forget the rows; what was received stays in `requests`."""
        self._running = False
        await self._listener.close()
        await self.files.close()
        self._store.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __enter__(self) -> Self:
        self._check_stopped()
        self._thread = LoopThread()
        try:
            self._thread.run(self.start())
        except BaseException:
            self._stop_thread()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._thread is not None:
                self._thread.run(self.close())
        finally:
            self._stop_thread()

    def _check_stopped(self) -> None:
        # A second start would serve anew elsewhere, and leave who entered first with a server that is gone.
        if self._running:
            raise RuntimeError("the sandbox runs already: leave its block first, or make another one")

    def _stop_thread(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()

    async def _travel(self) -> None:
        if self.jitter > 0:
            await asyncio.sleep(self._jitter.uniform(0, self.jitter))

    async def _pause(self) -> None:
        if self.latency > 0:
            await asyncio.sleep(self.latency)
        await self._travel()

    def add(self, resource: str, **fields: Any) -> str:
        """Add a record and give its id.

        Any field may be given, stamps and `id` too; a link to one record is given as `practitioner_id`. What is not
        given is as after a create; nothing is validated.

        Raises:
            LookupError: there is no such resource.
            TypeError: it has no such field.
        """
        return str(self._call(self._store.insert, self._table(resource), fields))

    def update(self, resource: str, record_id: str | int, **fields: Any) -> None:
        """Change fields of a record, which moves `updated_at` unless it is given.

        Raises:
            LookupError: there is no such record.
        """
        if not self._call(self._store.change, self._table(resource), int(record_id), fields):
            raise LookupError(f"{resource} has no {record_id}")

    def archive(self, resource: str, record_id: str | int) -> None:
        """Archive a record as a user of Cliniko would.

        Raises:
            LookupError: there is no such record.
        """
        self.update(resource, record_id, archived_at=self._store.now())

    def remove(self, resource: str, record_id: str | int) -> None:
        """Remove a record, so that nothing is left of it.

        Raises:
            LookupError: there is no such record.
        """
        if not self._call(self._store.rows.remove, self._table(resource), int(record_id)):
            raise LookupError(f"{resource} has no {record_id}")

    def get(self, resource: str, record_id: str | int) -> dict[str, Any]:
        """A record as it would be sent, archived or not.

        Raises:
            LookupError: there is no such record.
        """
        table = self._table(resource)
        records = self._call(self._records, table, [int(record_id)])
        if not records:
            raise LookupError(f"{resource} has no {record_id}")
        return records[0]

    def all(self, resource: str) -> list[dict[str, Any]]:
        """Every record as it would be sent, archived or not, by id."""
        return self._call(self._records, self._table(resource))

    def _call(self, function: Callable[..., T], *args: Any) -> T:
        """Call what reads or writes rows in the thread that serves them."""
        return function(*args) if self._thread is None else self._thread.call(function, *args)

    def _records(self, table: Table, ids: Sequence[int] | None = None) -> list[dict[str, Any]]:
        """Return the records with these ids, or all of them."""
        rows = self._store.rows
        found = list(rows.column(table, "id")) if ids is None else [each for each in ids if rows.has(table.name, each)]
        return [json.loads(text) for text in self._store.texts(table, found)]

    def _table(self, resource: str) -> Table:
        if resource not in self._store.tables:
            raise LookupError(f"there is no resource {resource}")
        return self._store.tables[resource]


def _new_key() -> str:
    """A key in the form that keys have."""
    inner = f"1-{secrets.randbelow(90_000) + 10_000}-{secrets.token_hex(12)}"
    return f"{base64.b64encode(inner.encode()).decode().rstrip('=')}-au1"
