"""Malformed HTTP, clients that leave early, and a sandbox that closes: the HTTP library is never visible."""

import asyncio
import json
import logging
import random
import re
import socket
import struct

import aiohttp
import pytest

from cliniko_async.sandbox import Sandbox
from tests.sandbox.wire import Wire, running
from tests.support.clients import virtually

LIBRARY = re.compile(r"aiohttp|python|traceback|line too long|bad .* method", re.IGNORECASE)


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition("/")[0].rpartition(":")
    return host, int(port)


async def raw(url: str, data: bytes) -> tuple[int, str, bytes]:
    """Send bytes, and read status, headers and body until the server closes the connection."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(*address(url))
        writer.write(data)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    return int(head.split()[1]), head.decode(), body


def request(wire: Wire, method: str = "GET", path: str = "/v1/taxes", *lines: str) -> bytes:
    own = (f"{name}: {value}" for name, value in wire.headers().items())
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *own, *lines, "", ""]).encode()


MALFORMED = [
    b"\r\n\r\nnonsense\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /v1/taxes HTTP/9.9\r\n\r\n",
    b"G\x00T /v1/taxes HTTP/1.1\r\n\r\n",
    b"GET /v1/t\x01axes HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET /v1/taxes HTTP/1.1\r\nno colon\r\n\r\n",
    b"GET /v1/taxes HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    b"GET /v1/taxes HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % number for number in range(500)) + b"\r\n",
    b"GET /v1/" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    b"POST /v1/taxes HTTP/1.1\r\nContent-Length: many\r\n\r\n",
    b"POST /v1/taxes HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/taxes HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
]
if aiohttp.__version__ >= "3.14":
    # Before, aiohttp's parser raised a ValueError, and the connection was closed without an answer.
    MALFORMED.append(b"GET http://[/ HTTP/1.1\r\n\r\n")


async def test_what_is_not_http_is_answered_in_the_form_of_each_server(caplog):
    async with running() as wire:
        for data in MALFORMED:
            status, head, body = await raw(wire.sandbox.base_url, data)
            assert (status, json.loads(body)) == (400, {"status": "400", "error": "Bad Request"}), data[:80]
            assert "application/json" in head
            stored, stored_head, stored_body = await raw(wire.sandbox.files.url, data)
            assert (stored, stored_body.endswith(b"<Error><Code>BadRequest</Code></Error>")) == (400, True), data[:80]
            assert not LIBRARY.search(head + str(body) + stored_head + str(stored_body)), data[:80]
        assert (await wire.get("/taxes")).status == 200
    assert caplog.record_tuples == []


TARGETS = ("*", "/", "//", "http://other.example/v1/taxes", "/v1/%ff", "/v1/\u00e9", "/v1?#x")


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "M-SEARCH"])
async def test_no_target_is_answered_by_the_library(method, caplog):
    async with running() as wire:
        for path in TARGETS:
            status, head, body = await raw(wire.sandbox.base_url, request(wire, method, path, "Connection: close"))
            assert status in (200, 400, 404), path
            assert status == 200 or json.loads(body).keys() == {"status", "error"}, path
            assert not LIBRARY.search(head), path
    assert caplog.record_tuples == []


UNREADABLE = [
    (["Content-Encoding: gzip", "Content-Length: 7"], b"notgzip", 400),
    (["Content-Encoding: deflate", "Content-Length: 7"], b"notzlib", 400),
    (["Transfer-Encoding: chunked"], b"zz\r\n", 400),
    (["Content-Length: 2000000"], b" " * 2_000_000, 413),
]


async def test_a_body_that_cannot_be_read_is_refused(caplog):
    async with running() as wire:
        for lines, body, status in UNREADABLE:
            extra = [*lines, "Content-Type: application/json", "Connection: close"]
            answer = await raw(wire.sandbox.base_url, request(wire, "POST", "/v1/taxes", *extra) + body)
            assert (answer[0], json.loads(answer[2])["status"]) == (status, str(status)), lines
        assert (await wire.get("/taxes")).status == 200
    assert caplog.record_tuples == []


async def test_credentials_that_are_nonsense_are_401():
    async with running() as wire:
        for key in ("\u00e9", "\udcff", "=", "Og=="):
            head = f"GET /v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {key}\r\nConnection: close\r\n\r\n"
            assert (await raw(wire.sandbox.base_url, head.encode("utf-8", "surrogateescape")))[0] == 401


async def test_bytes_of_a_query_that_are_not_utf_8_are_replaced(caplog):
    async with running() as wire:
        for query in (b"q[]=name:=\xff", b"q[]=\xff:=1", b"\xff=\xff", b"sort=\xff"):
            data = request(wire, "GET", "/v1/taxes?{}", "Connection: close").replace(b"{}", query)
            assert (await raw(wire.sandbox.base_url, data))[0] in (200, 400)
        assert all(one.url.encode() for one in wire.sandbox.requests)
    assert caplog.record_tuples == []


FORMS = [
    ("text/plain", b"x"),
    ("multipart/form-data", b"x"),
    ("multipart/form-data; boundary=b", b"x"),
    ("multipart/form-data; boundary=b", b"--b\r\n\r\n"),
    ("multipart/form-data; boundary=b", b"--b\r\nnonsense\r\n\r\nx\r\n--b--\r\n"),
    (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="k"\r\n\r\n\xff\r\n--b--\r\n',
    ),
    (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="k"\r\nContent-Transfer-Encoding: x\r\n\r\nx\r\n--b--\r\n',
    ),
    ("multipart/mixed; boundary=" + "b" * 100, b"x"),
]


async def test_a_body_that_is_not_a_form_is_refused_by_the_store(caplog):
    async with running() as wire:
        for content_type, body in FORMS:
            lines = ["POST / HTTP/1.1", "Host: x", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
            data = "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body
            status, head, answer = await raw(wire.sandbox.files.url, data)
            assert status in (400, 403, 412), body
            assert answer.startswith(b"<?xml"), body
            assert not LIBRARY.search(head), body
    assert caplog.record_tuples == []


# Clients that leave


async def leave(url: str, data: bytes, seconds: float, *, reset: bool) -> None:
    """Send bytes and go, by a reset or an ordinary end."""
    _, writer = await asyncio.open_connection(*address(url))
    writer.write(data)
    await asyncio.sleep(seconds)
    if reset:
        option = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
    writer.transport.abort()


async def test_clients_that_leave_at_any_moment_leave_no_trace(caplog):
    """Before or during the body, before or during the response: the sandbox is not affected."""
    rng = random.Random(1)
    async with running(latency=0.001, jitter=0.004, limit=10**6) as wire:
        wire.sandbox.faults.drop("body", times=None, path="per_page=7")
        wire.sandbox.faults.slow(0.005, times=None, path="per_page=8")
        whole = [request(wire, "GET", f"/v1/attendees?per_page={size}") for size in (7, 8, 100)]
        lines = ["Content-Type: application/json", "Content-Length: 900"]
        whole += [request(wire, "POST", "/v1/taxes", *lines) + b" " * size for size in (0, 400)]
        whole += [request(wire) * 20, request(wire)[:-9]]
        leaving = [
            leave(rng.choice((wire.sandbox.base_url, wire.sandbox.files.url)), data, rng.random() / 100, reset=reset)
            for data in whole * 20
            for reset in (True, False)
        ]
        await asyncio.gather(*leaving)
        wire.sandbox.faults.clear()
        assert (await wire.get("/taxes")).status == 200
    assert caplog.record_tuples == []


async def test_a_request_whose_client_has_left_is_carried_out(caplog):
    body = b'{"name": "Left"}'
    async with running() as wire:
        lines = ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        await leave(wire.sandbox.base_url, request(wire, "POST", "/v1/taxes", *lines) + body, 0, reset=False)
        async with asyncio.timeout(10):
            while "Left" not in {tax["name"] for tax in wire.sandbox.all("taxes")}:  # noqa: ASYNC110  (nobody answers)
                await asyncio.sleep(0.001)
    assert caplog.record_tuples == []


@pytest.mark.parametrize("latency", [0.0, 0.009, 0.01, 0.011, 60.0])
def test_a_sandbox_that_closes_amid_requests_leaves_no_trace(latency, caplog):
    """Even if they end at the very moment at which the server stops waiting for them, a hundredth of a second later."""

    @virtually
    async def test():
        clock = asyncio.get_running_loop().time
        async with Sandbox(latency=latency, clock=clock, wall=clock) as sandbox:
            data = request(Wire(sandbox, None))
            writers = [(await asyncio.open_connection(*address(sandbox.base_url)))[1] for _ in range(5)]
            for writer in writers:
                writer.write(data)
            while len(sandbox.requests) < len(writers):  # noqa: ASYNC110  (nobody answers)
                await asyncio.sleep(0)
        for writer in writers:
            writer.close()

    test()
    assert caplog.record_tuples == []


async def test_a_fault_of_the_sandbox_itself_is_a_500_in_its_form_and_logged(caplog):
    def broken(_: object) -> object:
        raise LookupError("in a test")

    async with running() as wire:
        wire.sandbox.faults.edit(broken)
        answer = await wire.get("/taxes")
        assert (answer.status, answer.json) == (500, {"status": "500", "error": "Internal Server Error"})
        assert (await wire.get("/taxes")).status == 200
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("cliniko_async.sandbox", logging.ERROR)
    assert record.exc_info is not None


async def test_a_reply_that_cannot_be_sent_is_logged_too(caplog):
    async with running() as wire:
        wire.sandbox.faults.status(200, headers={"X-Odd": "one line\r\nand another"})
        with pytest.raises(aiohttp.ClientError):
            await wire.post("/taxes", {"name": "Odd"})
        assert (await wire.get("/taxes")).status == 200
    assert [(record.name, record.levelno) for record in caplog.records] == [("cliniko_async.sandbox", logging.ERROR)]
