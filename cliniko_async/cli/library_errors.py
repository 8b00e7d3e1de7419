"""The lines and exit codes for the errors of the client."""

import sys

from .. import (
    ClinikoError,
    ConfigurationError,
    DecodingError,
    ForbiddenError,
    InvalidFieldsError,
    InvalidRequestError,
    JournalError,
    LimiterUnavailableError,
    NotFoundError,
    OutcomeUnknownError,
    PaginationError,
    RateLimitedError,
    ResponseError,
    ServerError,
    TransportError,
    UnauthorizedError,
)
from .errors import ExitCode
from .words import plain

AGAIN = "it is safe to run the command again"

_LINES: tuple[tuple[type[ClinikoError], ExitCode, str], ...] = (
    (NotFoundError, ExitCode.NOT_FOUND, ""),
    (UnauthorizedError, ExitCode.KEY_REFUSED, "check CLINIKO_API_KEY; `cliniko check` says more"),
    (ForbiddenError, ExitCode.KEY_REFUSED, "an administrator can change the user's role in Cliniko"),
    (RateLimitedError, ExitCode.UNAVAILABLE, "another program uses the same budget; wait a minute"),
    (ServerError, ExitCode.UNAVAILABLE, AGAIN),
    (TransportError, ExitCode.UNAVAILABLE, f"{AGAIN}; `cliniko check` says more"),
    (LimiterUnavailableError, ExitCode.UNAVAILABLE, "CLINIKO_BUDGET_FILE can name another file for it"),
    (OutcomeUnknownError, ExitCode.OUTCOME_UNKNOWN, "look whether it happened before you run it again"),
    (PaginationError, ExitCode.INCOMPLETE, "what was read may be incomplete; run it again"),
    (DecodingError, ExitCode.INVALID_DATA, ""),
    (ConfigurationError, ExitCode.KEY_REFUSED, "`cliniko check` says more"),
    (InvalidRequestError, ExitCode.USAGE, ""),
    (ResponseError, ExitCode.INVALID_DATA, ""),
    (JournalError, ExitCode.FILE, ""),
)


def describe(error: BaseException, *, advice: bool = True) -> tuple[str, ExitCode] | None:
    """Return the line and the exit code for an error of the client, or None for any other error.

    Args:
        error: What a command raised.
        advice: Whether the line says what to do, for the account in CLINIKO_API_KEY.
    """
    for kind, code, hint in _LINES:
        if isinstance(error, kind):
            return f"{_text(error)}; {hint}" if hint and advice else _text(error), code
    return None


def _text(error: BaseException) -> str:
    if isinstance(error, InvalidFieldsError):
        return f"nothing was sent: {plain(str(error))}"
    if isinstance(error, ResponseError) and error.detail and sys.stderr.isatty():
        # What the server says may quote what was sent: on a terminal it helps, in a log it has no place.
        return f"{error}: {error.detail.rstrip('.')}"
    return str(error)
