"""Requests: their headers, filters and paths, and `request` for operations without a method."""

import json

import pytest
import yaml

from cliniko_async import InvalidRequestError
from cliniko_async.errors import NotFoundError, ResponseError, ServerError
from tests.support.clients import ONCE, RecordingLimiter, client_of, virtually
from tests.support.for_each import for_each
from tests.support.paths import FACTS
from tests.support.raw_server import RawServer, answer

RECORD = json.loads((FACTS / "examples" / "appointment_type.json").read_text())
RECURSIVE: list[object] = []
RECURSIVE.append(RECURSIVE)
EMPTY = {"appointment_types": [], "total_entries": 0, "links": {"self": "https://api.au2.cliniko.com/v1/x"}}


@pytest.fixture(scope="session")
def protocol():
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((FACTS / "cliniko-v1.yaml").read_text(), Loader=loader)["protocol"]


class NamedServer(RawServer):
    """A server with a name, because no cookie is ever sent to a bare address."""

    @property
    def base_url(self):
        return f"http://localhost:{self.port}/v1"


class TestWhatGoesOut:
    @virtually
    async def test_the_key_goes_out_as_in_the_official_example(self):
        facts = {"key": "MxJrZXkiOiI1Njd1amJmZTQ1NyJ9-au2"}
        expected = "Basic TXhKclpYa2lPaUkxTmpkMWFtSm1aVFExTnlKOS1hdTI6"
        async with RawServer(answer(200, RECORD)) as server:
            server.api_key = facts["key"]
            async with client_of(server) as client:
                await client.appointment_types.get("1")
        assert server.requests[0].headers["authorization"] == expected

    def test_the_official_example_is_that_of_the_facts(self, protocol):
        example = protocol["authentication"]["official_example"]
        assert example["key"] == "MxJrZXkiOiI1Njd1amJmZTQ1NyJ9-au2"
        assert example["header_value"] == "Basic TXhKclpYa2lPaUkxTmpkMWFtSm1aVFExTnlKOS1hdTI6"

    @virtually
    async def test_every_request_has_a_user_agent_and_an_accept_header(self):
        async with RawServer(answer(200, RECORD)) as server, client_of(server, app_name=" Rosters ") as client:
            await client.appointment_types.get("1")
            await client.appointment_types.archive("1")
        for request in server.requests:
            assert request.headers["user-agent"] == "Rosters (it@example.com)"
            assert request.headers["accept"] == "application/json"

    @virtually
    async def test_a_content_type_is_sent_only_with_a_body(self):
        async with RawServer(answer(200, RECORD)) as server, client_of(server) as client:
            await client.appointment_types.get("1")
            await client.taxes.delete("1")
            await client.appointment_types.archive("1")
            await client.appointment_types.update("1", name="Review", description=None)
        get, delete, archive, update = server.requests
        assert "content-type" not in get.headers | delete.headers | archive.headers
        assert update.headers["content-type"] == "application/json"
        assert json.loads(update.body) == {"name": "Review", "description": None}
        assert get.body == delete.body == archive.body == b""

    @virtually
    async def test_each_operation_goes_to_its_own_path(self):
        body = {**RECORD, "id": "1"}
        async with RawServer(answer(200, body)) as server, client_of(server) as client:
            types = client.appointment_types
            await types.get(1, archived="include")
            await types.create(name="First visit")
            await types.update("1", name="Review")
            await types.archive("1")
            with pytest.warns(DeprecationWarning, match="archive"):
                await types.delete("1")
            await client.taxes.delete("1")
            server.turns = type(server.turns)([answer(200, EMPTY)])
            assert await types.list().collect() == []
            assert await types.list_for_practitioner("5").count() == 0
        assert [f"{one.method} {one.target}" for one in server.requests] == [
            "GET /v1/appointment_types/1?q%5B%5D=archived_at%3A%2A",
            "POST /v1/appointment_types",
            "PATCH /v1/appointment_types/1",
            "POST /v1/appointment_types/1/archive",
            "POST /v1/appointment_types/1/archive",
            "DELETE /v1/taxes/1",
            "GET /v1/appointment_types?per_page=100",
            "GET /v1/practitioners/5/appointment_types?per_page=1",
        ]

    def test_filters_are_encoded_as_in_the_examples_of_the_facts(self, protocol):
        examples = protocol["filters"]["serialised_examples"]
        assert len(examples) >= 8

        @virtually
        async def check():
            async with RawServer(answer(200, EMPTY)) as server, client_of(server) as client:
                for example in examples:
                    text = example["plain"].removeprefix("q[]=")
                    await client.appointment_types.list(text)
                    assert example["encoded"] in server.requests[-1].query.split("&")
                    await client.request("GET", "/appointment_types", params={"q[]": [text]})
                    assert server.requests[-1].query == example["encoded"]

        check()

    @for_each("status", [301, 302, 303, 307, 308])
    @virtually
    async def test_a_redirect_is_never_followed(self, status):
        async with RawServer() as other, RawServer() as server, client_of(server, retry=ONCE) as client:
            location = {"Location": f"{other.base_url}/appointment_types/2"}
            server.turns = type(server.turns)([answer(status, b"", location)])
            with pytest.raises(ResponseError, match=f"answered {status}") as raised:
                await client.appointment_types.get("1")
            assert type(raised.value) is ResponseError
            assert (len(server.requests), other.requests) == (1, [])

    @virtually
    async def test_cookies_are_not_kept(self):
        turn = answer(200, RECORD, {"Set-Cookie": "session=1; Path=/"})
        async with NamedServer(turn) as server, client_of(server) as client:
            await client.appointment_types.get("1")
            await client.appointment_types.get("1")
        assert "cookie" not in server.requests[1].headers

    @virtually
    async def test_an_invalid_id_never_reaches_a_path(self):
        async with RawServer() as server, client_of(server) as client:
            for odd in ["1/archive", "..", "", "1?x=1", "%2e%2e", "\u0661", "-1", True, "1" * 20]:
                with pytest.raises(InvalidRequestError, match="id"):
                    await client.appointment_types.get(odd)
        assert server.requests == []


class TestRequest:
    @virtually
    async def test_a_response_has_status_headers_body_and_json(self):
        async with RawServer(answer(201, b'{"a": [1]}', {"X-Thing": "yes"})) as server, client_of(server) as client:
            response = await client.request("post", "things", json={"name": "x"})
        assert (response.status, response.headers["x-thing"], response.body) == (201, "yes", b'{"a": [1]}')
        assert response.json() == {"a": [1]}
        assert repr(response) == "Response(201, 10 bytes)"
        (sent,) = server.requests
        assert (sent.method, sent.target, sent.body) == ("POST", "/v1/things", b'{"name":"x"}')
        assert sent.headers["content-type"] == "application/json"

    @virtually
    async def test_params_are_encoded_one_by_one(self):
        async with RawServer() as server, client_of(server) as client:
            await client.request(
                "GET",
                "/things?x=1",
                params={"q[]": ["name:=Zoë & Co", "id:>1"], "flag": True, "n": 5, "r": 0.5, "t": "a+b/c"},
            )
            await client.request("GET", f"{server.base_url}/things", params={})
        first, second = (request.target for request in server.requests)
        assert first.startswith("/v1/things?x=1&q%5B%5D=name%3A%3DZo%C3%AB%20%26%20Co&q%5B%5D=id%3A%3E1&flag=true&n=5&")
        assert first.endswith("&r=0.5&t=a%2Bb%2Fc")
        assert second == "/v1/things"

    @for_each(
        "path",
        [
            "/../admin",
            "/things/../../admin",
            "/%2e%2e/admin",
            "/things/%2E%2E/%2e%2e/x",
            "/%252e%252e/admin",
            "/..%2fadmin",
            "/..%5cadmin",
            "/..\\admin",
            "/things\\x",
            "//evil.example/v1/things",
            "//evil.example",
            "/thin gs",
            "/things\r\nX-Evil: 1",
            "/things\t",
            "/thïngs",
            "/things?q[]=name:=Zoë",
            "/things#part",
            "https://evil.example/v1/things",
            "ftp://127.0.0.1/v1/things",
            "http://[::1/v1/things",
            "http://127.0.0.1:99999/v1/things",
        ],
    )
    @virtually
    async def test_a_path_outside_of_the_base_path_is_refused_before_anything_is_sent(self, path):
        async with RawServer() as server, client_of(server) as client:
            with pytest.raises(InvalidRequestError, match="is not on the server"):
                await client.request("GET", path)
            assert server.requests == []

    @for_each(
        "url",
        [
            "https://127.0.0.1:{port}/v1/things",
            "http://127.0.0.1:{other}/v1/things",
            "http://127.0.0.1/v1/things",
            "http://localhost:{port}/v1/things",
            "http://127.0.0.1:{port}/v2/things",
            "http://127.0.0.1:{port}/v10/things",
            "http://127.0.0.1:{port}/v1",
            "http://127.0.0.1:{port}/",
            "http://user@127.0.0.1:{port}/v1/things",
            "http://user:word@127.0.0.1:{port}/v1/things",
            "http://127.0.0.1:{port}@evil.example/v1/things",
            "http://evil.example\\@127.0.0.1:{port}/v1/things",
            "http://127.0.0.1.:{port}/v1/things",
            "http://①27.0.0.1:{port}/v1/things",
            "http://127.0.0.1:{port}/v1/../v2/things",
        ],
    )
    @virtually
    async def test_only_our_own_scheme_host_port_and_base_path_are_asked(self, url):
        async with RawServer() as server, client_of(server) as client:
            with pytest.raises(InvalidRequestError, match="is not on the server"):
                await client.request("GET", url.format(port=server.port, other=server.port + 1))
            assert server.requests == []

    @virtually
    async def test_a_url_below_the_base_is_sent_unchanged(self):
        async with RawServer() as server, client_of(server) as client:
            await client.request(
                "GET", f"HTTP://127.0.0.1:{server.port}/v1/a%2Fb?q%5B%5D=x%3A%3D1&next=https://x.example"
            )
        assert server.requests[0].target == "/v1/a%2Fb?q%5B%5D=x%3A%3D1&next=https://x.example"

    @virtually
    async def test_request_raises_the_same_errors_as_every_call(self):
        async with RawServer(answer(404), answer(500)) as server, client_of(server, retry=ONCE) as client:
            with pytest.raises(NotFoundError):
                await client.request("GET", "/things/1")
            with pytest.raises(ServerError):
                await client.request("GET", "/things/1")

    @for_each("method", ["", "G", "GET /", "GET\r\nX: 1", "GÉT", "G3T", "CONNECTIONS", 5, None])
    @virtually
    async def test_a_method_consists_of_letters(self, method):
        async with RawServer() as server, client_of(server) as client:
            with pytest.raises(InvalidRequestError, match="method"):
                await client.request(method, "/things")
            assert server.requests == []

    @for_each(
        "argument, arguments",
        [
            ("path_or_url", ("GET", 5)),
            ("path_or_url", ("GET", None)),
            ("path_or_url", ("GET", "https://Zoe.example/v1/x")),
            *(
                ("params", ("GET", "/things", params))
                for params in (
                    ["Zoe"],
                    "Zoe=1",
                    {"Zoe": None},
                    {"Zoe": object()},
                    {"Zoe": b"Zoe"},
                    {"Zoe": {"Zoe": 1}},
                    {"Zoe": [["Zoe"]]},
                    {"Zoe": "Zoe\ud800"},
                    {"Zoe\ud800": 1},
                )
            ),
            *(
                ("json", ("POST", "/things", None, json))
                for json in ({"Zoe": object()}, "Zoe\ud800", {("Zoe",): 1}, RECURSIVE, {"Zoe": float("nan")})
            ),
        ],
    )
    @virtually
    async def test_an_argument_that_cannot_be_sent_is_named_and_not_shown(self, argument, arguments):
        method, path, *rest = arguments
        async with RawServer() as server, client_of(server) as client:
            with pytest.raises(InvalidRequestError, match=argument) as raised:
                await client.request(method, path, **dict(zip(("params", "json"), rest, strict=False)))
            assert server.requests == []
        assert raised.value.argument == argument
        assert "Zoe" not in f"{raised.value} {raised.value!r}"
        assert raised.value.__context__ is None

    @virtually
    async def test_a_parameter_has_one_value_or_several(self):
        async with RawServer() as server, client_of(server) as client:
            params = {"a": 1, "b": [2.5, "x y"], "c": True, "d": (each for each in (False,)), "e": []}
            await client.request("GET", "/things", params=params)
        assert server.requests[0].query == "a=1&b=2.5&b=x%20y&c=true&d=false"

    @virtually
    async def test_a_request_takes_a_permit_and_is_retried_like_any_other(self):
        limiter = RecordingLimiter()
        async with RawServer(answer(503), answer(200)) as server, client_of(server, rate_limiter=limiter) as client:
            assert (await client.request("GET", "/things")).status == 200
        assert limiter.settled_by == ["complete"] * len(server.requests) == ["complete"] * 2
