"""The detector of a list that changes: one page compared with those before it."""

import datetime as dt
from types import SimpleNamespace

from cliniko_async._paging.drift import DriftDetector, PageState, stamps_of
from cliniko_async._paging.page_rows import second_of
from cliniko_async._records.page import PageData
from tests.support.for_each import for_each
from tests.support.records import request, response

DAY = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


def rows_of(*ids: int, stamps: dict[int, dt.datetime | None] | None = None) -> tuple[SimpleNamespace, ...]:
    """Records created a second apart in the order of their ids, unless stamps are given."""
    created = {key: DAY + dt.timedelta(seconds=key) for key in ids} | (stamps or {})
    return tuple(SimpleNamespace(id=str(key), created_at=created[key]) for key in ids)


def page(rows, total=10, following="more") -> PageData:
    return PageData(rows, rows, total, following, request(), response({}))


def state(rows, yielded: int, receipt_order: int = 0) -> PageState:
    stamps = stamps_of(rows)
    return PageState(stamps, second_of([*stamps.values()][-1]), None, yielded, receipt_order)


def read(detector: DriftDetector, *ids: int, total: int = 10) -> DriftDetector:
    """The detector after a page whose new records were all yielded."""
    rows = rows_of(*ids)
    found = detector.inspect(page(rows, total), rows)
    return detector.after(page(rows, total), state(rows, detector.yielded + len(found.fresh)), keep=3)


def test_the_last_state_is_that_of_the_newest_page():
    detector = read(read(DriftDetector(10, ordered=True), 1, 2), 3, 4)
    assert [state.yielded for state in detector.recent] == [2, 4]
    assert detector.last is detector.recent[-1]
    assert DriftDetector().last is None


def test_a_repeated_id_is_drift_even_if_the_total_still_fits():
    detector = read(DriftDetector(10, ordered=True), 1, 2)
    rows = rows_of(2, 3)
    found = detector.inspect(page(rows), rows)
    assert [row.id for row in found.fresh] == ["3"]
    assert found.changed
    assert not detector.inspect(page(rows_of(3, 4)), rows_of(3, 4)).changed


@for_each(
    "rows, total, following, changed",
    {
        "as many as before": (rows_of(3, 4), 4, None, False),
        "another total": (rows_of(3, 4), 5, "more", True),
        "no total any more": (rows_of(3, 4), None, "more", True),
        "more than the total": (rows_of(3, 4, 5), 4, "more", True),
        "the end before the total": (rows_of(3), 4, None, True),
        "more to come": (rows_of(3), 4, "more", False),
    },
)
def test_a_total_that_contradicts_the_records_is_drift(rows, total, following, changed):
    detector = read(DriftDetector(4, ordered=True), 1, 2, total=4)
    assert detector.inspect(page(rows, total, following), rows).changed is changed


@for_each(
    "rows, disordered",
    {
        "later": (rows_of(3, 4), False),
        "in the last second": (rows_of(3, stamps={3: DAY + dt.timedelta(seconds=2)}), False),
        "earlier than the page before": (rows_of(3, stamps={3: DAY}), True),
        "only at first earlier than the page before": (rows_of(3, 4, stamps={3: DAY}), True),
        "not sorted": (rows_of(4, 3), True),
        "without a time": (rows_of(3, stamps={3: None}), True),
    },
)
def test_a_record_out_of_order_is_seen_in_a_list_that_has_one(rows, disordered):
    assert read(DriftDetector(10, ordered=True), 1, 2).inspect(page(rows), rows).disordered is disordered
    assert not read(DriftDetector(10, ordered=False), 1, 2).inspect(page(rows), rows).disordered


def test_pages_in_a_row_without_a_new_record_or_past_the_total_are_counted():
    detector = DriftDetector(4)
    counts = []
    for ids in ((1, 2), (1, 2), (2,), (3,), (3,), (4,), (5,), (6,)):
        detector = read(detector, *ids, total=4)
        counts.append(detector.pages_without_progress)
    assert counts == [0, 1, 2, 0, 1, 0, 1, 2]
    assert read(DriftDetector(0), 1, total=0).pages_without_progress == 1


def test_the_ids_of_a_second_are_those_since_it_and_no_earlier_ones():
    detector = read(read(DriftDetector(10, ordered=True), 1, 2, 3), 4, 5)
    first, last = detector.recent
    rows = rows_of(6)
    detector.inspect(page(rows), rows)
    assert detector.ids_of_second(last) == {5}
    assert detector.ids_of_second(first) == {3, 4, 5}


def test_the_ids_of_the_last_second_of_the_oldest_recent_page_are_still_recognised():
    detector = read(read(DriftDetector(10, ordered=True), 1, 2, 3), 4, 5)
    rows = rows_of(3, 6)
    assert [row.id for row in detector.inspect(page(rows), rows).fresh] == ["6"]


def test_a_restart_begins_after_the_last_page_of_the_complete_prefix():
    states = tuple(state(rows_of(key), key, receipt_order=moment) for key, moment in ((1, 10), (2, 30), (3, 20)))
    detector = DriftDetector(recent=states)
    assert [detector.newest_before(moment) for moment in (10, 11, 25, 31)] == [None, states[0], states[0], states[2]]
