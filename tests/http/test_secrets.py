"""No log, message or traceback ever shows the key, a query or the data of a patient."""

import asyncio
import contextlib
import functools
import gc
import inspect
import logging
import traceback
import types
from types import SimpleNamespace

import aiohttp
import anyio
import pytest
from rich.pretty import pretty_repr

from cliniko_async import AccountPool, Change, Cliniko, Link, ListLink, Patient, Request, from_dict, to_dict
from cliniko_async.errors import ClinikoError, ConfigurationError, InvalidRequestError, TransportError
from cliniko_async.links import SelfLink
from cliniko_async.sandbox import Sandbox
from tests.support import virtual
from tests.support.clients import KEY, ONCE, QUICK, WHO, client_of, virtually
from tests.support.for_each import for_each
from tests.support.frames import BASIC, assert_frames_hidden, assert_hidden, assert_own_frames_hidden, chain
from tests.support.inside import manager_of, view_of
from tests.support.raw_server import RawServer, answer, close, cut, flood, raw, reset, silence, stall

# What the tests ask about: in a query, in a body, and in what the server says.
PERSON, BODY, SAID = "Secretperson", "Hiddenname", "Quietanswer"
EMPTY = {"patients": [], "total_entries": 0, "links": {}}

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
    "first": lambda client: client.patients.list(f"last_name:={PERSON}").first(),
    "count": lambda client: client.patients.list(f"last_name:={PERSON}").count(),
    "stable": lambda client: client.patients.list(f"last_name:={PERSON}", stable=True).collect(),
    "changes": lambda client: anext(aiter(client.patients.changes(None, f"last_name:={PERSON}")), None),
    "follow": lambda client: client.follow(Link.to(f"{view_of(client).server.base_url}/patients/1?x={PERSON}")),
    "resolve": lambda client: client.resolve([Link.to(f"{view_of(client).server.base_url}/patients/1?x={PERSON}")]),
    "upload": lambda client: client.patient_attachments.upload("1", BODY.encode(), filename=PERSON),
    "read ahead": lambda client: client.patients.list(f"last_name:={PERSON}", prefetch=2).collect(),
    "request": lambda client: client.request("POST", f"/patients?x={PERSON}", json={"first_name": BODY}),
}


def logged(caplog) -> str:
    formatter = logging.Formatter()
    return "\n".join(f"{formatter.format(record)} {record.args!r}" for record in caplog.records)


@for_each("call", CALLS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_no_log_no_text_and_no_traceback_shows_a_key_a_query_a_body_or_an_answer(call, ending, caplog):
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    for name in ("cliniko_async", "aiohttp", "aiohttp.client", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)

    async def check():
        async with RawServer(ENDINGS[ending]) as server, client_of(server, retry=QUICK, timeout=2.0) as client:
            try:
                await call(client)
            except ClinikoError as raised:
                error = raised
            else:
                return
            texts = [str(error), repr(error), repr(error.args), *getattr(error, "__notes__", ())]
            assert_hidden("\n".join(texts), PERSON, BODY, SAID)
            lines = "".join(traceback.format_exception(error))
            assert_hidden(lines, PERSON, BODY, SAID)
            assert_frames_hidden(error, PERSON, BODY, SAID)

    virtual.run(check(), debug=True)
    assert_hidden(logged(caplog), PERSON, BODY, SAID)


def test_no_traceback_of_a_deadline_a_closed_client_or_an_endless_response_shows_a_secret(caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("cliniko_async._http.transport.LARGEST_RESPONSE", 100_000)

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
                assert_frames_hidden(error, PERSON, BODY, SAID)

    virtual.run(check(), debug=True)
    assert_hidden(logged(caplog), PERSON, BODY, SAID)


async def by_timeout(call):
    async with asyncio.timeout(1):
        await call


async def by_wait_for(call):
    await asyncio.wait_for(call, 1)


async def by_anyio(call):
    with anyio.fail_after(1):
        await call


async def by_cancelling(call):
    task = asyncio.ensure_future(call)
    await asyncio.sleep(1)
    task.cancel()
    await task


async def by_a_sibling(call):
    async def fail():
        await asyncio.sleep(1)
        raise ValueError("a sibling")

    async with asyncio.TaskGroup() as group:
        group.create_task(call)
        group.create_task(fail())


async def by_an_error_of_the_callers(call):
    """What the caller was handling stays chained."""
    try:
        next(iter(()))
    except StopIteration:
        await by_timeout(call)


LEAVING = [by_timeout, by_wait_for, by_anyio, by_cancelling, by_a_sibling, by_an_error_of_the_callers]


@pytest.mark.parametrize("leave", LEAVING)
@pytest.mark.parametrize("turn", [silence(), stall(200, SAID.encode())])
@for_each("call", CALLS)
def test_a_call_ended_by_its_caller_shows_no_secret_in_any_frame(call, turn, leave):
    async def check():
        async with RawServer(turn) as server, client_of(server) as client:
            try:
                await leave(call(client))
            except (TimeoutError, asyncio.CancelledError, ExceptionGroup) as error:
                assert_frames_hidden(error, PERSON, BODY, SAID)
            else:
                pytest.fail("it did not end")

    virtual.run(check())


@for_each("call", ["create", "read ahead", "request", "upload"])
@virtually
async def test_a_call_cancelled_at_any_turn_of_the_loop_shows_no_secret_in_any_frame(call):
    async with RawServer(answer(200, EMPTY)) as server, client_of(server) as client:
        for turns in range(60):
            task = asyncio.ensure_future(CALLS[call](client))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except (asyncio.CancelledError, ClinikoError) as error:
                assert_frames_hidden(error, PERSON, BODY, SAID)


class Hooks:
    """Hooks that a user may add to a session; each has seen the key when it raises."""

    @staticmethod
    async def middleware(request, handler):
        headers = dict(request.headers)
        raise RuntimeError(len(headers))

    @staticmethod
    async def middleware_behind(request, handler):
        headers = dict(request.headers)
        await handler(request)
        raise ExceptionGroup("two", [RuntimeError(len(headers)), KeyError("x")])

    @staticmethod
    async def middleware_that_translates(request, handler):
        try:
            return await handler(request)
        except aiohttp.ClientError as error:
            headers = dict(request.headers)
            raise RuntimeError(len(headers)) from error

    @staticmethod
    async def trace(session, context, params):
        raise RuntimeError("a trace hook")

    class Resolver(aiohttp.abc.AbstractResolver):
        async def resolve(self, host, port=0, family=0):
            raise RuntimeError("a resolver")

        async def close(self):
            pass


def traced(signal):
    config = aiohttp.TraceConfig()
    getattr(config, signal).append(Hooks.trace)
    return {"trace_configs": [config]}


SESSIONS = {
    "a middleware": lambda: {"middlewares": (Hooks.middleware,)},
    "a middleware behind": lambda: {"middlewares": (Hooks.middleware_behind,)},
    "a middleware that translates": lambda: {"middlewares": (Hooks.middleware_that_translates,)},
    "a resolver": lambda: {"connector": aiohttp.TCPConnector(resolver=Hooks.Resolver())},
    **{
        signal: lambda signal=signal: traced(signal)
        for signal in (
            "on_request_start",
            "on_request_end",
            "on_request_exception",
            "on_request_headers_sent",
            "on_request_chunk_sent",
            "on_connection_queued_start",
            "on_connection_create_start",
            "on_connection_create_end",
            "on_connection_reuseconn",
            "on_dns_resolvehost_start",
            "on_response_chunk_received",
        )
    },
}


@for_each("call", CALLS)
@pytest.mark.parametrize("hook", SESSIONS)
def test_an_error_of_a_hook_of_the_users_own_shows_nothing_in_any_frame(hook, call):
    async def check():
        async with (
            RawServer(answer(200, EMPTY), close()) as server,
            aiohttp.ClientSession(**SESSIONS[hook]()) as session,
        ):
            named = SimpleNamespace(base_url=server.base_url.replace("127.0.0.1", "localhost"))
            async with client_of(named, session=session, retry=ONCE) as client:
                (error,) = await asyncio.gather(call(client), return_exceptions=True)
                errors = [error, *await asyncio.gather(call(client), return_exceptions=True)]
        raised = [one for one in errors if isinstance(one, BaseException)]
        assert raised
        for one in raised:
            assert_frames_hidden(one, PERSON, BODY, SAID)
            assert not [linked for linked in chain(one) if isinstance(linked, aiohttp.ClientError)]

    virtual.run(check())


def stream():
    async def pieces():
        yield BODY.encode()
        {}[BODY.encode()]

    return pieces()


REFUSED = {
    "a field of another type": lambda client: client.patients.create(first_name=BODY, last_name=5),
    "a field that is none": lambda client: client.patients.create(first_name=BODY, nonsense=BODY),
    "a field that cannot be compared": lambda client: client.patients.create(first_name=BODY, last_name=BODY * 10_000),
    "a missing field": lambda client: client.attendees.cancel("1", cancellation_note=BODY),
    "a foreign link": lambda client: client.follow(Link.to(f"https://elsewhere.example/v1/patients?x={PERSON}")),
    "a foreign list": lambda client: client.follow(
        ListLink(SelfLink(f"https://elsewhere.example/v1/patients?x={PERSON}"))
    ),
    "an id": lambda client: client.patients.update("x", first_name=BODY),
    "a reason": lambda client: client.attendees.cancel("1", cancellation_note=BODY, cancellation_reason=99),
    "a filter": lambda client: client.patients.list(f"{PERSON}\ud800"),
    "an option": lambda client: client.patients.list(f"last_name:={PERSON}", nonsense=1),
    "an option of a nested list": lambda client: client.patient_attachments.list_for_patient_case(
        "1", PERSON, per_page=0
    ),
    "an option of a deprecated list": lambda client: client.patient_attachments.list_for_patient(
        "1", PERSON, per_page=0
    ),
    "a filter of changes": lambda client: client.patients.changes(None, f"{PERSON}\ud800"),
    "a number": lambda client: client.patients.where.id == PERSON,
    "numbers": lambda client: client.patients.where.id.is_in([PERSON]),
    "a day": lambda client: client.patients.where.date_of_birth.matches(PERSON),
    "a foreign url": lambda client: client.request("GET", f"//elsewhere/{PERSON}", params={"a": PERSON}, json=[BODY]),
    "a method": lambda client: client.request("no method", f"/{PERSON}", params={"a": PERSON}, json=[BODY]),
    "what is no json": lambda client: client.request("POST", f"/{PERSON}", json=[BODY, object()]),
    "an id of a get": lambda client: client.patients.get(f"../{PERSON}"),
    "an id of an update": lambda client: client.patients.update(f"../{PERSON}", first_name=BODY),
    "an id of a cancellation": lambda client: client.individual_appointments.cancel(f"../{PERSON}"),
    "a visibility": lambda client: client.patients.get("1", archived=PERSON),
    "a name of a file": lambda client: client.patient_attachments.upload("1", BODY.encode(), filename=f"{PERSON}\n"),
    "no path": lambda client: client.patient_attachments.upload("1", f"/{PERSON}/{BODY}"),
    "a stream": lambda client: client.patient_attachments.upload("1", stream(), filename=PERSON),
    "no record": lambda _: from_dict(Patient, {"id": "1", "first_name": BODY}),
    "no object": lambda _: from_dict(Patient, [BODY]),
    "no record to write": lambda _: to_dict({"first_name": BODY, "object": object()}),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@for_each("call", REFUSED)
@virtually
async def test_arguments_refused_before_sending_are_in_no_frame(call):
    async with RawServer() as server, client_of(server) as client:
        with pytest.raises((ClinikoError, TypeError, OSError, KeyError)) as raised:
            await call(client)
        for one in chain(raised.value):
            assert_own_frames_hidden(one, PERSON, BODY, SAID)
        assert server.requests == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@virtually
async def test_no_list_of_any_resource_shows_its_arguments_when_it_refuses_them():
    async with RawServer() as server, client_of(server) as client:
        for resource in client.resources.values():
            methods = {
                name: getattr(resource, name) for name in sorted(resource.operations | {"changes"} & {*dir(resource)})
            }
            for method in methods.values():
                if not inspect.iscoroutinefunction(method):
                    with pytest.raises((InvalidRequestError, TypeError)) as raised:
                        method("1", f"{PERSON}\ud800", nonsense=PERSON)
                    assert_own_frames_hidden(raised.value, PERSON)


@virtually
async def test_what_a_caller_was_handling_keeps_its_frames():
    async def own():
        kept = "still here"
        return {}[kept]

    async with RawServer(close()) as server, client_of(server, retry=ONCE) as client:
        try:
            await own()
        except KeyError:
            with pytest.raises(ClinikoError) as raised:
                await client.patients.get("1")
    (first,) = [one for one in chain(raised.value) if isinstance(one, KeyError)]
    assert [frame.f_locals.get("kept") for frame, _ in traceback.walk_tb(first.__traceback__)][-1] == "still here"


@virtually
async def test_a_coroutine_that_is_still_at_work_is_left_alone():
    """An error that is kept and raised again may refer to a frame that is still running."""
    failed = asyncio.get_running_loop().create_future()

    async def refresh():
        try:
            await asyncio.wait_for(asyncio.sleep(10), 1)
        except TimeoutError as error:
            failed.set_exception(error)
        await asyncio.sleep(5)
        return "refreshed"

    async def wait(request, handler):
        await failed

    task = asyncio.create_task(refresh())
    async with (
        RawServer(answer(200, EMPTY)) as server,
        aiohttp.ClientSession(middlewares=(wait,)) as session,
        client_of(server, session=session) as client,
    ):
        with pytest.raises(TransportError):
            await client.patients.get("1")
        assert await task == "refreshed"


@virtually
async def test_no_object_shows_the_key_or_the_query():
    async with RawServer(answer(200, EMPTY)) as server, client_of(server) as client:
        view = client.with_options(timeout=3)
        listing = view.patients.list(f"last_name:={PERSON}")
        page = await listing
        manager = manager_of(client)
        shown = [client, view, view.patients, listing, aiter(listing), listing.pages(), page, manager, view_of(client)]
        shown += [manager.credentials, manager.server, manager.limiter, manager.session(), view_of(client).options]
        for one in shown:
            assert_hidden(f"{one!r} {one!s}", PERSON)
        assert_hidden(page.cursor, PERSON)


@for_each(
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
    assert_frames_hidden(raised.value)


@pytest.mark.parametrize("options", [{"api_key": KEY}, {"timeout": KEY}, {"priority": KEY}])
def test_a_refused_option_of_a_view_does_not_bring_the_key_into_the_text(options):
    client = Cliniko(KEY, **WHO)
    with pytest.raises(ConfigurationError) as raised:
        client.with_options(**options)
    assert_own_frames_hidden(raised.value)


@for_each("form", ["{} ", "{}\n", "{}:", "\u00e9{}"])
def test_a_key_that_is_refused_is_not_shown(form):
    with pytest.raises(ConfigurationError) as raised:
        Cliniko(form.format(KEY), **WHO)
    assert_frames_hidden(raised.value)


def test_a_refused_key_of_the_environment_is_not_shown(monkeypatch):
    monkeypatch.setenv("CLINIKO_API_KEY", KEY)
    monkeypatch.setenv("CLINIKO_APP_NAME", "Tests")
    for options, error in (
        ({}, ConfigurationError),
        ({"contact_email": "x"}, ConfigurationError),
        ({"x": 1}, TypeError),
    ):
        with pytest.raises(error) as raised:
            Cliniko.from_env(**({"contact_email": "it@example.com"} if "x" in options else {}), **options)
        assert_frames_hidden(raised.value)


@virtually
async def test_a_key_refused_by_a_pool_is_not_shown():
    def limiter(key):
        raise LookupError(len(key))

    async def job(account, client):
        raise AssertionError(account)

    async with AccountPool(**WHO, limiter=limiter) as pool:
        with pytest.raises(LookupError) as raised:
            pool.client(KEY)
        errors: list[BaseException] = [raised.value]
        for options in ({"shard": "nowhere"}, {"nonsense": 1}, {"base_url": "x"}):
            with pytest.raises(ConfigurationError) as refused:
                pool.client(KEY, **options)
            errors.append(refused.value)
        with pytest.raises(InvalidRequestError) as refused:
            pool.run(job, dict.fromkeys("ab", KEY), concurrency=0)
        errors.append(refused.value)
        errors += [outcome.error async for outcome in pool.run(job, dict.fromkeys("ab", KEY)) if outcome.error]
    for error in errors:
        assert_frames_hidden(error, PERSON, BODY, SAID)
    assert len(errors) == 7


@virtually
async def test_a_foreign_url_receives_no_key_and_is_not_shown():
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


def objects_of_the_package(*roots: object) -> list[object]:
    """All objects of the package's own classes that can be reached, as a traceback with its locals may show any."""
    found: dict[int, object] = {}
    pending, seen = list(roots), set[int]()
    while pending:
        one = pending.pop()
        if id(one) in seen or inspect.ismodule(one) or inspect.isclass(one) or inspect.isframe(one):
            continue
        seen.add(id(one))
        ours = type(one).__module__.startswith("cliniko_async") and "sandbox" not in type(one).__module__
        if ours:
            found[id(one)] = one
        if ours or isinstance(one, dict | list | tuple | set | types.MethodType | types.CellType | functools.partial):
            pending += gc.get_referents(one)
    return list(found.values())


async def test_rich_shows_no_more_than_a_repr(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    """It reads the fields of what is shown, as in a traceback with its locals, where nothing stops it."""
    key = cliniko_sandbox.add("patients", first_name=BODY, last_name=PERSON)
    patients = cliniko.patients
    asked = patients.where.last_name == PERSON
    iterator = aiter(patients.list(asked))
    patient = await anext(iterator)
    page = await patients.list(asked)
    request = Request("POST", f"{cliniko_sandbox.base_url}/patients?q={PERSON}", BODY.encode())
    response = await cliniko.request("GET", f"/patients/{key}")
    values = objects_of_the_package(patient, page, asked, iterator, request, response, cliniko, patients.list(asked))
    assert {type(value).__name__ for value in values} > {"Patient", "Pager", "ListQuery", "Credentials"}
    shown = pretty_repr([*values, {"kept": values}, Change(patient, "upsert")], expand_all=True)
    assert not [secret for secret in (BODY, PERSON, cliniko_sandbox.api_key) if secret in shown]
    assert key in shown
