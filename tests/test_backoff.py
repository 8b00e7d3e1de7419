"""The waits between retries: doubled up to the longest, and random, so that clients do not retry in step."""

import itertools

import pytest

from cliniko_async._backoff import retry_delays


@pytest.mark.parametrize("shortest_share", [0.0, 0.5])
def test_each_bound_is_twice_the_previous_one_up_to_the_longest(shortest_share):
    bounds = [0.5, 1, 2, 3, 3, 3]
    for _ in range(50):
        delays = list(itertools.islice(retry_delays(0.5, 3, shortest_share=shortest_share), len(bounds)))
        assert all(shortest_share * bound <= delay <= bound for delay, bound in zip(delays, bounds, strict=True))


def test_no_two_clients_wait_the_same():
    assert len({next(retry_delays(1, 1)) for _ in range(100)}) > 90
