"""One attempt: it has its own permit, is bounded, and is never repeated without the limiter."""

import asyncio
import contextlib
import datetime as dt
import gzip
import json
import tracemalloc
import zlib
from types import SimpleNamespace

import aiohttp
import pytest

from cliniko_async import RetryPolicy
from cliniko_async._http import transport as _transport
from cliniko_async._messages import Server
from cliniko_async.errors import (
    DecodingError,
    NotFoundError,
    OutcomeUnknownError,
    ServerError,
    TransportError,
    TransportTimeoutError,
    UnprocessableError,
)
from tests.support.clients import ONCE, QUICK, RecordingLimiter, client_of, virtually
from tests.support.for_each import for_each
from tests.support.paths import EXAMPLES
from tests.support.raw_server import RawServer, answer, close, flood, raw, reset, silence, stall

TAX = json.loads((EXAMPLES / "tax.json").read_text())
DAY = dt.date(2030, 1, 1)
BOUNDED = tuple(map(int, aiohttp.__version__.split(".")[:2])) >= (3, 14)
BROKEN = [pytest.param(close(), id="closed"), pytest.param(reset(), id="reset")]


async def passing(request, handler):
    """A middleware that does nothing."""
    return await handler(request)


async def hiding(request, handler):
    """A middleware that replaces the error of a lost connection by another one on which aiohttp also resends."""
    try:
        return await handler(request)
    except aiohttp.ClientError:
        raise aiohttp.ClientOSError(104, "lost") from None


SESSIONS = {
    "own": None,
    "borrowed": (),
    "with middlewares": (passing, passing),
    "with a middleware that hides": (hiding,),
}


@pytest.fixture(params=SESSIONS)
def options(request):
    """The options of a client: none, or a session."""

    @contextlib.asynccontextmanager
    async def make():
        middlewares = SESSIONS[request.param]
        if middlewares is None:
            yield {}
        else:
            async with aiohttp.ClientSession(middlewares=middlewares) as session:
                yield {"session": session}

    return make


class TestNoReplay:
    """On a kept connection that breaks, aiohttp would send a GET or DELETE again by itself."""

    @pytest.mark.parametrize("ending", BROKEN)
    @for_each("method", ["GET", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH"])
    @virtually
    async def test_no_request_arrives_without_a_permit_of_its_own(self, options, method, ending):
        limiter = RecordingLimiter()
        async with (
            options() as made,
            RawServer(answer(), ending, answer()) as server,
            client_of(server, rate_limiter=limiter, retry=ONCE, **made) as client,
        ):
            await client.request("GET", "/first")
            with pytest.raises(TransportError, match=r"\(1 attempt\)"):
                await client.request(method, "/things")
            assert server.arrived == ["GET /first", f"{method} /things"]
            assert server.requests[1].connection == 1
        assert limiter.settled_by == ["complete", "abandon"]

    @pytest.mark.parametrize("ending", BROKEN)
    @virtually
    async def test_no_request_on_a_new_connection_arrives_without_a_permit(self, options, ending):
        limiter = RecordingLimiter()
        async with (
            options() as made,
            RawServer(ending) as server,
            client_of(server, rate_limiter=limiter, retry=QUICK, **made) as client,
        ):
            with pytest.raises(TransportError, match=r"\(3 attempts\)"):
                await client.request("DELETE", "/things")
            assert len(server.requests) == len(limiter.permits) == 3

    @virtually
    async def test_concurrent_requests_on_broken_connections_use_one_permit_for_each_that_arrives(self, options):
        limiter = RecordingLimiter()
        turns = [answer()] * 20 + [close(), reset(), answer()] * 20 + [answer()]
        policy = RetryPolicy(attempts=50, wait_initial=0.1)
        async with (
            options() as made,
            RawServer(*turns) as server,
            client_of(server, rate_limiter=limiter, retry=policy, **made) as client,
        ):
            for _ in range(4):
                await asyncio.gather(*(client.request("GET", "/things") for _ in range(10)))
            assert len(server.requests) == len(limiter.permits) > 40

    @virtually
    async def test_the_middlewares_of_a_borrowed_session_see_each_request_once(self):
        seen = []

        async def note(request, handler):
            seen.append(request.method)
            return await handler(request)

        async with (
            RawServer(answer(), close()) as server,
            aiohttp.ClientSession(middlewares=(note,)) as session,
            client_of(server, session=session, retry=ONCE) as client,
        ):
            await client.request("GET", "/things")
            with pytest.raises(TransportError, match="the server closed the connection"):
                await client.request("GET", "/things")
            assert seen == ["GET", "GET"]


WHOLE = b'HTTP/1.1 201 Created\r\nContent-Length: 13\r\n\r\n{"id": "666"}'
UNSOLICITED = {
    "an answer": WHOLE,
    "two answers": WHOLE * 2,
    "the head of an answer": WHOLE.partition(b"{")[0],
    "half a body": WHOLE[:-5],
    "an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n",
    "a farewell": b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    "no http": b"nonsense\r\n\r\n",
}
FRESH = answer(201, TAX | {"id": "7"})
HALF = {"half a head": WHOLE[:30], "a line end": b"\r\n"}


class Talkative:
    """A turn that answers and keeps the connection, so that the server can send more on it."""

    def __init__(self):
        self.answer = answer(200, TAX)

    async def __call__(self, line):
        await self.answer(line)
        self.line = line


def create(client):
    return client.taxes.create(name="GST", rate=10)


def read(client):
    return client.taxes.get("7")


class TestUnsolicitedBytes:
    """Unsolicited bytes on a kept connection are not the response to any request."""

    @pytest.mark.parametrize("send", [create, read])
    @for_each("unsolicited", UNSOLICITED)
    @virtually
    async def test_unsolicited_bytes_are_not_the_response_to_the_next_request(self, options, unsolicited, send):
        turn = Talkative()
        async with (
            options() as made,
            RawServer(turn, FRESH) as server,
            client_of(server, retry=QUICK, **made) as client,
        ):
            await client.taxes.get("1")
            turn.line.writer.write(unsolicited)
            await asyncio.sleep(1)
            assert (await send(client)).id == "7"
            assert [request.connection for request in server.requests] == [1, 2]

    @pytest.mark.parametrize("send", [create, read])
    @for_each("unsolicited", UNSOLICITED | HALF)
    @virtually
    async def test_in_a_session_of_the_client_even_half_a_line_closes_the_connection_before_it_is_used(
        self, unsolicited, send
    ):
        turn, limiter = Talkative(), RecordingLimiter()
        async with RawServer(turn, FRESH) as server, client_of(server, rate_limiter=limiter) as client:
            await client.taxes.get("1")
            turn.line.writer.write(unsolicited)
            await asyncio.sleep(1)
            assert (await send(client)).id == "7"
            assert [request.connection for request in server.requests] == [1, 2]
        assert limiter.settled_by == ["complete", "complete"]

    @for_each("unsolicited", UNSOLICITED)
    @virtually
    async def test_unsolicited_bytes_are_noticed_before_the_loop_has_read_them(self, options, unsolicited):
        turn, limiter = Talkative(), RecordingLimiter()
        async with (
            options() as made,
            RawServer(turn, FRESH) as server,
            client_of(server, rate_limiter=limiter, retry=QUICK, **made) as client,
        ):
            await client.taxes.get("1")
            turn.line.writer.write(unsolicited)
            assert (await create(client)).id == "7"
            assert server.arrived == ["GET /taxes/1", "POST /taxes"]
        assert limiter.settled_by == ["complete", "cancel", "complete"]

    @virtually
    async def test_a_request_refused_for_unsolicited_bytes_was_not_sent(self, options):
        turn = Talkative()
        async with (
            options() as made,
            RawServer(turn, FRESH) as server,
            client_of(server, retry=ONCE, **made) as client,
        ):
            await client.taxes.get("1")
            turn.line.writer.write(WHOLE)
            with pytest.raises(TransportError) as raised:
                await create(client)
            assert not raised.value.sent
            assert server.arrived == ["GET /taxes/1"]

    @for_each("at", [0, 1, 10, len(WHOLE)])
    @virtually
    async def test_unsolicited_bytes_in_the_packet_of_a_response_are_not_the_next_response(self, options, at):
        first = json.dumps(TAX).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(first)}\r\n\r\n".encode()

        async def turn(line):
            await line.write(head + first[:10])
            await asyncio.sleep(1)
            await line.write(first[10:] + WHOLE[:at])
            await asyncio.sleep(1)
            await line.write(WHOLE[at:])

        async with (
            options() as made,
            RawServer(turn, FRESH) as server,
            client_of(server, retry=QUICK, **made) as client,
        ):
            await client.taxes.get("1")
            await asyncio.sleep(3)
            assert (await create(client)).id == "7"
            assert server.arrived == ["GET /taxes/1", "POST /taxes"]

    @virtually
    async def test_a_connection_that_stays_silent_is_used_again(self, options):
        async with (
            options() as made,
            RawServer(answer(200, TAX), answer(204), answer(200, TAX)) as server,
            client_of(server, retry=ONCE, **made) as client,
        ):
            for call in (client.taxes.get("1"), client.taxes.delete("1"), client.taxes.get("1"), create(client)):
                await call
                await asyncio.sleep(1)
            assert {request.connection for request in server.requests} == {1}

    @virtually
    async def test_a_server_that_sends_first_is_not_used(self, options):
        async def serve(reader, writer):
            writer.write(WHOLE)
            await reader.read()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            at = SimpleNamespace(base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
            async with options() as made, client_of(at, retry=ONCE, **made) as client:
                with pytest.raises(TransportError, match=r"was not requested|reset by peer") as raised:
                    await create(client)
                assert not raised.value.sent


async def reading(request, handler):
    response = await handler(request)
    await response.read()
    return response


async def parsing(request, handler):
    response = await handler(request)
    await response.json(content_type=None)
    return response


async def releasing(request, handler):
    async with await handler(request) as response:
        await response.text()
    return response


async def raising(request, handler):
    response = await handler(request)
    response.raise_for_status()
    await response.json()
    return response


class TestBodiesReadBefore:
    """A middleware of the user may log, record or cache the response."""

    @for_each("middlewares", [(reading,), (parsing,), (releasing,), (releasing, reading)])
    @pytest.mark.parametrize("encoding", [None, "gzip"])
    @virtually
    async def test_bodies_that_a_middleware_has_read_are_used(self, middlewares, encoding):
        body = json.dumps(TAX | {"name": "\u00e9\U0001f600"}).encode()
        turn = answer(201, gzip.compress(body), {"Content-Encoding": "gzip"}) if encoding else answer(201, body)
        limiter = RecordingLimiter()
        async with (
            RawServer(turn) as server,
            aiohttp.ClientSession(middlewares=middlewares) as session,
            client_of(server, session=session, rate_limiter=limiter) as client,
        ):
            assert (await create(client)).name == "\u00e9\U0001f600"
            assert (await client.request("GET", "/taxes/1")).body == body
        assert limiter.settled_by == ["complete"] * 2

    @pytest.mark.parametrize("middleware", [reading, releasing])
    @virtually
    async def test_bodies_of_refusals_and_empty_ones_that_a_middleware_has_read_are_used(self, middleware):
        async with (
            RawServer(answer(422, {"errors": {"name": "is taken"}}), answer(204)) as server,
            aiohttp.ClientSession(middlewares=(middleware,)) as session,
            client_of(server, session=session) as client,
        ):
            with pytest.raises(UnprocessableError) as raised:
                await create(client)
            assert raised.value.errors == {"name": "is taken"}
            await client.taxes.delete("1")

    @pytest.mark.parametrize("turn", [answer(404, b"{}"), answer(200, b"<h1>", {"Content-Type": "text/html"})])
    @virtually
    async def test_an_error_that_a_middleware_makes_of_an_answer_is_not_said_to_be_one_of_http(self, turn):
        async with (
            RawServer(turn) as server,
            aiohttp.ClientSession(middlewares=(raising,)) as session,
            client_of(server, session=session, retry=ONCE) as client,
        ):
            with pytest.raises(TransportError, match=r"a middleware raised an error for the status (404|200)"):
                await client.taxes.get("1")

    @virtually
    async def test_a_body_that_a_middleware_has_read_beyond_the_bound_is_refused(self, monkeypatch):
        monkeypatch.setattr(_transport, "LARGEST_RESPONSE", 1000)
        async with (
            RawServer(answer(200, b" " * 1001)) as server,
            aiohttp.ClientSession(middlewares=(reading,)) as session,
            client_of(server, session=session) as client,
        ):
            with pytest.raises(DecodingError, match="larger"):
                await client.request("GET", "/things")


HTML = b"<html><h1>Down for maintenance</h1></html>"
NO_ANSWERS = {
    "a page": HTML,
    "another object": b'{"status": "ok"}',
    "a list": b"[]",
    "a text": b'"ok"',
    "null": b"null",
}
READS = {
    "a record": lambda client: client.taxes.get("1"),
    "a list": lambda client: client.taxes.list().collect(),
    "a count": lambda client: client.taxes.list().count(),
    "settings": lambda client: client.settings.get(),
    "public settings": lambda client: client.public_settings.get(),
    "conflicts": lambda client: client.individual_appointments.conflicts("1"),
    "the next time": lambda client: client.available_times.get_next("1", "1", "1", from_=DAY, to=DAY),
    "a form": lambda client: client.patient_attachments.upload("1", b"x", filename="a.txt"),
}


@for_each("status", [200, 201, 202, 203, 206])
@for_each("body", NO_ANSWERS)
@for_each("read", READS)
@virtually
async def test_a_success_with_an_unusable_body_is_not_a_response(read, body, status):
    async with RawServer(answer(status, body)) as server, client_of(server) as client:
        with pytest.raises(DecodingError) as raised:
            await read(client)
        assert not raised.value.written
        assert len(server.requests) == 1


class TestReasons:
    @for_each(
        "turn, text",
        [
            (close(), "received no response: the server closed the connection"),
            (reset(), "received no response: Connection reset by peer"),
            (raw(b"nonsense\r\n\r\n"), "received no response: the response is not HTTP"),
            (silence(), "received no response within 2 s"),
            (stall(), "received no response within 2 s"),
        ],
    )
    @virtually
    async def test_the_message_of_a_lost_connection_is_readable(self, turn, text):
        async with RawServer(turn) as server, client_of(server, retry=ONCE, timeout=2.0) as client:
            with pytest.raises(TransportError) as raised:
                await client.request("GET", "/things")
            assert str(raised.value) == f"GET 127.0.0.1:{server.port}/v1/things {text} (1 attempt)"
            assert isinstance(raised.value, TimeoutError) == ("within" in text)
            assert raised.value.sent

    @virtually
    async def test_a_response_that_trickles_is_ended_by_the_timeout(self):
        async def trickle(line):
            await line.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(1000):
                await line.write(b" ")
                await asyncio.sleep(0.5)

        async with RawServer(trickle) as server, client_of(server, retry=ONCE, timeout=6.0) as client:
            began = asyncio.get_running_loop().time()
            with pytest.raises(TransportTimeoutError):
                await client.request("GET", "/things")
            assert asyncio.get_running_loop().time() - began == pytest.approx(6, abs=0.1)

    @virtually
    async def test_a_cancellation_that_comes_with_the_timeout_is_not_swallowed(self):
        loop = asyncio.get_running_loop()
        for seconds in (3.0, 7.0):
            async with RawServer(silence()) as server, client_of(server, timeout=seconds, retry=ONCE) as client:
                task = asyncio.create_task(client.request("GET", "/things"))
                loop.call_at(loop.time() + seconds, task.cancel)
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert server.arrived == ["GET /things"]


class TestLargeAnswers:
    @pytest.fixture
    def small(self, monkeypatch):
        monkeypatch.setattr(_transport, "LARGEST_RESPONSE", 1_000_000)

    @for_each("method, written", [("GET", False), ("POST", True), ("PATCH", True), ("DELETE", True)])
    @virtually
    async def test_a_body_beyond_the_bound_is_refused_once_and_not_read_to_its_end(self, small, method, written):
        sent = [0]
        limiter = RecordingLimiter()
        async with RawServer(flood(counter=sent)) as server, client_of(server, rate_limiter=limiter) as client:
            with pytest.raises(DecodingError, match="is larger than 1000000 bytes") as raised:
                await client.request(method, "/things")
            assert (raised.value.written, raised.value.status) == (written, 200)
            await asyncio.sleep(1)
            assert sent[0] < 12_000_000
            assert (server.open, len(server.requests)) == (0, 1)
        assert limiter.settled_by == ["abandon"]

    @virtually
    async def test_a_body_at_the_bound_is_accepted(self, small):
        async with RawServer(answer(200, b" " * 1_000_000)) as server, client_of(server) as client:
            assert len((await client.request("GET", "/things")).body) == 1_000_000

    @pytest.mark.parametrize(("status", "error"), [(404, NotFoundError), (422, UnprocessableError), (503, ServerError)])
    @virtually
    async def test_a_refusal_with_a_large_body_keeps_its_status_and_the_beginning_of_its_body(
        self, small, status, error
    ):
        async with RawServer(flood(status)) as server, client_of(server, retry=ONCE) as client:
            with pytest.raises(error) as raised:
                await client.request("GET", "/things")
            assert len(raised.value.response.body) == 1_000_000
            await asyncio.sleep(1)
            assert server.open == 0

    @virtually
    async def test_a_failed_create_with_an_endless_answer_may_have_happened(self, small):
        async with RawServer(flood(500)) as server, client_of(server) as client:
            with pytest.raises(OutcomeUnknownError):
                await client.request("POST", "/things")
            assert len(server.requests) == 1

    @pytest.mark.parametrize("encoding", ["gzip", "deflate"])
    @virtually
    async def test_a_compression_bomb_is_not_decompressed(self, small, encoding):
        packer = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
        bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(200)) + packer.flush()
        assert len(bomb) < 300_000
        turn = answer(200, bomb, {"Content-Encoding": encoding})
        async with RawServer(turn) as server, client_of(server) as client:
            tracemalloc.start()
            try:
                with pytest.raises(DecodingError, match="larger"):
                    await client.request("GET", "/things")
                # An older aiohttp inflates all that has arrived at once.
                assert tracemalloc.get_traced_memory()[1] < 30_000_000 or not BOUNDED
            finally:
                tracemalloc.stop()

    @virtually
    async def test_a_compressed_answer_is_read_as_it_was_meant(self):
        turn = answer(200, gzip.compress(json.dumps(TAX).encode()), {"Content-Encoding": "gzip"})
        async with RawServer(turn) as server, client_of(server) as client:
            assert (await client.taxes.get("1")).id == TAX["id"]

    @pytest.mark.parametrize("body", [b"[" * 200_000, b"[" * 200_000 + b"]" * 200_000, b'{"a":' * 200_000])
    @virtually
    async def test_json_that_is_nested_too_deeply_is_refused(self, body):
        async with RawServer(answer(200, body)) as server, client_of(server) as client:
            response = await client.request("GET", "/things")
            with pytest.raises(ValueError, match=r"nested too deeply|Expecting"):
                response.json()
            for asked in (client.taxes.get("1"), client.taxes.list().collect()):
                with pytest.raises(DecodingError):
                    await asked


class TestOurOwnServer:
    @for_each(
        "base, url",
        [
            ("http://[::1]:8000/v1", "http://[::1]:8000/v1/x?a=b"),
            ("https://api.au1.cliniko.com/v1", "https://api.au1.cliniko.com/v1/x"),
            ("https://api.au1.cliniko.com/v1", "https://api.au1.cliniko.com:443/v1/x"),
            ("https://api.au1.cliniko.com/v1", "HTTPS://API.au1.cliniko.com/v1/x"),
            ("https://proxy.example", "https://proxy.example/x"),
        ],
    )
    def test_every_spelling_of_a_url_below_the_base_is_recognised(self, base, url):
        own = Server(base).own_url(url)
        assert own is not None
        assert own.startswith(base + "/x")

    @pytest.mark.parametrize("url", [5, None, b"https://proxy.example/x"])
    def test_a_url_that_is_not_a_text_is_refused(self, url):
        assert Server("https://proxy.example").own_url(url) is None
