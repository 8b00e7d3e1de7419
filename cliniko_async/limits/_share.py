"""What one process may send on its own while the store of its limiter is away."""

import asyncio

from ._desk import Desk
from ._interface import Limits, Permit, Priority


class Share:
    """A window of this process alone, which counts all that it sends, so that it knows its part when the store goes."""

    def __init__(self, desk: Desk) -> None:
        self.away = False
        self._desk = desk
        self._scopes: dict[asyncio.Timeout, None] = {}

    @property
    def waiting(self) -> bool:
        """Whether anybody waits for a permit of the share."""
        return bool(self._scopes)

    def enter(self, priority: Priority) -> Permit:
        """Count a permit that the store gave."""
        return self._desk.enter(self._desk.lanes[priority])

    async def acquire(self, priority: Priority) -> Permit | None:
        """Wait for a permit of the share; None once the store is back."""
        scope = asyncio.timeout(None)
        self._scopes[scope] = None
        try:
            async with scope:
                lane = self._desk.lanes[priority]
                return self._desk.take(lane) or await self._desk.wait(lane)
        except TimeoutError:
            return None
        finally:
            del self._scopes[scope]

    def end(self) -> None:
        """Send back to the store whoever waits."""
        self.away = False
        now = asyncio.get_running_loop().time()
        for scope in self._scopes:
            scope.reschedule(now)

    def pause(self, seconds: float) -> None:
        """Pause here, too."""
        self._desk.pause(seconds)

    def limits(self) -> Limits:
        """Tell how the share stands now."""
        return self._desk.limits()
