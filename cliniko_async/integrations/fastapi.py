"""A client for FastAPI applications (extra `fastapi`): lifetime, dependency, errors with a matching status, streams.

```python
app = FastAPI(lifespan=lifespan())
add_exception_handlers(app)

@app.get("/patients/{id}")
async def patient(id: str, cliniko: ClinikoDep) -> Patient:
    return await cliniko.patients.get(id)

@app.get("/patients")
async def patients(cliniko: ClinikoDep) -> Response:
    return ndjson(cliniko.patients.list())
```
"""

import asyncio
import datetime as dt
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Annotated, Any, TypeAlias

from .. import (
    Changes,
    Cliniko,
    ClinikoError,
    DeadlineExceededError,
    DecodingError,
    InvalidFieldsError,
    InvalidRequestError,
    LimiterUnavailableError,
    NotFoundError,
    OutcomeUnknownError,
    PaginationError,
    Paginator,
    RateLimitedError,
    ResponseError,
    TransportError,
    UnprocessableError,
    to_dict,
    to_json,
)

try:
    from fastapi import Depends, FastAPI, Request
    from fastapi.requests import HTTPConnection
    from fastapi.responses import JSONResponse, Response
    from starlette.types import Receive, Scope, Send
except ImportError as error:  # pragma: no cover  (the tests have it)
    raise ImportError('FastAPI is not installed: pip install "cliniko-async[fastapi]"') from error

__all__ = ["ClinikoDep", "add_exception_handlers", "get_cliniko", "lifespan", "ndjson"]

Lifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[dict[str, Cliniko]]]

_STATE = "cliniko"
_RETRY_AFTER = 5
"""Seconds to ask a caller to wait if nobody knows how long."""
_HANDLED = (
    InvalidRequestError,
    OutcomeUnknownError,
    TransportError,
    ResponseError,
    DecodingError,
    PaginationError,
    LimiterUnavailableError,
)
"""The errors of a call. A wrong configuration and a closed client are faults of the application, so they stay a 500."""

_BUSY = (RateLimitedError, DeadlineExceededError, LimiterUnavailableError)
_RESPONSES: tuple[tuple[type[ClinikoError] | tuple[type[ClinikoError], ...], int, str], ...] = (
    (InvalidFieldsError, 422, "some fields are invalid"),
    (UnprocessableError, 422, "Cliniko refused the fields"),
    (InvalidRequestError, 400, "the request is invalid"),
    (NotFoundError, 404, "not found"),
    (_BUSY, 503, "too many requests to Cliniko at the moment"),
    (
        OutcomeUnknownError,
        502,
        "Cliniko did not confirm the change: look whether it was made",
    ),
    (ClinikoError, 502, "Cliniko did not answer as expected"),
)
"""The status and the text of a response, by the first class that fits."""

logger = logging.getLogger("cliniko_async.fastapi")


def lifespan(**options: Any) -> Lifespan:  # noqa: ANN401  (the options of Cliniko)
    """Return a lifespan that opens one client for the application, and closes it at the end.

    To open something else as well, call it in a lifespan of your own:

    ```python
    @asynccontextmanager
    async def own_lifespan(app: FastAPI):
        async with SqliteLimiter("limits.sqlite") as limiter, lifespan(rate_limiter=limiter)(app) as state:
            yield state
    ```

    Args:
        **options: The options of `Cliniko`. The API key, the name of the application, the e-mail address and the base
            URL come from the environment unless they are given, as for `Cliniko.from_env`.

    Returns:
        A function for `FastAPI(lifespan=…)`. It raises a `ConfigurationError` at the start of the application if an
        option or a variable is missing or invalid.
    """

    @asynccontextmanager
    async def open_client(_: Any) -> AsyncGenerator[dict[str, Cliniko]]:  # noqa: ANN401  (any application)
        async with Cliniko.from_env(**options) as cliniko:
            yield {_STATE: cliniko}

    return open_client


def get_cliniko(connection: HTTPConnection) -> Cliniko:
    """Return the client of the application, as a dependency. Override it in tests: `app.dependency_overrides`.

    Args:
        connection: The request or WebSocket.

    Returns:
        The client that `lifespan` opened.

    Raises:
        RuntimeError: The lifespan of the application did not run.
    """
    client = getattr(connection.state, _STATE, None)
    if not isinstance(client, Cliniko):
        raise RuntimeError(  # noqa: TRY004  (nobody passed a wrong type)
            "the application has no client: use FastAPI(lifespan=lifespan()), and `with TestClient(app)` in tests"
        )
    return client


ClinikoDep: TypeAlias = Annotated[Cliniko, Depends(get_cliniko)]
"""The client of the application, as the annotation of a parameter."""


def add_exception_handlers(app: FastAPI) -> None:
    """Answer the errors of calls with a status that says whose fault it was.

    | error | status |
    |---|---|
    | `InvalidFieldsError` | 422, with the faults by field |
    | another `InvalidRequestError` | 400 |
    | `NotFoundError` | 404 |
    | `UnprocessableError` | 422, with Cliniko's errors by field |
    | `RateLimitedError`, `DeadlineExceededError`, `LimiterUnavailableError` | 503, with `Retry-After` in seconds |
    | any other error of a call, such as a refused key | 502 |

    The body is `{"detail": text}`, and `"errors"` where there are fields. It contains no key, no body and no record. A
    503 or 502 is logged as a warning under `cliniko_async.fastapi`. A `ConfigurationError` or `UsageError` is a fault
    of the application and stays a 500.

    Args:
        app: The application.
    """
    for kind in _HANDLED:
        app.add_exception_handler(kind, _answer)


async def _answer(_: Request, error: Exception) -> Response:
    status, body = _status_and_body(error)
    if status < 500:
        return JSONResponse(body, status)
    logger.warning("answered %d: %s: %s", status, type(error).__name__, error)
    return JSONResponse(body, status, {"Retry-After": str(_retry_after(error))} if status == 503 else None)


def _status_and_body(error: Exception) -> tuple[int, dict[str, Any]]:
    status, text = next((status, text) for kinds, status, text in _RESPONSES if isinstance(error, kinds))
    if isinstance(error, InvalidFieldsError):
        return status, {"detail": text, "errors": dict(error.faults)}
    if isinstance(error, UnprocessableError):
        return status, {"detail": text, "errors": dict(error.errors)}
    # The text of an invalid request names the argument and what is expected.
    return status, {"detail": str(error) if isinstance(error, InvalidRequestError) else text}


def _retry_after(error: Exception) -> int:
    """Return the whole seconds after which the caller may try again."""
    seconds: float | None = None
    if isinstance(error, DeadlineExceededError):
        seconds = error.retry_after
    elif isinstance(error, RateLimitedError) and error.retry_at is not None:
        seconds = (error.retry_at - dt.datetime.now(dt.UTC)).total_seconds()
    return _RETRY_AFTER if seconds is None else max(1, math.ceil(seconds))


def ndjson(records: Paginator[Any] | Changes[Any]) -> Response:
    """Return a response that streams a list, one JSON object a line.

    Nothing is requested before the response is sent. The first page is read before the status, so that an error until
    then has a status of its own. A later error ends the stream with a line `{"error": …, "detail": …}`, which has the
    class of the error and its text. The stream stops when the client leaves. A page at a time is in memory.

    Args:
        records: A list, whose lines are records as `to_dict` writes them; or changes, whose lines have the keys
            `"record"` and `"kind"`.

    Returns:
        A response with the media type `application/x-ndjson`.
    """
    return _NdjsonResponse(_record_lines(records) if isinstance(records, Paginator) else _change_lines(records))


async def _record_lines(records: Paginator[Any]) -> AsyncGenerator[bytes]:
    """Yield the lines of each page."""
    async with aclosing(records.pages()) as pages:
        async for page in pages:
            yield b"".join(to_json(record) + b"\n" for record in page.items)


async def _change_lines(changes: Changes[Any]) -> AsyncGenerator[bytes]:
    async with aclosing(aiter(changes)) as stream:
        async for change in stream:
            yield _line({"record": to_dict(change.record), "kind": change.kind})


def _line(value: dict[str, Any]) -> bytes:
    return to_json(value) + b"\n"


class _NdjsonResponse(Response):
    """Sends chunks as they come, until they end, fail, or the client leaves."""

    media_type = "application/x-ndjson"

    def __init__(self, chunks: AsyncGenerator[bytes]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  (as ASGI calls it)
        sending = asyncio.create_task(self._send(send))
        # While the next page is awaited, nothing is sent, so nothing else would notice that the client has left.
        leaving = asyncio.create_task(_until_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            sending.cancel()
            await asyncio.wait({sending, leaving})
        if not sending.cancelled():
            sending.result()

    async def _send(self, send: Send) -> None:
        async with aclosing(self._chunks):
            first = await anext(self._chunks, b"")
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for chunk in _then(first, self._chunks):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


async def _then(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield a chunk and the rest; if that fails, a last line that says so."""
    yield first
    try:
        async for chunk in rest:
            yield chunk
    except ClinikoError as error:
        logger.warning("a stream ended early: %s: %s", type(error).__name__, error)
        yield _line({"error": type(error).__name__, **_status_and_body(error)[1]})


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
