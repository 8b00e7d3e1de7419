"""The limiter for the tasks, event loops and threads of one process."""

import math
import time
from collections.abc import Callable

from ..errors import ConfigurationError, InvalidRequestError
from ._desk import Desk
from ._interface import Limits, Permit, Priority
from ._window import BULK_SHARE, LIMIT, PERIOD, Window


class SlidingWindowLimiter:
    """At most `limit` requests in any `period`, for all tasks, event loops and threads of one process.

    Interactive callers go first; bulk callers hold at most `bulk_share` of the window, get their permits evenly spaced,
    and may starve. Within a priority, who comes first is served first.
    """

    _desk: Desk

    def __init__(
        self,
        limit: int = LIMIT,
        period: float = PERIOD,
        bulk_share: float = BULK_SHARE,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the size of the window in requests and in seconds, and what bulk may have of it.

        Raises:
            ConfigurationError: `limit` is no whole number from 1, `period` not above 0, `bulk_share` not in (0, 1].
        """
        check_window(limit, period, bulk_share)
        self._desk = Desk(Window(limit, period, bulk_share), clock)

    @property
    def period(self) -> float:
        """The length of the window in seconds."""
        return self._desk.window.period

    async def acquire(self, priority: Priority) -> Permit:
        """Wait for a permit; a cancelled wait gives its place back.

        Raises:
            InvalidRequestError: there is no such priority.
        """
        desk = self._desk
        lane = desk.lanes.get(priority)
        if lane is None:
            raise InvalidRequestError("priority must be 'interactive' or 'bulk'", argument="priority")
        return desk.take(lane) or await desk.wait(lane)

    def pause(self, seconds: float | None) -> float:
        """Give nobody a permit for so many seconds, as a 429 came, and return the seconds until the pause ends.

        None stands for a 429 that did not say how long: a quarter of the period, and twice as long whenever the pause
        before was not enough, up to a period. A pause under way is never shortened.
        """
        return self._desk.pause(seconds)

    async def limits(self) -> Limits:
        """Tell how the limiter stands now."""
        return self._desk.limits()

    def __repr__(self) -> str:
        window = self._desk.window
        options = f"limit={window.limit}, period={window.period:g}, bulk_share={window.bulk_share:g}"
        return f"SlidingWindowLimiter({options})"


def check_window(limit: int, period: float, bulk_share: float) -> None:
    """Refuse what is no size of a window."""
    if isinstance(limit, bool) or limit < 1 or limit % 1:
        raise ConfigurationError("limit is a whole number of requests, at least 1")
    if not 0 < period < math.inf:
        raise ConfigurationError("period is a number of seconds above 0")
    if not 0 < bulk_share <= 1:
        raise ConfigurationError("bulk_share is above 0 and at most 1")
