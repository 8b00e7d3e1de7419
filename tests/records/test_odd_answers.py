"""Whatever the server sends, only errors of this library are raised, and the event loop is not blocked."""

import asyncio
import copy
import datetime as dt
import inspect
import json
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cliniko_async import Cliniko, ClinikoError, DecodingError, Link, ListLink, PaginationError
from cliniko_async.limits import SlidingWindowLimiter
from cliniko_async.links import SelfLink
from cliniko_async.resources._names import RESOURCES
from tests.support.clients import ONCE, client_of, virtually
from tests.support.for_each import for_each
from tests.support.raw_server import RawServer, answer
from tests.support.records import RECORD_OF, example, objects, page_of
from tests.support.virtual import run

SOON = 1000.0  # on virtual time, and after a pause of two minutes
DIGITS = int("9" * 4000)
EDGES = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T23:59:59.5Z", "2024-02-30T00:00:00Z"]
NUMBERS = [0, -1, 2**63 - 1, 2**63, 2**64, 2**70, -(2**63) - 1, DIGITS, 1.5, 1e308, True]
URLS = [
    "",
    "/",
    "//",
    "http://[",
    "https://a:99999/",
    "https://a..b/",
    "?page=2",
    "file:///",
    "\ud800",
    "x" * 9000,
    " ",
]
TEXTS = ["", "\ud800", "\x00", "9" * 5000, "-7", "0", "٣", "NaN"]
SHAPES = [None, [], {}, [[]], [None], {"links": None}, {"links": {"self": 5}}, {"": {"": {}}}]
ODD = st.sampled_from([*EDGES, *NUMBERS, *URLS, *TEXTS, *SHAPES])
BODIES: list[Callable[[bytes], bytes]] = [
    lambda body: body[: len(body) // 2],
    lambda body: b"\xef\xbb\xbf" + body,
    lambda body: body.decode().encode("utf-16"),
    lambda body: body.replace(b'"', b'"\xff', 1),
    lambda body: body.replace(b"{", b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b",", 1),
    lambda body: body.replace(b"{", b'{"a": ' + b"9" * 5000 + b",", 1),
    lambda body: body.replace(b"{", b'{"a": NaN, "links": 5, "total_entries": -1,', 1),
    lambda body: body[:-1] + b', "total_entries": 7, "links": {"next": 5}, "id": Infinity}',
    lambda body: body.replace(b"null", b"-Infinity"),
    lambda body: body + body,
    lambda _: b"",
    lambda _: b"<html>",
    lambda _: b"9" * 5000,
]
HEADERS = [
    {},
    {"Date": "Fri, 31 Dec 9999 23:59:59 -2359"},
    {"Date": "Mon, 01 Jan 0001 00:00:00 +2359"},
    {"Date": "9" * 5000},
    {"X-RateLimit-Reset": "9" * 5000, "Retry-After": "-1"},
    {"X-RateLimit-Reset": "9" * 300, "Retry-After": "Fri, 31 Dec 9999 23:59:59 -2359"},
    {"X-RateLimit-Reset": "-1", "Retry-After": "1e400", "Date": ""},
    {"Content-Type": "application/json; charset=nonsense", "Set-Cookie": "\x01=;;=", "Link": "<<>;"},
    {"Content-Encoding": "gzip"},
    {"Content-Encoding": "br, nonsense"},
    {"Location": "http://["},
]
STATUSES = [*[200] * 12, 204, 302, 400, 404, 422, 429, 503]


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a JSON value has values, itself first."""
    found = [place]
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found += places(inner, (*place, key))
    return found


def replaced(value: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    changed = copy.copy(value)
    changed[place[0]] = replaced(value[place[0]], place[1:], odd)
    return changed


@st.composite
def answers(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A response with a page or a record of a resource, in which something was changed."""
    record = draw(objects(RECORD_OF[RESOURCES[name][0]]))
    body: Any = record
    if draw(st.integers(0, 3)):
        rows = [record | {"id": str(key)} for key in draw(st.lists(st.integers(0, 3), max_size=3))]
        links = {"next": "@next"} if draw(st.booleans()) else {}
        body = page_of(name, rows, links=links, total_entries=draw(st.sampled_from([0, 1, 3, 200])))
    for _ in range(draw(st.integers(0, 3))):
        body = replaced(body, draw(st.sampled_from(places(body))), draw(ODD))
    change = draw(st.sampled_from([*[bytes] * len(BODIES), *BODIES]))
    return {
        "body": change(json.dumps(body).encode()),
        "headers": draw(st.sampled_from([*[{}] * 5, *HEADERS])),
        "status": draw(st.sampled_from(STATUSES)),
    }


async def every_use(cliniko: Cliniko, name: str, base: str) -> None:
    """Read a resource in every possible way."""
    resource = getattr(cliniko, name)
    uses: list[Callable[[], Any]] = []
    if name == "available_times":
        days = {"from_": dt.date(9999, 12, 1), "to": dt.date.max}
        uses += [
            lambda: read_on(partial(resource.list, 1, 1, 1), days),
            lambda: resource.get_next(1, 1, 1, **days),
        ]
    elif hasattr(resource, "list"):
        every = ({}, {"prefetch": 3, "per_page": 1}, {"sort": "created_at"}, {"stable": True})
        uses += [lambda options=options: read_on(resource.list, options) for options in every]
        uses += [lambda: resource.list().count(), lambda: resource.list().first()]
    if hasattr(resource, "changes"):
        uses.append(lambda: read_on(lambda cursor=None: resource.changes(cursor), {}))
    if name not in ("settings", "public_settings"):
        uses.append(lambda: cliniko.follow(Link.to(f"{base}/{name}/1")))
        uses.append(lambda: cliniko.resolve([Link.to(f"{base}/{name}/1"), None]))
    if hasattr(resource, "get"):
        parameters = inspect.signature(resource.get).parameters.values()
        ids = [1 for one in parameters if one.kind is one.POSITIONAL_ONLY]
        uses.append(lambda: resource.get(*ids))
    for use in uses:
        with suppress(ClinikoError):
            await asyncio.wait_for(use(), SOON)


async def read_on(listing: Callable[..., Any], options: dict[str, Any]) -> None:
    """Read until an error or some records, and continue from each cursor; pages are printed as a user would."""
    iterator = aiter(listing(**options))
    cursors = [iterator.cursor]
    failure = None
    try:
        async for found in iterator:
            cursors.append(iterator.cursor)
            assert repr(found)
            if len(cursors) > 5:
                break
    except ClinikoError as error:
        failure = error
    if failure and failure.cursor:
        cursors.append(failure.cursor)
    shown = getattr(failure, "page", None)
    for use in (lambda: repr(shown), lambda: shown and shown.raw):
        with suppress(ClinikoError):
            use()
    for cursor in cursors[-2:]:
        with suppress(ClinikoError):
            await anext(aiter(listing(cursor=cursor, **options)), None)


def client(server: RawServer, **options: Any) -> Cliniko:
    clock = asyncio.get_running_loop().time
    limiter = SlidingWindowLimiter(100_000, clock=clock)
    return client_of(server, retry=ONCE, rate_limiter=limiter, **options)


@pytest.mark.parametrize("name", sorted(RESOURCES))
@given(data=st.data())
@settings(max_examples=max(15, settings().max_examples // 50))
def test_any_response_raises_only_errors_of_this_library(name: str, data: st.DataObject):
    given_ = data.draw(answers(name))

    async def test() -> None:
        async with RawServer() as server, client(server) as cliniko:
            following = f"{server.base_url}/{name}?page=2".encode()
            server.turns[0] = answer(**(given_ | {"body": given_["body"].replace(b"@next", following)}))
            await every_use(cliniko, name, server.base_url)

    run(test())


EDGE_FIELDS = [("created_at", EDGES[0]), ("created_at", EDGES[1]), ("updated_at", EDGES[0]), ("updated_at", EDGES[1])]
KIND: dict[str, Any] = {
    "id": "1",
    "links": {"self": ""},
    "color": "#2F80ED",
    "created_at": "2024-01-01T00:00:00Z",
    "updated_at": "2024-01-01T00:00:00Z",
    "duration_in_minutes": 30,
    "max_attendees": 1,
    "name": "a",
}


@for_each("field, stamp", EDGE_FIELDS)
@pytest.mark.parametrize("total", [1, 2, 100])
@virtually
async def test_a_stamp_at_the_edge_of_the_calendar_raises_at_most_an_error_of_this_library(field, stamp, total):
    rows = [KIND | {"id": str(key), field: stamp} for key in range(1, 3)]
    page = answer(200, page_of("appointment_types", rows, total_entries=total))
    async with RawServer(page) as server, client(server) as cliniko:
        await every_use(cliniko, "appointment_types", server.base_url)
        with nullcontext() if total == 2 else suppress(PaginationError):
            found = await cliniko.appointment_types.list().first()
            assert getattr(found, field).isoformat() == stamp


@for_each("total", [-1, 2**63, 2**64, 2**70, "1", 1.0, True, [1]])
@virtually
async def test_an_impossible_total_is_refused_at_once(total):
    page = answer(200, page_of("appointment_types", [KIND], total_entries=total))
    async with RawServer(page) as server, client(server) as cliniko:
        types = cliniko.appointment_types
        for use in (types.list().collect, types.list(sort="name").collect, types.list().count):
            with pytest.raises(DecodingError, match="total_entries expected a non-negative 64-bit integer"):
                await use()


@pytest.mark.parametrize("key", ["0", "00", "7"])
@virtually
async def test_a_server_that_repeats_one_id_does_not_keep_a_stable_list_in_an_endless_loop(key):
    page = answer(200, page_of("appointment_types", [KIND | {"id": key}], total_entries=3))
    async with RawServer(page) as server, client(server) as cliniko:
        with pytest.raises(PaginationError, match="the server did not sort by id"):
            await cliniko.appointment_types.list(stable=True).collect()
        assert len(server.requests) == 2


@virtually
async def test_the_largest_total_survives_the_round_trip_through_a_cursor():
    body = page_of("appointment_types", [KIND], total_entries=2**63 - 1, links={"next": "@"})
    async with RawServer() as server, client(server) as cliniko:
        body["links"]["next"] = f"{server.base_url}/appointment_types?page=2"
        server.turns[0] = answer(200, body)
        iterator = aiter(cliniko.appointment_types.list(sort="name"))
        await anext(iterator)
        with suppress(ClinikoError):
            await anext(aiter(cliniko.appointment_types.list(sort="name", cursor=iterator.cursor)))
        assert "page=1" in server.requests[1].query


@pytest.mark.parametrize("following", ["", None])
@virtually
async def test_an_empty_next_link_is_the_end(following):
    page = page_of("appointment_types", [KIND], links={"next": following})
    spoiled = page_of("appointment_types", [KIND | {"name": 5}], links={"next": following})
    async with RawServer(answer(200, page)) as server, client(server) as cliniko:
        for options in ({}, {"sort": "name"}, {"stable": True}, {"prefetch": 3}):
            assert len(await cliniko.appointment_types.list(**options).collect()) == 1
        assert (await cliniko.appointment_types.list()).next is None
        server.turns[0] = answer(200, spoiled)
        with pytest.raises(DecodingError) as caught:
            await cliniko.appointment_types.list().collect()
        assert caught.value.page is not None
        assert caught.value.page.next is None


@virtually
async def test_a_page_with_unreadable_unknown_keys_has_its_records_and_raises_for_raw():
    body = json.dumps(page_of("appointment_types", [KIND])).encode()[:-1] + b', "new": ' + b"9" * 5000 + b"}"
    async with RawServer(answer(200, body)) as server, client(server) as cliniko:
        page = await cliniko.appointment_types.list()
        assert [record.id for record in page.items] == ["1"]
        with pytest.raises(DecodingError, match="not JSON that can be read"):
            _ = page.raw


@for_each("href", ["http://[", "https://a:99999/v1/taxes/1", "https://a..b/v1/taxes/1", "\ud800", ""])
@virtually
async def test_a_link_that_is_not_a_url_is_refused(href):
    async with RawServer() as server, client(server) as cliniko:
        for use in (
            lambda: cliniko.follow(Link.to(href)),
            lambda: cliniko.resolve([Link.to(href)]),
            lambda: cliniko.request("GET", href or "http://"),
            lambda: anext(aiter(cliniko.follow(ListLink(SelfLink(href))))),
        ):
            with pytest.raises(ClinikoError):
                await use()
        assert not server.requests


@virtually
async def test_a_link_to_what_has_no_id_is_not_resolved():
    async with RawServer(answer(200, b"{}")) as server, client(server) as cliniko:
        with pytest.raises(ClinikoError):
            await cliniko.resolve([Link.to(f"{server.base_url}/settings")])


# The event loop


def page(row: bytes, count: int, name: str = "appointment_types") -> bytes:
    return b'{"%s": [%s], "total_entries": %d, "links": {}}' % (name.encode(), b",".join([row] * count), count)


MANY_SECONDS = 5.0
GOOD = json.dumps(KIND).encode()
BAD = json.dumps(KIND | {"name": None}).encode()
LISTED = json.dumps(KIND | {"appointment_reminder_template_ids": [5] * 90_000}).encode()
LONG = json.dumps(KIND | {"name": None, "appointment_reminder_template_ids": ["5"] * 1000}).encode()
CROWDS: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: page(b"{}", 1_000_000),
    "numbers": lambda: page(b"1", 5_000_000),
    "all of a name that is none": lambda: page(BAD, 20_000),
    "one among many": lambda: page(GOOD + b"," + BAD, 10_000),
    "many": lambda: page(GOOD, 200_000),
    "long lists": lambda: page(LISTED, 100),
    "long records that do not fit": lambda: page(LONG, 90),
}


async def longest_pause(work: Any) -> float:
    """Return the longest time, in seconds of the processor, for which the event loop was blocked until an error."""
    worst, last = 0.0, time.thread_time()

    async def beat() -> None:
        nonlocal worst, last
        while True:
            await asyncio.sleep(0.01)
            worst, last = max(worst, time.thread_time() - last), time.thread_time()

    beating = asyncio.create_task(beat())
    await asyncio.sleep(0)
    with pytest.raises(DecodingError) as caught:
        await work
    await asyncio.sleep(0.02)
    beating.cancel()
    assert 1 <= len(caught.value.faults) <= 100
    assert caught.value.page is None
    return worst


@pytest.mark.parametrize("crowd", CROWDS)
async def test_a_page_of_very_many_records_is_refused_before_it_blocks_the_event_loop(crowd: str):
    """Reading each of these value by value would take seconds to minutes; refusing it takes a fraction of a second."""
    async with RawServer(answer(200, CROWDS[crowd]())) as server, client(server) as cliniko:
        assert await longest_pause(cliniko.appointment_types.list().collect()) < MANY_SECONDS


async def test_a_page_of_very_many_records_read_one_by_one_is_refused_too():
    """Communications have a key that is not a Python name, so the fast decoder cannot read them."""
    row = json.dumps(example("communication")).encode()
    async with RawServer(answer(200, page(row, 20_000, "communications"))) as server, client(server) as cliniko:
        assert await longest_pause(cliniko.communications.list().collect()) < MANY_SECONDS


async def test_a_single_record_with_very_many_values_is_refused_too():
    body = json.dumps(KIND | {"appointment_reminder_template_ids": [5] * 200_000})
    async with RawServer(answer(200, body.encode())) as server, client(server) as cliniko:
        assert await longest_pause(cliniko.appointment_types.get(1)) < MANY_SECONDS


@pytest.mark.parametrize("options", [{}, {"sort": "name"}, {"stable": True}])
@virtually
async def test_up_to_a_hundred_invalid_records_are_reported_and_with_more_the_page_is_requested_again(options):
    def rows(bad: int) -> list[dict[str, Any]]:
        return [KIND | {"id": str(key), "name": "a" if key > bad else None} for key in range(1, 103)]

    async with RawServer() as server, client(server) as cliniko:
        server.turns[0] = answer(200, page_of("appointment_types", rows(100)))
        iterator = aiter(cliniko.appointment_types.list(**options))
        before = iterator.cursor
        with pytest.raises(DecodingError) as caught:
            await anext(iterator)
        assert len(caught.value.faults) == 100
        assert caught.value.page is not None
        assert [record.id for record in caught.value.page.items] == ["101", "102"]
        assert caught.value.cursor != before
        server.turns[0] = answer(200, page_of("appointment_types", rows(101)))
        with pytest.raises(DecodingError) as caught:
            await anext(iterator)
        assert len(caught.value.faults) == 100
        assert caught.value.page is None
        assert caught.value.cursor == before
        server.turns[0] = answer(200, page_of("appointment_types", rows(0)))
        assert [(await anext(iterator)).id for _ in range(102)] == [str(key) for key in range(1, 103)]


@virtually
async def test_at_most_twenty_faults_of_one_record_are_reported():
    body = KIND | {"appointment_reminder_template_ids": [5] * 50}
    async with RawServer(answer(200, body)) as server, client(server) as cliniko:
        with pytest.raises(DecodingError) as caught:
            await cliniko.appointment_types.get(1)
        assert caught.value.faults[0].count("expected a string") == 20
