"""Whether a write happened, for each way in which it may end, by a server that counts the requests it reads."""

import asyncio
import json
from types import SimpleNamespace

import aiohttp
import pytest

from cliniko_async.errors import (
    BadRequestError,
    DeadlineExceededError,
    DecodingError,
    ForbiddenError,
    NotFoundError,
    OutcomeUnknownError,
    ResponseError,
    ServerError,
    TransportError,
    TransportTimeoutError,
    UnauthorizedError,
    UnprocessableError,
)
from tests.support.clients import ONCE, QUICK, RecordingLimiter, client_of, virtually
from tests.support.for_each import for_each
from tests.support.inside import manager_of, replace_session
from tests.support.paths import EXAMPLES
from tests.support.raw_server import (
    RawServer,
    answer,
    close,
    cut,
    deaf_port,
    free_port,
    raw,
    reset,
    silence,
    stall,
)

TAX = json.loads((EXAMPLES / "tax.json").read_text())
PATIENT = json.loads((EXAMPLES / "patient.json").read_text())


def create(client):
    return client.taxes.create(name="GST", rate=10)


def unarchive(client):
    return client.patients.unarchive("1")


def cancel(client):
    return client.individual_appointments.cancel("1", cancellation_reason=50)


def post(client):
    return client.request("POST", "/things", json={})


def archive(client):
    return client.patients.archive("1")


def delete(client):
    return client.taxes.delete("1")


def update(client):
    return client.taxes.update("1", name="GST")


def get(client):
    return client.taxes.get("1")


NEVER_TWICE = [create, unarchive, cancel, post]
MAY_BE_REPEATED = [archive, delete, update, get]
REMOVE = [archive, delete]

UNKNOWN = {
    "408": answer(408),
    "500": answer(500, b"<html>"),
    "502": answer(502),
    "503": answer(503),
    "504": answer(504),
    "closed": close(),
    "reset": reset(),
    "cut head": raw(b"HTTP/1.1 201 Created\r\nContent-Le"),
    "no http": raw(b"\x16\x03\x01"),
    "no chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "cut 500": cut(500),
    "cut 422": cut(422, b'{"errors": {"na'),
    "stalled 400": stall(400),
    "silent": silence(),
}
REDIRECTS_AFTER_SUCCESS = {"302": answer(302, b"", {"Location": "/v1/x"}), "303": answer(303)}
WRITTEN = {
    "cut": cut(201),
    "cut before the body": cut(200, b""),
    "stalled": stall(201),
    "reset in the body": cut(200, b'{"id": "1", "na'),
    "not gzip": answer(200, b"abc", {"Content-Encoding": "gzip"}),
}


@pytest.fixture(params=["own session", "borrowed session"])
def options(request):
    """The options of a client: none, or a session."""

    async def make():
        return {} if request.param == "own session" else {"session": aiohttp.ClientSession()}

    return make


class Bench:
    """A client and a raw server, with their counters."""

    def __init__(self, options, *turns, **more):
        self.server = RawServer(*turns)
        self.options = options
        self.more = {"retry": QUICK, "timeout": 4.0, **more}

    async def __aenter__(self):
        self.limiter = RecordingLimiter()
        made = await self.options()
        self.session = made.get("session")
        await self.server.start()
        self.client = client_of(self.server, rate_limiter=self.limiter, **made, **self.more)
        return self

    async def __aexit__(self, *_):
        await self.client.aclose()
        if self.session is not None:
            await self.session.close()
        await self.server.stop()
        assert len(self.server.requests) == len([method for method in self.limiter.settled_by if method != "cancel"])
        assert None not in self.limiter.settled_by

    @property
    def arrived(self):
        return len(self.server.requests)


@for_each("ending", UNKNOWN | REDIRECTS_AFTER_SUCCESS)
@pytest.mark.parametrize("send", NEVER_TWICE)
@virtually
async def test_a_write_that_may_not_be_repeated_arrives_once_and_raises_outcome_unknown(options, send, ending):
    async with Bench(options, ending) as bench:
        with pytest.raises(OutcomeUnknownError, match=r"may have been done, so look .* \(1 attempt\)") as raised:
            await send(bench.client)
        assert bench.arrived == 1
        assert raised.value.request.method == bench.server.requests[0].method
        assert raised.value.request.url.endswith(bench.server.requests[0].target)


@for_each("ending", UNKNOWN)
@pytest.mark.parametrize("send", MAY_BE_REPEATED)
@virtually
async def test_repeatable_requests_are_sent_as_often_as_the_policy_says(options, send, ending):
    async with Bench(options, ending) as bench:
        with pytest.raises((TransportError, ServerError, ResponseError), match=r"\(3 attempts\)") as raised:
            await send(bench.client)
        assert not isinstance(raised.value, OutcomeUnknownError)
        assert bench.arrived == 3


@for_each("ending", UNKNOWN)
@pytest.mark.parametrize("send", MAY_BE_REPEATED)
@virtually
async def test_repeatable_requests_succeed_in_the_end(options, send, ending):
    async with Bench(options, ending, answer(200, PATIENT if send is archive else TAX)) as bench:
        await send(bench.client)
        assert bench.arrived == 2


@pytest.mark.parametrize("status", [301, 307, 308])
@for_each("send", [*NEVER_TWICE, *MAY_BE_REPEATED])
@virtually
async def test_a_redirect_that_means_that_nothing_was_done_is_an_ordinary_refusal(options, send, status):
    async with Bench(options, answer(status, b"", {"Location": "/v1/elsewhere"})) as bench:
        with pytest.raises(ResponseError, match=f"answered {status}") as raised:
            await send(bench.client)
        assert (raised.value.status, bench.arrived) == (status, 1)


@pytest.mark.parametrize("status", [302, 303])
@for_each("send", MAY_BE_REPEATED)
@virtually
async def test_a_redirect_of_a_repeatable_request_is_an_ordinary_refusal(options, send, status):
    async with Bench(options, answer(status)) as bench:
        with pytest.raises(ResponseError, match=f"answered {status}"):
            await send(bench.client)
        assert bench.arrived == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadRequestError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ResponseError),
        (422, UnprocessableError),
    ],
)
@for_each("send", [*NEVER_TWICE, *MAY_BE_REPEATED])
@virtually
async def test_a_complete_4xx_is_raised_after_one_request(options, send, status, error):
    async with Bench(options, answer(status)) as bench:
        with pytest.raises(error) as raised:
            await send(bench.client)
        assert type(raised.value) is error
        assert bench.arrived == 1


@for_each("send", [*NEVER_TWICE, *MAY_BE_REPEATED])
@virtually
async def test_everything_is_sent_again_after_a_429(options, send):
    success = answer(200, PATIENT if send in (archive, unarchive) else TAX)
    if send is cancel:
        success = answer(204)
    async with Bench(options, answer(429), success) as bench:
        await send(bench.client)
        assert bench.arrived == 2


@for_each("ending", WRITTEN)
@pytest.mark.parametrize("send", [*NEVER_TWICE, archive, delete, update])
@virtually
async def test_a_write_whose_success_is_cut_off_was_done_and_is_not_repeated(options, send, ending):
    async with Bench(options, ending) as bench:
        with pytest.raises(DecodingError, match=r"cut off \(the write was done\)") as raised:
            await send(bench.client)
        assert raised.value.written
        assert raised.value.status in (200, 201)
        assert bench.arrived == 1


@for_each("ending", WRITTEN)
@virtually
async def test_a_read_whose_response_is_cut_off_is_repeated(options, ending):
    async with Bench(options, ending, answer(200, TAX)) as bench:
        assert (await get(bench.client)).id == TAX["id"]
        assert bench.arrived == 2


@for_each("body", [b"", b"<html>done</html>", b'{"id": "1"', b"[]", b'{"id": 1}', b"null", b"\xff"])
@pytest.mark.parametrize("send", [create, unarchive, update])
@virtually
async def test_a_write_whose_response_is_not_a_record_was_done(options, send, body):
    async with Bench(options, answer(201, body)) as bench:
        with pytest.raises(DecodingError, match="the write was done") as raised:
            await send(bench.client)
        assert raised.value.written
        assert bench.arrived == 1


@for_each("status", [200, 201, 202, 206])
@for_each("body", [b"<h1>Down</h1>", b'{"id": "1"', b'{"id": "x-1"}', b"[]", b"null", b"OK", b"\xff"])
@pytest.mark.parametrize("send", [archive, delete, cancel])
@virtually
async def test_a_write_without_a_record_that_is_answered_with_something_else_may_not_have_happened(
    options, send, body, status
):
    async with Bench(options, answer(status, body)) as bench:
        with pytest.raises(OutcomeUnknownError, match=f"answered {status} with a body that is not") as raised:
            await send(bench.client)
        assert raised.value.status == status
        assert bench.arrived == 1


@pytest.mark.parametrize("status", [202, 206, 299])
@pytest.mark.parametrize("send", [archive, delete, cancel])
@virtually
async def test_a_write_with_an_unexpected_success_status_may_not_have_happened(options, send, status):
    async with Bench(options, answer(status)) as bench:
        with pytest.raises(OutcomeUnknownError):
            await send(bench.client)


@pytest.mark.parametrize("turn", [answer(204), answer(200), answer(200, b"\r\n")])
@pytest.mark.parametrize("send", [archive, delete, cancel])
@virtually
async def test_a_write_without_a_record_that_is_answered_with_an_empty_body_was_done(options, send, turn):
    async with Bench(options, turn) as bench:
        assert await send(bench.client) is None


@virtually
async def test_a_read_whose_response_is_not_a_record_wrote_nothing(options):
    async with Bench(options, answer(200, b"<html>")) as bench:
        with pytest.raises(DecodingError) as raised:
            await get(bench.client)
        assert not raised.value.written
        assert bench.arrived == 1


@for_each("ending", UNKNOWN)
@pytest.mark.parametrize("send", REMOVE)
@virtually
async def test_a_repeated_delete_or_archive_that_finds_nothing_succeeded(options, send, ending):
    async with Bench(options, ending, answer(404)) as bench:
        assert await send(bench.client) is None
        assert bench.arrived == 2


@pytest.mark.parametrize("send", REMOVE)
@virtually
async def test_a_removal_whose_first_attempt_did_nothing_and_that_finds_nothing_raises(options, send):
    """Nothing was done by an attempt that was answered 429, or that found no server."""
    async with Bench(options, answer(429), answer(404)) as bench:
        with pytest.raises(NotFoundError, match=r"\(2 attempts\)"):
            await send(bench.client)
    async with Bench(options, answer(404)) as bench:
        with pytest.raises(NotFoundError, match=r"\(1 attempt\)"):
            await send(bench.client)


@pytest.mark.parametrize("send", REMOVE)
@virtually
async def test_a_removal_that_may_have_been_done_succeeds_whatever_comes_between(options, send):
    async with Bench(options, answer(503), answer(429), answer(404)) as bench:
        assert await send(bench.client) is None
        assert bench.arrived == 3


@virtually
async def test_a_repeated_update_that_finds_nothing_raises(options):
    async with Bench(options, answer(503), answer(404)) as bench:
        with pytest.raises(NotFoundError):
            await update(bench.client)


@for_each("send", [*NEVER_TWICE, *MAY_BE_REPEATED])
@virtually
async def test_a_write_that_found_no_server_is_retried(options, send):
    success = answer(200, PATIENT if send in (archive, unarchive) else TAX)
    if send is cancel:
        success = answer(204)
    async with Bench(options, success) as bench:
        await bench.server.stop()
        attempts = []

        async def before():
            attempts.append(1)
            if len(attempts) == 3:
                await bench.server.start(bench.server.port)

        bench.limiter.before = before
        await send(bench.client)
        assert bench.limiter.settled_by == ["cancel", "cancel", "complete"]
        assert bench.arrived == 1


@for_each("send", [create, cancel, delete, get])
@virtually
async def test_a_write_that_never_found_a_server_was_not_done(options, send):
    async with Bench(options) as bench:
        await bench.server.stop()
        with pytest.raises(TransportError, match=r"Connection refused \(3 attempts\)") as raised:
            await send(bench.client)
        assert type(raised.value) is TransportError
        assert (await bench.limiter.limits()).used == 0


@for_each("send", [create, cancel, delete, get])
@virtually
async def test_a_write_without_a_connection_in_time_was_not_done(options, send):
    with deaf_port() as port:
        async with Bench(options) as bench:
            deaf = RawServer()
            deaf.port = port
            client = client_of(deaf, rate_limiter=bench.limiter, retry=QUICK, timeout=4.0, **await options())
            with pytest.raises(TransportTimeoutError, match=r"had no connection within 3 s \(3 attempts\)"):
                await send(client)
            assert bench.limiter.settled_by == ["cancel"] * 3
            assert (await bench.limiter.limits()).used == 0
            await manager_of(client).session().close()
            await client.aclose()


@pytest.mark.parametrize("send", [create, cancel])
@virtually
async def test_a_write_whose_deadline_passes_while_connecting_was_not_sent(options, send):
    with deaf_port() as port:
        async with Bench(options) as bench:
            deaf = RawServer()
            deaf.port = port
            made = await options()
            limiter = RecordingLimiter()
            client = client_of(deaf, rate_limiter=limiter, deadline=2, **made)
            with pytest.raises(DeadlineExceededError):
                await send(client)
            assert limiter.settled_by == ["cancel"]
            await manager_of(client).session().close()
            await client.aclose()
            assert bench.arrived == 0


@virtually
async def test_a_write_that_waits_for_a_connection_was_not_sent():
    async with (
        RawServer(silence()) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
        client_of(server, session=session, retry=ONCE) as client,
    ):
        first = asyncio.create_task(post(client))
        await asyncio.sleep(1)
        limiter = RecordingLimiter()
        other = client_of(server, session=session, rate_limiter=limiter, timeout=4.0, retry=QUICK)
        with pytest.raises(TransportTimeoutError, match="had no connection"):
            await create(other)
        assert limiter.settled_by == ["cancel"] * 3
        with pytest.raises(OutcomeUnknownError):
            await first
        assert server.arrived == ["POST /things"]


@virtually
async def test_a_name_that_cannot_be_resolved_counts_as_no_server():
    limiter = RecordingLimiter()
    client = client_of(
        SimpleNamespace(base_url=f"http://localhost:{free_port()}/v1"), rate_limiter=limiter, retry=QUICK
    )
    resolver = aiohttp.TCPConnector(resolver=Nowhere(), use_dns_cache=False)
    replace_session(client, aiohttp.ClientSession(connector=resolver))
    async with client:
        with pytest.raises(TransportError, match=r"had no connection: no such host \(3 attempts\)"):
            await post(client)
    assert limiter.settled_by == ["cancel"] * 3


class Nowhere(aiohttp.abc.AbstractResolver):
    """A resolver that resolves no name."""

    async def resolve(self, host, port=0, family=0):
        raise OSError(None, "no such host")

    async def close(self):
        pass


@for_each("send", [create, cancel, update, delete])
@virtually
async def test_a_write_that_is_cancelled_passes_the_cancellation_on(options, send):
    async with Bench(options, silence()) as bench:
        task = asyncio.create_task(send(bench.client))
        await bench.server.read()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert bench.limiter.settled_by == ["abandon"]
        assert bench.arrived == 1


@for_each("send", NEVER_TWICE)
@virtually
async def test_a_kept_connection_that_the_server_closed_leaves_the_outcome_unknown(options, send):
    """A write on a kept connection that breaks may have arrived."""
    async with Bench(options, answer(200, TAX), close()) as bench:
        await get(bench.client)
        with pytest.raises(OutcomeUnknownError):
            await send(bench.client)
        assert bench.arrived == 2
        assert bench.server.requests[1].connection == 1


@for_each("status, error", [(400, BadRequestError), (401, UnauthorizedError), (403, ForbiddenError)])
@pytest.mark.parametrize("send", REMOVE)
@virtually
async def test_a_repeated_removal_that_is_refused_for_another_reason_raises(options, send, status, error):
    """Only a 404 means that the previous attempt removed it."""
    async with Bench(options, answer(503), answer(status)) as bench:
        with pytest.raises(error, match=r"\(2 attempts\)"):
            await send(bench.client)


@virtually
async def test_a_repeated_removal_that_is_answered_with_something_else_may_not_have_happened(options):
    async with Bench(options, answer(503), answer(200, b"<html>")) as bench:
        with pytest.raises(OutcomeUnknownError):
            await delete(bench.client)
