"""The tree of errors, their messages, and that they can be pickled."""

import asyncio
import copy
import datetime as dt
import inspect
import json
import pickle

import pytest

from cliniko_async import _messages as _http
from cliniko_async import errors
from cliniko_async.errors import (
    BadRequestError,
    ClinikoError,
    ConfigurationError,
    DeadlineExceededError,
    DecodingError,
    ForbiddenError,
    InvalidFieldsError,
    InvalidRequestError,
    InvalidRowsError,
    JournalError,
    LimiterUnavailableError,
    NotFoundError,
    OutcomeUnknownError,
    PaginationDriftError,
    PaginationError,
    RateLimitedError,
    ResponseError,
    ServerError,
    TransportError,
    TransportTimeoutError,
    UnauthorizedError,
    UnprocessableError,
    UsageError,
    error_for,
)
from cliniko_async.links import Link, ListLink, SelfLink
from cliniko_async.pagination import Page
from tests.support.clients import KEY, ONCE, QUICK, client_of, virtually
from tests.support.for_each import for_each
from tests.support.paths import EXAMPLES
from tests.support.raw_server import RawServer, answer, close, cut, free_port, raw, silence

REQUEST = _http.Request("POST", "https://api.au1.cliniko.com/v1/patients?q=Secretperson", b'{"first_name": "Zoe"}')
SHOWN = "POST api.au1.cliniko.com/v1/patients"
STORED = _http.FileRequest("POST", "https://me:Secretperson@files.example:8443/1/Secretperson.pdf?X-Signature=x")
RECORD = json.loads((EXAMPLES / "appointment_type.json").read_text())
ENDINGS = [close(), cut(), silence(), answer(500), answer(503), answer(408), answer(302)]
DEEP = b"[" * 100_000 + b"]" * 100_000


def response(status=422, body=b"", headers=None):
    return _http.Response(status, headers or {}, body)


def error(status=422, body=b"", headers=None):
    return error_for(REQUEST, response(status, body, headers), 1)


ERRORS = [
    ClinikoError("text"),
    ConfigurationError("text"),
    UsageError("text"),
    InvalidRequestError("invalid id", argument="id"),
    InvalidFieldsError({"name": "is too long", "color": "is no color"}),
    TransportError("received no response", request=REQUEST, attempts=5, sent=False, status=200),
    TransportTimeoutError("received no response within 4 s", request=REQUEST, attempts=2),
    DeadlineExceededError("was not done before the deadline", request=REQUEST, attempts=3),
    OutcomeUnknownError("answered 503: it may have been done", request=REQUEST, status=503),
    *(
        error(status, b'{"errors": {"name": null}}', {"X-RateLimit-Reset": "1700000000"})
        for status in (302, 400, 401, 403, 404, 409, 422, 429, 500, 503)
    ),
    DecodingError(["record 1: name expected str"], request=REQUEST, status=201, written=True),
    DecodingError(["name expected str"]),
    PaginationError("a link came twice"),
    DecodingError(["Key is missing"], request=STORED, status=201),
    TransportError("received no response", request=STORED),
    PaginationDriftError("the list moved"),
    LimiterUnavailableError("the limiter cannot be used: it is away"),
    InvalidRowsError({0: {"": "has no rows"}, 2: {"name": "is too long", "color": "is no color"}}),
    JournalError("the journal is in use"),
]


class TestTheTree:
    @for_each(
        "cls, bases",
        [
            (ConfigurationError, (ClinikoError, ValueError)),
            (UsageError, (ClinikoError, RuntimeError)),
            (InvalidRequestError, (ClinikoError, ValueError)),
            (InvalidFieldsError, (InvalidRequestError,)),
            (InvalidRowsError, (InvalidRequestError,)),
            (JournalError, (ClinikoError,)),
            (TransportError, (ClinikoError,)),
            (TransportTimeoutError, (TransportError, TimeoutError)),
            (DeadlineExceededError, (TransportError, TimeoutError)),
            (OutcomeUnknownError, (ClinikoError,)),
            (ResponseError, (ClinikoError,)),
            (BadRequestError, (ResponseError,)),
            (UnauthorizedError, (ResponseError,)),
            (ForbiddenError, (ResponseError,)),
            (NotFoundError, (ResponseError,)),
            (UnprocessableError, (ResponseError,)),
            (RateLimitedError, (ResponseError,)),
            (ServerError, (ResponseError,)),
            (DecodingError, (ClinikoError,)),
            (PaginationError, (ClinikoError,)),
            (PaginationDriftError, (PaginationError,)),
        ],
    )
    def test_every_error_has_its_place_in_the_tree(self, cls, bases):
        assert all(issubclass(cls, base) for base in bases)

    def test_retrying_transport_errors_never_repeats_a_write_with_an_unknown_outcome(self):
        assert not issubclass(OutcomeUnknownError, (TransportError, ServerError, TimeoutError))

    @pytest.mark.parametrize("deadline", [None, 1.0])
    @for_each("ending", ENDINGS)
    @virtually
    async def test_retrying_the_errors_that_the_tree_calls_safe_sends_a_create_once(self, ending, deadline):
        async with RawServer(ending) as server, client_of(server, timeout=3.0, deadline=deadline) as client:
            for _ in range(3):
                with pytest.raises(ClinikoError) as raised:
                    await client.patients.create(first_name="Zoe")
                if not isinstance(raised.value, TransportError | ServerError):
                    break
            assert [request.method for request in server.requests] == ["POST"]

    def test_the_tree_in_the_docstring_names_every_error_and_no_other(self):
        public = {
            name
            for name, value in vars(errors).items()
            if inspect.isclass(value) and issubclass(value, ClinikoError) and not name.startswith("_")
        }
        assert {word for word in (errors.__doc__ or "").split() if word.endswith("Error")} >= public - {"ClinikoError"}

    def test_an_unknown_outcome_is_not_a_timeout_error(self):
        assert not issubclass(OutcomeUnknownError, TimeoutError)

    @for_each(
        "status, cls",
        [
            (400, BadRequestError),
            (401, UnauthorizedError),
            (403, ForbiddenError),
            (404, NotFoundError),
            (422, UnprocessableError),
            (429, RateLimitedError),
            (500, ServerError),
            (502, ServerError),
            (599, ServerError),
            (300, ResponseError),
            (302, ResponseError),
            (408, ResponseError),
            (409, ResponseError),
            (418, ResponseError),
        ],
    )
    @for_each("body", [b"", b"<html>no</html>", b'{"errors": [1]}', b"\xff\xfe", b"null", DEEP])
    def test_the_status_determines_the_class_whatever_the_body(self, status, cls, body):
        found = error(status, body)
        assert type(found) is cls
        assert (found.status, found.response.body, found.request) == (status, body, REQUEST)

    @for_each(
        "status, body",
        [
            (401, b"HTTP Basic: Access denied.\n"),
            (403, b""),
            (404, b'{"status":"404","error":"Not Found"}'),
            (404, b""),
            (404, b"<!DOCTYPE html><html></html>"),
            (500, b"<html>"),
        ],
    )
    @virtually
    async def test_recorded_error_responses_are_raised_as_their_class(self, status, body):
        async with RawServer(answer(status, body)) as server, client_of(server, retry=ONCE) as client:
            with pytest.raises(ResponseError) as raised:
                await client.patients.get("1")
            assert type(raised.value) is type(error(status))
            assert raised.value.response.body == body


ELSEWHERE = Link.to("https://elsewhere.example/v1/Secretperson/1")
NAIVE = dt.datetime(2025, 1, 1)  # noqa: DTZ001  (that is the point)
SPAN = {"from_": dt.date(2025, 1, 2), "to": dt.date(2025, 1, 3)}
CALLS = [
    ("id", lambda it: it.patients.get("Secretperson")),
    ("id", lambda it: it.patients.update("Secretperson", first_name="Zoe")),
    ("id", lambda it: it.signatures.get("1", "Secretperson")),
    ("patient_form_id", lambda it: it.signatures.get("Secretperson", "1")),
    ("practitioner_id", lambda it: it.appointment_types.list_for_practitioner("Secretperson")),
    ("filters", lambda it: it.patients.list(5)),
    ("filters", lambda it: it.patients.list("last_name:=Secretperson\ud800")),
    ("last_name", lambda it: it.appointment_types.list(it.patients.where.last_name == "Secretperson")),
    ("created_at", lambda it: it.patients.list(it.patients.where.created_at >= "Secretperson")),
    ("archived", lambda it: it.patients.list(archived="Secretperson")),
    ("archived", lambda it: it.patients.get("1", archived="Secretperson")),
    ("sort", lambda it: it.patients.list(sort=5)),
    ("per_page", lambda it: it.patients.list(per_page=101)),
    ("limit", lambda it: it.patients.list(limit="Secretperson")),
    ("prefetch", lambda it: it.patients.list(prefetch=-1)),
    ("stable", lambda it: it.patients.list(stable="Secretperson")),
    ("cursor", lambda it: it.patients.list(cursor="Secretperson")),
    ("since", lambda it: it.patients.changes("Secretperson")),
    ("since", lambda it: it.patients.changes(NAIVE)),
    ("overlap", lambda it: it.patients.changes(overlap="Secretperson")),
    ("link", lambda it: it.follow(ELSEWHERE)),
    ("link", lambda it: it.follow(ListLink(SelfLink(ELSEWHERE.href)))),
    ("links", lambda it: it.resolve([ELSEWHERE])),
    ("method", lambda it: it.request("Secretperson", "/x")),
    ("path_or_url", lambda it: it.request("GET", ELSEWHERE.href)),
    ("params", lambda it: it.request("GET", "/x", params={"a": b"Secretperson"})),
    ("json", lambda it: it.request("POST", "/x", json={"a": {"Secretperson": object()}})),
    ("from_", lambda it: it.available_times.get_next(1, 2, 3, **SPAN | {"from_": "Secretperson"})),
    ("to", lambda it: it.available_times.list(1, 2, 3, **SPAN | {"to": "Secretperson"})),
    ("to", lambda it: it.available_times.list(1, 2, 3, **SPAN | {"to": dt.date(2025, 1, 1)})),
    ("business_id", lambda it: it.available_times.list("Secretperson", 2, 3, **SPAN)),
    ("file", lambda it: it.patient_attachments.upload("1", ["Secretperson"], filename="a")),
    ("size", lambda it: it.patient_attachments.upload("1", b"", filename="a", size="Secretperson")),
    ("timeout", lambda it: it.patient_attachments.upload("1", b"", filename="a", timeout="Secretperson")),
    ("fields", lambda it: it.patient_attachments.upload("1", b"", filename="Secretperson\n")),
    ("fields", lambda it: it.patients.create(nothing="Secretperson")),
]


class TestArguments:
    @for_each("argument, call", CALLS, ids=[name for name, _ in CALLS])
    @virtually
    async def test_an_argument_that_is_refused_is_named_and_its_value_is_not_shown(self, argument, call):
        """It is not a fault of the configuration, so that a web server can distinguish the two."""
        async with RawServer() as server, client_of(server) as client:
            with pytest.raises(InvalidRequestError) as raised:
                await call(client)
            assert server.requests == []
        assert raised.value.argument == argument
        assert not isinstance(raised.value, ConfigurationError)
        shown = f"{raised.value} {raised.value!r} {raised.value.args} {vars(raised.value)}"
        assert "Secretperson" not in shown


class TestUnprocessable:
    @for_each(
        "body, expected",
        [
            (
                {"errors": {"first_name": "can\u2019t be blank", "last_name": "x"}},
                {"first_name": "can\u2019t be blank", "last_name": "x"},
            ),
            (
                {"errors": {"name": "can\u2019t be blank", "content": None}},
                {"name": "can\u2019t be blank", "content": None},
            ),
            ({"errors": {"base": "Case has been archived."}}, {"base": "Case has been archived."}),
            ({"errors": {"name": ["is a", "is b"]}}, {"name": "['is a', 'is b']"}),
            ({"errors": {"name": 5}}, {"name": "5"}),
            ({"errors": {}}, {}),
            ({"errors": None}, {}),
            ({"errors": []}, {}),
            ({"errors": ["name"]}, {}),
            ({"errors": "no"}, {}),
            ({"message": "must be an object"}, {}),
            ([], {}),
            ("no", {}),
            (5, {}),
            (None, {}),
        ],
    )
    def test_errors_gives_each_field_its_text_or_none(self, body, expected):
        assert error(422, json.dumps(body).encode()).errors == expected

    @for_each("body", [b"", b"{", b"<html>", b"\xff", DEEP, b'{"errors": ' + DEEP + b"}"])
    def test_a_body_that_is_not_json_has_no_errors(self, body):
        assert error(422, body).errors == {}

    def test_texts_are_read_as_utf_8(self):
        assert error(422, '{"errors": {"name": "can\u2019t"}}'.encode()).errors == {"name": "can\u2019t"}

    def test_the_message_names_the_fields_and_no_values(self):
        found = error(422, b'{"errors": {"name": "Zoe is taken", "a b": "x", "patient.phone_numbers[0]": null}}')
        refused = "the API refused name, patient.phone_numbers[0]"
        assert str(found) == f"{refused}: POST api.au1.cliniko.com/v1/patients answered 422 (1 attempt)"


class TestDetail:
    @for_each(
        "body, detail",
        [
            (b"HTTP Basic: Access denied.\n", "HTTP Basic: Access denied."),
            (b'{"message": "Upgrade your plan."}', "Upgrade your plan."),
            (b'{"status": "404", "error": "Not Found"}', "Not Found"),
            (b'{"errors": {"name": "is taken", "color": null}}', "name: is taken; color"),
            (b'{"errors": {"name": ["is short", "is taken"]}}', "name: is short, is taken"),
            (b'{"errors": ["one", "two", 3, {"a": {"b": "c"}}]}', "one; two; 3; a: b: c"),
            (b'{"message": "Invalid.", "errors": {"name": "is taken"}}', "Invalid.; name: is taken"),
            ('{"message": "can\u2019t be"}'.encode(), "can\u2019t be"),
            (b'{"message": null, "error": "", "errors": {}}', None),
            (b'{"message": [[[[["deep"]]]]], "errors": 1.5}', None),
            (b'{"other": "x"}', None),
            (b'"text"', None),
            (b"[]", None),
            (b"{", None),
            (b"null", None),
            (b"", None),
            (b"  \n", None),
            (b"<!DOCTYPE html><html></html>", None),
            (b"<Error><Code>AccessDenied</Code></Error>", None),
            (b"one\ntwo", None),
            (b"\x00\xff", None),
            (b"x" * 501, None),
            (DEEP, None),
            (b'{"message": ' + DEEP + b"}", None),
        ],
        ids=lambda value: repr(value)[:40],
    )
    @for_each("status", [302, 401, 422, 503])
    def test_the_detail_is_the_message_of_the_server_or_none(self, status, body, detail):
        assert error(status, body).detail == detail

    @for_each("status", [400, 401, 403, 404, 422, 429, 500])
    @pytest.mark.parametrize("body", [b"Zoe is gone", b'{"message": "Zoe"}', b'{"errors": {"name": "Zoe is taken"}}'])
    def test_the_detail_is_in_no_message_because_it_may_quote_what_was_sent(self, status, body):
        found = error(status, body)
        assert "Zoe" in found.detail
        assert "Zoe" not in f"{found} {found!r} {found.args}"


class TestRateLimited:
    @for_each(
        "headers, expected",
        [
            ({"X-RateLimit-Reset": "1700000000"}, dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC)),
            ({"X-RateLimit-Reset": "0"}, dt.datetime(1970, 1, 1, tzinfo=dt.UTC)),
            ({}, None),
            *(
                ({"X-RateLimit-Reset": odd}, None)
                for odd in ("", "soon", "nan", "1e9", "9" * 30, "9" * 400, "9" * 6000)
            ),
        ],
    )
    def test_retry_at_is_the_servers_moment_or_none(self, headers, expected):
        assert error(429, b"", headers).retry_at == expected

    @virtually
    async def test_the_header_is_found_whatever_its_case(self):
        turn = answer(429, b"", {"x-ratelimit-RESET": "1700000000"})
        async with RawServer(turn) as server, client_of(server, retry=ONCE) as client:
            with pytest.raises(RateLimitedError) as raised:
                await client.patients.get("1")
            assert raised.value.retry_at == dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC)


class TestTexts:
    @for_each(
        "found, text",
        [
            *(
                (error(status), f"{what}: {SHOWN} answered {status} (1 attempt)")
                for status, what in {
                    302: "the API did not carry out the request",
                    400: "the API did not accept a filter or parameter",
                    401: "the API key was rejected",
                    403: "the user of the API key is not allowed to do this",
                    404: "the record does not exist, or is archived or deleted",
                    409: "the API did not carry out the request",
                    422: "the API refused what was sent",
                    429: "the rate limit is exceeded",
                    500: "the server failed",
                    503: "the server failed",
                }.items()
            ),
            *(
                (error_for(STORED, response(status), 2), f"{what} (2 attempts)")
                for status in (401, 403, 404, 422, 500)
                for what in [f"the file store did not carry out the request: POST files.example:8443 answered {status}"]
            ),
            (ERRORS[5], f"{SHOWN} received no response (5 attempts)"),
            (ERRORS[4], "name: is too long; color: is no color"),
            (
                DecodingError(["a", "b"], request=REQUEST, status=201, written=True),
                f"the response is not what the API describes: {SHOWN} answered 201: a; b (the write was done)",
            ),
            (DecodingError(["a"], request=REQUEST), f"the response is not what the API describes: {SHOWN}: a"),
            (DecodingError([*"abcdefg"]), "the data does not fit: a; b; c; d; e; …"),
        ],
    )
    def test_a_message_names_the_request_its_failure_and_the_number_of_attempts(self, found, text):
        assert str(found) == text

    @for_each("found", ERRORS, ids=lambda found: f"{type(found).__name__}")
    def test_no_text_shows_a_query_or_a_body(self, found):
        shown = f"{found} {found!r} {found.args}"
        assert "Secretperson" not in shown
        assert "Zoe" not in shown

    @for_each(
        "ending, kind",
        [
            (answer(404), NotFoundError),
            (answer(503), ServerError),
            (close(), TransportError),
            (silence(), TransportTimeoutError),
            (silence(), DeadlineExceededError),
            (answer(200, b"x"), DecodingError),
            (
                answer(200, {"appointment_types": [], "total_entries": 5, "links": {"next": "http://a/b"}}),
                PaginationError,
            ),
        ],
    )
    @virtually
    async def test_every_message_about_a_call_has_the_host_and_the_path_and_no_query(self, ending, kind):
        deadline = 1.0 if kind is DeadlineExceededError else None
        async with (
            RawServer(ending) as server,
            client_of(server, retry=QUICK, timeout=2.0, deadline=deadline) as client,
        ):
            types = client.appointment_types
            for iterable in (types.list("name:=Secretperson"), types.changes(None, "name:=Secretperson")):
                with pytest.raises(kind) as raised:
                    await anext(aiter(iterable))
                assert f"GET 127.0.0.1:{server.port}/v1/appointment_types" in str(raised.value)
                assert "Secretperson" not in str(raised.value)

    @virtually
    async def test_the_message_about_a_list_without_a_total_has_the_host_and_the_path_and_no_query(self):
        async with RawServer(answer(200, {"appointment_types": []})) as server, client_of(server) as client:
            with pytest.raises(PaginationError, match=f"GET 127.0.0.1:{server.port}/v1/appointment_types$"):
                await client.appointment_types.list("name:=Secretperson").count()

    def test_a_list_that_cannot_be_read_is_named_in_the_text(self):
        found = PaginationDriftError("the list moved")
        assert str(found) == "the list moved"
        found.request = _http.Request("GET", "https://api.au1.cliniko.com/v1/patients?q=Secretperson")
        assert str(found) == "the list moved: GET api.au1.cliniko.com/v1/patients"

    def test_a_request_shows_its_method_host_and_path_and_an_answer_its_size(self):
        assert repr(REQUEST) == SHOWN
        assert repr(STORED) == "POST files.example:8443"
        assert repr(response(200, b'{"first_name": "Zoe"}')) == "Response(200, 21 bytes)"

    @virtually
    async def test_nothing_of_aiohttp_is_chained_to_an_error_or_kept_on_it(self):
        endings = [answer(404), answer(503), close(), cut(), raw(b"HTTP/1.1 \r\n\r\n"), silence(), answer(200, b"x")]
        async with RawServer() as server, client_of(server, retry=QUICK, timeout=2.0) as client:
            for ending in endings:
                for send in (client.patients.get("1"), client.patients.create(first_name="Zoe")):
                    server.turns.append(ending)
                    if len(server.turns) > 1:
                        server.turns.popleft()
                    with pytest.raises(ClinikoError) as raised:
                        await send
                    assert_ours_alone(raised.value)
        server.port = free_port()
        async with client_of(server, retry=QUICK) as client:
            with pytest.raises(TransportError) as raised:
                await client.patients.get("1")
            assert_ours_alone(raised.value)

    @virtually
    async def test_nothing_of_aiohttp_is_chained_to_the_error_of_a_deadline_or_a_closed_client(self):
        async with RawServer(silence()) as server:
            client = client_of(server, deadline=3)
            with pytest.raises(DeadlineExceededError) as raised:
                await client.patients.get("1")
            assert_ours_alone(raised.value)
            task = asyncio.create_task(client.patients.get("1"))
            await server.read(2)
            await client.aclose()
            with pytest.raises(UsageError) as closed:
                await task
            assert_ours_alone(closed.value)


def assert_ours_alone(found: BaseException) -> None:
    assert found.__cause__ is None
    assert found.__context__ is None
    for value in vars(found).values():
        assert "aiohttp" not in type(value).__module__


class TestTravelling:
    @for_each("found", ERRORS, ids=lambda found: f"{type(found).__name__}")
    @for_each("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_every_error_can_be_pickled_with_all_that_it_holds(self, found, protocol):
        found.cursor = "abc"
        back = pickle.loads(pickle.dumps(found, protocol))
        assert type(back) is type(found)
        assert (str(back), repr(back), back.args) == (str(found), repr(found), found.args)
        assert vars(back) == vars(found)
        assert back.cursor == "abc"

    @for_each("found", ERRORS, ids=lambda found: f"{type(found).__name__}")
    def test_every_error_can_be_copied(self, found):
        for back in (copy.copy(found), copy.deepcopy(found)):
            assert (type(back), str(back), vars(back)) == (type(found), str(found), vars(found))

    def test_every_class_of_the_tree_is_pickled(self):
        def family(cls):
            return {cls}.union(*map(family, cls.__subclasses__()))

        public = {cls for cls in family(ClinikoError) if not cls.__name__.startswith("_")}
        assert {type(found) for found in ERRORS} == {cls for cls in public if cls.__module__ == errors.__name__}

    def test_a_page_is_pickled_with_its_error(self):
        found = DecodingError(["record 2: name is missing"], request=REQUEST, status=200)
        found.page = Page(("one",), 7, None, "cursor", b'{"a": 1}')
        back = pickle.loads(pickle.dumps(found))
        assert (back.page, back.page.raw, back.faults) == (found.page, {"a": 1}, found.faults)

    @virtually
    async def test_errors_that_were_raised_can_be_pickled_too(self):
        bad = {"appointment_types": [RECORD, {**RECORD, "id": "2", "name": None}], "total_entries": 2, "links": {}}
        endings = [answer(422, {"errors": {"name": None}}, {"X-A": "b"}), answer(503), close(), answer(200, bad)]
        async with RawServer() as server, client_of(server, retry=ONCE) as client:
            for ending in endings:
                server.turns.append(ending)
                server.turns.popleft()
                with pytest.raises(ClinikoError) as raised:
                    await client.appointment_types.list("name:=Secretperson").collect()
                back = pickle.loads(pickle.dumps(raised.value))
                assert (type(back), str(back)) == (type(raised.value), str(raised.value))
                assert back.cursor == raised.value.cursor is not None
                assert KEY.encode() not in pickle.dumps(raised.value)
        assert isinstance(back, DecodingError)
        assert [kind.id for kind in back.page.items] == [RECORD["id"]]
        assert back.page == raised.value.page
