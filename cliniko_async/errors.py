"""The errors, as a tree by what a caller can do about them.

```
ClinikoError
├── ConfigurationError (ValueError)        a key, name, URL or option of a client that cannot work
├── UsageError (RuntimeError)              closed, forked, or another event loop
├── InvalidRequestError (ValueError)       an argument of this call is invalid; nothing was sent
│   └── InvalidFieldsError                 faults in the fields of a write
├── OutcomeUnknownError                    a write that may or may not have happened: look before sending it again
├── TransportError                         no usable answer, and repeating the call is safe
│   ├── TransportTimeoutError (TimeoutError)
│   └── DeadlineExceededError (TimeoutError)
├── ResponseError                          any status that is not a success; a status without a class of its own
│   ├── BadRequestError 400   UnauthorizedError 401   ForbiddenError 403   NotFoundError 404
│   ├── UnprocessableError 422
│   ├── RateLimitedError 429
│   └── ServerError 5xx
├── DecodingError                          an answer that is not what the API describes
├── PaginationError                        a list that cannot be read to its end
│   └── PaginationDriftError               a list that changed while it was read
└── LimiterUnavailableError                the store of a shared limiter cannot be used
```

Whatever is caught as `TransportError` or `ServerError` may be retried; a write whose outcome is open is neither.
No text of an error holds a key, a query, a body or a value of a record.
"""

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ._dates import Real
from ._messages import FileRequest, Request, Response, as_object

if TYPE_CHECKING:
    from .pagination import Page

_SHOWN = 5
_LONGEST_DETAIL = 500
_NOT_TEXT = '<{["'
"""How HTML, XML and JSON begin."""
_FIELD = re.compile(r"[\w.\[\]-]{1,64}", re.ASCII)


def _restore(cls: type["ClinikoError"], args: tuple[Any, ...], state: dict[str, Any]) -> "ClinikoError":
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ClinikoError(Exception):
    """The base of every error of this library."""

    cursor: str | None = None
    """In a walk: where it stands, to be given to `list(cursor=…)`."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by state, as most of these take keyword arguments."""
        return _restore, (type(self), self.args, self.__dict__.copy())


class ConfigurationError(ClinikoError, ValueError):
    """A key, name, URL or option that a client, pool, limiter or retry policy cannot be made with."""


class UsageError(ClinikoError, RuntimeError):
    """A client that is closed, or is used from another event loop than its own."""


class InvalidRequestError(ClinikoError, ValueError):
    """An argument of a call is invalid: an id, a cursor, a filter or an option. Nothing was sent."""

    def __init__(self, message: str, *, argument: str | None = None) -> None:
        """Create the error.

        Args:
            message: What is wrong, and what is expected; never the value.
            argument: The name of the argument; of a filter, the name of its column.
        """
        super().__init__(message)
        self.argument = argument


class InvalidFieldsError(InvalidRequestError):
    """Faults in the fields of a write, found before it was sent."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        """Take the faults, a text for each field."""
        text = "; ".join(f"{field}: {fault}" for field, fault in faults.items())
        super().__init__(text, argument="fields")
        self.faults = dict(faults)


class _RequestError(ClinikoError):
    """An error of one request: says which it was and how often it was tried."""

    summary: ClassVar[str] = ""
    """What happened, in plain words; empty if the reason says it."""

    def __init__(self, reason: str, *, request: Request, attempts: int = 1) -> None:
        super().__init__(reason)
        self.request = request
        self.attempts = attempts

    def __str__(self) -> str:
        summary = self._summary()
        tried = f"{self.attempts} attempt{'' if self.attempts == 1 else 's'}"
        return f"{summary}{': ' if summary else ''}{self.request!r} {self.args[0]} ({tried})"

    def _summary(self) -> str:
        return self.summary


class TransportError(_RequestError):
    """No usable answer came, and repeating the call is safe."""

    def __init__(
        self,
        reason: str,
        *,
        request: Request,
        attempts: int = 1,
        sent: bool = True,
        status: int | None = None,
    ) -> None:
        """Take the request, whether the server may have seen it, and the status where that came before the end."""
        super().__init__(reason, request=request, attempts=attempts)
        self.sent = sent
        self.status = status


class TransportTimeoutError(TransportError, TimeoutError):
    """One attempt took longer than `timeout`."""


class DeadlineExceededError(TransportError, TimeoutError):
    """A call took longer than `deadline`, its waits and repeats counted."""

    retry_after: float | None = None
    """Seconds until the budget allows a request; None where the budget is not what the call waited for."""


class OutcomeUnknownError(_RequestError):
    """A write that may or may not have happened; not a `TransportError`, so that nobody retries it as one.

    `request` is what was sent: look for what it would have created or changed before sending it again.
    """

    def __init__(self, reason: str, *, request: Request, attempts: int = 1, status: int | None = None) -> None:
        """Take the request, and the status of the answer where one came."""
        super().__init__(reason, request=request, attempts=attempts)
        self.status = status


class ResponseError(_RequestError):
    """An answer that is not a success."""

    summary: ClassVar[str] = "the API did not carry out the request"
    statuses: ClassVar[dict[int, type["ResponseError"]]] = {}

    def __init__(self, *, request: Request, response: Response, attempts: int = 1) -> None:
        """Take the request and the answer to it."""
        self.response = response
        self.status = response.status
        super().__init__(f"answered {self.status}", request=request, attempts=attempts)

    def __init_subclass__(cls, status: int | None = None) -> None:
        """Register the class for its status."""
        if status is not None:
            ResponseError.statuses[status] = cls

    @property
    def detail(self) -> str | None:
        """The server's own message, or None if it sent none; it may quote what was sent, so it is not in the text."""
        return _detail(self.response.body)

    def _summary(self) -> str:
        if isinstance(self.request, FileRequest):
            return "the file store did not carry out the request"
        return self.summary


class BadRequestError(ResponseError, status=400):
    """400: a filter or a parameter that the API does not take."""

    summary = "the API did not accept a filter or parameter"


class UnauthorizedError(ResponseError, status=401):
    """401: the key is wrong, was revoked, or belongs to another shard."""

    summary = "the API key was rejected"


class ForbiddenError(ResponseError, status=403):
    """403: the role of the key's user does not allow it."""

    summary = "the user of the API key is not allowed to do this"


class NotFoundError(ResponseError, status=404):
    """404: no such record, or one that is archived and was not asked for with `archived=`."""

    summary = "the record does not exist, or is archived or deleted"


class UnprocessableError(ResponseError, status=422):
    """422: the API refused what was sent, field by field."""

    summary = "the API refused what was sent"

    errors: dict[str, str | None]
    """What is wrong with each field, under the API's own names; empty if the API did not say."""

    def __init__(self, *, request: Request, response: Response, attempts: int = 1) -> None:
        """Take the request and the answer, and read what is wrong with each field."""
        super().__init__(request=request, response=response, attempts=attempts)
        self.errors = _field_errors(response.body)

    def _summary(self) -> str:
        fields = ", ".join(name for name in self.errors if _FIELD.fullmatch(name))
        return f"the API refused {fields}" if fields else super()._summary()


class RateLimitedError(ResponseError, status=429):
    """429: over the rate limit, and still so after every attempt."""

    summary = "the rate limit is exceeded"

    @property
    def retry_at(self) -> dt.datetime | None:
        """When the server said that its limit resets."""
        try:
            return Real.datetime.fromtimestamp(int(self.response.headers["X-RateLimit-Reset"]), dt.UTC)
        except (KeyError, ValueError, OverflowError, OSError):
            return None


class ServerError(ResponseError):
    """5xx: the fault is the server's, and stayed after every attempt."""

    summary = "the server failed"


def error_for(request: Request, response: Response, attempts: int) -> ResponseError:
    """Give the error of an answer that is no success, by its status."""
    fallback = ServerError if response.status >= 500 else ResponseError
    return ResponseError.statuses.get(response.status, fallback)(request=request, response=response, attempts=attempts)


def _field_errors(body: bytes) -> dict[str, str | None]:
    try:
        data = as_object(json.loads(body)) or {}
    except (ValueError, RecursionError):
        return {}
    errors = as_object(data.get("errors")) or {}
    return {name: text if text is None else str(text) for name, text in errors.items()}


def _detail(body: bytes) -> str | None:
    """Return the message in a body: of JSON what it says, of a short plain text all of it."""
    try:
        data = as_object(json.loads(body)) or {}
    except (ValueError, RecursionError):
        text = body[: _LONGEST_DETAIL + 1].decode(errors="replace").strip()
        return text if 0 < len(text) <= _LONGEST_DETAIL and text[0] not in _NOT_TEXT and text.isprintable() else None
    return "; ".join(text for key in ("message", "error", "errors") for text in _sentences(data.get(key))) or None


def _sentences(found: object, depth: int = 3) -> list[str]:
    """Return the texts in a part of a message; a text for a field is told with its name."""
    fields = as_object(found)
    if depth and fields:
        told = {name: ", ".join(_sentences(text, depth - 1)) for name, text in fields.items()}
        return [f"{name}: {text}" if text else name for name, text in told.items()]
    if depth and isinstance(found, list):
        return [text for each in cast("list[object]", found) for text in _sentences(each, depth - 1)]
    return [str(found)] if found and isinstance(found, str | int) else []


class DecodingError(ClinikoError):
    """An answer that is not what the API describes; names the record and the field, never a value."""

    page: "Page[Any] | None" = None
    """While iterating: the page with the records that fit, and `cursor` is after it. None if the page was refused as a
    whole, such as for more than 100 records that do not fit; then `cursor` is before it."""

    def __init__(
        self,
        faults: Sequence[str],
        *,
        request: Request | None = None,
        status: int | None = None,
        written: bool = False,
    ) -> None:
        """Take the faults, each with the id of its record and the path of its field."""
        self.faults = tuple(faults)
        self.request = request
        self.status = status
        self.written = written
        shown = "; ".join(self.faults[:_SHOWN]) + ("; …" if len(self.faults) > _SHOWN else "")
        answered = f" answered {status}" if request and status is not None else ""
        source = (
            f"the answer is not what the API describes: {request!r}{answered}" if request else "the data does not fit"
        )
        super().__init__(f"{source}: {shown}" + (" (the write was done)" if written else ""))


class LimiterUnavailableError(ClinikoError):
    """What several processes share their limit through cannot be used now; nothing was sent."""


class PaginationError(ClinikoError):
    """A list that cannot be read to its end; `cursor` is where the iteration stands."""

    request: Request | None = None
    """The list: a request for it, without the filters."""

    def __str__(self) -> str:
        """What happened, and in which list."""
        return f"{self.args[0]}: {self.request!r}" if self.request else str(self.args[0])


class PaginationDriftError(PaginationError):
    """A list that changed while it was read, so that records may have been missed."""
