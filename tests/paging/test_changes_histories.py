"""Runs of `changes`, compared with random histories of a server on a virtual clock, without a socket."""

from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cliniko_async._messages import Request, Response
from cliniko_async._paging.by_updated_at import ByUpdatedAt, RunOptions, ServerTime
from cliniko_async._paging.cursor import UpdatedAtPosition, changes_positions, read_cursor
from cliniko_async._paging.strategy import DecodedPage
from cliniko_async._records.page import PageData
from cliniko_async.errors import InvalidRequestError, PaginationError
from tests.support.for_each import for_each

from ..support.changing_server import HOUR, OWNER, ChangingServer, Reader, Shown, Stored, digest
from ..support.model_server import START, Dice, Source, Tape, query_of, twice

DATES = ("right", "missing", "garbage", "now and then", "behind", "ahead")
SOURCES = st.one_of(st.binary(max_size=400).map(Tape), st.integers(0, 2**32).map(Dice))
EXAMPLES = settings(max_examples=max(200, settings.default.max_examples if settings.default else 0))
LARGEST_CURSOR = 16_000
OPTIONS = RunOptions(60.0, digest)


def server_of(choices: Source, repeats: str = "") -> ChangingServer:
    overlap = (60.0, 0.0, 3.0, 1.5)[choices.pick(4)]
    date = DATES[choices.pick(len(DATES))]
    server = ChangingServer(choices, overlap, overlap, date, sortable=choices.pick(3) < 2, torn=choices.pick(3) == 2)
    server.repeats = repeats
    if date == "behind":
        server.off = -(1.0, 50.0, 2 * HOUR)[choices.pick(3)]
    if date == "ahead":
        # The time by which a `Date` is ahead of the stamps reduces the overlap.
        server.off = overlap * choices.pick(11) / 10
        server.late = overlap - server.off
    server.grow()
    return server


def reader_of(choices: Source, server: ChangingServer) -> Reader:
    return Reader(server, 1 + choices.pick(4), 2 + choices.pick(3), (1000, 6)[choices.pick(2)])


def history(choices: Source, repeats: str = "") -> None:
    server = server_of(choices, repeats)
    reader = reader_of(choices, server)
    try:
        for _ in range(choices.pick(6)):
            reader.run(lambda: choices.pick(8) == 7)
            assert server.date == "behind" or not reader.missed
            server.live()
        server.calm = True
        server.now += server.overlap + max(0.0, -server.off) + 1
        assert [reader.run(), reader.run()] == [True, True]
    except PaginationError:
        # If the server does not sort, time is divided, and the number of parts is unknown.
        assert not server.sortable
        assert server.date in ("missing", "garbage", "now and then")
        return
    assert not reader.lost()
    if reader.crowd <= reader.max_digests:
        assert not list(twice(f"{row}" for row in reader.got))


@EXAMPLES
@given(SOURCES)
def test_once_changes_stop_the_last_version_of_every_record_has_been_yielded_and_none_twice(choices):
    history(choices)


@EXAMPLES
@given(SOURCES, st.sampled_from(["joined", "added", "counted"]))
def test_a_server_that_repeats_rows_on_a_page_hides_no_version_and_brings_none_twice(choices, repeats):
    history(choices, repeats)


@for_each("sortable", [True, False])
@for_each("copies", [2, 5])
def test_a_page_of_one_repeated_record_is_not_an_endless_loop(sortable, copies):
    server = still_server({1: 0.5, 2: 0.5, 3: 7.0}, sortable=sortable, repeats="joined")
    server._copies = lambda row: copies if row.id == 2 else 1
    reader = Reader(server, per_page=2, full_page=2)
    assert reader.run()
    assert sorted(row.id for row in reader.got) == ["1", "2", "3"]


@for_each("sortable", [True, False])
@given(seed=st.integers(0, 2**32), step=st.sampled_from([0.0, 0.05, 0.3, 1.0, 7.0]), count=st.integers(1, 40))
@settings(max_examples=30)
def test_a_run_ends_however_fast_records_change(sortable, seed, step, count):
    server = ChangingServer(Dice(seed, left=10**6), sortable=sortable, changes=0)
    for key in range(1, count + 1):
        server.rows[key] = Stored(key, START - key % 7, 0)
    reader = Reader(server, per_page=4, full_page=4)
    answer = server.answer

    def touching(url: str) -> PageData[Shown]:
        server.now += step
        server._change("bulk", server.now)
        return answer(url)

    server.answer = touching
    for _ in range(3):
        assert reader.run()
        # Divided by id, and by halves of all time, once for each second with changes.
        assert reader.requests <= 4 * count + 8 * 32


@given(seed=st.integers(0, 2**32), sortable=st.booleans(), hours=st.integers(1, 100))
@settings(max_examples=50)
def test_a_server_date_hours_ahead_ends_every_run_and_repeats_nothing(seed, sortable, hours):
    server = ChangingServer(Dice(seed), date="ahead", off=hours * HOUR, sortable=sortable)
    server.grow()
    reader = Reader(server, per_page=3, full_page=3)
    for _ in range(4):
        reader.run()
    assert not list(twice(f"{row}" for row in reader.got))


@given(seed=st.integers(0, 2**32), sortable=st.booleans(), off=st.sampled_from([-5 * HOUR, 5 * HOUR]))
@settings(max_examples=50)
def test_a_server_date_hours_off_loses_nothing_that_is_visible_in_time(seed, sortable, off):
    server = ChangingServer(Dice(seed), late=0.0, date="ahead", off=off, sortable=sortable)
    server.grow()
    reader = Reader(server, per_page=3, full_page=3)
    for _ in range(3):
        server.calm = False
        server.live()
        server.calm = True
        server.now += 2 + 5 * HOUR
        assert reader.run()
        assert not reader.lost()


class Quiet:
    """Always choose 0, so that nothing happens."""

    def pick(self, count: int) -> int:
        return 0


def still_server(seconds: dict[int, float], **options) -> ChangingServer:
    """A server with these records, given the seconds of each after the start; it is one hour later."""
    server = ChangingServer(Quiet(), calm=True, now=START + HOUR, **options)
    server.rows = {key: Stored(key, START + second, 0) for key, second in seconds.items()}
    return server


def test_a_full_second_is_passed_by_one_record_a_process():
    reader = Reader(still_server(dict.fromkeys(range(1, 61), 0.5)), per_page=4, full_page=4, max_digests=4)
    runs = 0
    while not reader.run(lambda: True):
        runs += 1
    assert (runs, len(reader.got), len(set(reader.got))) == (60, 60, 60)


def test_a_full_second_is_passed_by_one_record_a_process_although_newer_versions_use_up_the_digests():
    server = still_server(dict(enumerate([0, 0, 0, *range(1, 13)])))
    server.now = START + 20
    reader = Reader(server, per_page=4, full_page=4, max_digests=4)
    assert reader.run()
    reader.got.clear()
    for _ in range(14):
        reader.run(lambda: True)
    assert [int(row.id) for row in reader.got] == list(range(14))


@pytest.mark.parametrize("overlap", [0.0, 60.0])
def test_versions_added_to_a_full_second_after_it_was_read_come_in_the_next_run(overlap):
    server = still_server(dict.fromkeys(range(1, 11), 0.1), overlap=overlap)
    server.now = START + 0.2
    reader = Reader(server, per_page=4, full_page=4)
    answer = server.answer

    def later(url: str) -> PageData[Shown]:
        page = answer(url)
        server.now += 0.1
        return page

    server.answer = later
    assert reader.run()
    server.rows[5] = Stored(5, START + 0.9, 1)
    server.now += 100
    assert reader.run()
    assert not reader.lost()


def answered(server: ChangingServer, date: float, elapsed: float, total: int | None = None) -> None:
    """Set the date, the duration and the total of every response."""
    answer = server.answer

    def timed(url: str) -> PageData[Shown]:
        page = answer(url)
        response = Response(200, {"Date": formatdate(date, usegmt=True)}, b"", elapsed=elapsed)
        count = page.total_entries if total is None else total
        return PageData(page.rows, page.rows, count, None, page.request, response)

    server.answer = timed


def test_the_time_of_a_response_may_be_that_of_its_request():
    server = still_server({1: -1.0})
    answered(server, START + 30, elapsed=30.0)
    reader = Reader(server)
    assert reader.run()
    server.rows[2] = Stored(2, START - 40, 1)
    assert reader.run()
    assert not reader.lost()


def test_a_full_second_that_the_overlap_just_reaches_is_read_again():
    server = still_server(dict.fromkeys(range(1, 11), 0.1), overlap=10.0)
    answered(server, START + 11, elapsed=0.5)
    reader = Reader(server, per_page=4, full_page=4)
    assert reader.run()
    server.rows[11] = Stored(11, START + 0.9, 1)
    assert reader.run()
    assert not reader.lost()


def test_a_full_page_is_never_the_last_one_whatever_its_total():
    server = still_server({1: 0, 2: 1, 3: 2, 4: 3, 5: 4})
    answered(server, START + 11, elapsed=0.5, total=1)
    reader = Reader(server, per_page=2)
    assert reader.run()
    assert not reader.lost()


def test_an_unchanging_list_is_read_from_its_last_change_on():
    server = still_server({1: -5, 2: -3, 3: -1})
    reader = Reader(server)
    for now, second in ((START, START - 60), (START + 100, START - 1)):
        server.now = now
        assert reader.run()
        assert read_cursor(reader.cursor or "", OWNER, changes_positions).second == second


def test_a_server_without_this_sort_is_read_in_windows_of_time_up_to_its_own_time():
    server = still_server({key: key * 1000.0 for key in range(1, 31)}, sortable=False)
    server.now = START + 40_000
    reader = Reader(server, per_page=4, full_page=4)
    assert reader.run()
    assert [int(row.id) for row in reader.got] == list(range(1, 31))
    server.date = "missing"
    reader.cursor = None
    with pytest.raises(PaginationError, match="does not sort by updated_at, and its responses have no Date"):
        reader.run()


@pytest.mark.parametrize(
    ("filters", "sort", "text"),
    [
        (False, True, "ignored the filter on updated_at"),
        (True, False, "did not sort by updated_at"),
    ],
)
def test_a_server_that_ignores_the_query_is_an_error(filters, sort, text):
    server = still_server({1: 5, 2: 3, 3: 1, 4: 9, 5: 7})
    reader = Reader(server, per_page=2)
    answer = server.answer

    def careless(url: str) -> PageData[Shown]:
        base, _, query = url.partition("?")
        kept = [pair for pair in query.split("&") if filters or not pair.startswith("q%5B%5D")]
        page = answer(f"{base}?{'&'.join(kept)}")
        return page if sort else PageData(page.rows[::-1], page.rows[::-1], 5, None, page.request, page.response)

    server.answer = careless
    with pytest.raises(PaginationError, match=text):
        reader.run()


@pytest.mark.parametrize("key", ["", "x1", "1" * 20])
def test_an_invalid_id_of_a_record_is_an_error(key):
    row = Shown(key, Stored(1, START, 0).shown().updated_at, "")
    page = PageData((row,), (row,), 1, None, Request("GET", ""), Response(200, {}, b""))
    with pytest.raises(PaginationError, match="no id or no updated_at"):
        ByUpdatedAt(query_of(), OPTIONS).consume(DecodedPage(page))


@for_each(
    "shown, part, requests",
    {
        "of the list": (0, "", 4),
        "of the lower half of a full second": (1, "id%3A%3C", 1 + 4),
        "of its upper half": (1, "id%3A%3E", 1 + 1 + 4),
    },
)
def test_a_page_with_fewer_records_than_its_total_is_requested_again_three_times(shown, part, requests):
    server = still_server(dict.fromkeys(range(1, 11), 0.5))
    answer = server.answer

    def hiding(url: str) -> PageData[Shown]:
        page = answer(url)
        if part not in url:
            return page
        rows = page.rows[:shown]
        return PageData(rows, rows, 10, None, page.request, page.response)

    server.answer = hiding
    reader = Reader(server, per_page=4, full_page=4)
    with pytest.raises(PaginationError, match="counts records that it does not return"):
        reader.run()
    assert reader.requests == requests


@for_each(
    "text, date",
    [
        (None, None),
        ("", None),
        ("yesterday", None),
        ("Tue, 14 Nov 2023 22:13:20 GMT", START),
        ("Tue, 14 Nov 2023 22:13:20", START),
        ("Tue, 14 Nov 2023 23:13:20 +0100", START),
    ],
)
def test_a_date_is_read_in_utc_or_not_at_all(text, date):
    headers = {} if text is None else {"Date": text}
    response = Response(200, headers, b"", elapsed=1.5)
    assert ServerTime.of(response) == ServerTime(date, 1.5)


@for_each("step, days", [(0, 30), (3, 30), (1, 20_000), (100_000, 20_000)])
def test_a_cursor_fits_into_16_kilobytes_whatever_was_yielded(step, days):
    count = 1500 if step else 1090
    server = still_server({key: key * step for key in range(1, count)}, overlap=days * 86400.0)
    server.now = START + 1500 * max(step, 1)
    reader = Reader(server)
    assert reader.run()
    position = read_cursor(reader.cursor or "", OWNER, changes_positions)
    assert len(position.steps) == 1000
    assert len(reader.cursor or "") <= LARGEST_CURSOR
    before = len(reader.got)
    assert reader.run()
    assert count - 1 - 1000 <= len(reader.got) - before <= count - 1000


def test_an_inconsistent_position_is_not_a_valid_cursor():
    position = UpdatedAtPosition(second=1, digests=b"123456789", steps=(1,))
    with pytest.raises(InvalidRequestError, match="not a valid cursor of changes"):
        ByUpdatedAt.resumed(query_of(), OPTIONS, position)


def test_a_huge_overlap_reaches_back_to_1970_at_most():
    server = still_server({1: 0.0}, overlap=1e15)
    reader = Reader(server)
    assert reader.run()
    assert read_cursor(reader.cursor or "", OWNER, changes_positions).second == 0
    assert reader.run()
    assert len(reader.got) == 1
