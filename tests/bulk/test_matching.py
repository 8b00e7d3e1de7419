"""Rows are matched with records: a difference of form does not count, and doubtful matches are left to a person."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliniko_async.bulk._matching import OpenRow, agreement, match
from tests.support.for_each import for_each

LINK = {"links": {"self": "https://api.au1.cliniko.com/v1/concession_types/7?a=b"}}


@for_each(
    "sent, found",
    [
        ("Zoe", "Zoe"),
        (" zoe  DAY ", "Zoe Day"),
        ("+61 400 000", "61400000"),
        ("Zoe", "ZOE"),
        ("!!", "!!"),
        (None, None),
        (None, ""),
        ([], None),
        (True, True),
        (45, "45.0"),
        ("45.00", 45),
        ("45.00", "45.0"),
        (1.5, 1.5),
        ("2025-01-02T03:04:05Z", "2025-01-02T03:04:05.900Z"),
        ("2025-01-02T13:04:05+10:00", "2025-01-02T03:04:05Z"),
        ("2025-01-02T03:04:05", "2025-01-02T03:04:05Z"),
        (["a", "b"], ["a", "b"]),
        ({"number": "1"}, {"number": "1", "normalized_number": "61"}),
        ([{"a": 1}], [{"a": 1, "b": 2}]),
    ],
)
def test_a_value_in_another_form_matches(sent: Any, found: Any):
    assert agreement({"field": sent}, {"field": found}) == "same"


@for_each(
    "sent, found",
    [
        ("Zoe", "Zoé Day"),
        ("!!", "??"),
        ("0412", "412"),
        ("4.50", "450"),
        ("-5", "5"),
        (None, "x"),
        ("x", None),
        (True, "true"),
        (True, False),
        (False, 0),
        (1, True),
        (["a"], ["a", "b"]),
        (["a", "b"], ["a"]),
        ({"a": 1}, [1]),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {}),
        ([], ["a"]),
        ("2025-01-02T03:04:05Z", "2025-01-02T03:04:06Z"),
        ("2025-99-02T03:04:05Z", "2025-01-02T03:04:06Z"),
        ("NaN", "nan.0"),
        ("inf", "inf inity"),
    ],
)
def test_a_different_value_does_not_match(sent: Any, found: Any):
    assert agreement({"field": sent}, {"field": found}) == "different"


def test_a_record_with_half_of_the_fields_is_ambiguous_and_with_fewer_no_match():
    body = {"a": "1", "b": "2", "c": "3"}
    assert agreement(body, body | {"a": "9"}) == "alike"
    assert agreement({"a": "1", "b": "2"}, {"a": "1", "b": "9"}) == "alike"
    assert agreement(body, body | {"a": "9", "b": "9"}) == "different"


@pytest.mark.parametrize("record", [{}, {"concession_type": None}, {"concession_type": {"links": 7}}])
def test_a_record_that_shows_none_of_the_fields_is_ambiguous(record: Any):
    assert agreement({"concession_type_id": "7"}, record) == "alike"
    assert agreement({"concession_type_id": "7", "name": "Zoe"}, record | {"name": "Zoe"}) == "same"
    assert agreement({"secret": "7"}, record) == "alike"


def test_an_id_is_compared_with_the_link():
    assert agreement({"concession_type_id": "7"}, {"concession_type": LINK}) == "same"
    assert agreement({"concession_type_id": "8"}, {"concession_type": LINK}) == "different"


def open_row(name: str, occurrence: int = 0, *, since: float = 0.0) -> OpenRow:
    return OpenRow((name.encode(), occurrence), {"name": name}, since)


def test_rows_that_differ_only_in_form_and_share_a_record_are_ambiguous():
    verdict = match([open_row("zoe"), open_row("Zoe")], {"1": {"name": "Zoe"}})
    assert (verdict.adopted, set(verdict.ambiguous.values())) == ({}, {("1",)})


@for_each("created_at", ["1970-01-01T00:00:09Z", "1970-01-01T00:00:11Z", None, "soon"])
def test_a_record_that_existed_before_is_not_a_candidate(created_at: Any):
    verdict = match([open_row("Zoe", since=10.0)], {"1": {"name": "Zoe", "created_at": created_at}})
    assert bool(verdict.adopted) == (created_at != "1970-01-01T00:00:09Z")


@given(st.lists(st.sampled_from(["Ann", "Bob", "Cid"])), st.data())
def test_every_request_that_was_carried_out_is_matched_with_its_own_record(names: list[str], data: st.DataObject):
    rows = [open_row(name, names[:index].count(name)) for index, name in enumerate(names)]
    done = [row for row in rows if data.draw(st.booleans())]
    records = {str(id): row.body for id, row in enumerate(done)}
    verdict = match(rows, records)
    assert sorted(verdict.adopted.values()) == sorted(records)
    assert all(records[id]["name"].encode() == key[0] for key, id in verdict.adopted.items())
    assert verdict.ambiguous == {}


@given(st.lists(st.sampled_from(["Ann", "Bob"]), min_size=1), st.lists(st.sampled_from(["Ann", "Bob"])))
def test_with_records_of_other_programs_no_row_is_matched_wrongly_or_silently_unmatched(
    names: list[str], others: list[str]
):
    rows = [open_row(name, names[:index].count(name)) for index, name in enumerate(names)]
    records = {str(id): {"name": name} for id, name in enumerate(others)}
    verdict = match(rows, records)
    for row in rows:
        wanted, there = names.count(row.body["name"]), others.count(row.body["name"])
        if there > wanted:
            assert row.key in verdict.ambiguous
        else:
            assert row.key not in verdict.ambiguous
    assert len(set(verdict.adopted.values())) == len(verdict.adopted)
