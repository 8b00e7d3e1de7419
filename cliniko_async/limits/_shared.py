"""The limiters that all clients of one process share."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeAlias
from weakref import WeakValueDictionary

from ._desk import Desk
from ._sliding import SlidingWindowLimiter
from ._window import Window

_Key: TypeAlias = tuple[str, bytes]


class _Shared(SlidingWindowLimiter):
    """A limiter at a desk that outlives it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk


class Registry:
    """One limiter for a server and a key: the same while anybody has it, and its window until it is empty."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._desks: OrderedDict[_Key, Desk] = OrderedDict()
        self._limiters: WeakValueDictionary[_Key, SlidingWindowLimiter] = WeakValueDictionary()

    def get(self, base_url: str, api_key: str) -> SlidingWindowLimiter:
        """Give the limiter of a server and a key, of which it keeps a digest."""
        key = (base_url.rstrip("/"), hashlib.blake2b(api_key.encode(), digest_size=16).digest())
        with self._lock:
            limiter = self._limiters.get(key)
            if limiter is None:
                desk = self._desks.setdefault(key, Desk(Window(), self._clock))
                limiter = self._limiters[key] = _Shared(desk)
            # Two looked at for each one asked for: what is no longer needed goes, and no call pays for many.
            self._forget_oldest()
            self._forget_oldest()
        return limiter

    def __len__(self) -> int:
        """How many windows it remembers."""
        return len(self._desks)

    def _forget_oldest(self) -> None:
        key, desk = self._desks.popitem(last=False)
        if key in self._limiters or not desk.fresh():
            self._desks[key] = desk


_registry = Registry()


def shared_limiter(base_url: str, api_key: str) -> SlidingWindowLimiter:
    """Give the one limiter of this process for a server and a key, whichever client, event loop or thread asks."""
    return _registry.get(base_url, api_key)
