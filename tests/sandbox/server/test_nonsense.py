"""Nonsense never leads to a 5xx: it is answered in the form of the API, and the next request works."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cliniko_async.sandbox import Sandbox
from cliniko_async.sandbox.db.schema import load_tables
from tests.sandbox.wire import Wire

TABLES = load_tables()
FIELDS = sorted({name for table in TABLES.values() for name in (*table.columns, *table.filters)})
WRITTEN = sorted(name for name, table in TABLES.items() if any(table.body_fields.values()))
Pairs = Sequence[tuple[str, str]]
LIBRARY = ("aiohttp", "python", "traceback")
"""Words that would reveal the HTTP library."""


@attrs.frozen
class Raw:
    """A response as it was received."""

    status: int
    headers: dict[str, str]
    body: bytes


async def exchange(origin: str, message: bytes) -> Raw:
    """Send bytes on a new connection, and read until the server closes it."""
    host, _, port = origin.removeprefix("http://").partition("/")[0].rpartition(":")
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(message)
            return parsed(await reader.read())
        finally:
            writer.close()


def parsed(data: bytes) -> Raw:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Raw(int(first.split()[1]), headers, body)


def is_of_the_api(answer: Raw, method: str = "GET") -> bool:
    """Whether a response has the form of the API."""
    assert answer.status < 500, answer
    assert not any(word in str(answer.headers).lower() for word in LIBRARY)
    if not answer.body:
        return method == "HEAD" or answer.status in (204, 302)
    body = json.loads(answer.body)
    return answer.status < 300 or body.keys() in ({"status", "error"}, {"message", "errors"}, {"message"})


def message(sandbox: Sandbox, method: str, target: str, headers: Pairs, body: bytes) -> bytes:
    """A complete request with any content."""
    own = {name.lower() for name, _ in headers}
    basic = Wire(sandbox, None).headers()
    given = [(name, text) for name, text in basic.items() if name.lower() not in own]
    lines = [f"{name}: {text}" for name, text in [*given, *headers, ("Host", "x"), ("Connection", "close")]]
    lines += [f"Content-Length: {len(body)}"] if body else []
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""])
    return head.encode("utf-8", "surrogateescape") + body


# Nonsense of every form

digits = st.integers(-1, 10**21).map(str) | st.sampled_from(["1" * 5000, "0", "-" + "9" * 3000, "\u0661"])
texts = st.text(max_size=12) | st.sampled_from(["\0", "%", "%%", "_\\", "a" * 3000, "\ud7ff", "null", "*", "..", " "])
encoded = texts.map(lambda text: quote(text, safe=""))
segments = st.sampled_from(
    [*TABLES, "{id}", "{id}", "1", "archive", "cancel", "archived", "deleted", "inactive", "active", "settings", "user",
     "conflicts", "content", "signatures", "referral_source", "available_times", "attachment_presigned_post", "x"]
)  # fmt: skip
paths = st.lists(segments | digits | encoded, min_size=1, max_size=5).map("/".join)
operators = st.sampled_from(["=", "!=", ">", ">=", "<", "<=", "~", "~~", "?", "!?", "*", "", "=="])
values = texts | digits | st.sampled_from(
    ["2025-01-01T00:00:00Z", "2025-01-01T00:00:00.5Z", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "****-**-**",
     "2025-02-30", "true", "1,2,3", ",", "1" + ",2" * 900]
)  # fmt: skip
filters = st.tuples(st.sampled_from(FIELDS), operators, values).map(lambda parts: f"{parts[0]}:{parts[1]}{parts[2]}")
sorts = st.lists(st.sampled_from([*FIELDS, "id", "id:desc", "name:asc", ""]), max_size=4).map(",".join)
pairs = st.one_of(
    st.tuples(st.sampled_from(["q[]", "q"]), filters | texts),
    st.tuples(st.just("sort"), sorts | st.just(",".join(["id"] * 2000))),
    st.tuples(st.sampled_from(["page", "per_page"]), digits | texts),
    st.tuples(st.sampled_from(["from", "to"]), values),
    st.tuples(st.sampled_from(["order"]) | texts, texts),
)
queries = st.lists(pairs, max_size=4).map(lambda found: "&".join(f"{quote(k, safe='')}={quote(v)}" for k, v in found))
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**25), 10**25), st.floats(), texts, st.just("2025-01-01T00:00:00Z"),
    st.sampled_from(["0001-01-01T00:00:00+14:00", "1e999999", "0e-999999999", "#fff\n", "{id}", "1412345678901990917"]),
    st.sampled_from(["999999999", 3_999_999_999, "3999999999.9999", -1, 0, 10**15 - 1, "None", "Melbourne"]),
)  # fmt: skip
trees = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
objects = st.dictionaries(st.sampled_from(FIELDS), trees, max_size=12)
deep = st.sampled_from([b"[" * 90_000, b'{"a":' * 5000, b'{"name":' + b"[" * 500 + b"]" * 500 + b"}", b"1" * 9000])
bodies = st.one_of(
    st.just(b""), deep, st.binary(max_size=40), (trees | objects).map(lambda tree: json.dumps(tree).encode())
)
codings: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
headers = st.lists(
    st.one_of(
        st.tuples(st.just("Content-Encoding"), st.sampled_from(["gzip", "deflate", "br", "zstd", "identity", "x"])),
        st.tuples(st.just("Content-Type"), st.sampled_from(["text/plain", "application/json; charset=x", ";", "é"])),
        st.tuples(st.just("User-Agent"), st.sampled_from(["", "x", "\udcff"])),
        st.tuples(st.just("Accept"), st.sampled_from(["", "*/*", "text/html", "application/json;q=0"])),
        st.sampled_from([("Upgrade", "websocket"), ("Expect", "100-continue"), ("Expect", "x"), ("Range", "bytes=0-")]),
        st.tuples(
            st.just("X-Odd"), st.text(st.characters(exclude_characters="\r\n\0", max_codepoint=0x7E), max_size=9)
        ),
    ),
    max_size=2,
    unique_by=lambda pair: pair[0],
)
methods = st.sampled_from(["GET", "GET", "POST", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "PURGE"])


@attrs.define(repr=False)
class Target:
    """A sandbox in its own event loop, to which nonsense is sent."""

    runner: asyncio.Runner
    sandbox: Sandbox
    ids: dict[str, str]

    def __repr__(self) -> str:
        return "Target"

    def known_body(self, resource: str) -> dict[str, Any]:
        """The fields of an existing record that a create accepts, including its references."""
        table = TABLES[resource]
        record = self.sandbox.get(resource, self.ids[resource])
        ids = {f"{name}_id": _id_of(value) for name, value in record.items() if isinstance(value, dict)}
        return {name: value for name, value in (record | ids).items() if name in table.body_fields["create"]}

    def send(self, method: str, path: str, query: str = "", extra: Pairs = (), body: bytes = b"") -> Raw:
        resource = path.partition("/")[0]
        known = self.ids.get(resource, "1")
        target = f"/v1/{path}{'?' if query else ''}{query}".replace("{id}", known)
        typed = [*extra, *([("Content-Type", "application/json")] if not _has(extra, "Content-Type") else [])]
        coding = codings.get(dict(extra).get("Content-Encoding", ""))
        # Half of the encoded bodies match their header.
        body = coding(body) if coding and len(body) % 2 else body
        return self.runner.run(exchange(self.sandbox.base_url, message(self.sandbox, method, target, typed, body)))


def _id_of(link: dict[str, Any]) -> str:
    return str(link.get("links", {}).get("self", "")).rpartition("/")[2]


def _has(pairs: Pairs, name: str) -> bool:
    return any(one == name for one, _ in pairs)


@pytest.fixture(scope="module")
def target() -> Any:
    with asyncio.Runner() as runner:
        sandbox = Sandbox(limit=10**6)
        runner.run(sandbox.start())
        try:
            yield Target(runner, sandbox, {name: sandbox.all(name)[0]["id"] for name in TABLES})
        finally:
            runner.run(sandbox.close())


quick = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(asked=st.tuples(methods, paths, queries, headers, bodies))
def test_any_request_is_answered_in_the_form_of_the_api(target, caplog, asked):
    assert is_of_the_api(target.send(*asked), asked[0])
    assert target.send("GET", "taxes").status == 200
    assert caplog.record_tuples == []


@quick
@given(name=st.sampled_from(WRITTEN), data=st.data())
def test_any_object_is_taken_or_refused_and_leaves_lists_that_can_be_read(target, caplog, name, data):
    """Whether the body is nonsense, or an existing record with some nonsense in it."""
    sent = sorted({field for fields in TABLES[name].body_fields.values() for field in fields})
    nonsense = data.draw(st.dictionaries(st.sampled_from(sent), trees, max_size=4))
    body = (target.known_body(name) if data.draw(st.booleans()) else {}) | nonsense
    raw = json.dumps(body).replace("{id}", target.ids[name]).encode()
    for method, path in (("POST", name), ("PATCH", f"{name}/{{id}}"), ("PATCH", f"{name}/{{id}}/cancel")):
        assert is_of_the_api(target.send(method, path, body=raw))
    page = json.loads(target.send("GET", name, "per_page=100&sort=created_at:desc").body)
    assert len(page[name]) == min(100, page["total_entries"])
    assert caplog.record_tuples == []


@quick
@given(name=st.sampled_from(sorted(TABLES)), query=queries, data=st.data())
def test_any_query_of_a_list_is_answered(target, caplog, name, query, data):
    own = st.tuples(st.sampled_from(sorted(TABLES[name].filters) or ["id"]), operators, values)
    field, operator, value = data.draw(own)
    text = quote(f"{field}:{operator}{value}", safe="")
    assert is_of_the_api(target.send("GET", name, "&".join(filter(None, [query, f"q[]={text}"]))))
    assert caplog.record_tuples == []
