"""The waits between two retries of something that is unavailable."""

import random
from collections.abc import Iterator


def retry_delays(first: float, longest: float, *, shortest_share: float = 0.5) -> Iterator[float]:
    """Yield the seconds to wait before each retry, random so that clients do not retry in step.

    Args:
        first: The longest first wait; the bound doubles with each retry.
        longest: The largest bound.
        shortest_share: The shortest wait, as a share of the bound.
    """
    bound = min(first, longest)
    while True:
        yield bound * random.uniform(shortest_share, 1)
        bound = min(2 * bound, longest)
