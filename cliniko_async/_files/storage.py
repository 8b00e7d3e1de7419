"""The file store, which holds patient files. It is separate from the API and gets neither key nor contact details."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from .._frames import HiddenLocals
from .._http.aiohttp_internals import NoReplay, middlewares_of
from .._http.attempt import Attempt, Call, Outcome, Transport
from .._http.calls import CallScope
from .._http.options import CallOptions
from .._http.rate_limit import RateLimited
from .._http.reporter import Reported, Reporter
from .._http.retry import Retrying, classify, cut_short, error_of
from .._http.session import SessionManager
from .._http.transport import CONNECT_SHARE, FAILURES, failure_of
from .._messages import FileRequest, Request, Response, is_loopback
from ..errors import DecodingError, ResponseError
from .download import Download
from .multipart import Multipart
from .source import Form, Source, Upload

_AGENT = "cliniko-async"
_LARGEST_RECEIPT = 64 * 1024
_KEY = re.compile(rb"<Key>([^<]*)</Key>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))
_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


class FileStore:
    """Uploads and downloads files."""

    def __init__(self, manager: SessionManager, options: CallOptions, reporter: Reporter) -> None:
        """Create the file store of a client."""
        self._manager = manager
        self._options = options
        self._reporter = reporter

    async def keep(self, new_form: Callable[[], Awaitable[Form]], upload: Upload, source: Source) -> str:
        """Post a file, with a new form for each attempt, and return its URL for the API.

        Raises:
            ResponseError: The store refused it.
            TransportError: The store did not answer.
        """
        policy = self._options.retry
        number = 0
        while True:
            number += 1
            form = await new_form()
            attempt = Attempt(FileRequest("POST", self._checked(form.url)), number, call=Call.begin())
            self._reporter.call_started(attempt)
            await source.start()
            outcome = await self._reported_post(attempt, Multipart(form.fields, upload.filename, source))
            if isinstance(outcome, Response) and 200 <= outcome.status < 300:
                return _joined(form.url, _key(attempt.request, outcome))
            passing = classify(attempt.request, outcome) == "retry" and not attempt.certificate_rejected
            if number == policy.attempts or not passing or not source.again:
                raise error_of(attempt, outcome)
            await self.pause(policy.wait(number, outcome))

    async def pause(self, seconds: float) -> None:
        """Wait for a number of seconds.

        Raises:
            UsageError: The client was closed in the meantime.
        """
        try:
            async with CallScope(self._manager.calls, None):
                await asyncio.sleep(seconds)
        except TimeoutError:
            pass
        self._manager.calls.check_open()

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncGenerator[Download, None]:
        """Open the file at an API URL, following redirects to it.

        Raises:
            ResponseError: The API or the store refused it.
            TransportError: No response arrived.
        """
        async with AsyncExitStack() as stack:
            with HiddenLocals():
                download = await self._opened(stack, request)
            yield download

    async def _opened(self, stack: AsyncExitStack, request: Request) -> Download:
        for _ in range(_MOST_REDIRECTS):
            keyed = self._manager.server.own_url(request.url) is not None
            opening = _Opening(self._ask, stack, self._options.timeout, keyed=keyed)
            try:
                await self._sender(opening).send(request)
            except ResponseError as error:
                request = self._target(error)
            else:
                return Download(self._manager, request, opening.response, self._options.timeout)
        raise DecodingError(["redirects too many times"], request=request)

    def _sender(self, opening: "_Opening") -> Retrying:
        options = self._options
        # Requests to the store do not count against the rate limit of the API.
        inner: Transport = Reported(opening, self._reporter)
        if opening.keyed:
            inner = RateLimited(opening, self._manager.limiter, options.priority, self._reporter)
        return Retrying(inner, options.retry, self._manager, options.deadline, self._reporter)

    def _target(self, error: ResponseError) -> Request:
        """Return the request for the target of a redirect, or re-raise the error if it is not a redirect."""
        location = error.response.headers.get("Location")
        if error.status not in _REDIRECTS or not location:
            raise error
        try:
            url = urljoin(error.request.url, location)
        except ValueError:
            url = location
        own = self._manager.server.own_url(url)
        return Request("GET", own) if own else FileRequest("GET", self._checked(url, error.request))

    def _checked(self, url: str, request: Request | None = None) -> str:
        """Return a file URL if it is safe to use.

        Args:
            url: The URL that the server sent.
            request: The request whose response contained it, if known.

        Raises:
            DecodingError: The URL is not valid, or uses HTTP although it and the API are not both on this machine.
        """
        try:
            parts = URL(url, encoded=True)
            (parts.host or "").encode("idna")  # As in a lookup, where an empty label is an error.
            own = URL(self._manager.server.base_url, encoded=True).host or ""
        except ValueError:
            raise DecodingError(["the location of the file is not a valid URL"], request=request) from None
        if not url.isascii() or not url.isprintable() or " " in url:
            raise DecodingError(["the location of the file is not a valid URL"], request=request)
        local = parts.scheme == "http" and is_loopback(parts.host or "") and is_loopback(own)
        if not parts.host or parts.user is not None or not (parts.scheme == "https" or local):
            raise DecodingError(["the location of the file does not start with https"], request=request)
        return url

    async def _reported_post(self, attempt: Attempt, body: Multipart) -> Outcome:
        outcome: Outcome | None = None
        attempt.began = asyncio.get_running_loop().time()
        try:
            outcome = await self._post(attempt, body)
            return outcome
        finally:
            self._reporter.attempt_ended(attempt, outcome)
            self._reporter.call_ended(attempt, outcome)
            outcome = None  # Its traceback will keep this frame.

    async def _post(self, attempt: Attempt, body: Multipart) -> Outcome:
        attempt.started = True
        seconds = self._options.timeout
        scope = CallScope(self._manager.calls, self._options.deadline)
        try:
            with HiddenLocals(aiohttp.ClientError):
                async with scope, body.guarded(seconds):
                    return await self._exchange(attempt, body)
        except FAILURES as error:
            failure = failure_of(attempt, error, seconds, late="made no progress for")
        # Raised outside the handler so that it is not chained to aiohttp's error, which quotes its text.
        if body.failure is not None:
            raise body.failure
        if scope.is_expired:
            raise cut_short(attempt, closed=self._manager.calls.closed)
        return failure

    async def _exchange(self, attempt: Attempt, body: Multipart) -> Response:
        headers = {"Content-Type": body.content_type, "Content-Length": str(body.size), "Accept": "*/*"}
        async with self._ask(attempt, headers, body) as response:
            read = bytearray()
            while len(read) < _LARGEST_RECEIPT and (piece := await response.content.read(_LARGEST_RECEIPT - len(read))):
                read += piece
            return Response(response.status, response.headers.copy(), bytes(read))

    def _ask(
        self, attempt: Attempt, headers: Mapping[str, str] | None, data: AsyncIterable[bytes] | None = None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send a request with these headers, or if None with those of the API, including the key."""
        session, timeout = self._manager.session(), self._options.timeout
        connect = timeout * CONNECT_SHARE
        return session.request(
            attempt.request.method,
            URL(attempt.request.url, encoded=True),
            data=data,
            # A borrowed session may have its own User-Agent.
            headers=self._manager.credentials.headers() if headers is None else {"User-Agent": _AGENT, **headers},
            # No total timeout, as a file may be of any size.
            timeout=aiohttp.ClientTimeout(total=None, connect=connect, sock_read=None if data else timeout),
            allow_redirects=False,
            raise_for_status=False,
            # The user's middlewares may add credentials, which the store must not receive.
            middlewares=(NoReplay(attempt), *(middlewares_of(session) if headers is None else ())),
        )


class _Opening:
    """A transport that leaves the body of a successful response unread."""

    response: aiohttp.ClientResponse

    def __init__(
        self,
        ask: Callable[[Attempt, Mapping[str, str] | None], AbstractAsyncContextManager[aiohttp.ClientResponse]],
        stack: AsyncExitStack,
        timeout: float,
        *,
        keyed: bool,
    ) -> None:
        self._ask = ask
        self._stack = stack
        self._timeout = timeout
        self.keyed = keyed

    async def send(self, attempt: Attempt) -> Outcome:
        """Send the attempt once, and return the status and headers, with the body only if it failed."""
        attempt.started = True
        try:
            with HiddenLocals(aiohttp.ClientError):
                # For all the headers: aiohttp's read timeout restarts with each chunk received.
                async with asyncio.timeout(self._timeout):
                    return await self._open(attempt)
        except FAILURES as error:
            return failure_of(attempt, error, self._timeout)

    async def _open(self, attempt: Attempt) -> Response:
        headers = None if self.keyed else {"Accept": "*/*"}
        async with AsyncExitStack() as stack:
            response = await stack.enter_async_context(self._ask(attempt, headers))
            body = b""
            if response.status == 200:
                self.response = response
                self._stack.push_async_exit(stack.pop_all())
            elif 200 <= response.status < 300:
                raise DecodingError(["is not the whole file"], request=attempt.request, status=response.status)
            else:
                body = await response.content.read(_LARGEST_RECEIPT)
            return Response(response.status, response.headers.copy(), body)


def _key(request: Request, response: Response) -> str:
    """Return the key of a file from the store's response."""
    found = _KEY.search(response.body)
    try:
        key = found[1].decode() if found else ""
    except UnicodeDecodeError:
        key = ""
    if not key:
        raise DecodingError(["Key is missing"], request=request, status=response.status)
    for entity, sign in _ENTITIES:
        key = key.replace(entity, sign)
    return key


def _joined(url: str, key: str) -> str:
    return url + key if url.endswith("/") or key.startswith("/") else f"{url}/{key}"
