"""Iterations with the real client over a list that changes: with errors, cancellations and resumptions anywhere."""

import asyncio
import contextlib

from hypothesis import currently_in_test_context, given, note, settings
from hypothesis import strategies as st

from cliniko_async.errors import PaginationDriftError, TransportError
from tests.support.model_api import ModelApi, things
from tests.support.model_server import ADDING, REMOVING, Dice, Model, Tape, twice

CHOICES = st.one_of(st.binary(max_size=400).map(Tape), st.integers(0, 2**63).map(Dice))
PER_PAGE = st.integers(1, 4)
PREFETCH = st.sampled_from([0, 1, 2, 8])


class Reader:
    """A program that reads, is interrupted, and continues in one of the possible ways."""

    def __init__(self, api, **options):
        self.api, self.options = api, options
        self.got = []
        self.cursor = None

    async def read(self):
        iterator = aiter(things(self.api, **self.options))
        while True:
            try:
                self.got.append((await self.next(iterator)).id)
            except StopAsyncIteration:
                return
            except TransportError as error:
                iterator = self.go_on(iterator, error.cursor)
            except asyncio.CancelledError:
                iterator = self.go_on(iterator, iterator.cursor)

    async def next(self, iterator):
        """Request the next record, and perhaps cancel the step."""
        task = asyncio.ensure_future(anext(iterator))
        for _ in range(20 * self.api.model.choices.pick(3) or 1000):
            if task.done():
                break
            await asyncio.sleep(0)
            if self.api.model.choices.pick(9) == 8:
                task.cancel()
        return await task

    def go_on(self, iterator, cursor):
        if self.api.model.choices.pick(2):
            return iterator
        return aiter(things(self.api, cursor, **self.options))


def read(model, *, failures=6, **options):
    async def main():
        reader = Reader(ModelApi(model, failures), **options)
        try:
            await reader.read()
        finally:
            if currently_in_test_context():
                for line in model.log:
                    note(line)
                note(f"handed out: {reader.got}")
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1
        return reader.got

    return asyncio.run(main())


@settings(max_examples=2 * settings().max_examples)
@given(CHOICES, PER_PAGE, PREFETCH, st.sampled_from([ADDING, REMOVING]))
def test_a_plain_iteration_survives_errors_cancellations_and_resumptions(choices, per_page, prefetch, kinds):
    # A lost response may have been the only one to show a change that another change undoes.
    model = Model.grown(choices, kinds=kinds)
    got = read(model, per_page=per_page, prefetch=prefetch)
    assert not list(twice(got))
    assert model.always <= set(got)


@settings(max_examples=2 * settings().max_examples)
@given(CHOICES, PER_PAGE, PREFETCH, st.booleans())
def test_a_stable_iteration_survives_errors_cancellations_and_resumptions(choices, per_page, prefetch, sortable):
    model = Model.grown(choices, changes=3, sortable=sortable)
    got = read(model, per_page=per_page, prefetch=prefetch, stable=True)
    assert not list(twice(got))
    assert model.always <= set(got)


@given(CHOICES, PER_PAGE, PREFETCH)
def test_an_iteration_in_a_custom_order_is_complete_or_raises_a_drift_error(choices, per_page, prefetch):
    model, got = Model.grown(choices), []

    async def main():
        with contextlib.suppress(PaginationDriftError):
            async for row in things(ModelApi(model), per_page=per_page, prefetch=prefetch, sort=("name",)):
                got.append(row.id)  # noqa: PERF401  (what came before the error counts)
            assert model.always <= set(got)

    asyncio.run(main())
    assert not list(twice(got))


@given(CHOICES, PER_PAGE, PREFETCH, st.integers(1, 12))
def test_a_limit_counts_records_and_nothing_is_requested_beyond_it(choices, per_page, prefetch, limit):
    model = Model.grown(choices, changes=0)

    async def main():
        api = ModelApi(model)
        got = await things(api, per_page=per_page, prefetch=prefetch, limit=limit).collect()
        return api.sent, [row.id for row in got]

    sent, got = asyncio.run(main())
    whole = read(Model(Tape(b""), rows=model.rows), failures=0)
    assert len(got) == min(limit, len(model.matching()))
    assert set(got) <= set(whole)
    # The list may turn out to be in another order than that of the prefetched pages.
    if model.seconds > 1 and len({int(row.created) for row in model.rows.values()}) == len(model.rows):
        assert len(sent) <= max(1, -(-limit // per_page))
