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

FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
STORED = {
    "ATidF3Wk3FCvP9qGKpKhcwE": Start(source=1),
    "Acrh4nqGs8oQMF1zEpehYc5lU_EAkgcIkZIJzmVT8QEGAgA": CreatedAtPosition(
        second=1_700_000_000, ids=(7, 8), later=((9, 1_700_000_001),), low=6, skipped=2
    ),
    "AU9aVZ3EdemhRNmlqZqhcAweojc3ewUMwwEA": OffsetPosition(
        offset=12, total=30, last="77", check=123, per_page=5, yielded=12, drifted=True, repeats=1
    ),
    "AYlPLWKmnhurxiLvf5ShaU0BAA": IdPosition(last=77, skipped=1),
    "AcIovSEHFta8TYRaZ5ehY85lU_EAA85lU_DExAgxMjM0NTY3OJHOZVPw_wA": UpdatedAtPosition(
        second=1_700_000_000, low=3, low_watermark=1_699_999_940, digests=b"12345678", steps=(1_699_999_999,)
    ),
}


@for_each("text, position", STORED.items())
def test_a_cursor_that_an_earlier_release_wrote_in_this_version_of_the_format_can_still_be_read(text, position):
    """Cursors are stored. Raise `VERSION` with any change after which this fails, so that the error says why."""
    positions = changes_positions if isinstance(position, UpdatedAtPosition) else list_positions
    assert read_cursor(text, OWNER, positions) == position
    assert write_cursor(OWNER, position) == text


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


@for_each("second", [None, FIRST_SECOND, 0, LAST_SECOND])
def test_changes_can_be_resumed_from_any_second_of_the_calendar(second):
    position = UpdatedAtPosition(second=second, low_watermark=second)
    assert read_cursor(write_cursor(OWNER, position), OWNER, changes_positions) == position


@for_each("field", ["second", "low_watermark"])
@for_each("second", [FIRST_SECOND - 1, LAST_SECOND + 1])
def test_no_second_outside_of_the_calendar_is_a_position_of_changes(field, second):
    position = UpdatedAtPosition(**{"second": 0, field: second})
    with pytest.raises(InvalidRequestError):
        read_cursor(write_cursor(OWNER, position), OWNER, changes_positions)


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
