"""Neither the key nor what is asked about whom is ever shown: not in a log, not in a text, not in a traceback."""

import asyncio
import base64
import contextlib
import logging
import traceback
from pathlib import Path

import pytest
from rich.pretty import pretty_repr

from cliniko_async import Change, Cliniko, Request
from cliniko_async.errors import ClinikoError, ConfigurationError, InvalidRequestError
from cliniko_async.sandbox import Sandbox
from tests.support import virtual
from tests.support.clients import KEY, QUICK, WHO, client_of, virtually
from tests.support.raw_server import RawServer, answer, close, cut, flood, raw, reset, silence, stall

PACKAGE = Path(__file__).parent.parent / "cliniko_async"
BASIC = base64.b64encode(f"{KEY}:".encode()).decode()
# What the tests ask about: in a query, in a body, and in what the server says.
PERSON, BODY, SAID = "Secretperson", "Hiddenname", "Quietanswer"
EMPTY = {"patients": [], "total_entries": 0, "links": {}}
KEYS = (KEY, BASIC, KEY.rpartition("-")[0], BASIC.rstrip("="))

ENDINGS = {
    "400": answer(400, {"message": SAID, "errors": {"name": SAID}}),
    "401": answer(401, SAID.encode()),
    "404": answer(404, {"error": SAID}),
    "422": answer(422, {"message": SAID, "errors": {"first_name": f"{SAID} is taken", f"{SAID} x": "y"}}),
    "429": answer(429, SAID.encode(), {"X-RateLimit-Reset": "1"}),
    "500": answer(500, SAID.encode()),
    "302": answer(302, b"", {"Location": f"/v1/{SAID}?q={PERSON}"}),
    "not json": answer(200, SAID.encode()),
    "no record": answer(200, {"id": "1", "first_name": 5, "last_name": SAID}),
    "not utf-8": answer(200, b'{"id": "' + SAID.encode() + b'\xff"}'),
    "closed": close(),
    "reset": reset(),
    "cut": cut(200, b'{"first_name": "' + SAID.encode()),
    "no http": raw(b"HTTP/1.1 " + SAID.encode() + b"\r\n\r\n"),
    "bad header": raw(b"HTTP/1.1 200 OK\r\nX " + SAID.encode() + b"\r\n\r\n"),
    "silent": silence(),
    "stalled": stall(200, SAID.encode()),
}
CALLS = {
    "get": lambda client: client.patients.get("1"),
    "create": lambda client: client.patients.create(first_name=BODY, last_name=BODY),
    "update": lambda client: client.patients.update("1", first_name=BODY),
    "list": lambda client: client.patients.list(f"last_name:={PERSON}").collect(),
    "read ahead": lambda client: client.patients.list(f"last_name:={PERSON}", prefetch=2).collect(),
    "request": lambda client: client.request("POST", f"/patients?x={PERSON}", json={"first_name": BODY}),
}


def assert_hidden(text: str, *words: str) -> None:
    found = [word for word in (*KEYS, *words) if word in text]
    assert found == []


def logged(caplog) -> str:
    formatter = logging.Formatter()
    return "\n".join(f"{formatter.format(record)} {record.args!r}" for record in caplog.records)


def own_frames(error: BaseException) -> str:
    """The local variables of the frames of this library, as a verbose traceback would show them."""
    shown: list[str] = []
    pending: list[traceback.TracebackException | None] = [
        traceback.TracebackException.from_exception(error, capture_locals=True)
    ]
    while pending:
        one = pending.pop()
        if one is not None:
            pending += [one.__cause__, one.__context__]
            shown += [repr(frame.locals) for frame in one.stack if Path(frame.filename).is_relative_to(PACKAGE)]
    return "\n".join(shown)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_no_log_no_text_and_no_traceback_shows_a_key_a_query_a_body_or_an_answer(call, ending, caplog):
    caplog.set_level(logging.DEBUG)
    for name in ("cliniko_async", "aiohttp", "aiohttp.client", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)

    async def check():
        async with RawServer(ENDINGS[ending]) as server, client_of(server, retry=QUICK, timeout=2.0) as client:
            try:
                await CALLS[call](client)
            except ClinikoError as raised:
                error = raised
            else:
                return
            texts = [str(error), repr(error), repr(error.args), *getattr(error, "__notes__", ())]
            assert_hidden("\n".join(texts), PERSON, BODY, SAID)
            lines = "".join(traceback.format_exception(error))
            assert_hidden(lines, PERSON, BODY, SAID)
            assert_hidden(own_frames(error))

    virtual.run(check(), debug=True)
    assert_hidden(logged(caplog), PERSON, BODY, SAID)


def test_nor_does_one_of_a_deadline_a_closed_client_or_an_answer_without_an_end(caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("cliniko_async._transport.LARGEST_ANSWER", 100_000)

    async def check():
        async with RawServer(silence()) as server:
            errors = []
            client = client_of(server, deadline=2)
            for call in CALLS.values():
                with pytest.raises(ClinikoError) as raised:
                    await call(client)
                errors.append(raised.value)
            tasks = [asyncio.create_task(call(client)) for call in CALLS.values()]
            await asyncio.sleep(1)
            await client.aclose()
            errors += await asyncio.gather(*tasks, return_exceptions=True)
            server.turns[0] = flood(200, SAID.encode() * 1000)
            async with client_of(server) as other:
                for call in CALLS.values():
                    with pytest.raises(ClinikoError) as raised:
                        await call(other)
                    errors.append(raised.value)
            for error in errors:
                assert isinstance(error, ClinikoError)
                assert_hidden("".join(traceback.format_exception(error)), PERSON, BODY, SAID)
                assert_hidden(own_frames(error))

    virtual.run(check(), debug=True)
    assert_hidden(logged(caplog), PERSON, BODY, SAID)


@virtually
async def test_a_cancelled_call_shows_no_key_in_the_frames_of_this_library():
    async with RawServer(silence()) as server, client_of(server) as client:
        for call in CALLS.values():
            task = asyncio.create_task(call(client))
            await asyncio.sleep(1)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError as cancelled:
                assert_hidden(own_frames(cancelled))
                assert_hidden("".join(traceback.format_exception(cancelled)))


@virtually
async def test_no_object_shows_the_key_or_the_query():
    async with RawServer(answer(200, EMPTY)) as server, client_of(server) as client:
        view = client.with_options(timeout=3)
        listing = view.patients.list(f"last_name:={PERSON}")
        page = await listing
        manager = client._manager
        shown = [client, view, view.patients, listing, aiter(listing), listing.pages(), page, manager, client._view]
        shown += [manager.credentials, manager.server, manager.limiter, manager.session(), client._view.options]
        for one in shown:
            assert_hidden(f"{one!r} {one!s}", PERSON)
        assert_hidden(page.cursor, PERSON)


@pytest.mark.parametrize(
    "options",
    [
        {"app_name": ""},
        {"contact_email": "x"},
        {"base_url": "http://elsewhere.example"},
        {"shard": "nowhere"},
        {"timeout": 0},
        {"retry": 1},
    ],
)
def test_an_option_that_is_refused_does_not_bring_the_key_into_the_text(options):
    with pytest.raises(ConfigurationError) as raised:
        Cliniko(KEY, **WHO | options)
    assert_hidden(str(raised.value) + repr(raised.value))


@pytest.mark.parametrize("key", [f"{KEY} ", f"{KEY}\n", f"{KEY}:", f"\u00e9{KEY}"])
def test_a_key_that_is_refused_is_not_shown(key):
    with pytest.raises(ConfigurationError) as raised:
        Cliniko(key, **WHO)
    assert_hidden(str(raised.value) + repr(raised.value))


@virtually
async def test_a_foreign_url_gets_no_key_and_is_not_repeated_in_the_text():
    async with RawServer() as other, RawServer() as server, client_of(server) as client:
        for url in (
            f"{other.base_url}/x?q={PERSON}",
            f"//127.0.0.1:{other.port}/v1/x",
            f"{server.base_url}/../{PERSON}",
        ):
            with pytest.raises(InvalidRequestError) as raised:
                await client.request("GET", url, params={"name": PERSON})
            assert PERSON not in str(raised.value)
        assert other.requests == server.requests == []


@virtually
async def test_the_key_is_in_no_url_and_in_one_header_alone():
    async with RawServer(answer(200, EMPTY)) as server, client_of(server) as client:
        await client.patients.list().count()
        with contextlib.suppress(ClinikoError):
            await client.patients.create(first_name=BODY)
    for request in server.requests:
        others = {name: value for name, value in request.headers.items() if name != "authorization"}
        assert_hidden(f"{request.target} {others} {request.body!r}")
        assert request.headers["authorization"] == f"Basic {BASIC}"


async def test_rich_shows_no_more_than_a_repr(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    """It reads the fields of what is shown, as in a traceback with its locals, where nothing stops it."""
    key = cliniko_sandbox.add("patients", first_name=BODY, last_name=PERSON)
    patients = cliniko.patients
    asked = patients.where.last_name == PERSON
    walk = aiter(patients.list(asked))
    patient = await anext(walk)
    page = await patients.list(asked)
    turns = walk._turns
    manager = cliniko._manager
    request = Request("POST", f"{cliniko_sandbox.base_url}/patients?q={PERSON}", BODY.encode())
    response = await cliniko.request("GET", f"/patients/{key}")
    values = [patient, page, asked, turns._listing, turns._taker, turns._page, request, response, manager.credentials]
    shown = pretty_repr([*values, {"kept": values}, Change(patient, "upsert")], expand_all=True)
    assert not [secret for secret in (BODY, PERSON, cliniko_sandbox.api_key) if secret in shown]
    assert key in shown
