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

No text of an error holds a key, a query, a body or a value of a record.
"""

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ._dates import Real
from ._http import Request, Response

if TYPE_CHECKING:
    from .pagination import Page

_SHOWN = 5
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
    """A key, name, URL or option that cannot work."""


class UsageError(ClinikoError, RuntimeError):
    """A client that is closed, or is used from another event loop than its own."""


class InvalidRequestError(ClinikoError, ValueError):
    """An argument of a call is invalid: an id, a cursor, a filter or an option. Nothing was sent."""

    def __init__(self, message: str, *, argument: str | None = None) -> None:
        """Take what is wrong, and the name of the argument."""
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

    def __init__(self, reason: str, *, request: Request, attempts: int = 1) -> None:
        super().__init__(reason)
        self.request = request
        self.attempts = attempts

    def __str__(self) -> str:
        return f"{self.request!r} {self.args[0]} ({self.attempts} attempt{'' if self.attempts == 1 else 's'})"


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
    """An answer that is no success."""

    def __init__(self, *, request: Request, response: Response, attempts: int = 1) -> None:
        """Take the request and the answer to it."""
        self.response = response
        self.status = response.status
        super().__init__(self._reason(), request=request, attempts=attempts)

    def _reason(self) -> str:
        return f"answered {self.status}"

    statuses: ClassVar[dict[int, type["ResponseError"]]] = {}

    def __init_subclass__(cls, status: int | None = None) -> None:
        """Register the class for its status."""
        if status is not None:
            ResponseError.statuses[status] = cls


class BadRequestError(ResponseError, status=400):
    """400: a filter or a parameter that the API does not take."""


class UnauthorizedError(ResponseError, status=401):
    """401: the key is wrong, was revoked, or belongs to another shard."""


class ForbiddenError(ResponseError, status=403):
    """403: the role of the key's user does not allow it."""


class NotFoundError(ResponseError, status=404):
    """404: no such record, or one that is archived and was not asked for with `archived=`."""


class UnprocessableError(ResponseError, status=422):
    """422: the API refused what was sent, field by field."""

    errors: dict[str, str | None]
    """What is wrong with each field, under the API's own names; empty where it did not say."""

    def _reason(self) -> str:
        self.errors = _field_errors(self.response.body)
        fields = ", ".join(name for name in self.errors if _FIELD.fullmatch(name))
        return super()._reason() + (f" for {fields}" if fields else "")


class RateLimitedError(ResponseError, status=429):
    """429: over the rate limit, and still so after every attempt."""

    @property
    def retry_at(self) -> dt.datetime | None:
        """When the server said that its limit resets."""
        try:
            return Real.datetime.fromtimestamp(int(self.response.headers["X-RateLimit-Reset"]), dt.UTC)
        except (KeyError, ValueError, OverflowError, OSError):
            return None


class ServerError(ResponseError):
    """5xx: the fault is the server's, and stayed after every attempt."""


def error_for(request: Request, response: Response, attempts: int) -> ResponseError:
    """Give the error of an answer that is no success, by its status."""
    fallback = ServerError if response.status >= 500 else ResponseError
    return ResponseError.statuses.get(response.status, fallback)(request=request, response=response, attempts=attempts)


def _field_errors(body: bytes) -> dict[str, str | None]:
    try:
        errors = json.loads(body)["errors"]
        return {name: text if text is None else str(text) for name, text in errors.items()}
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return {}


class DecodingError(ClinikoError):
    """An answer that is not what the API describes; names the record and the field, never a value."""

    page: "Page[Any] | None" = None
    """In a walk: the page with the records that fit."""

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
        answered = "answered" if status is None else f"answered {status} with"
        source = f"{request!r} {answered} what" if request else "the data"
        super().__init__(f"{source} does not fit: {shown}" + (" (the write was done)" if written else ""))


class LimiterUnavailableError(ClinikoError):
    """What several processes share their limit through cannot be used now; nothing was sent."""


class PaginationError(ClinikoError):
    """A list that cannot be walked to its end; `cursor` is where the walk stands."""


class PaginationDriftError(PaginationError):
    """A list that moved while it was walked, where the walk cannot know what it missed."""
