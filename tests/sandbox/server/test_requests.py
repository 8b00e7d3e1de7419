"""Credentials and headers of requests, and how requests are recorded."""

import base64
import re
import time
from email.utils import parsedate_to_datetime

from cliniko_async.sandbox import Sandbox
from tests.sandbox.wire import AGENT, running

NOT_FOUND = {"status": "404", "error": "Not Found"}


def basic(text: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


async def test_a_key_has_the_form_of_a_real_one_and_belongs_to_one_sandbox():
    first, second = Sandbox(seed=1), Sandbox(seed=1)
    assert re.fullmatch(r"MS[A-Za-z0-9]{20,}-au1", first.api_key)
    assert first.api_key != second.api_key


async def test_a_key_of_ones_own_may_be_given():
    async with running(api_key="mine-au2") as wire:
        assert (await wire.get("/users")).status == 200


async def test_the_key_is_right_with_and_without_its_shard():
    async with running() as wire:
        bare = wire.sandbox.api_key.removesuffix("-au1")
        assert (await wire.ask("GET", "/users", key=bare)).status == 200
        assert (await wire.ask("GET", "/users", key=wire.sandbox.api_key)).status == 200


async def test_anything_but_basic_with_the_key_and_an_empty_password_is_401():
    headers = ("", "Bearer {key}", "Basic ?", "Basic {secret}", "Basic {bare}", "Digest {right}")
    async with running() as wire:
        key = wire.sandbox.api_key
        parts = {
            "key": key,
            "secret": basic(f"{key}:secret")["Authorization"][6:],
            "bare": basic(key)["Authorization"][6:],
            "right": basic(f"{key}:")["Authorization"][6:],
        }
        for header in headers:
            answer = await wire.ask("GET", "/users", headers={"Authorization": header.format(**parts)})
            assert (answer.status, answer.body) == (401, b"HTTP Basic: Access denied.\n"), header
            assert answer.headers["WWW-Authenticate"].startswith("Basic")
        assert [request.authorized for request in wire.sandbox.requests] == [False] * len(headers)


async def test_a_strict_sandbox_refuses_a_user_agent_without_a_name_and_an_address():
    async with running(strict=True) as wire:
        for agent in ("", "Rosters", "it@example.com", "Rosters (nobody)", "(it@example.com)"):
            answer = await wire.ask("GET", "/users", headers={"User-Agent": agent})
            assert (answer.status, answer.json["status"]) == (400, "400"), agent


async def test_an_accept_without_json_is_406():
    async with running() as wire:
        assert (await wire.ask("GET", "/users", headers={"Accept": "*/*"})).status == 406


MISSING = [
    ("GET", "/nothing"),
    ("GET", "/users/1"),
    ("GET", "/users/9999999999999999999"),
    ("GET", "/users/99999999999999999999"),
    ("PUT", "/appointment_types"),
    ("POST", "/practitioners"),
    ("GET", "/practitioners/1/appointment_types"),
    ("GET", "/users//"),
    ("GET", "/referral_sources/1"),
]


async def test_an_unknown_path_is_404():
    async with running() as wire:
        for method, path in MISSING:
            answer = await wire.ask(method, path)
            assert (answer.status, answer.json) == (404, NOT_FOUND), (method, path)


async def test_a_path_outside_of_the_base_path_is_404():
    async with running() as wire:
        origin = wire.sandbox.base_url.removesuffix("/v1")
        for path in ("/users", "/v1users", "/v2/users", "/x/v1/users", "/"):
            assert (await wire.ask("GET", origin + path)).json == NOT_FOUND


async def test_a_body_that_is_not_sent_as_json_is_400():
    async with running() as wire:
        assert (await wire.ask("POST", "/taxes", data={"name": "VAT"})).status == 400
        headers = {"Content-Type": "application/json"}
        assert (await wire.ask("POST", "/taxes", data=b"{", headers=headers)).json["error"] == "Bad Request"
        assert (await wire.ask("POST", "/taxes", data=b'{"rate":NaN}', headers=headers)).status == 400
        deep = b'{"name":' + b"[" * 101 + b"]" * 101 + b"}"
        assert (await wire.ask("POST", "/taxes", data=deep, headers=headers)).status == 400
        assert [one.body for one in wire.sandbox.requests][:2] == ["name=VAT", "{"]


async def test_a_body_that_is_not_an_object_is_422():
    async with running() as wire:
        headers = {"Content-Type": "application/json"}
        for body in (b"[]", b'"name"', b"null"):
            answer = await wire.ask("POST", "/taxes", data=body, headers=headers)
            assert (answer.status, answer.json) == (422, {"message": "must be an object"})


async def test_each_request_is_recorded_without_the_key():
    async with running(clock=lambda: 7.0) as wire:
        await wire.ask("POST", "/taxes?a=1&a=2&b", json={"name": "VAT", "rate": 1.5})
        (one,) = wire.sandbox.requests
        assert (one.method, one.path, one.url) == ("POST", "/v1/taxes", "/v1/taxes?a=1&a=2&b")
        assert one.query == {"a": ["1", "2"], "b": [""]}
        assert (one.body, one.status, one.time, one.authorized) == ({"name": "VAT", "rate": 1.5}, 201, 7.0, True)
        assert one.headers["user-agent"] == AGENT
        assert "authorization" not in one.headers
        assert repr(one) == "SandboxRequest(POST /v1/taxes 201)"
        bare = wire.sandbox.api_key.removesuffix("-au1")
        assert bare not in str((one.headers, one.query, one.url))


async def test_the_date_is_that_of_the_wall_clock():
    async with running(wall=lambda: time.time() + 3 * 3600) as wire:
        answer = await wire.get("/users")
        ahead = parsedate_to_datetime(answer.headers["Date"]).timestamp() - time.time()
        assert 3 * 3600 - 60 < ahead < 3 * 3600 + 60


async def test_answers_are_json_in_utf_8():
    async with running() as wire:
        answer = await wire.get("/practitioners/inactive")
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert "Élise" in answer.body.decode()
