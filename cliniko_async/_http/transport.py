"""Sends one attempt with aiohttp, and reports in plain words why it got no response."""

import sys
import time
from collections.abc import Callable

import aiohttp
from aiohttp import ClientResponse
from yarl import URL

from .._frames import clear_locals
from .._messages import Credentials, Request, Response
from .._timeouts import Timeouts, TimeoutScope
from ..errors import DecodingError, TransportError, TransportTimeoutError
from .aiohttp_internals import NoReplay, middlewares_of
from .attempt import Attempt, Outcome
from .reasons import reason_of

LARGEST_RESPONSE = 64 * 1024 * 1024
CONNECT_SHARE = 0.75
"""The share of a timeout for connecting, below 1 to tell a timeout before sending from one after it."""
FAILURES = (aiohttp.ClientError, TimeoutError, OSError)
"""What aiohttp raises for an attempt without a response."""
_NEVER_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ServerFingerprintMismatch,
)
_CERTIFICATE_REJECTED = (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch)


class AiohttpTransport:
    """Sends each attempt once with aiohttp."""

    def __init__(self, session: Callable[[], aiohttp.ClientSession], credentials: Credentials, timeout: float) -> None:
        """Create the transport.

        Args:
            session: Returns the session to use.
            credentials: The API key and the User-Agent.
            timeout: Seconds for one attempt.
        """
        self._session = session
        self._headers = credentials.headers()
        self._timeouts = Timeouts(timeout)
        # aiohttp's own total timeout swallows a cancellation that arrives at the same moment.
        self._timeout = aiohttp.ClientTimeout(total=None, connect=timeout * CONNECT_SHARE)

    async def send(self, attempt: Attempt) -> Outcome:
        """Send the attempt once, without following redirects, and read the whole response."""
        attempt.started = True
        outer = id(sys.exception())
        try:
            async with TimeoutScope(self._timeouts):
                return await self._exchange(attempt)
        except BaseException as error:
            # The frames of aiohttp and of the user's middlewares, resolver and trace hooks hold the key.
            clear_locals(error, outer, aiohttp.ClientError)
            if not isinstance(error, FAILURES):
                raise
            return failure_of(attempt, error, self._timeouts.seconds)

    async def _exchange(self, attempt: Attempt) -> Response:
        request, session, started = attempt.request, self._session(), time.monotonic()
        async with session.request(
            request.method,
            URL(request.url, encoded=True),
            data=request.body,
            headers=self._headers if request.body is None else self._headers | {"Content-Type": "application/json"},
            # Without a body, aiohttp would label a POST as an octet stream; skipping that for a GET costs 10 %.
            skip_auto_headers=None if request.method == "GET" else ("Content-Type",),
            timeout=self._timeout,
            allow_redirects=False,
            auto_decompress=True,
            raise_for_status=False,
            middlewares=(NoReplay(attempt), *middlewares_of(session)),
        ) as response:
            attempt.status = response.status
            body = await _body(response, request)
            return Response(response.status, response.headers.copy(), body, elapsed=time.monotonic() - started)


async def _body(response: ClientResponse, request: Request) -> bytes:
    """Read the body of a response, or as much of it as is useful."""
    body = bytearray()
    try:
        if response.content.at_eof():
            body += await read_before(response)
        else:
            while (chunk := await response.content.readany()) and len(body) <= LARGEST_RESPONSE:
                body += chunk
    except (aiohttp.ClientError, OSError):
        # Everything useful in a 429 is in its headers.
        if response.status != 429:
            raise
    if len(body) > LARGEST_RESPONSE and 200 <= response.status < 300:
        fault = f"is larger than {LARGEST_RESPONSE} bytes"
        raise DecodingError([fault], request=request, status=response.status, written=request.method != "GET")
    return bytes(body[:LARGEST_RESPONSE])


async def read_before(response: ClientResponse) -> bytes:
    """Return the body of a response that a middleware may have read already, and even released."""
    # A released response returns its text but not its bytes; Latin-1 maps each byte to one character.
    return (await response.text("latin-1")).encode("latin-1")


def failure_of(
    attempt: Attempt, error: Exception, seconds: float, *, late: str = "received no response within"
) -> TransportError:
    """Return the error for an attempt without a response, and update `sent` and `certificate_rejected` on the attempt.

    Args:
        attempt: The attempt.
        error: What aiohttp raised.
        seconds: The timeout of the attempt.
        late: The text before the seconds if the attempt timed out.
    """
    if isinstance(error, _NEVER_SENT):
        attempt.sent = False
    attempt.certificate_rejected = isinstance(error, _CERTIFICATE_REJECTED)
    kind, reason = TransportError, f"received no response: {reason_of(error)}"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        kind, reason = TransportTimeoutError, f"had no connection within {seconds * CONNECT_SHARE:g} s"
    elif isinstance(error, TimeoutError):
        kind, reason = TransportTimeoutError, f"{late} {seconds:g} s"
    elif isinstance(error, _NEVER_SENT):
        reason = f"had no connection: {reason_of(error)}"
    return kind(reason, request=attempt.request, sent=attempt.sent, status=attempt.status)
