"""Lists that change between any two requests: no record is lost or repeated, and each iteration ends."""

from unittest import mock

import attrs
import pytest
from hypothesis import currently_in_test_context, given, note, settings
from hypothesis import strategies as st

from cliniko_async._paging import by_created_at as anchored
from cliniko_async.errors import PaginationDriftError
from tests.support.for_each import for_each
from tests.support.model_iteration import Iteration
from tests.support.model_server import ADDING, MEMBERSHIP, REMOVING, START, Dice, Model, Stored, Tape, query_of, twice

CHOICES = st.one_of(st.binary(max_size=400).map(Tape), st.integers(0, 2**63).map(Dice))
PER_PAGE = st.integers(1, 4)
REPEATS = st.sampled_from(["joined", "added", "counted"])
PREFETCH = st.integers(1, 4)
thoroughly = settings(max_examples=2 * settings().max_examples)


def show(iteration):
    """Add the history to the message of a failure."""
    if not currently_in_test_context():
        return
    for line in iteration.model.log:
        note(line)
    note(f"handed out: {iteration.got}")


def iterate(model, *, prefetch=0, resumes=False, fails=False, **options):
    """Iterate to the end, and compare the yielded records with those that were there throughout."""
    iteration = Iteration(model, query_of(**options), prefetch=prefetch, resumes=resumes, fails=fails)
    try:
        iteration.run()
    finally:
        show(iteration)
        assert not list(twice(iteration.got))
    assert model.always <= set(iteration.got)
    return iteration


# Iterations with stable=True.


@thoroughly
@given(CHOICES, PER_PAGE, st.booleans())
def test_a_stable_iteration_yields_every_record_that_always_matched_exactly_once(choices, per_page, torn):
    iterate(Model.grown(choices, changes=3, torn=torn), per_page=per_page, stable=True)


@thoroughly
@given(CHOICES, PER_PAGE, st.booleans())
def test_a_stable_iteration_loses_nothing_where_the_sort_is_refused(choices, per_page, torn):
    iterate(Model.grown(choices, changes=3, torn=torn, sortable=False), per_page=per_page, stable=True)


@thoroughly
@given(CHOICES, PER_PAGE, st.integers(2, 4), st.booleans())
def test_a_second_larger_than_a_page_is_divided_until_all_of_it_is_read(choices, per_page, full_page, torn):
    with mock.patch.object(anchored, "FULL_PAGE", full_page):
        iterate(Model.grown(choices, changes=3, torn=torn, sortable=False), per_page=per_page, stable=True)


@thoroughly
@given(CHOICES, PER_PAGE, st.booleans())
def test_a_stable_iteration_can_be_left_after_any_record_and_resumed_from_its_cursor(choices, per_page, sortable):
    with mock.patch.object(anchored, "FULL_PAGE", max(2, per_page)):
        iterate(Model.grown(choices, changes=3, sortable=sortable), resumes=True, per_page=per_page, stable=True)


@given(CHOICES, PER_PAGE, PREFETCH, st.booleans())
def test_a_stable_iteration_with_prefetch_is_safe(choices, per_page, prefetch, sortable):
    iterate(Model.grown(choices, changes=3, sortable=sortable), prefetch=prefetch, per_page=per_page, stable=True)


def test_an_iteration_by_id_costs_one_request_a_page():
    model = Model(Tape(b""), rows={key: Stored(key, START + key % 8, "a") for key in range(1, 31)})
    assert iterate(model, per_page=4, stable=True).requests == 8


def test_a_full_page_of_an_iteration_by_id_is_followed_by_one_more_request():
    model = Model(Tape(b""), rows={key: Stored(key, START, "a") for key in range(1, 9)})
    assert iterate(model, per_page=4, stable=True).requests == 3


@for_each("size", [99, 100, 101, 250, 1000])
def test_a_bulk_import_of_one_second_costs_at_most_four_times_its_pages(size):
    model = Model(Tape(b""), sortable=False)
    model.rows = {7 * key % 1009: Stored(7 * key % 1009, START, "a") for key in range(1, size + 1)}
    model.always = model.matching()
    assert iterate(model, per_page=100, stable=True).requests <= 4 * (size // 100 + 1)


@thoroughly
@given(CHOICES, PER_PAGE, st.integers(2, 4), REPEATS)
def test_a_stable_iteration_is_safe_with_a_server_that_repeats_rows_on_a_page(choices, per_page, full_page, repeats):
    torn, sortable, resumes, capped = (bool(choices.pick(2)) for _ in range(4))
    # A page that is smaller than asked for, with a total from before a late commit, looks complete to every client.
    torn = torn and not capped
    with mock.patch.object(anchored, "FULL_PAGE", full_page):
        model = Model.grown(choices, changes=3, torn=torn, sortable=sortable, repeats=repeats)
        model.largest_page = 2 if capped else 100
        iterate(model, resumes=resumes, per_page=per_page, stable=True)


@for_each("repeats", ["joined", "counted"])
@for_each("options", [{}, {"stable": True}, {"sort": ("name",)}])
def test_rows_that_are_repeated_on_a_page_and_counted_cost_no_request_more(options, repeats):
    rows = {key: Stored(key, START + key, "abc"[key % 3], copies=1 + (repeats == "joined")) for key in range(1, 31)}
    model = Model(Dice(1), rows=rows, changes=0, repeats=repeats, shuffles=False)
    model.always = model.matching()
    assert iterate(model, per_page=100, **options).requests == 1


# Iterations in the default order.


@thoroughly
@given(CHOICES, PER_PAGE)
def test_a_plain_iteration_loses_nothing_while_one_record_comes_or_goes_between_two_requests(choices, per_page):
    iterate(Model.grown(choices), per_page=per_page)


@thoroughly
@given(CHOICES, PER_PAGE, PREFETCH)
def test_a_plain_iteration_loses_nothing_when_prefetched_pages_were_seen_in_another_order(choices, per_page, prefetch):
    iterate(Model.grown(choices), prefetch=prefetch, per_page=per_page)


@thoroughly
@given(CHOICES, PER_PAGE)
def test_a_plain_iteration_can_be_left_after_any_record_and_resumed_from_its_cursor(choices, per_page):
    iterate(Model.grown(choices), resumes=True, per_page=per_page)


@thoroughly
@given(CHOICES, PER_PAGE, PREFETCH, st.sampled_from([ADDING, REMOVING]))
def test_a_plain_iteration_can_be_left_with_pages_under_way(choices, per_page, prefetch, kinds):
    iterate(Model.grown(choices, kinds=kinds), prefetch=prefetch, resumes=True, per_page=per_page)


@thoroughly
@given(CHOICES, PER_PAGE, st.integers(0, 3), st.booleans())
def test_a_plain_iteration_never_yields_a_record_twice(choices, per_page, prefetch, torn):
    iteration = Iteration(Model.grown(choices, changes=3, torn=torn), query_of(per_page=per_page), prefetch=prefetch)
    iteration.run()
    show(iteration)
    assert not list(twice(iteration.got))


@thoroughly
@given(CHOICES, PER_PAGE, st.integers(2, 4))
def test_a_plain_iteration_divides_a_full_second_too(choices, per_page, full_page):
    with mock.patch.object(anchored, "FULL_PAGE", full_page):
        iterate(Model.grown(choices), per_page=per_page)


@thoroughly
@given(CHOICES, PER_PAGE, st.integers(0, 3), st.booleans(), st.sampled_from(["joined", "added"]))
def test_a_plain_iteration_is_safe_with_a_server_that_repeats_rows_on_a_page(
    choices, per_page, prefetch, resumes, repeats
):
    iterate(Model.grown(choices, repeats=repeats), prefetch=prefetch, resumes=resumes, per_page=per_page)


@thoroughly
@given(CHOICES, PER_PAGE, st.integers(0, 3), st.booleans(), st.sampled_from([{}, {"stable": True}]))
def test_a_page_that_is_consumed_again_after_an_error_loses_and_repeats_nothing(
    choices, per_page, prefetch, resumes, options
):
    model = Model.grown(choices)
    iterate(model, prefetch=prefetch, resumes=resumes, fails=True, per_page=per_page, **options)


@given(CHOICES, PER_PAGE, st.integers(0, 3), st.booleans())
def test_an_unchanging_list_in_a_custom_order_is_read_to_its_end_whatever_is_consumed_again(
    choices, per_page, prefetch, resumes
):
    model = Model.grown(choices, changes=0, shuffles=False)
    iterate(model, prefetch=prefetch, resumes=resumes, fails=True, per_page=per_page, sort=("name",))


@given(CHOICES, PER_PAGE, st.integers(0, 3))
def test_an_unchanging_list_costs_one_request_a_page(choices, per_page, prefetch):
    model = Model.grown(choices, changes=0)
    iteration = iterate(model, prefetch=prefetch, per_page=per_page)
    if len({int(row.created) for row in model.rows.values() if row.there}) == len(model.matching()):
        assert iteration.requests == max(1, -(-len(model.matching()) // per_page))


# A custom order.


@given(CHOICES, PER_PAGE, st.integers(0, 3))
def test_an_unchanging_list_in_a_custom_order_with_repeated_rows_is_read_to_its_end(choices, per_page, prefetch):
    model = Model.grown(choices, changes=0, repeats="added", shuffles=False)
    iterate(model, prefetch=prefetch, per_page=per_page, sort=("name",))


@attrs.define
class GrowingModel(Model):
    """A list that grows at its front before each request, so that each page repeats the one before it."""

    def pass_time(self):
        self.insert(0).name = ""


@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_list_in_a_custom_order_that_grows_with_each_record_read_has_moved(prefetch):
    model = GrowingModel(Dice(1), rows={1008: Stored(1008, START, "z")}, shuffles=False)
    iteration = Iteration(model, query_of(per_page=1, sort=("name",)), prefetch=prefetch)
    with pytest.raises(PaginationDriftError):
        iteration.run()
    assert not list(twice(iteration.got))


@thoroughly
@given(CHOICES, PER_PAGE, st.integers(0, 3))
def test_a_moved_list_in_a_custom_order_raises_at_the_end_and_repeats_nothing(choices, per_page, prefetch):
    model = Model.grown(choices)
    iteration = Iteration(model, query_of(per_page=per_page, sort=("name",)), prefetch=prefetch)
    try:
        iteration.run()
    except PaginationDriftError:
        pass
    else:
        assert model.always <= set(iteration.got)
    show(iteration)
    assert not list(twice(iteration.got))


@thoroughly
@given(CHOICES, PER_PAGE)
def test_a_cursor_in_a_custom_order_is_valid_only_while_its_page_is_unchanged(choices, per_page):
    model = Model.grown(choices, kinds=MEMBERSHIP, shuffles=False)
    iteration = Iteration(model, query_of(per_page=per_page, sort=("name",)), resumes=True)
    try:
        iteration.run()
    except PaginationDriftError:
        pass
    else:
        assert model.always <= set(iteration.got)
    show(iteration)
    assert not list(twice(iteration.got))
