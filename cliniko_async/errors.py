"""The exception hierarchy, organised by what the caller can do.

```
ClinikoError
├── ConfigurationError (ValueError)        a key, name, URL or option of a client that cannot work
├── UsageError (RuntimeError)              closed, forked, or another event loop
├── InvalidRequestError (ValueError)       an argument of this call is invalid; nothing was sent
│   ├── InvalidFieldsError                 faults in the fields of a write
│   └── InvalidRowsError                   faults in the rows of a bulk create or of a file
├── OutcomeUnknownError                    a write that may or may not have happened: check before sending it again
├── TransportError                         no usable response, and repeating the call is safe
│   ├── TransportTimeoutError (TimeoutError)
│   └── DeadlineExceededError (TimeoutError)
├── ResponseError                          any error status, including those without their own class
│   ├── BadRequestError 400   UnauthorizedError 401   ForbiddenError 403   NotFoundError 404
│   ├── UnprocessableError 422
│   ├── RateLimitedError 429
│   └── ServerError 5xx
├── DecodingError                          a response that does not match the API's description
├── PaginationError                        a list that cannot be read to its end
│   └── PaginationDriftError               a list that changed while it was read
├── LimiterUnavailableError                the store of a shared limiter cannot be used
└── JournalError                           the journal of a bulk create cannot be used, or does not fit its rows
```

A `TransportError` or `ServerError` may be retried; a write with an unknown outcome raises neither.
No error message contains a key, a query, a body or a value of a record.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ._dates import Real
from ._error_body import detail_of, errors_by_field
from ._messages import FileRequest, Request, Response

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
    """The base of all errors of this library."""

    cursor: str | None = None
    """While iterating: the position to continue from, with `list(cursor=…)` or `changes(…)`."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the state, because most constructors take keyword arguments."""
        return _restore, (type(self), self.args, self.__dict__.copy())


class ConfigurationError(ClinikoError, ValueError):
    """A key, name, URL or option of a client, pool, limiter or retry policy is invalid."""


class UsageError(ClinikoError, RuntimeError):
    """The client is closed, or is used from a different event loop."""


class InvalidRequestError(ClinikoError, ValueError):
    """An argument of a call is invalid: an id, a cursor, a filter or an option. Nothing was sent.

    Attributes:
        argument: The name of the argument; of a filter, the name of its column.
    """

    def __init__(self, message: str, *, argument: str | None = None) -> None:
        """Create the error.

        Args:
            message: What is wrong, and what is expected; never the value.
            argument: The name of the argument; of a filter, the name of its column.
        """
        super().__init__(message)
        self.argument = argument


class InvalidFieldsError(InvalidRequestError):
    """Fields of a write are invalid. Nothing was sent.

    Attributes:
        faults: What is wrong with each field, by the name of the field.
    """

    def __init__(self, faults: Mapping[str, str]) -> None:
        """Create the error.

        Args:
            faults: What is wrong with each field, by the name of the field.
        """
        text = "; ".join(f"{field}: {fault}" for field, fault in faults.items())
        super().__init__(text, argument="fields")
        self.faults = dict(faults)


class InvalidRowsError(InvalidRequestError):
    """Rows of a bulk create, or of the file that they come from, are invalid. Nothing was sent.

    Attributes:
        faults: What is wrong: for the number of each row (0 for the file as a whole), a text for each field. A fault of
            the whole row has the field "".
    """

    def __init__(self, faults: Mapping[int, Mapping[str, str]]) -> None:
        """Create the error.

        Args:
            faults: What is wrong with each field, by the number of its row.
        """
        self.faults = {number: dict(texts) for number, texts in faults.items()}
        lines = list(self.lines())
        shown = "; ".join(lines[:_SHOWN]) + (f"; … and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else "")
        super().__init__(shown, argument="rows")

    def lines(self, row: str = "row") -> Iterator[str]:
        """Return the faults as text.

        Args:
            row: What to write before the number of a row; "row" by default.

        Yields:
            One line for each fault: the number of the row, the field, and what is wrong with it, but no value.
        """
        for number, texts in self.faults.items():
            for field, text in texts.items():
                yield ": ".join(filter(None, (f"{row} {number}" if number else "", field, text)))


class _RequestError(ClinikoError):
    """An error of one request; the message names the request and the number of attempts."""

    summary: ClassVar[str] = ""
    """What happened, in plain words; empty if the reason is enough."""

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
    """No usable response arrived, and repeating the call is safe.

    Attributes:
        request: The request.
        attempts: How often it was sent.
        sent: Whether the server may have received it.
        status: The HTTP status, if it arrived before the failure.
    """

    def __init__(
        self,
        reason: str,
        *,
        request: Request,
        attempts: int = 1,
        sent: bool = True,
        status: int | None = None,
    ) -> None:
        """Create the error.

        Args:
            reason: What happened, in plain words.
            request: The request.
            attempts: How often it was sent.
            sent: Whether the server may have received it.
            status: The HTTP status, if it arrived before the failure.
        """
        super().__init__(reason, request=request, attempts=attempts)
        self.sent = sent
        self.status = status


class TransportTimeoutError(TransportError, TimeoutError):
    """An attempt took longer than `timeout`."""


class DeadlineExceededError(TransportError, TimeoutError):
    """A call did not finish within `deadline`, including waits and retries, or could not have.

    Attributes:
        retry_after: Seconds until the budget allows a request, or None if the call did not wait for the budget.
    """

    retry_after: float | None = None


class OutcomeUnknownError(_RequestError):
    """A write may or may not have happened. It is not a `TransportError`, so that it is not retried like one.

    Before you send it again, check whether the record was created or changed.

    Attributes:
        request: The request that was sent.
        attempts: How often it was sent.
        status: The HTTP status, if a response arrived.
    """

    def __init__(self, reason: str, *, request: Request, attempts: int = 1, status: int | None = None) -> None:
        """Create the error.

        Args:
            reason: What happened, in plain words.
            request: The request.
            attempts: How often it was sent.
            status: The HTTP status, if a response arrived.
        """
        super().__init__(reason, request=request, attempts=attempts)
        self.status = status


class ResponseError(_RequestError):
    """The API answered with an error status.

    Attributes:
        request: The request.
        response: The response, with its headers and body.
        status: The HTTP status.
        attempts: How often the request was sent.
    """

    summary: ClassVar[str] = "the API did not carry out the request"
    statuses: ClassVar[dict[int, type["ResponseError"]]] = {}

    def __init__(self, *, request: Request, response: Response, attempts: int = 1) -> None:
        """Create the error.

        Args:
            request: The request.
            response: The response to it.
            attempts: How often the request was sent.
        """
        self.response = response
        self.status = response.status
        super().__init__(f"answered {self.status}", request=request, attempts=attempts)

    def __init_subclass__(cls, status: int | None = None) -> None:
        """Register the class for its status."""
        if status is not None:
            ResponseError.statuses[status] = cls

    @property
    def detail(self) -> str | None:
        """The server's message, or None. It may quote the request, so it is not part of the error message."""
        return detail_of(self.response.body)

    def _summary(self) -> str:
        if isinstance(self.request, FileRequest):
            return "the file store did not carry out the request"
        return self.summary


class BadRequestError(ResponseError, status=400):
    """400: the API does not accept a filter or parameter."""

    summary = "the API did not accept a filter or parameter"


class UnauthorizedError(ResponseError, status=401):
    """401: the API key is wrong, was revoked, or belongs to another shard."""

    summary = "the API key was rejected"


class ForbiddenError(ResponseError, status=403):
    """403: the role of the key's user does not allow the request."""

    summary = "the user of the API key is not allowed to do this"


class NotFoundError(ResponseError, status=404):
    """404: the record does not exist, or is archived and `archived=` was not used to include it."""

    summary = "the record does not exist, or is archived or deleted"


class UnprocessableError(ResponseError, status=422):
    """422: the API rejected fields.

    Attributes:
        errors: What is wrong with each field, by the API's own names; empty if the API did not say.
    """

    summary = "the API refused what was sent"

    errors: dict[str, str | None]

    def __init__(self, *, request: Request, response: Response, attempts: int = 1) -> None:
        """Create the error.

        Args:
            request: The request.
            response: The response to it.
            attempts: How often the request was sent.
        """
        super().__init__(request=request, response=response, attempts=attempts)
        self.errors = errors_by_field(response.body)

    def _summary(self) -> str:
        fields = ", ".join(name for name in self.errors if _FIELD.fullmatch(name))
        return f"the API refused {fields}" if fields else super()._summary()


class RateLimitedError(ResponseError, status=429):
    """429: the rate limit was exceeded, and still was after every attempt."""

    summary = "the rate limit is exceeded"

    @property
    def retry_at(self) -> dt.datetime | None:
        """When the server resets its limit, in UTC, or None if it did not say."""
        try:
            return Real.datetime.fromtimestamp(int(self.response.headers["X-RateLimit-Reset"]), dt.UTC)
        except (KeyError, ValueError, OverflowError, OSError):
            return None


class ServerError(ResponseError):
    """5xx: the server failed, and still did after every attempt. The call may be repeated."""

    summary = "the server failed"


def error_for(request: Request, response: Response, attempts: int) -> ResponseError:
    """Return the error for a response that is not a success.

    Args:
        request: The request.
        response: The response to it.
        attempts: How often the request was sent.

    Returns:
        An error of the class for the status.
    """
    fallback = ServerError if response.status >= 500 else ResponseError
    return ResponseError.statuses.get(response.status, fallback)(request=request, response=response, attempts=attempts)


class DecodingError(ClinikoError):
    """A response, or data passed to `from_dict`, does not match the record. The message never contains a value.

    Attributes:
        faults: What is invalid, each with the id of the record and the paths of its fields.
        request: The request, or None if there was none.
        status: The HTTP status of the response, or None.
        written: Whether a write was carried out, although its response cannot be read.
        page: While iterating: the page with its valid records; `cursor` continues after it. None if the whole page was
            rejected, for example because of more than 100 invalid records; then `cursor` is before it.
    """

    page: "Page[Any] | None" = None

    def __init__(
        self,
        faults: Sequence[str],
        *,
        request: Request | None = None,
        status: int | None = None,
        written: bool = False,
    ) -> None:
        """Create the error.

        Args:
            faults: What is invalid, each with the id of the record and the paths of its fields.
            request: The request, or None if there was none.
            status: The HTTP status of the response, or None.
            written: Whether a write was carried out.
        """
        self.faults = tuple(faults)
        self.request = request
        self.status = status
        self.written = written
        shown = "; ".join(self.faults[:_SHOWN]) + ("; …" if len(self.faults) > _SHOWN else "")
        answered = f" answered {status}" if request and status is not None else ""
        source = (
            f"the response is not what the API describes: {request!r}{answered}" if request else "the data does not fit"
        )
        super().__init__(f"{source}: {shown}" + (" (the write was done)" if written else ""))


class LimiterUnavailableError(ClinikoError):
    """The store of a shared limiter cannot be used. Nothing was sent."""


class JournalError(ClinikoError):
    """The journal of a bulk create cannot be used, or does not fit the rows, the account or the resource.

    A row that was already being sent when it is raised is looked up by the next run.
    """


class PaginationError(ClinikoError):
    """A list cannot be read to its end, because its pages are inconsistent. `cursor` is the last position."""

    request: Request | None = None
    """A request for the list, without the filters."""

    def __str__(self) -> str:
        """Return what happened and in which list."""
        return f"{self.args[0]}: {self.request!r}" if self.request else str(self.args[0])


class PaginationDriftError(PaginationError):
    """A list changed while it was read, so that records may have been missed."""
