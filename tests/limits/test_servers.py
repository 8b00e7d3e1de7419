"""Whatever is asked of the limiter, no server counts more than its limit."""

import asyncio
import itertools

from hypothesis import given
from hypothesis import strategies as st

from cliniko_async.limits import Limits
from tests.limits.history import PERIOD, History, demand, share
from tests.support import virtual
from tests.support.limiting import (
    least_in_bucket,
    limiter_of,
    most_in_fixed_window,
    most_in_sliding_window,
    now,
    send,
)


@given(
    demands=st.lists(demand, max_size=40),
    limit=st.integers(1, 6),
    bulk_share=st.sampled_from([0.3, 0.8, 1.0]),
    phase=share,
    pause=st.none() | st.tuples(st.integers(0, 40), st.none() | st.integers(0, 20)),
)
def test_no_server_ever_counts_more_than_its_limit(demands, limit, bulk_share, phase, pause):
    """Whatever is asked, given up and cancelled: fixed window, sliding window and token bucket are kept."""

    async def main() -> tuple[History, Limits]:
        limiter = limiter_of(limit, PERIOD, bulk_share)
        history = History(limiter)
        async with asyncio.TaskGroup() as group:
            for asked in demands:
                group.create_task(history.run(asked))
            if pause is not None:
                await asyncio.sleep(pause[0])
                limiter.pause(pause[1])
        await asyncio.sleep(1.06 * PERIOD)
        return history, await limiter.limits()

    history, limits = virtual.run(main())
    assert most_in_sliding_window(history.counted, PERIOD) <= limit
    assert most_in_fixed_window(history.counted, PERIOD, virtual.START + phase * PERIOD) <= limit
    assert least_in_bucket(history.counted, PERIOD, limit) >= -1e-9
    bulk = [moment for moment, _ in history.granted["bulk"]]
    spacing = PERIOD / (bulk_share * limit)
    assert all(later - earlier >= spacing - 1e-9 for earlier, later in itertools.pairwise(bulk))
    for grants in history.granted.values():
        turns = [turn for _, turn in sorted(grants)]
        assert turns == sorted(turns)
    assert (limits.used, limits.waiting) == (0, {"interactive": 0, "bulk": 0})


@given(demands=st.lists(demand, min_size=1, max_size=30), limit=st.integers(1, 6))
def test_cancelled_waits_lower_no_capacity(demands, limit):
    """However many went away, after a period of rest the whole window is there at once."""

    async def main() -> list[float]:
        limiter = limiter_of(limit, PERIOD)
        history = History(limiter)
        await asyncio.gather(*map(history.run, demands))
        await asyncio.sleep(1.06 * PERIOD)
        began = now()
        return [await send(limiter) - began for _ in range(limit)]

    assert virtual.run(main()) == [0.0] * limit
