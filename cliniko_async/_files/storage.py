"""The store that holds the files of patients: it lies outside of the API, and gets neither the key nor who asks."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from urllib.parse import urljoin

import aiohttp
import msgspec
from yarl import URL

from .._frames import HiddenLocals
from .._http.retry import RateLimited, Retrying, RetryPolicy
from .._http.session import SessionManager
from .._http.transport import CONNECT_SHARE, FAILURES, Call, Once, Transport, failure_of, middlewares_of
from .._messages import FileRequest, Request, Response, is_loopback
from ..errors import (
    DeadlineExceededError,
    DecodingError,
    ResponseError,
    TransportError,
    UsageError,
    error_for,
)
from ..limits import Priority
from .download import Download
from .multipart import Multipart
from .source import Form, Source, Upload

_AGENT = "cliniko-async"
_LARGEST_RECEIPT = 64 * 1024
_KEY = re.compile(rb"<Key>([^<]*)</Key>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))
_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


class StoreOptions(msgspec.Struct, frozen=True):
    """What of a view's options the store goes by: seconds, and who goes first."""

    timeout: float
    deadline: float | None
    retry: RetryPolicy
    priority: Priority


class Store:
    """Keeps files, and gives them back."""

    def __init__(self, manager: SessionManager, options: StoreOptions) -> None:
        """Take the client's session, and how patient it is."""
        self._manager = manager
        self._options = options

    async def keep(self, new_form: Callable[[], Awaitable[Form]], upload: Upload, source: Source) -> str:
        """Post a file, each time with a new form, and return the URL under which the API finds it.

        Raises:
            ResponseError: the store refused it.
            TransportError: the store gave no answer.
        """
        attempt = 0
        while True:
            attempt += 1
            form = await new_form()
            call = Call(FileRequest("POST", self._checked(form.url)))
            await source.start()
            outcome = await self._posted(call, Multipart(form.fields, upload.filename, source))
            if isinstance(outcome, Response) and 200 <= outcome.status < 300:
                return _joined(form.url, _key(call.request, outcome))
            passing = source.again and _is_passing(outcome) and not call.hopeless
            if attempt == self._options.retry.attempts or not passing:
                raise _failed(call.request, outcome, attempt)
            await self.pause(self._options.retry.wait(attempt, outcome))

    async def pause(self, seconds: float) -> None:
        """Wait, unless the client is closed meanwhile.

        Raises:
            UsageError: it was.
        """
        try:
            async with self._manager.call(None):
                await asyncio.sleep(seconds)
        except TimeoutError:
            pass
        self._manager.check_open()

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncGenerator[Download, None]:
        """Open what a URL of the API leads to, whether it gives the file or a redirect to where it is.

        Raises:
            ResponseError: it is not given.
            TransportError: no answer came.
        """
        async with AsyncExitStack() as stack:
            with HiddenLocals():
                download = await self._opened(stack, request)
            yield download

    async def _opened(self, stack: AsyncExitStack, request: Request) -> Download:
        for _ in range(_MOST_REDIRECTS):
            keyed = self._manager.server.own(request.url) is not None
            opening = _Opening(self._ask, stack, self._options.timeout, keyed=keyed)
            try:
                await self._sender(opening).send(request)
            except ResponseError as error:
                request = self._target(error)
            else:
                return Download(self._manager, request, opening.answered, self._options.timeout)
        raise DecodingError(["leads from one redirect to the next"], request=request)

    def _sender(self, opening: "_Opening") -> Retrying:
        options = self._options
        # The store has no part in the rate limit of the API.
        inner: Transport = opening
        if opening.keyed:
            inner = RateLimited(opening, self._manager.limiter, options.priority)
        return Retrying(inner, options.retry, self._manager, options.deadline)

    def _target(self, error: ResponseError) -> Request:
        """Return the request that a redirect leads to, or raise the error that is not a redirect."""
        location = error.response.headers.get("Location")
        if error.status not in _REDIRECTS or not location:
            raise error
        try:
            url = urljoin(error.request.url, location)
        except ValueError:
            url = location
        own = self._manager.server.own(url)
        return Request("GET", own) if own else FileRequest("GET", self._checked(url, error.request))

    def _checked(self, url: str, request: Request | None = None) -> str:
        """Return a URL of the store, if a file may go there.

        Args:
            url: What the API sent.
            request: The request that was answered with it, if known.

        Raises:
            DecodingError: it is not encrypted, and not on this machine with the API.
        """
        try:
            parts = URL(url, encoded=True)
            (parts.host or "").encode("idna")  # As it is looked up; there, an empty label is an error of its own.
            own = URL(self._manager.server.base_url, encoded=True).host or ""
        except ValueError:
            raise DecodingError(["the location of the file is not a valid URL"], request=request) from None
        if not url.isascii() or not url.isprintable() or " " in url:
            raise DecodingError(["the location of the file is not a valid URL"], request=request)
        local = parts.scheme == "http" and is_loopback(parts.host or "") and is_loopback(own)
        if not parts.host or parts.user is not None or not (parts.scheme == "https" or local):
            raise DecodingError(["the location of the file does not start with https"], request=request)
        return url

    async def _posted(self, call: Call, body: Multipart) -> Response | TransportError:
        seconds = self._options.timeout
        scope: asyncio.Timeout | None = None
        try:
            with HiddenLocals(aiohttp.ClientError):
                async with self._manager.call(self._options.deadline) as scope, body.guarded(seconds):
                    return await self._exchange(call, body)
        except FAILURES as error:
            failure = failure_of(call, error, seconds, late="made no headway for")
        # Raised here, as what aiohttp makes of them shows their text.
        if body.failure is not None:
            raise body.failure
        if scope is not None and scope.expired():
            raise self._cut_short(call.request)
        return failure

    def _cut_short(self, request: Request) -> UsageError | DeadlineExceededError:
        if self._manager.closed:
            return UsageError(f"{request!r} was not done before the client was closed")
        return DeadlineExceededError("was not done before the deadline", request=request)

    async def _exchange(self, call: Call, body: Multipart) -> Response:
        headers = {"Content-Type": body.content_type, "Content-Length": str(body.size), "Accept": "*/*"}
        async with self._ask(call, headers, body) as answer:
            read = bytearray()
            while len(read) < _LARGEST_RECEIPT and (piece := await answer.content.read(_LARGEST_RECEIPT - len(read))):
                read += piece
            return Response(answer.status, answer.headers.copy(), bytes(read))

    def _ask(
        self, call: Call, headers: Mapping[str, str] | None, data: AsyncIterable[bytes] | None = None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send a request of these headers, or with the key where there are none."""
        session, timeout = self._manager.session(), self._options.timeout
        connect = timeout * CONNECT_SHARE
        return session.request(
            call.request.method,
            URL(call.request.url, encoded=True),
            data=data,
            # A session that was given may have headers of its own.
            headers=self._manager.credentials.headers() if headers is None else {"User-Agent": _AGENT, **headers},
            # Nothing is timed as a whole: a file takes as long as it takes.
            timeout=aiohttp.ClientTimeout(total=None, connect=connect, sock_read=None if data else timeout),
            allow_redirects=False,
            raise_for_status=False,
            # A middleware of the user's may know a key of its own, which is not for the store.
            middlewares=(Once(call), *(middlewares_of(session) if headers is None else ())),
        )


class _Opening:
    """Sends once, and leaves the body of a success to be read."""

    answered: aiohttp.ClientResponse

    def __init__(
        self,
        ask: Callable[[Call, Mapping[str, str] | None], AbstractAsyncContextManager[aiohttp.ClientResponse]],
        stack: AsyncExitStack,
        timeout: float,
        *,
        keyed: bool,
    ) -> None:
        self._ask = ask
        self._stack = stack
        self._timeout = timeout
        self.keyed = keyed

    async def send(self, call: Call) -> Response:
        """Send it once and return status and headers, with the body of what is no success."""
        call.attempts += 1
        try:
            with HiddenLocals(aiohttp.ClientError):
                # Of the whole head: one that comes byte by byte would put off a timeout of aiohttp's for ever.
                async with asyncio.timeout(self._timeout):
                    return await self._open(call)
        except FAILURES as error:
            failure = failure_of(call, error, self._timeout)
        raise failure

    async def _open(self, call: Call) -> Response:
        headers = None if self.keyed else {"Accept": "*/*"}
        async with AsyncExitStack() as stack:
            answer = await stack.enter_async_context(self._ask(call, headers))
            body = b""
            if answer.status == 200:
                self.answered = answer
                self._stack.push_async_exit(stack.pop_all())
            elif 200 <= answer.status < 300:
                raise DecodingError(["is not the whole file"], request=call.request, status=answer.status)
            else:
                body = await answer.content.read(_LARGEST_RECEIPT)
            return Response(answer.status, answer.headers.copy(), body)


def _key(request: Request, response: Response) -> str:
    """Give the key of a file off the store's receipt, as it stands there."""
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


def _is_passing(outcome: Response | TransportError) -> bool:
    """Whether it may go well the next time; what was kept in vain is forgotten by the store."""
    return isinstance(outcome, TransportError) or outcome.status >= 500 or outcome.status in (408, 429)


def _failed(request: Request, outcome: Response | TransportError, attempts: int) -> ResponseError | TransportError:
    if isinstance(outcome, Response):
        return error_for(request, outcome, attempts)
    outcome.attempts = attempts
    return outcome
