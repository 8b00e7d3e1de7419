"""Cursors: short, opaque, and refused wherever they do not belong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliniko_async._paging.cursor import (
    CreatedAtPosition,
    IdPosition,
    OffsetPosition,
    Start,
    UpdatedAtPosition,
    changes_positions,
    fingerprint,
    list_positions,
    read_cursor,
    write_cursor,
)
from cliniko_async.errors import InvalidRequestError
from tests.support.clients import virtually
from tests.support.for_each import for_each
from tests.support.listed import listed, names

OWNER = fingerprint("an account", "a query")
IDS = st.integers(0, 10**19 - 1)
SECONDS = st.integers(-(2**40), 2**40)
COUNTS = st.integers(0, 2**63 - 1)
OFFSETS = {
    "repeats": COUNTS,
    "total": st.none() | COUNTS,
    "last": st.none() | st.from_regex(r"\d{1,19}", fullmatch=True),
}
POSITIONS = st.one_of(
    st.builds(Start, source=st.integers(0, 3)),
    st.builds(IdPosition, source=st.integers(0, 3), last=IDS, skipped=st.integers(0, 9)),
    st.builds(
        OffsetPosition,
        offset=IDS,
        check=IDS,
        per_page=st.integers(1, 100),
        yielded=IDS,
        drifted=st.booleans(),
        **OFFSETS,
    ),
    st.builds(
        CreatedAtPosition,
        second=SECONDS,
        ids=st.lists(IDS, max_size=100).map(tuple),
        later=st.lists(st.tuples(IDS, SECONDS), max_size=5).map(tuple),
        low=st.none() | IDS,
        skipped=st.integers(0, 9),
    ),
)


@given(POSITIONS)
def test_a_position_survives_the_round_trip_through_a_cursor(position):
    assert read_cursor(write_cursor(OWNER, position), OWNER, list_positions) == position


@given(POSITIONS)
def test_a_cursor_is_safe_in_a_url_and_at_most_a_few_kilobytes(position):
    text = write_cursor(OWNER, position)
    assert text.replace("-", "").replace("_", "").isalnum()
    assert len(text) < 2000


@given(st.text() | st.from_regex(r"AT[\w-]*", fullmatch=True))
def test_garbage_is_refused_as_an_invalid_request(text):
    with pytest.raises(InvalidRequestError):
        read_cursor(text, OWNER, list_positions)


@given(POSITIONS, st.data())
def test_a_cursor_with_one_character_changed_is_refused_or_unchanged(position, data):
    text = write_cursor(OWNER, position)
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.sampled_from("ABCabc019-_")) + text[at + 1 :]
    try:
        # Only some bits of the last character matter.
        assert read_cursor(changed, OWNER, list_positions) == position
    except InvalidRequestError:
        assert changed != text


@for_each("text", ["", "A", "AQ", "é", b"AQAA", 7, None, ["AQ"]])
def test_a_malformed_cursor_is_refused_as_an_invalid_request(text):
    with pytest.raises(InvalidRequestError):
        read_cursor(text, OWNER, list_positions)


@pytest.mark.parametrize(
    ("position", "positions"),
    [
        (UpdatedAtPosition(second=1), list_positions),
        (UpdatedAtPosition(second=2**40), changes_positions),
        (IdPosition(last=1), changes_positions),
    ],
)
def test_a_position_of_another_kind_or_outside_of_the_calendar_is_refused(position, positions):
    with pytest.raises(InvalidRequestError):
        read_cursor(write_cursor(OWNER, position), OWNER, positions)


@virtually
async def test_a_cursor_of_another_query_or_another_account_is_refused_before_anything_is_sent():
    async with listed() as (sandbox, cliniko), listed() as (_, other):
        types = cliniko.appointment_types
        iterator = aiter(types.list())
        await anext(iterator)
        sandbox.requests.clear()
        for refusing in (
            lambda: types.list(sort="name", cursor=iterator.cursor),
            lambda: types.list("category:=a", cursor=iterator.cursor),
            lambda: types.list(archived="include", cursor=iterator.cursor),
            lambda: types.list(stable=True, cursor=iterator.cursor),
            lambda: types.list_for_practitioner(1, cursor=iterator.cursor),
            lambda: other.appointment_types.list(cursor=iterator.cursor),
        ):
            with pytest.raises(InvalidRequestError, match="belongs to another"):
                refusing()
        assert not sandbox.requests
        assert names(await types.list(cursor=iterator.cursor, prefetch=3, per_page=5).collect()) == "bcdefghij"
