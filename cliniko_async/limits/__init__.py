"""Rate limiters, which decide when a request may be sent, so that no window of the server exceeds its limit.

A permit is held from before its request is sent until one period after the answer arrived. The server counts the
request in between, so the limit is respected whether the server uses a fixed window, a sliding one or a token bucket.
"""

import importlib
from typing import TYPE_CHECKING

from .base import Limits, Permit, Priority, RateLimiter, Wait
from .local import SlidingWindowLimiter, shared_limiter

if TYPE_CHECKING:
    from .redis import RedisLimiter
    from .shared import SharedLimiter
    from .sqlite import SqliteLimiter
    from .store import Store, StoreLostError

__all__ = [
    "Limits",
    "Permit",
    "Priority",
    "RateLimiter",
    "RedisLimiter",
    "SharedLimiter",
    "SlidingWindowLimiter",
    "SqliteLimiter",
    "Store",
    "StoreLostError",
    "Wait",
    "shared_limiter",
]

_late = {
    "RedisLimiter": ".redis",
    "SharedLimiter": ".shared",
    "SqliteLimiter": ".sqlite",
    "Store": ".store",
    "StoreLostError": ".store",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _late:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(_late[name], __name__), name)
        return value
