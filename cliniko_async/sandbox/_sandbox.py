"""The sandbox: its options, and the servers of one clinic."""

import base64
import random
import secrets
import time
from collections.abc import Callable, Iterable
from functools import cache
from types import TracebackType
from typing import Self

from ._record_access import RecordAccess
from .api.attachments import Attachments
from .api.operations import Operations
from .db.row_store import IdOrder, RowStore
from .db.schema import load_tables
from .options import check_options
from .protocol import SandboxRequest
from .seed.clinic import seed_clinic
from .server.delays import Delays
from .server.file_store import FileServer
from .server.listener import Listener
from .server.rate_limit import RateLimit, WindowType
from .server.request_handler import API_STYLE, BASE_PATH, RequestHandler
from .server.routes import Routes
from .server.scripting import Faults
from .server.server_thread import ServerThread

_tables = cache(load_tables)


class Sandbox(RecordAccess):
    """A complete Cliniko API on loopback, with the records of an invented clinic.

    `async with Sandbox() as sandbox:` serves from the running event loop. `with Sandbox() as sandbox:` serves from a
    thread of its own, for synchronous code and for tests in any event loop; its methods may then be called from any
    thread.

    Args:
        seed: Determines the invented records; the same seed invents the same ones.
        appointment_types: The number of appointment types at the start.
        patients: The number of patients at the start, at least 42; those beyond 42 have no appointments.
        limit: Requests allowed in a period.
        period: The period of the limit, in seconds.
        window: How requests are counted against the limit.
        latency: Seconds that every response takes.
        jitter: The maximum random delay, in seconds, before each request is counted, and again before each response in
            addition to the latency; the seed determines the delays.
        host: The address to listen on.
        port: The port to listen on; 0 means any free port.
        api_key: The valid API key; by default a new one for each sandbox.
        ids: Whether ids rise with creation or are random.
        unsortable: Columns that `sort` refuses.
        shuffle_ties: Whether the order of records with the same second changes with each request.
        archiving_touches: Whether archiving changes `updated_at`.
        clock: Returns seconds from any origin; the limit is counted by it.
        wall: Returns seconds since 1970; used for stamps, `Date` and `X-RateLimit-Reset`.
        keep_alive: Whether a connection stays open after its response.
        strict: Whether to refuse what the API is known to accept beyond its documentation.

    Raises:
        ConfigurationError: An option is not valid.

    Attributes:
        faults: The scripted faults.
        budget: The limit, and how many requests were counted and refused.
        files: The file store beside the API, with requests and faults of its own.
        attachments: How long a file is processed, in seconds, and whether its content redirects to the file store.
    """

    def __init__(
        self,
        seed: int = 1,
        *,
        appointment_types: int = 24,
        patients: int = 42,
        limit: int = 200,
        period: float = 60.0,
        window: WindowType = "fixed",
        latency: float = 0.0,
        jitter: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        ids: IdOrder = "rising",
        unsortable: Iterable[str] = (),
        shuffle_ties: bool = False,
        archiving_touches: bool = True,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        keep_alive: bool = True,
        strict: bool = False,
    ) -> None:
        columns = frozenset(unsortable)
        check_options(seed=seed, appointment_types=appointment_types, patients=patients, host=host, port=port)
        check_options(limit=limit, period=period, window=window, latency=latency, jitter=jitter, api_key=api_key)
        check_options(unsortable=_unknown_columns(columns), archiving_touches=archiving_touches)
        check_options(ids=ids, clock=clock, wall=wall, keep_alive=keep_alive, strict=strict, shuffle_ties=shuffle_ties)
        self.api_key = api_key or _new_key()
        self.faults = Faults()
        self.budget = RateLimit(limit, period, window, clock)
        self._size = (seed, appointment_types, patients)
        rng = random.Random(f"sandbox {seed}")
        super().__init__(RowStore(_tables(), wall, rng, ids))
        operations = Operations(self._store, rng, columns, shuffle_ties, archiving_touches, strict)
        self.files = FileServer(host=host, wall=wall, clock=clock, keep_alive=keep_alive)
        self.attachments = Attachments(operations, self.files)
        delays, routes = Delays(latency, jitter, random.Random(f"jitter {seed}")), Routes(operations, self.attachments)
        self._handler = RequestHandler(self.api_key, routes, self.budget, self.faults, delays, clock, wall, strict)
        self._listener = Listener(API_STYLE, self._handler.handle, keep_alive, host, port)

    @property
    def base_url(self) -> str:
        """The base URL of the API, such as `http://127.0.0.1:8321/v1`; known once the sandbox has started."""
        return self._store.base_url

    @property
    def requests(self) -> list[SandboxRequest]:
        """The received requests in order of arrival; the list may be cleared."""
        return self._handler.requests

    def __repr__(self) -> str:
        """Return where it listens and how many requests it has received."""
        where = f"at {self.base_url}, {len(self.requests)} requests" if self._listener.is_open else "not running"
        return f"<Sandbox {where}>"

    async def start(self) -> None:
        """Invent the clinic and start to listen.

        Raises:
            OSError: The port is in use.
            RuntimeError: It is running already.
        """
        self._check_stopped()
        self._store.open()
        self.attachments.seeded = seed_clinic(self._store, *self._size)
        try:
            origin = await self._listener.start()
            await self.files.start()
        except BaseException:
            await self.close()
            raise
        self._store.base_url = origin + BASE_PATH

    async def close(self) -> None:
        """Close every connection and delete the records; `requests` stays."""
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
        thread = ServerThread()
        try:
            thread.run(self.start())
        except BaseException:
            thread.stop()
            raise
        self._thread = thread
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if (thread := self._thread) is not None:
            try:
                thread.run(self.close())
            finally:
                self._thread = None
                thread.stop()

    def _check_stopped(self) -> None:
        # A second start would replace the server that the first one started.
        if self._listener.is_open:
            raise RuntimeError("the sandbox is running already: leave its block first, or create another one")


def _unknown_columns(names: frozenset[str]) -> list[str]:
    """Return the names that no table has as a column."""
    return sorted(names.difference(*(table.columns for table in _tables().values())))


def _new_key() -> str:
    """Return a key in the form of a real one."""
    inner = f"1-{secrets.randbelow(90_000) + 10_000}-{secrets.token_hex(12)}"
    return f"{base64.b64encode(inner.encode()).decode().rstrip('=')}-au1"
