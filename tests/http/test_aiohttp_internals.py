"""What the library relies on in aiohttp beyond its documented interface: each test fails when its meaning changes."""

import asyncio
import inspect
import json
from pathlib import Path

import aiohttp
import pytest

from cliniko_async import Cliniko
from cliniko_async.errors import ConfigurationError, OutcomeUnknownError, UsageError
from tests.support.clients import KEY, ONCE, WHO, RecordingLimiter, client_of, virtually
from tests.support.paths import EXAMPLES, PACKAGE
from tests.support.raw_server import RawServer, answer, silence

TAX = json.loads((EXAMPLES / "tax.json").read_text())


@virtually
async def test_send_distinguishes_requests_given_to_a_connection_from_others():
    """The name is `ClientRequest.send`."""
    async with (
        RawServer(silence()) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
        client_of(server, session=session, deadline=5, timeout=60) as client,
    ):
        first, second = (asyncio.create_task(client.taxes.create(name="GST", rate=10)) for _ in range(2))
        await asyncio.wait((first, second))
        assert isinstance(first.exception(), OutcomeUnknownError)
        assert isinstance(second.exception(), TimeoutError)
        assert server.arrived == ["POST /taxes"]


@virtually
async def test_factory_makes_connections_that_close_when_the_server_sends_unsolicited_bytes():
    """The name is `TCPConnector._factory`."""

    async def first(line):
        lines.append(line)
        await answer(200, TAX)(line)

    lines, limiter = [], RecordingLimiter()
    async with (
        RawServer(first, answer(200, TAX)) as server,
        client_of(server, retry=ONCE, rate_limiter=limiter) as client,
    ):
        await client.taxes.get("1")
        lines[0].writer.write(b"HTTP/1.1 2")
        await asyncio.sleep(1)
        await client.taxes.get("1")
        assert [request.connection for request in server.requests] == [1, 2]
    assert limiter.settled_by == ["complete", "complete"]


@virtually
async def test_middlewares_are_those_of_a_borrowed_session():
    """The name is `ClientSession._middlewares`."""
    seen = []

    async def note(request, handler):
        seen.append(request.method)
        return await handler(request)

    async with (
        RawServer(answer(200, TAX)) as server,
        aiohttp.ClientSession(middlewares=(note,)) as session,
        client_of(server, session=session) as client,
    ):
        await client.taxes.get("1")
    assert seen == ["GET"]


def test_loop_is_that_of_a_borrowed_session():
    """The name is `ClientSession._loop`."""

    async def opened():
        return aiohttp.ClientSession()

    async def used(client):
        with pytest.raises(UsageError, match="another event loop"):
            await client.taxes.get("1")

    with asyncio.Runner() as runner:
        session = runner.run(opened())
        asyncio.run(used(Cliniko(KEY, session=session, **WHO)))
        runner.run(session.close())


@virtually
async def test_base_url_of_a_borrowed_session_is_found():
    """The name is `ClientSession._base_url`."""
    async with aiohttp.ClientSession("https://api.au1.cliniko.com/v1/") as session:
        with pytest.raises(ConfigurationError, match="base URL"):
            Cliniko(KEY, session=session, **WHO)


@virtually
async def test_at_most_six_frames_of_the_library_are_between_the_caller_and_aiohttp():
    found = set()

    async def look(request, handler):
        frame = inspect.currentframe()
        while frame := frame.f_back:
            found.add(frame.f_code)
        return await handler(request)

    async with (
        RawServer(answer(200, TAX)) as server,
        aiohttp.ClientSession(middlewares=(look,)) as session,
        client_of(server, session=session) as client,
    ):
        await client.taxes.get("1")
    ours = {code.co_qualname for code in found if Path(code.co_filename).is_relative_to(PACKAGE)}
    # The first is a middleware of aiohttp; the second hides the arguments of `get` and knows nothing of the call.
    assert len(ours - {"NoReplay.__call__", "_await"}) == 6
